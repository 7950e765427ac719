package io.usermap.job;

import io.usermap.job.SandboxProcess.Arrival;
import io.usermap.job.SandboxProcess.Event;
import io.usermap.job.SandboxProcess.Figures;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.stream.Stream;
import org.apache.spark.sql.SparkSession;

/**
 * One SIGKILL at a moment that a seed tells, the runs of {@code apply} that follow it, and what came of it.
 *
 * <p>The moment is while the plan is made, at a number of events received, or while the state is published, and some
 * milliseconds more. All requests are slow, so that most kills meet some.
 */
final class Kill {
    /** Whom it hits. */
    enum Victim {
        DRIVER,
        EXECUTOR
    }

    /** What the run was doing, as far as the outside can tell. */
    private enum Phase {
        PLANNING,
        SENDING,
        PUBLISHING
    }

    private static final String TOO_LATE = "at the end";
    private static final Duration LONGEST = Duration.ofMinutes(8);
    /** Requests that take their time; the number is a seed. */
    static final String SLOW = "{\"seed\": %d, \"faults\": [{\"name\": \"slow\", \"path\": \"map\","
            + " \"delay_request\": \"0ms-200ms\", \"delay_answer\": \"50ms-600ms\"}]}";
    /** In burst: as long as a receipt may take on a busy machine from the answer to the end of its file. */
    private static final Duration RECEIPT_IN_BURST = Duration.ofSeconds(3);
    /** In smooth: after so much of the allowance a file of receipts is closed. */
    private static final Duration OF_SMOOTH = Duration.ofSeconds(10);
    /** As many as the allowance lets be under way at a time. */
    private static final int MOST_REQUESTS_IN_FLIGHT = 4;

    /**
     * What came of it.
     *
     * @param moment when it was, in words
     * @param planned events of the plan
     * @param inFlight events of requests that were not answered at the kill
     * @param unreceipted events that had arrived, or arrived from the dead one afterwards, without a receipt to be read
     * @param again events sent more than once
     * @param answeredBefore how long before the kill the earliest answer to any of those was; nothing if all were in flight
     * @param exitCodes of {@code apply}, the killed one left out
     * @param problems what is not as it should be
     */
    record Result(
            long seed,
            Victim victim,
            ChaosScene.Mode mode,
            String moment,
            int planned,
            int inFlight,
            int unreceipted,
            int again,
            Duration answeredBefore,
            Figures figures,
            List<Integer> exitCodes,
            List<String> problems,
            Duration took) {

        boolean isWell() {
            return problems.isEmpty();
        }

        @Override
        public String toString() {
            return "seed " + seed + ", " + victim + ", " + mode + ", " + moment + ": "
                    + again + " of " + planned + " sent again (answered up to " + answeredBefore.toMillis()
                    + " ms before), "
                    + inFlight + " in flight, " + unreceipted
                    + " without receipt, window " + figures.mostInWindow() + " of " + figures.limit() + ", exit codes "
                    + exitCodes + ", " + took.toSeconds() + " s" + (isWell() ? "" : "; NOT WELL: " + problems);
        }
    }

    private final ChaosScene scene;
    private final long seed;
    private final Victim victim;
    private final Random random;
    private final List<Integer> exitCodes = new ArrayList<>();

    private Kill(ChaosScene scene, long seed, Victim victim, Random random) {
        this.scene = scene;
        this.seed = seed;
        this.victim = victim;
        this.random = random;
    }

    /**
     * Kills and resumes once in {@code folder}, from where {@code base} ended; the folder is kept if all is not well. A run
     * that ended before its moment came is followed by others, until one was killed.
     */
    static Result carryOut(
            ChaosScene base, Path folder, JobProcess.Cluster cluster, long seed, Victim victim, SparkSession spark)
            throws IOException, InterruptedException {
        for (int round = 0; ; round++) {
            Random random = new Random(round * 1_000_000L + seed * 2 + (victim == Victim.DRIVER ? 0 : 1));
            Result result = once(base, folder.resolve("" + round), cluster, seed, victim, random, spark);
            if (!result.moment().equals(TOO_LATE) || !result.isWell()) {
                return result;
            }
        }
    }

    private static Result once(
            ChaosScene base,
            Path folder,
            JobProcess.Cluster cluster,
            long seed,
            Victim victim,
            Random random,
            SparkSession spark)
            throws IOException, InterruptedException {
        String pacing = random.nextInt(5) < 2 ? "smooth" : "burst";
        String remap = random.nextInt(4) == 0 ? "unmap-first" : "overwrite";
        // In smooth, 10 s of the allowance have to be less than the plan.
        ChaosScene.Mode mode = random.nextBoolean() && pacing.equals("burst")
                ? new ChaosScene.Mode(pacing, remap, 80, 3)
                : new ChaosScene.Mode(pacing, remap, 30, 15);
        ChaosScene scene = ChaosScene.after(base, folder, cluster, mode);
        Result result;
        try (scene) {
            result = new Kill(scene, seed, victim, random).run(spark);
        }
        if (result.isWell()) {
            Waiting.pass(Duration.ofMillis(100));
            scene.forget();
        }
        return result;
    }

    private Result run(SparkSession spark) throws IOException, InterruptedException {
        Instant start = Instant.now();
        scene.want(ChaosScene.nextNight(scene.wanted(), 0.08, 0.1, 550, "s" + seed, random));
        Set<Event> planned = scene.planned();
        scene.sandbox().addFaults(SLOW.formatted(seed));
        JobProcess job = scene.apply();
        String moment = waitForTheMoment(job, planned.size());
        Instant killed = Instant.now();
        if (!moment.equals(TOO_LATE)) {
            kill(job);
        }
        Set<Event> receipted = scene.receipted();
        List<Arrival> untilNow = scene.sandbox().arrivals();
        finish(job);
        return judged(spark, planned, moment, killed, receipted, untilNow, Duration.between(start, Instant.now()));
    }

    private void kill(JobProcess job) throws IOException, InterruptedException {
        List<ProcessHandle> executors = job.executors();
        if (victim == Victim.DRIVER) {
            JobProcess.signal(job.driver(), "KILL");
            Waiting.until(
                    "the executors follow their driver",
                    Duration.ofSeconds(60),
                    () -> executors.stream().noneMatch(JobProcess::isThere));
        } else {
            ProcessHandle one = executors.get(random.nextInt(executors.size()));
            JobProcess.signal(one, "KILL");
            Waiting.until("the executor is gone", Duration.ofSeconds(60), () -> !JobProcess.isThere(one));
            Waiting.pass(Duration.ofMillis(200));
        }
    }

    /** Resumes here what is left: a start of Spark and its executors less, and nothing in it is to be killed. */
    private void finish(JobProcess job) throws IOException, InterruptedException {
        if (victim == Victim.EXECUTOR) {
            exitCodes.add(job.exitCode(LONGEST));
        } else {
            job.exitCode(LONGEST);
        }
        while (exitCodes.size() < 4 && (exitCodes.isEmpty() || exitCodes.get(exitCodes.size() - 1) != 0)) {
            exitCodes.add(scene.applyHere());
        }
    }

    /** Blocks until then; where the run ends before, at its end. */
    private String waitForTheMoment(JobProcess job, int planned) {
        int draw = random.nextInt(100);
        Phase phase =
                draw < 10 ? Phase.PLANNING : draw < 75 || victim == Victim.EXECUTOR ? Phase.SENDING : Phase.PUBLISHING;
        int after = phase == Phase.SENDING ? 1 + random.nextInt(planned) : planned;
        int millis = random.nextInt(
                switch (phase) {
                    case PLANNING -> 6000;
                    case SENDING -> 700;
                    case PUBLISHING -> 2500;
                });
        Waiting.until(
                "the moment of the kill has come",
                LONGEST,
                () -> !job.isRunning()
                        || (phase == Phase.PLANNING
                                ? hasClaim()
                                        && (victim == Victim.DRIVER
                                                || !job.executors().isEmpty())
                                : scene.sandbox().figures().received() >= after));
        boolean ended = Waiting.within(Duration.ofMillis(millis), () -> !job.isRunning());
        String when = switch (phase) {
            case PLANNING -> millis + " ms after the " + (victim == Victim.DRIVER ? "claim" : "executor's start");
            case SENDING -> millis + " ms after event " + after;
            case PUBLISHING -> millis + " ms after the last event";
        };
        return ended ? TOO_LATE : when;
    }

    private boolean hasClaim() {
        Path claims = scene.ledger().resolve("claims");
        try (Stream<Path> files = Files.exists(claims) ? Files.list(claims) : Stream.empty()) {
            return files.findAny().isPresent();
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }

    private Result judged(
            SparkSession spark,
            Set<Event> planned,
            String moment,
            Instant killed,
            Set<Event> receipted,
            List<Arrival> untilNow,
            Duration took) {
        List<String> problems = new ArrayList<>(scene.differences(spark));
        List<Arrival> arrivals = scene.sandbox().arrivals();
        Map<Event, Integer> counted = ChaosScene.counted(arrivals);
        Set<Event> again = new HashSet<>();
        counted.forEach((event, times) -> {
            if (times > 1) {
                again.add(event);
            }
        });
        int surplus = counted.values().stream().mapToInt(times -> times - 1).sum();
        Figures figures = scene.sandbox().figures();
        check(problems, counted.keySet().equals(planned), "what arrived is not what was planned");
        check(
                problems,
                figures.received() == planned.size() + surplus,
                figures.received() + " events were received, and " + planned.size() + " + " + surplus + " expected");
        check(problems, figures.throttled() == 0, figures.throttled() + " requests met a full window");
        check(problems, figures.mostInWindow() <= figures.limit(), "a window held " + figures.mostInWindow());
        check(
                problems,
                exitCodes.get(exitCodes.size() - 1) == 0 && exitCodes.stream().allMatch(code -> code == 0 || code == 1),
                "exit codes " + exitCodes);
        Set<Event> needless = new HashSet<>(again);
        needless.retainAll(receipted);
        check(problems, needless.isEmpty(), needless.size() + " with a receipt were sent again");
        int inFlight = untilNow.stream()
                .filter(arrival -> arrival.answeredAt().isAfter(killed))
                .mapToInt(arrival -> arrival.events().size())
                .sum();
        Duration answeredBefore = checkWhatWasSentAgain(problems, again, killed, untilNow);
        check(
                problems,
                !scene.mode().isSmooth()
                        || surplus
                                <= inFlight
                                        + OF_SMOOTH.toSeconds() * scene.mode().perSecond(),
                surplus + " sent again in smooth");
        Set<Event> unreceipted = new HashSet<>(ChaosScene.counted(untilNow).keySet());
        unreceipted.removeAll(receipted);
        return new Result(
                seed,
                victim,
                scene.mode(),
                moment,
                planned.size(),
                inFlight,
                unreceipted.size(),
                surplus,
                answeredBefore,
                figures,
                exitCodes,
                problems,
                took);
    }

    /**
     * Only what was in flight at the kill, or answered so shortly before that its receipt was not out, goes again.
     *
     * @return how long before the kill the earliest answer to any of it was
     */
    private Duration checkWhatWasSentAgain(
            List<String> problems, Set<Event> again, Instant killed, List<Arrival> untilNow) {
        List<Arrival> repeated = untilNow.stream()
                .filter(arrival -> arrival.events().stream().anyMatch(again::contains))
                .toList();
        Instant earliest = repeated.stream()
                .map(Arrival::answeredAt)
                .filter(killed::isAfter)
                .min(Instant::compareTo)
                .orElse(killed);
        Duration before = Duration.between(earliest, killed);
        Duration most = scene.mode().isSmooth() ? OF_SMOOTH.plus(RECEIPT_IN_BURST) : RECEIPT_IN_BURST;
        check(problems, before.compareTo(most) <= 0, "sent again is what was answered " + before + " before");
        if (!scene.mode().isSmooth()) {
            check(
                    problems,
                    repeated.size() <= MOST_REQUESTS_IN_FLIGHT,
                    repeated.size() + " requests were sent again in burst");
        }
        return before;
    }

    private static void check(List<String> problems, boolean well, String otherwise) {
        if (!well) {
            problems.add(otherwise);
        }
    }
}
