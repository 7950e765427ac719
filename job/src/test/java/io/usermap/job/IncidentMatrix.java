package io.usermap.job;

import io.usermap.sandbox.Sandbox;
import io.usermap.sandbox.SandboxOptions;
import io.usermap.sandbox.SandboxRequest;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.function.Function;
import java.util.stream.Collectors;

/**
 * Every incident on this side of the service at every moment of a run: ends of processes, a full disk, another run; and
 * what came of it.
 *
 * <p>Each cell has a ledger and a sandbox of its own. The answer to the request at hand is held until the incident has come,
 * which so meets rows that are stored and have no receipt.
 */
final class IncidentMatrix {
    private static final Duration LONGEST = Duration.ofMinutes(4);
    /** How long the answer takes that the incident meets. */
    private static final Duration HELD = Duration.ofSeconds(2);

    /** One full disk at a time: there is one {@link TroubledFiles} in a JVM. */
    private static final Object DISK = new Object();

    /** A thread for each run, because they wait for each other. */
    private static final Executor THREADS = run -> new Thread(run, "usermap-incident").start();

    /** What befalls the run. */
    enum Incident {
        DRIVER_KILLED("SIGKILL of the driver", true, 137),
        EXECUTOR_KILLED("SIGKILL of the executor", true, ExitCode.DONE),
        BOTH_KILLED("SIGKILL of both", true, 137),
        ASKED_TO_END("SIGTERM", true, ExitCode.INTERRUPTED),
        TAKEN_OVER("SIGSTOP, another run, SIGCONT", true, ExitCode.ERROR),
        DISK_FULL("the ledger's disk is full", false, ExitCode.ERROR),
        SECOND_RUN("a second run begins", false, ExitCode.DONE);

        private final String words;
        private final boolean ofProcesses;
        private final int exitCode;

        Incident(String words, boolean ofProcesses, int exitCode) {
            this.words = words;
            this.ofProcesses = ofProcesses;
            this.exitCode = exitCode;
        }

        /** Whether driver and executor are processes of their own, which takes its time. */
        boolean isOfProcesses() {
            return ofProcesses;
        }
    }

    private final Incident incident;
    private final FaultMatrix.Moment moment;
    private final Path place;
    private final JobProcess.Cluster cluster;
    private final Sandbox sandbox;
    private final CommandRunner first;
    private final CommandRunner second;
    private final List<String> problems = new ArrayList<>();

    private IncidentMatrix(
            Incident incident, FaultMatrix.Moment moment, Path place, JobProcess.Cluster cluster, Sandbox sandbox)
            throws IOException {
        this.incident = incident;
        this.moment = moment;
        this.place = place;
        this.cluster = cluster;
        this.sandbox = sandbox;
        this.first = command("first");
        this.second = command("second");
    }

    /** Carries out a cell in a folder of its own below {@code folder}, and returns its line of the table. */
    static String cell(Incident incident, FaultMatrix.Moment moment, Path folder, JobProcess.Cluster cluster)
            throws Exception {
        Path place = folder.resolve(incident + "-" + moment);
        try (Sandbox sandbox = Sandbox.start(SandboxOptions.builder()
                .eventsPerSecond(5000)
                .window(Duration.ofSeconds(1))
                .build())) {
            IncidentMatrix matrix = new IncidentMatrix(incident, moment, place, cluster, sandbox);
            if (incident != Incident.DISK_FULL) {
                return matrix.line();
            }
            synchronized (DISK) {
                return matrix.line();
            }
        }
    }

    private CommandRunner command(String name) throws IOException {
        return new CommandRunner(Files.createDirectories(place.resolve(name)))
                .source(FaultMatrix.source())
                .set("ledger.path", (incident == Incident.DISK_FULL ? TroubledFiles.SCHEME + "://" : "") + ledger())
                .set("target.endpoint", "" + sandbox.endpoint())
                .set("target.api-key", "k-0123456789")
                .set("write.request-timeout", "10s")
                .set("write.writers", "1")
                .set("write.max-batch-rows", "" + FaultMatrix.BATCH);
    }

    private Path ledger() {
        return place.resolve("ledger");
    }

    private String line() throws Exception {
        holdTheAnswer();
        Optional<JobProcess> process = incident.ofProcesses
                ? Optional.of(JobProcess.apply(cluster, place.resolve("apply.log"), first.settings()))
                : Optional.empty();
        CompletableFuture<Integer> run = CompletableFuture.supplyAsync(
                () -> process.isPresent() ? exitCode(process.get()) : first.run("apply"), THREADS);
        Waiting.until("the moment has come, see " + place, LONGEST, () -> run.isDone() || hasCome());
        must(!run.isDone(), "it ended before its moment");
        Set<SandboxRequest.Mapping> inFlight = unanswered();
        befall(process);
        if (incident == Incident.TAKEN_OVER) {
            Waiting.pass(HELD);
        } else {
            run.join();
        }
        int stored = sandbox.mappings().size();
        int requests = sandbox.requests().size();
        if (incident == Incident.DISK_FULL) {
            TroubledFiles.heal();
        }
        sandbox.clearFaults();
        int then = second.run("apply");
        List<SandboxRequest> all = sandbox.requests();
        if (incident == Incident.TAKEN_OVER) {
            signal(process, "CONT", JobProcess::driver);
        }
        int exitCode = run.join();
        must(sandbox.requests().size() == all.size(), "who was paused went on sending");
        must(then == ExitCode.DONE, "the run after it ended with " + then + ": " + second.err());
        must(sandbox.mappings().equals(FaultMatrix.wanted()), "the end is not what was wanted");
        checkWhatItSaid(exitCode);
        Set<SandboxRequest.Mapping> twice = storedTwice(all);
        boolean ordered = incident == Incident.ASKED_TO_END || incident == Incident.SECOND_RUN;
        must(ordered ? twice.isEmpty() : inFlight.containsAll(twice), "some were sent again that had been answered");
        return String.format(
                Locale.ROOT,
                "| %s | %s | %d | %d | %d | %d | %d | %d | %s |",
                incident.words,
                moment.name().toLowerCase(Locale.ROOT),
                exitCode,
                stored,
                inFlight.size(),
                twice.size(),
                then,
                FaultMatrix.rows(all.subList(requests, all.size())),
                problems.isEmpty() ? "right" : problems.toString().replace('\n', ' '));
    }

    private void holdTheAnswer() {
        List<String> faults = new ArrayList<>(List.of(String.format(
                Locale.ROOT,
                "'name': 'held', 'path': 'map', 'requests': '%d', 'delay_answer': '%dms'",
                moment.request(),
                HELD.toMillis())));
        if (moment == FaultMatrix.Moment.BISECTION) {
            faults.add("'name': 'poison', 'path': 'map', 'ids': ['" + FaultMatrix.POISON + "'], 'status': 400");
        }
        sandbox.addFaults(("{'faults': [{" + String.join("}, {", faults) + "}]}").replace('\'', '"'));
    }

    /** Whether the request is there that is meant, or the state is being published. */
    private boolean hasCome() {
        return moment == FaultMatrix.Moment.PUBLICATION
                ? Files.exists(ledger().resolve("state"))
                : sandbox.requests().size() >= moment.request();
    }

    /** What the service has stored and not answered yet. */
    private Set<SandboxRequest.Mapping> unanswered() {
        return sandbox.requests().stream()
                .filter(request -> request.stored() && request.took().isEmpty())
                .flatMap(request -> request.mappings().stream())
                .collect(Collectors.toSet());
    }

    private void befall(Optional<JobProcess> process) throws IOException, InterruptedException {
        switch (incident) {
            case DRIVER_KILLED -> signal(process, "KILL", JobProcess::driver);
            case EXECUTOR_KILLED ->
                signal(process, "KILL", job -> job.executors().get(0));
            case BOTH_KILLED -> {
                signal(process, "KILL", job -> job.executors().get(0));
                signal(process, "KILL", JobProcess::driver);
            }
            case ASKED_TO_END -> signal(process, "TERM", JobProcess::driver);
            case TAKEN_OVER -> signal(process, "STOP", JobProcess::driver);
            case DISK_FULL ->
                TroubledFiles.befall(
                        new TroubledFiles.FullDisk(path -> path.toString().contains(place.toString()), 0));
            case SECOND_RUN -> {
                boolean waited = second.run("apply") == ExitCode.DONE;
                must(
                        waited || second.err().contains("is at work in it right now."),
                        "the second run said " + second.err());
            }
        }
    }

    private static void signal(Optional<JobProcess> job, String signal, Function<JobProcess, ProcessHandle> whom)
            throws IOException, InterruptedException {
        JobProcess.signal(whom.apply(job.orElseThrow()), signal);
    }

    private void checkWhatItSaid(int exitCode) throws IOException {
        String said = incident.ofProcesses ? Files.readString(place.resolve("apply.log")) : first.err();
        boolean rejects = moment == FaultMatrix.Moment.BISECTION && incident.exitCode == ExitCode.DONE;
        // When every mapping is acknowledged, nothing is left to be resumed.
        boolean nothingLeft = incident == Incident.ASKED_TO_END
                && (moment == FaultMatrix.Moment.LAST || moment == FaultMatrix.Moment.PUBLICATION);
        int expected = rejects ? ExitCode.REJECTED : nothingLeft ? ExitCode.DONE : incident.exitCode;
        must(exitCode == expected, "exit code " + exitCode + ": " + said);
        String word = switch (incident) {
            case ASKED_TO_END ->
                nothingLeft ? "interrupted; waiting for the requests in flight" : "apply was interrupted. ";
            case TAKEN_OVER -> "another run ";
            case DISK_FULL -> "No space left on device";
            case DRIVER_KILLED, EXECUTOR_KILLED, BOTH_KILLED, SECOND_RUN -> "";
        };
        must(said.contains(word), "it does not say why it ended: " + said);
    }

    private static Set<SandboxRequest.Mapping> storedTwice(List<SandboxRequest> requests) {
        Map<SandboxRequest.Mapping, Long> times = requests.stream()
                .filter(SandboxRequest::stored)
                .flatMap(request -> request.mappings().stream())
                .collect(Collectors.groupingBy(mapping -> mapping, Collectors.counting()));
        times.values().removeIf(count -> count == 1);
        return times.keySet();
    }

    private void must(boolean well, String otherwise) {
        if (!well) {
            problems.add(otherwise);
        }
    }

    private static int exitCode(JobProcess process) {
        try {
            return process.exitCode(LONGEST);
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }
}
