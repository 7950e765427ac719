package io.usermap.spark;

import io.usermap.client.Allowance.Outcome;
import io.usermap.client.Allowance.Writer;
import io.usermap.client.AllowanceAnswer;
import io.usermap.client.AllowanceAnswer.Grant;
import io.usermap.client.Tally;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.locks.LockSupport;
import java.util.jar.JarEntry;
import java.util.jar.JarOutputStream;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.api.java.function.FlatMapFunction;
import org.apache.spark.sql.SparkSession;

/**
 * Asks the coordinator for the allowance from inside an executor, as so many writers at a time, and times the answers.
 *
 * <p>Each writer asks, reports what it was granted as sent after about {@code requestTime}, and asks again, until {@code
 * duration} is over. Yields one array a writer, with two figures for each {@link Answer}. It travels to the executors in a
 * jar of its own.
 *
 * @param lines the way to the coordinator
 * @param writers how many writers ask in each task, at the same time
 * @param duration how long they ask
 * @param requestTime how long each seems to send, on average
 */
record AnswerProbe(AllowanceLines lines, int writers, Duration duration, Duration requestTime)
        implements FlatMapFunction<Iterator<Integer>, long[]> {
    /** So few that all questions together ask for less than a window holds: nobody waits for anything but the answer. */
    private static final int MAPPINGS = 1;

    private static final int TASKS = 2;

    /**
     * An answer.
     *
     * @param askedAfter nanoseconds from the first question of the task to this one
     * @param nanos nanoseconds from this question to its answer, less those that the coordinator let it wait for the window
     */
    record Answer(long askedAfter, long nanos) {}

    /** What {@code probe} finds in two executors at once. */
    static List<Answer> answers(SparkSession session, AnswerProbe probe) {
        List<Answer> answers = new ArrayList<>();
        for (long[] writer : JavaSparkContext.fromSparkContext(session.sparkContext())
                .parallelize(IntStream.range(0, TASKS).boxed().toList(), TASKS)
                .mapPartitions(probe)
                .collect()) {
            for (int i = 0; i < writer.length; i += 2) {
                answers.add(new Answer(writer[i], writer[i + 1]));
            }
        }
        return answers;
    }

    /** A jar with this class, for {@code SparkContext.addJar}. */
    static Path jar(Path folder) throws IOException {
        Path jar = folder.resolve("answer-probe.jar");
        String entry = AnswerProbe.class.getName().replace('.', '/') + ".class";
        try (OutputStream file = Files.newOutputStream(jar);
                JarOutputStream out = new JarOutputStream(file);
                InputStream in = AnswerProbe.class.getResourceAsStream("/" + entry)) {
            out.putNextEntry(new JarEntry(entry));
            in.transferTo(out);
        }
        return jar;
    }

    @Override
    public Iterator<long[]> call(Iterator<Integer> tasks) throws Exception {
        int task = tasks.next();
        String write = "probe-" + UUID.randomUUID();
        ExecutorService threads = Executors.newFixedThreadPool(writers);
        try {
            List<AllowanceLines.Connection> connected = new ArrayList<>();
            for (int i = 0; i < writers; i++) {
                int partition = task * writers + i;
                connected.add(lines.connect(new Writer(write, partition, partition)));
            }
            long start = System.nanoTime();
            List<Callable<long[]>> asking = new ArrayList<>();
            for (AllowanceLines.Connection line : connected) {
                String name = write + "-" + task + "-" + asking.size();
                asking.add(() -> ask(line, name, start));
            }
            List<long[]> times = new ArrayList<>();
            for (Future<long[]> asked : threads.invokeAll(asking)) {
                times.add(asked.get());
            }
            return times.iterator();
        } finally {
            threads.shutdownNow();
        }
    }

    private long[] ask(AllowanceLines.Connection line, String name, long start) throws InterruptedException {
        LongStream.Builder answers = LongStream.builder();
        for (int i = 0; System.nanoTime() - start < duration.toNanos(); i++) {
            long asked = System.nanoTime();
            AllowanceAnswer answer = line.ask(name + "-" + i, MAPPINGS);
            long took = System.nanoTime() - asked;
            if (!(answer instanceof Grant grant)) {
                throw new IllegalStateException("Asked for more than there is: " + answer);
            }
            answers.add(asked - start).add(took - grant.waited().toNanos());
            LockSupport.parkNanos(
                    (long) (requestTime.toNanos() * ThreadLocalRandom.current().nextDouble(0.5, 1.5)));
            line.done(grant.permit(), Outcome.OK, Duration.ZERO, requestTime, Tally.NONE);
        }
        line.finish(Tally.NONE);
        return answers.build().toArray();
    }
}
