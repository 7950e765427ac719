package io.usermap.job;

import io.usermap.job.ChaosSchedule.Incident;
import io.usermap.job.SandboxProcess.Arrival;
import io.usermap.job.SandboxProcess.Event;
import io.usermap.job.SandboxProcess.Figures;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.PriorityQueue;
import java.util.Queue;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Predicate;
import org.apache.spark.sql.SparkSession;

/**
 * A new source, and {@code apply} again and again until all of it is sent, while incidents happen by a schedule; then all
 * that the sandbox has got is compared with what was wanted.
 *
 * <p>Incidents that a run did not live to see are left out. At last no fault is in force, so that the night ends well or
 * shows why not.
 */
final class ChaosNight {
    private static final Duration LONGEST = Duration.ofMinutes(8);
    private static final int MOST_RUNS = 16;
    /** As long as a request may be on its way after its sender was stopped. */
    private static final Duration ON_ITS_WAY = Duration.ofSeconds(1);

    /** As long as a receipt may take on a busy machine from the answer to the end of its file. */
    private static final Duration RECEIPT_IN_BURST = Duration.ofSeconds(3);

    private static final Duration RECEIPT_IN_SMOOTH = Duration.ofSeconds(10).plus(RECEIPT_IN_BURST);
    /** An answer that took longer may have found nobody waiting. */
    private static final Duration SURELY_IN_TIME = ChaosScene.REQUEST_TIMEOUT.minus(Duration.ofSeconds(1));

    /** Of a process that was killed. */
    private static final int KILLED = 137;
    /** Of a process that was ended before its program had begun to listen for signals. */
    private static final int ENDED_EARLY = 143;

    /**
     * What came of a night.
     *
     * @param happened the incidents that happened
     * @param exitCodes of all runs; 137 is a kill, 143 an end before the program had begun
     * @param planned events of the plan
     * @param received events that arrived
     * @param forFaults events sent again because no answer had acknowledged them
     * @param forIncidents events sent again though acknowledged, because whoever got the answer was killed or stopped
     * @param throttled answers with 429
     * @param problems what is not as it should be
     */
    record Result(
            long seed,
            ChaosScene.Mode mode,
            List<Incident> happened,
            List<Integer> exitCodes,
            int planned,
            long received,
            int forFaults,
            int forIncidents,
            long throttled,
            int mostInWindow,
            int limit,
            List<String> problems,
            Duration took) {
        boolean isWell() {
            return problems.isEmpty();
        }

        @Override
        public String toString() {
            return "seed " + seed + ", " + mode + ": " + happened + "; exit codes "
                    + exitCodes + "; planned " + planned + ", received " + received + ", again for faults " + forFaults
                    + ", for incidents " + forIncidents + "; window " + mostInWindow + " of " + limit + "; "
                    + took.toSeconds() + " s" + (isWell() ? "" : "; NOT WELL: " + problems);
        }
    }

    /** Longer than any answer takes. */
    private static final Duration HELD_FOR_LONG = Duration.ofHours(1);

    private record Remedy(Instant at, Action action) {}

    private interface Action {
        void run() throws IOException, InterruptedException;
    }

    private final ChaosScene scene;
    private final long seed;
    private final Random random;
    private final List<Incident> happened = new ArrayList<>();
    private final List<Integer> exitCodes = new ArrayList<>();
    private final Queue<Remedy> remedies = new PriorityQueue<>(Comparator.comparing(Remedy::at));
    /** Runs that were started beside one that was stopped. */
    private final List<JobProcess> others = new ArrayList<>();

    private final Set<Event> excused = new HashSet<>();
    /** What sandboxes that were killed had received. */
    private final List<Arrival> arrivedBefore = new ArrayList<>();

    private long receivedBefore;
    private long throttledBefore;
    private int mostBefore;
    /** How long the journal was when the sandbox that runs now began, or the night. */
    private long journal;

    private boolean sandboxIsDown;
    private boolean sandboxWasDown;

    private ChaosNight(ChaosScene scene, long seed) {
        this.scene = scene;
        this.seed = seed;
        this.random = new Random(seed);
    }

    /** Runs one night on {@code scene}, whose night before ended well. */
    static Result carryOut(ChaosScene scene, long seed, SparkSession spark) throws IOException, InterruptedException {
        return new ChaosNight(scene, seed).run(spark);
    }

    private Result run(SparkSession spark) throws IOException, InterruptedException {
        Instant start = Instant.now();
        scene.want(ChaosScene.nextNight(scene.wanted(), 0.3, 0.1, 400, "n" + seed, random));
        Set<Event> planned = scene.planned();
        scene.sandbox().forgetRequests();
        journal = scene.sandbox().journal();
        Figures atFirst = scene.sandbox().figures();
        scene.sandbox().addFaults(Kill.SLOW.formatted(seed));
        receivedBefore = -atFirst.received();
        throttledBefore = -atFirst.throttled();
        List<String> users =
                new ArrayList<>(new TreeSet<>(planned.stream().map(Event::user).toList()));
        disturbed(ChaosSchedule.of(random, users), start);
        while (!exitCodes.isEmpty() && last() != ExitCode.DONE && exitCodes.size() < MOST_RUNS) {
            exitCodes.add(scene.apply().exitCode(LONGEST));
        }
        return judged(spark, planned, Duration.between(start, Instant.now()));
    }

    private int last() {
        return exitCodes.get(exitCodes.size() - 1);
    }

    /** Runs {@code apply} until it succeeds, or nothing is left to happen. */
    private void disturbed(ChaosSchedule schedule, Instant start) throws IOException, InterruptedException {
        List<Incident> due = new ArrayList<>(schedule.incidents());
        Optional<Instant> sending = Optional.empty();
        JobProcess job = scene.apply();
        while (true) {
            while (!remedies.isEmpty() && !remedies.element().at().isAfter(Instant.now())) {
                remedies.remove().action().run();
            }
            if (!job.isRunning()) {
                exitCodes.add(job.exitCode(LONGEST));
                boolean over = due.isEmpty() && remedies.isEmpty();
                if (last() == ExitCode.DONE || over || exitCodes.size() >= MOST_RUNS / 2) {
                    break;
                }
                job = scene.apply();
            }
            if (sending.isEmpty()
                    && !sandboxIsDown
                    && !scene.sandbox().arrivals().isEmpty()) {
                sending = Optional.of(Instant.now());
            }
            Optional<Incident> next = next(due, start, sending);
            if (next.isPresent()) {
                due.remove(next.get());
                happened.add(next.get());
                befall(next.get(), job);
            }
            Waiting.pass(Duration.ofMillis(50));
        }
        while (!remedies.isEmpty()) {
            Remedy remedy = remedies.remove();
            Waiting.pass(Duration.between(Instant.now(), remedy.at()));
            remedy.action().run();
        }
        scene.sandbox().removeFaults();
        for (JobProcess other : others) {
            exitCodes.add(other.exitCode(LONGEST));
        }
    }

    private static Optional<Incident> next(List<Incident> due, Instant start, Optional<Instant> sending) {
        Instant now = Instant.now();
        return due.stream()
                .filter(incident -> (incident.sending() ? sending : Optional.of(start))
                        .filter(from -> !from.plus(incident.at()).isAfter(now))
                        .isPresent())
                .findFirst();
    }

    private void befall(Incident incident, JobProcess job) throws IOException, InterruptedException {
        switch (incident.kind()) {
            case KILL_DRIVER, END_DRIVER -> {
                List<ProcessHandle> executors = job.executors();
                boolean kill = incident.kind() == ChaosSchedule.Kind.KILL_DRIVER;
                Instant at = Instant.now();
                JobProcess.signal(job.driver(), kill ? "KILL" : "TERM");
                if (kill) {
                    // Those that are stopped follow when they go on.
                    Waiting.within(
                            Duration.ofSeconds(10), () -> executors.stream().noneMatch(JobProcess::isThere));
                    excuse(at);
                }
            }
            case STOP_DRIVER -> stop(List.of(job.driver()), incident.lasts());
            case TAKE_OVER -> {
                List<ProcessHandle> all = new ArrayList<>(job.executors());
                all.add(job.driver());
                stop(all, incident.lasts());
                others.add(scene.apply());
            }
            case KILL_EXECUTOR -> {
                List<ProcessHandle> executors = job.executors();
                if (!executors.isEmpty()) {
                    Instant at = Instant.now();
                    JobProcess.signal(executors.get(random.nextInt(executors.size())), "KILL");
                    Waiting.pass(Duration.ofMillis(200));
                    excuse(at);
                }
            }
            case STOP_EXECUTOR -> {
                List<ProcessHandle> executors = job.executors();
                if (!executors.isEmpty()) {
                    stop(List.of(executors.get(random.nextInt(executors.size()))), incident.lasts());
                }
            }
            case RESTART_SANDBOX -> {
                if (!sandboxIsDown) {
                    killSandbox();
                    after(incident.lasts(), this::restartSandbox);
                }
            }
            case FAULTS -> {
                if (!sandboxIsDown) {
                    scene.sandbox().addFaults(ChaosSchedule.script(incident));
                    String name = ChaosSchedule.faultName(incident);
                    after(incident.lasts(), () -> {
                        if (!sandboxIsDown) {
                            scene.sandbox().removeFault(name);
                        }
                    });
                }
            }
        }
    }

    private void after(Duration time, Action action) {
        remedies.add(new Remedy(Instant.now().plus(time), action));
    }

    private void stop(List<ProcessHandle> processes, Duration lasts) throws IOException, InterruptedException {
        Set<Event> receipted = scene.receipted();
        Instant at = Instant.now();
        for (ProcessHandle process : processes) {
            JobProcess.signal(process, "STOP");
        }
        after(lasts, () -> {
            // Whoever goes on meanwhile sends it again, and may have written receipts by now.
            excuse(at, arrival -> arrival.at().isBefore(at.plus(ON_ITS_WAY)), receipted);
            excuse(at);
            for (ProcessHandle process : processes) {
                JobProcess.signal(process, "CONT");
            }
        });
    }

    private void killSandbox() throws IOException, InterruptedException {
        List<Arrival> seen = scene.sandbox().arrivals();
        Figures figures = scene.sandbox().figures();
        receivedBefore += figures.received();
        throttledBefore += figures.throttled();
        mostBefore = Math.max(mostBefore, figures.mostInWindow());
        scene.sandbox().kill();
        // What it stored in its last milliseconds is in its journal.
        List<Event> unseen = scene.sandbox().storedSince(journal);
        seen.stream()
                .filter(Arrival::stored)
                .flatMap(arrival -> arrival.events().stream())
                .forEach(unseen::remove);
        arrivedBefore.addAll(seen);
        arrivedBefore.add(new Arrival(Instant.now(), HELD_FOR_LONG, 0, true, false, unseen));
        sandboxIsDown = true;
        sandboxWasDown = true;
    }

    private void restartSandbox() throws IOException {
        scene.sandbox().restart();
        journal = scene.sandbox().journal();
        scene.sandbox().addFaults(Kill.SLOW.formatted(seed));
        sandboxIsDown = false;
    }

    /** Whoever was hit at {@code at} may not have written receipts of what was answered shortly before, or later. */
    private void excuse(Instant at) {
        excuse(at, arrival -> true, scene.receipted());
    }

    private void excuse(Instant at, Predicate<Arrival> whose, Set<Event> receipted) {
        Instant since = at.minus(scene.mode().isSmooth() ? RECEIPT_IN_SMOOTH : RECEIPT_IN_BURST);
        Set<Event> unreceipted = new HashSet<>();
        arrivals().stream()
                .filter(arrival -> arrival.answeredAt().isAfter(since))
                .filter(whose)
                .forEach(arrival -> unreceipted.addAll(arrival.events()));
        unreceipted.removeAll(receipted);
        excused.addAll(unreceipted);
    }

    private List<Arrival> arrivals() {
        List<Arrival> all = new ArrayList<>(arrivedBefore);
        if (!sandboxIsDown) {
            all.addAll(scene.sandbox().arrivals());
        }
        return all;
    }

    private Result judged(SparkSession spark, Set<Event> planned, Duration took) {
        List<String> problems = new ArrayList<>(scene.differences(spark));
        List<Arrival> arrivals = arrivals();
        Figures figures = scene.sandbox().figures();
        long received = receivedBefore + figures.received();
        long throttled = throttledBefore + figures.throttled();
        int most = Math.max(mostBefore, figures.mostInWindow());
        Map<Event, Integer> counted = ChaosScene.counted(arrivals);
        Set<Event> unplanned = new HashSet<>(counted.keySet());
        unplanned.removeAll(planned);
        check(problems, unplanned.isEmpty(), unplanned.size() + " events arrived that were not planned");
        Set<Event> missing = new HashSet<>(planned);
        missing.removeAll(counted.keySet());
        check(problems, missing.isEmpty(), missing.size() + " events of the plan did not arrive");
        int surplus = counted.values().stream().mapToInt(times -> times - 1).sum();
        check(
                problems,
                received == counted.size() + surplus || sandboxWasDown,
                received + " events were received, and " + counted.size() + " + " + surplus + " seen");
        Map<Event, Integer> acknowledgedAndAgain = acknowledgedAndAgain(arrivals);
        int forIncidents = acknowledgedAndAgain.values().stream()
                .mapToInt(Integer::intValue)
                .sum();
        Set<Event> needless = new HashSet<>(acknowledgedAndAgain.keySet());
        needless.removeAll(excused);
        check(problems, needless.isEmpty(), needless.size() + " events were sent again needlessly");
        check(problems, throttled == 0, throttled + " requests met a full window");
        check(problems, most <= figures.limit(), "a window held " + most);
        check(problems, last() == ExitCode.DONE && exitCodesHaveTheirReasons(), "exit codes " + exitCodes);
        return new Result(
                seed,
                scene.mode(),
                happened,
                exitCodes,
                planned.size(),
                received,
                surplus - forIncidents,
                forIncidents,
                throttled,
                most,
                figures.limit(),
                problems,
                took);
    }

    /** A run fails for many reasons; every other end has one of its own, and comes no more often than that. */
    private boolean exitCodesHaveTheirReasons() {
        Set<Integer> codes = new HashSet<>(exitCodes);
        codes.removeAll(Set.of(ExitCode.DONE, ExitCode.ERROR));
        boolean killed = times(KILLED) <= times(ChaosSchedule.Kind.KILL_DRIVER);
        boolean ended = times(ExitCode.INTERRUPTED) + times(ENDED_EARLY) <= times(ChaosSchedule.Kind.END_DRIVER);
        codes.removeAll(Set.of(KILLED, ExitCode.INTERRUPTED, ENDED_EARLY));
        if (happened.stream().anyMatch(Incident::refusesUsers)) {
            codes.remove(ExitCode.REJECTED);
        }
        if (happened.stream().anyMatch(Incident::refusesTheKey)) {
            codes.remove(ExitCode.CONFIGURATION);
        }
        return killed && ended && codes.isEmpty();
    }

    private long times(int exitCode) {
        return exitCodes.stream().filter(code -> code == exitCode).count();
    }

    private long times(ChaosSchedule.Kind kind) {
        return happened.stream().filter(incident -> incident.kind() == kind).count();
    }

    /** How often an event arrived after an answer had acknowledged it in time. */
    private static Map<Event, Integer> acknowledgedAndAgain(List<Arrival> arrivals) {
        Set<Event> acknowledged = new HashSet<>();
        Map<Event, Integer> again = new HashMap<>();
        arrivals.stream().sorted(Comparator.comparing(Arrival::at)).forEach(arrival -> {
            for (Event event : arrival.events()) {
                if (acknowledged.contains(event)) {
                    again.merge(event, 1, Integer::sum);
                }
            }
            if (arrival.acknowledged() && arrival.took().compareTo(SURELY_IN_TIME) < 0) {
                acknowledged.addAll(arrival.events());
            }
        });
        return again;
    }

    private static void check(List<String> problems, boolean well, String otherwise) {
        if (!well) {
            problems.add(otherwise);
        }
    }
}
