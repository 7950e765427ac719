package io.usermap.job;

import io.usermap.sandbox.Sandbox;
import io.usermap.sandbox.SandboxOptions;
import io.usermap.sandbox.SandboxRequest;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Stream;
import org.apache.spark.sql.SparkSession;

/**
 * Every fault of the service at every moment of a run: whole commands against a sandbox over HTTP, and what came of them;
 * and every incident of {@link IncidentMatrix}.
 *
 * <p>Each cell has a ledger and a sandbox of its own: {@value #USERS} users in requests of {@value #BATCH}, one after the
 * other. Runs in a JVM of its own, because some faults need its names and its trust; prints a line a cell.
 */
final class FaultMatrix {
    private static final int USERS = 40;
    static final int BATCH = 10;
    private static final int REQUESTS = USERS / BATCH;
    /** Somebody in the second half of the second request, so that the first half is well until the fault comes. */
    static final String POISON = user(17);

    private static final Duration BROKEN_FOR = Duration.ofMillis(400);

    /** When the fault befalls the run. */
    enum Moment {
        FIRST(1),
        MIDDLE(2),
        LAST(REQUESTS),
        /** One of the halves of a request that was refused for the sake of one row. */
        BISECTION(3),
        /** When every mapping is acknowledged, and the state is being published. */
        PUBLICATION(REQUESTS + 1);

        private final int request;

        Moment(int request) {
            this.request = request;
        }

        int request() {
            return request;
        }
    }

    /** How a run ends that meets the fault. */
    private enum Expected {
        /** As if nothing had been. */
        SERVED(ExitCode.DONE),
        /** The request is sent again; the service has stored nothing of it. */
        SENT_AGAIN(ExitCode.DONE),
        /** The request is sent again, though the service has stored it. */
        STORED_TWICE(ExitCode.DONE),
        /** The rows at fault are found and left out. */
        REJECTED(ExitCode.REJECTED),
        /** The run ends at once and says what to mend. */
        ENDS(ExitCode.ERROR),
        /** The same, and it is the key. */
        ENDS_FOR_THE_KEY(ExitCode.CONFIGURATION);

        private final int exitCode;

        Expected(int exitCode) {
            this.exitCode = exitCode;
        }

        private boolean ends() {
            return this == ENDS || this == ENDS_FOR_THE_KEY;
        }
    }

    /**
     * A class of faults.
     *
     * @param script of the sandbox; USER stands for somebody of the request that is hit
     * @param breakage of the way to it
     */
    private record Fault(String name, String script, Optional<Front.Breakage> breakage, Expected expected) {
        Fault(String name, String script, Expected expected) {
            this(name, script, Optional.empty(), expected);
        }

        Fault(String name, Front.Breakage breakage, Expected expected) {
            this(name, "", Optional.of(breakage), expected);
        }

        boolean isOfRows() {
            return script.contains("USER");
        }
    }

    private static final List<Fault> FAULTS = List.of(
            new Fault("200 with an odd body", "'status': 200, 'stored': true, 'body': '{[<html>'", Expected.SERVED),
            new Fault("200 with half a body", "'drop': 'body'", Expected.SERVED),
            new Fault("200 with a slow body", "'byte_delay': '400ms'", Expected.SERVED),
            new Fault("200 with an endless body", "'endless_body': true", Expected.SERVED),
            new Fault("400 for one row", "'ids': ['USER'], 'status': 400", Expected.REJECTED),
            new Fault("403 for one row", "'ids': ['USER'], 'status': 403", Expected.REJECTED),
            new Fault("413 for one row", "'ids': ['USER'], 'status': 413", Expected.REJECTED),
            new Fault("400 once", "'status': 400", Expected.SENT_AGAIN),
            new Fault("401", "'status': 401", Expected.ENDS_FOR_THE_KEY),
            new Fault("404", "'status': 404", Expected.ENDS),
            new Fault("redirect", "'redirect': 'http://127.0.0.1:9/usermap'", Expected.ENDS),
            new Fault("408", "'status': 408", Expected.SENT_AGAIN),
            new Fault("500", "'status': 500", Expected.SENT_AGAIN),
            new Fault("500, but stored", "'status': 500, 'stored': true", Expected.STORED_TWICE),
            new Fault("503", "'status': 503, 'retry_after': 1", Expected.SENT_AGAIN),
            new Fault("429", "'status': 429, 'retry_after': 1", Expected.SENT_AGAIN),
            new Fault("no answer in time", "'delay_answer': '6s'", Expected.STORED_TWICE),
            new Fault("dropped before storing", "'drop': 'request'", Expected.SENT_AGAIN),
            new Fault("lost after storing", "'drop': 'answer'", Expected.STORED_TWICE),
            new Fault("connection refused", Front.Breakage.REFUSED, Expected.SENT_AGAIN),
            new Fault("DNS failure", Front.Breakage.UNRESOLVED, Expected.SENT_AGAIN),
            new Fault("TLS handshake cut off", Front.Breakage.CUT_OFF, Expected.SENT_AGAIN),
            new Fault("certificate not trusted", Front.Breakage.UNTRUSTED, Expected.ENDS));

    /**
     * What came of a cell.
     *
     * @param requests of the first run, those dropped on their way left out
     * @param twice rows that the service stored more than once in the first run
     * @param then rows that the second run sent, and its exit code
     */
    private record Cell(
            String fault,
            Moment moment,
            int exitCode,
            int stored,
            long rejected,
            int requests,
            long twice,
            int then,
            int thenExitCode,
            List<String> problems) {
        String line() {
            return String.format(
                    Locale.ROOT,
                    "| %s | %s | %d | %d | %d | %d | %d | %d | %d | %s |",
                    fault,
                    moment.name().toLowerCase(Locale.ROOT),
                    exitCode,
                    stored,
                    rejected,
                    requests,
                    twice,
                    thenExitCode,
                    then,
                    problems.isEmpty() ? "right" : problems.toString().replace('\n', ' '));
        }
    }

    private final Path folder;
    private final Whereabouts whereabouts;

    private FaultMatrix(Path folder) {
        this.folder = folder;
        this.whereabouts = new Whereabouts(folder);
    }

    private static String user(int number) {
        return "user-%03d".formatted(number);
    }

    static Map<String, String> wanted() {
        Map<String, String> wanted = new TreeMap<>();
        for (int i = 0; i < USERS; i++) {
            wanted.put(user(i), "person-" + i % 7);
        }
        return wanted;
    }

    /** The source as CSV. */
    static String[] source() {
        return Stream.concat(
                        Stream.of("user_id,global_user_id"),
                        wanted().entrySet().stream().map(row -> row.getKey() + "," + row.getValue()))
                .toArray(String[]::new);
    }

    private Cell cell(Fault fault, Moment moment) throws IOException {
        Path place = Files.createDirectories(folder.resolve(fault.name().replaceAll("\\W+", "-") + "-" + moment));
        try (Sandbox sandbox = Sandbox.start(SandboxOptions.builder()
                .eventsPerSecond(5000)
                .window(Duration.ofSeconds(1))
                .build())) {
            Optional<Front> front = Optional.empty();
            if (fault.breakage().isPresent()) {
                // What ends a run is there until somebody mends it.
                Duration lasts = fault.expected().ends() ? Duration.ofHours(1) : BROKEN_FOR;
                front = Optional.of(
                        new Front(sandbox.endpoint(), fault.breakage().get(), moment.request, lasts, whereabouts));
            }
            CommandRunner usermap = new CommandRunner(place)
                    .source(source())
                    .set("target.endpoint", front.map(Front::endpoint).orElseGet(() -> "" + sandbox.endpoint()))
                    .set("target.allow-insecure-endpoint", "true")
                    .set("target.api-key", "k-0123456789")
                    .set("write.writers", "1")
                    .set("write.max-batch-rows", "" + BATCH);
            addFaults(sandbox, fault, moment);
            int exitCode = usermap.run("apply");
            String said = usermap.err();
            List<SandboxRequest> requests = sandbox.requests();
            Map<String, String> stored = sandbox.mappings();
            long rejected =
                    usermap.report().path("rejected_by_reason").path("refused").asLong();
            sandbox.clearFaults();
            sandbox.clearRequests();
            if (fault.expected() == Expected.ENDS && front.isPresent()) {
                front.get().mendNow();
            }
            int then = usermap.run("apply");
            int sentThen = rows(sandbox.requests());
            List<String> problems = new ArrayList<>();
            Map<String, Integer> times = new HashMap<>();
            requests.stream()
                    .filter(SandboxRequest::stored)
                    .forEach(request ->
                            request.mappings().forEach(mapping -> times.merge(mapping.userId(), 1, Integer::sum)));
            long twice = times.values().stream().filter(count -> count > 1).count();
            check(fault, moment, exitCode, stored, rejected, twice, sentThen, said, problems);
            must(problems, then == 0, "the second run ended with " + then + ": " + usermap.err());
            must(problems, sandbox.mappings().equals(wanted()), "the end is not what was wanted");
            if (front.isPresent()) {
                front.get().close();
            }
            long arrived =
                    requests.stream().filter(request -> request.status() != 0).count();
            return new Cell(
                    fault.name(),
                    moment,
                    exitCode,
                    stored.size(),
                    rejected,
                    (int) arrived,
                    twice,
                    sentThen,
                    then,
                    problems);
        }
    }

    private static void addFaults(Sandbox sandbox, Fault fault, Moment moment) {
        List<String> faults = new ArrayList<>();
        if (fault.isOfRows()) {
            // Somebody of the request that is meant; at the bisection, somebody else of the same request.
            int row = moment == Moment.BISECTION ? 12 : (moment.request - 1) * BATCH + 3;
            faults.add("'name': 'fault', " + fault.script().replace("USER", user(row)));
        } else if (!fault.script().isEmpty()) {
            String requests = moment == Moment.PUBLICATION ? moment.request + "-" : "" + moment.request;
            faults.add("'name': 'fault', 'requests': '" + requests + "', " + fault.script());
        }
        if (moment == Moment.BISECTION) {
            faults.add("'name': 'poison', 'ids': ['" + POISON + "'], 'status': 400");
        }
        if (!faults.isEmpty()) {
            sandbox.addFaults("{\"faults\": [{'path': 'map', %s}]}"
                    .formatted(String.join("}, {'path': 'map', ", faults))
                    .replace('\'', '"'));
        }
    }

    private static void check(
            Fault fault,
            Moment moment,
            int exitCode,
            Map<String, String> stored,
            long rejected,
            long twice,
            int sentThen,
            String said,
            List<String> problems) {
        Expected expected = moment == Moment.PUBLICATION ? Expected.SERVED : fault.expected();
        int poisoned = (moment == Moment.BISECTION ? 1 : 0) + (expected == Expected.REJECTED ? 1 : 0);
        if (expected.ends()) {
            must(problems, exitCode == expected.exitCode, "exit code " + exitCode);
            must(problems, said.contains("Cannot write mappings: "), "it does not say why: " + said);
            must(
                    problems,
                    stored.size() == (Math.min(moment.request, moment == Moment.BISECTION ? 2 : 99) - 1) * BATCH,
                    stored.size() + " stored");
            must(problems, sentThen == USERS - stored.size(), "the second run sent " + sentThen);
            return;
        }
        must(
                problems,
                exitCode == (poisoned > 0 ? ExitCode.REJECTED : expected.exitCode),
                "exit code " + exitCode + ": " + said);
        must(problems, rejected == poisoned, rejected + " rejected");
        must(problems, stored.size() == USERS - poisoned, stored.size() + " stored");
        must(problems, sentThen == poisoned, "the second run sent " + sentThen);
        int hit = moment == Moment.BISECTION ? BATCH / 2 : BATCH;
        must(
                problems,
                expected == Expected.STORED_TWICE ? twice > 0 && twice <= hit : twice == 0,
                twice + " stored twice");
    }

    static int rows(List<SandboxRequest> requests) {
        return requests.stream().mapToInt(request -> request.mappings().size()).sum();
    }

    private static void must(List<String> problems, boolean well, String otherwise) {
        if (!well) {
            problems.add(otherwise);
        }
    }

    /** The argument of {@link #main} for every moment of each fault. */
    static final String ALL = "all";

    private static final int EACH = 4;

    /** How many samples there are, which together are all of it. */
    static final int SAMPLES = EACH * Moment.values().length;

    private static List<Moment> moments(int fault, String extent) {
        Moment[] all = Moment.values();
        if (extent.equals(ALL)) {
            return List.of(all);
        }
        // Every fourth fault; which of them, and when, changes from day to day.
        int turn = fault + Integer.parseInt(extent);
        return turn % EACH == 0 ? List.of(all[turn / EACH % all.length]) : List.of();
    }

    /** How many cells there are of faults; those of incidents follow them. */
    static int faults() {
        return FAULTS.size() * Moment.values().length;
    }

    /** How many cells there are in all. */
    static int size() {
        return faults() + IncidentMatrix.Incident.values().length * Moment.values().length;
    }

    /** Those that take processes are tried by other tests every day, and here with all the rest; the others at one moment. */
    private static List<Future<String>> incidents(Path folder, String extent, ExecutorService threads)
            throws IOException {
        JobProcess.Cluster cluster = JobProcess.Cluster.in(folder, "1,1");
        List<Moment> all = List.of(Moment.values());
        List<Future<String>> cells = new ArrayList<>();
        for (IncidentMatrix.Incident incident : IncidentMatrix.Incident.values()) {
            if (extent.equals(ALL) || !incident.isOfProcesses()) {
                List<Moment> moments =
                        extent.equals(ALL) ? all : List.of(all.get(Integer.parseInt(extent) % all.size()));
                for (Moment moment : moments) {
                    cells.add(threads.submit(() -> IncidentMatrix.cell(incident, moment, folder, cluster)));
                }
            }
        }
        return cells;
    }

    /**
     * Arguments: a folder with the files of {@link Whereabouts}, and {@link #ALL} or the number of a sample, of which there
     * are {@link #SAMPLES}: one moment of every fourth fault.
     */
    public static void main(String[] arguments) throws Exception {
        FaultMatrix matrix = new FaultMatrix(Path.of(arguments[0]));
        ExecutorService threads = Executors.newFixedThreadPool(4);
        try (SparkSession spark = LocalSpark.session()) {
            spark.sparkContext().setLogLevel("OFF");
            spark.sparkContext()
                    .hadoopConfiguration()
                    .set("fs." + TroubledFiles.SCHEME + ".impl", TroubledFiles.class.getName());
            List<Future<String>> cells = new ArrayList<>();
            for (int i = 0; i < FAULTS.size(); i++) {
                Fault fault = FAULTS.get(i);
                for (Moment moment : moments(i, arguments[1])) {
                    cells.add(threads.submit(() -> matrix.cell(fault, moment).line()));
                }
            }
            cells.addAll(incidents(Path.of(arguments[0]), arguments[1], threads));
            for (Future<String> cell : cells) {
                System.out.println(cell.get());
            }
        } finally {
            threads.shutdownNow();
        }
        System.exit(0);
    }
}
