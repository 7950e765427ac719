package io.usermap.job;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/**
 * {@code usermap apply} in a process of its own, with executors in processes of theirs: to be killed, stopped and continued.
 *
 * <p>Runs the built jar, as the launcher does, on Spark's {@code local-cluster}. Processes are found in /proc.
 */
final class JobProcess {
    private static final String EXECUTOR = "org.apache.spark.executor.CoarseGrainedExecutorBackend";
    /** Flags that make a short run of Spark cheap. */
    static final String QUICK = System.getProperty("usermap.quick.jvm.flags");

    private final Process process;
    private final Path log;

    private JobProcess(Process process, Path log) {
        this.process = process;
        this.log = log;
    }

    /**
     * What all processes have in common.
     *
     * @param home a folder that Spark takes for its home
     * @param executors how many there are, of how many cores: {@code 2,1}
     */
    record Cluster(Path home, String executors) {
        /** One whose files are below {@code folder}. */
        static Cluster in(Path folder, String executors) throws IOException {
            Path home = folder.resolve("spark-home");
            Path jars = Files.createDirectories(home.resolve("jars"));
            Files.writeString(home.resolve("RELEASE"), "");
            for (String jar : sparkJars().split(File.pathSeparator, -1)) {
                Path link = jars.resolve(Path.of(jar).getFileName());
                if (!Files.exists(link)) {
                    Files.createSymbolicLink(link, Path.of(jar));
                }
            }
            return new Cluster(home, executors);
        }
    }

    /** Starts {@code apply} with {@code settings}, each {@code key=value}; its output goes to {@code log}. */
    static JobProcess apply(Cluster cluster, Path log, List<String> settings) throws IOException {
        List<String> line = new ArrayList<>(List.of(java(), "-Xmx512m"));
        line.addAll(List.of(QUICK.split(" ")));
        line.addAll(List.of(System.getProperty("usermap.spark.jvm.flags").split(" ")));
        line.addAll(List.of(
                "-Dusermap.launcher=true",
                "-Dlog4j2.configurationFile=" + Checkout.root().resolve("conf/log4j2.properties"),
                "-cp",
                jar() + File.pathSeparator + sparkJars(),
                "io.usermap.job.Main",
                "apply"));
        List<String> all = new ArrayList<>(settings);
        all.addAll(List.of(
                "spark.master=local-cluster[" + cluster.executors() + ",512]",
                "spark.executor.memory=512m",
                "spark.executor.extraJavaOptions=" + QUICK,
                "spark.ui.enabled=false"));
        LocalSpark.CHEAP.forEach((key, value) -> all.add(key + "=" + value));
        for (String setting : all) {
            line.add("--set");
            line.add(setting);
        }
        ProcessBuilder builder = new ProcessBuilder(line)
                .redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.appendTo(log.toFile()));
        builder.environment().put("SPARK_HOME", cluster.home().toString());
        builder.environment().put("SPARK_SCALA_VERSION", "2.12");
        builder.environment().put("SPARK_LOCAL_IP", "127.0.0.1");
        builder.environment().put("SPARK_LOCAL_HOSTNAME", "127.0.0.1");
        return new JobProcess(builder.start(), log);
    }

    static String java() {
        return Path.of(System.getProperty("java.home"), "bin", "java").toString();
    }

    private static Path jar() {
        return Checkout.root().resolve("job/target/usermap-job-" + System.getProperty("usermap.version") + ".jar");
    }

    private static String sparkJars() throws IOException {
        return Files.readString(Checkout.root().resolve("job/target/spark.classpath"))
                .strip();
    }

    boolean isRunning() {
        return process.isAlive();
    }

    /** Its exit code; fails if it does not end in time. */
    int exitCode(Duration most) throws InterruptedException {
        if (!process.waitFor(most.toMillis(), TimeUnit.MILLISECONDS)) {
            throw new AssertionError("apply did not end within " + most.toSeconds() + " s, see " + log);
        }
        return process.exitValue();
    }

    /** The driver, to be signalled. */
    ProcessHandle driver() {
        return process.toHandle();
    }

    /** The executors that run now. */
    List<ProcessHandle> executors() {
        try (Stream<ProcessHandle> children = process.descendants()) {
            return children.filter(child -> commandLine(child).contains(EXECUTOR))
                    .toList();
        }
    }

    /** From /proc, because ProcessHandle cuts a long command line off. */
    private static String commandLine(ProcessHandle child) {
        try {
            return Files.readString(Path.of("/proc", "" + child.pid(), "cmdline"));
        } catch (IOException e) {
            return ""; // it has just ended
        }
    }

    /** Whether it is there and no zombie. */
    static boolean isThere(ProcessHandle process) {
        return process.isAlive() && !commandLine(process).isEmpty();
    }

    /** Sends {@code signal}, such as KILL, TERM, STOP or CONT; nothing if {@code to} has ended. */
    static void signal(ProcessHandle to, String signal) throws IOException, InterruptedException {
        if (to.isAlive()) {
            new ProcessBuilder("kill", "-" + signal, "" + to.pid())
                    .redirectErrorStream(true)
                    .start()
                    .waitFor(20, TimeUnit.SECONDS);
        }
    }
}
