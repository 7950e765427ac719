package io.usermap.job;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.usermap.job.Verification.Expected;
import io.usermap.sandbox.Sandbox;
import io.usermap.sandbox.SandboxOptions;
import io.usermap.sandbox.SandboxRequest;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/** {@code verify} against a sandbox over HTTP, whose mappings somebody else really changes. */
class VerifyIT {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final int USERS = 250;

    @RegisterExtension
    static final LocalSpark LOCAL = new LocalSpark();

    @TempDir
    private static Path applied;

    @TempDir
    private Path folder;

    private Sandbox sandbox = start();
    private CommandRunner usermap = new CommandRunner(Path.of("unset"));

    private static Sandbox start() {
        try {
            return Sandbox.start(SandboxOptions.builder()
                    .eventsPerSecond(5000)
                    .window(Duration.ofSeconds(1))
                    .secretKey("s-0123456789abcdef")
                    .build());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @BeforeEach
    void aimAtTheSandbox() {
        usermap = new CommandRunner(folder)
                .set("target.endpoint", sandbox.endpoint().toString())
                .set("target.api-key", "k-0123456789abcdef")
                .set("target.secret-key", "s-0123456789abcdef")
                .set("lookup.per-second", "50");
    }

    @AfterEach
    void closeTheSandbox() {
        sandbox.close();
    }

    private void pairs(Stream<String> rows) throws IOException {
        usermap.source(Stream.concat(Stream.of("user_id,global_user_id"), rows).toArray(String[]::new));
    }

    private static String user(int number) {
        return "user-%03d@x.com".formatted(number);
    }

    /** Maps 250 users to 5 persons; for the tests after the first one as it was, because the ledger is then the same. */
    private void applyAll() throws IOException {
        pairs(IntStream.range(0, USERS).mapToObj(i -> user(i) + ",person-" + i % 5));
        Path ledger = applied.resolve("ledger");
        if (Files.exists(ledger)) {
            ChaosScene.copy(ledger, usermap.ledger());
            send(IntStream.range(0, USERS)
                    .mapToObj(i -> mapping(user(i), Optional.of("person-" + i % 5)))
                    .collect(Collectors.joining(",", "[", "]")));
        } else {
            assertThat(usermap.run("apply")).as(usermap.err()).isZero();
            ChaosScene.copy(usermap.ledger(), ledger);
        }
        sandbox.clearRequests();
    }

    private static String mapping(String user, Optional<String> target) {
        return target.map(global -> "{\"user_id\":\"" + user + "\",\"global_user_id\":\"" + global + "\"}")
                .orElse("{\"user_id\":\"" + user + "\",\"unmap\":true}");
    }

    /** Somebody else's mapping, past the ledger; none for an unmap. */
    private void strangerMaps(String user, Optional<String> target) {
        send(mapping(user, target));
    }

    private void send(String mapping) {
        HttpRequest request = HttpRequest.newBuilder(URI.create(sandbox.endpoint() + "/usermap"))
                .header("Content-Type", "application/x-www-form-urlencoded")
                .POST(HttpRequest.BodyPublishers.ofString(
                        "api_key=k-0123456789abcdef&mapping=" + URLEncoder.encode(mapping, StandardCharsets.UTF_8)))
                .build();
        try {
            HttpResponse<String> response =
                    HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString());
            assertThat(response.statusCode()).as(response.body()).isEqualTo(200);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    /** Seven users are unmapped and three are mapped elsewhere. */
    private void drift() {
        for (int i = 0; i < 7; i++) {
            strangerMaps(user(i * 30), Optional.empty());
        }
        for (int i = 0; i < 3; i++) {
            strangerMaps(user(i * 50 + 1), Optional.of("person-x"));
        }
        sandbox.clearRequests();
    }

    private List<String> lookedUp() {
        assertThat(sandbox.requests()).allSatisfy(request -> {
            assertThat(request.path()).as("nothing is sent").isEqualTo("/api/2/usermap");
            assertThat(request.lookedUp()).hasSizeLessThanOrEqualTo(100);
        });
        return sandbox.requests().stream()
                .map(SandboxRequest::lookedUp)
                .flatMap(List::stream)
                .sorted()
                .toList();
    }

    private JsonNode verified() throws IOException {
        return usermap.report().path("verified");
    }

    private static List<Long> findings(JsonNode verified) {
        return Stream.of("agreed", "missing", "different", "unknown")
                .map(name -> verified.path(name).asLong())
                .toList();
    }

    private Path lastRun() throws IOException {
        return usermap.ledger()
                .resolve("runs")
                .resolve(usermap.report().path("run").asText());
    }

    private static List<Path> holding(Path folder, String text) throws IOException {
        List<Path> found = new ArrayList<>();
        try (Stream<Path> files = Files.walk(folder)) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                if (new String(Files.readAllBytes(file), StandardCharsets.ISO_8859_1).contains(text)) {
                    found.add(file);
                }
            }
        }
        return found;
    }

    @Test
    void findsTheDriftOfEverybodyAndRepairsIt() throws IOException {
        applyAll();
        Map<String, String> before = new TreeMap<>(sandbox.mappings());
        drift();

        assertThat(usermap.run("verify", "--full")).as(usermap.err()).isEqualTo(3);
        assertThat(lookedUp())
                .isEqualTo(IntStream.range(0, USERS).mapToObj(VerifyIT::user).toList());
        assertThat(findings(verified())).containsExactly(240L, 7L, 3L, 0L);
        assertThat(verified().path("drift_share").asDouble()).isEqualTo(0.04, within(1e-9));
        assertThat(verified().path("drift_share_low").asDouble()).isEqualTo(0.04, within(1e-9));
        assertThat(verified().path("drift_share_high").asDouble()).isEqualTo(0.04, within(1e-9));
        assertThat(usermap.report().path("command").asText()).isEqualTo("verify");
        assertThat(usermap.report().path("outcome").asText()).isEqualTo("rejected");
        assertThat(usermap.report().path("exit_code").asInt()).isEqualTo(3);
        assertThat(usermap.out())
                .contains("250 users of state 1 looked up\n")
                .contains("  missing               7  to be mapped, and the service has no mapping\n")
                .contains("  drift 4.00 %\n");
        assertThat(usermap.err())
                .contains("Cannot accept so much drift: 4.00 %, more than the share of 0.01.")
                .contains("verify: looking up 250 of 250 users of state 1 takes about 0s");
        findsEachUser();

        usermap.set("verify.max-drift-share", "0.05");
        assertThat(usermap.run("verify", "--full", "--format", "json"))
                .as(usermap.err())
                .isZero();
        assertThat(JSON.readTree(usermap.out())).isEqualTo(verified());

        sandbox.clearRequests();
        assertThat(usermap.run("verify", "--repair", "--set", "verify.max-drift-share=0.01"))
                .as("the plan is saved, and the drift too much")
                .isEqualTo(3);
        assertThat(lookedUp()).hasSize(USERS);
        String plan = verified().path("repair").asText();
        assertThat(usermap.out())
                .contains("  to map                7\n  to remap              3\n  to unmap              0\n")
                .contains("usermap apply " + plan + " carries it out");
        assertThat(usermap.run("apply", plan)).as(usermap.err()).isZero();
        assertThat(usermap.count("accepted")).isEqualTo(10);
        assertThat(sandbox.mappings()).isEqualTo(before);
        assertThat(usermap.run("verify", "--full")).as(usermap.err()).isZero();
        assertThat(findings(verified())).containsExactly(250L, 0L, 0L, 0L);
        assertThat(usermap.run("verify", "--repair")).as(usermap.err()).isZero();
        assertThat(usermap.report().path("outcome").asText()).isEqualTo("nothing_to_do");
        assertThat(usermap.run("apply", plan)).isEqualTo(5);

        assertThat(usermap.run("runs")).isZero();
        assertThat(usermap.out().lines().filter(line -> line.contains(" verify ")))
                .hasSize(5);
        forgets();
    }

    private void findsEachUser() throws IOException {
        Map<String, String> found = new TreeMap<>();
        LOCAL.spark()
                .read()
                .parquet(lastRun().resolve("verify").toString())
                .filter("finding <> 'agreed'")
                .selectExpr("user_id", "concat_ws(' ', finding, global_user_id, array_join(mapped_to.user_id, ','))")
                .collectAsList()
                .forEach(row -> found.put(row.getString(0), row.getString(1)));
        assertThat(found)
                .hasSize(10)
                .containsEntry(user(180), "missing person-0 ")
                .containsEntry(user(51), "different person-1 person-x");
    }

    private void forgets() throws IOException {
        assertThat(holding(usermap.ledger(), user(180))).isNotEmpty();
        Path killed = usermap.runs().get(0).resolve("verify");
        Files.createDirectories(killed.resolve("_temporary"));
        assertThat(usermap.run("forget", user(180))).as(usermap.err()).isZero();
        assertThat(holding(usermap.ledger(), user(180))).isEmpty();
        assertThat(killed).as("what a verification left that was killed").doesNotExist();
        Dataset<Row> left = LOCAL.spark()
                .read()
                .parquet(usermap.runs().get(1).resolve("verify").toString());
        assertThat(left.columns()).containsExactly("user_id", "global_user_id", "finding", "mapped_to", "mapped_from");
        assertThat(left.count()).as("the others are still there").isEqualTo(USERS - 1);
        assertThat(left.filter("finding = 'agreed' AND mapped_to[0].user_id = global_user_id")
                        .count())
                .as("with what was found of them")
                .isGreaterThan(USERS / 2);
    }

    @Test
    void whoeverIsMappedAgainAfterAnUnmapIsFoundAndUnmapped() throws IOException {
        usermap.set("plan.mode", "mirror").set("guards.max-unmap-share", "1").set("guards.max-shrink", "1");
        pairs(Stream.of("ann@x.com,person-1", "bob@x.com,person-1"));
        assertThat(usermap.run("apply")).as(usermap.err()).isZero();
        pairs(Stream.of("bob@x.com,person-1"));
        assertThat(usermap.run("apply")).as(usermap.err()).isZero();
        assertThat(usermap.run("verify", "--full")).as(usermap.err()).isZero();
        assertThat(findings(verified()))
                .as("of somebody mapped and somebody unmapped")
                .containsExactly(2L, 0L, 0L, 0L);

        strangerMaps("ann@x.com", Optional.of("person-9"));
        assertThat(usermap.run("verify", "--repair")).as(usermap.err()).isEqualTo(3);
        assertThat(findings(verified())).containsExactly(1L, 0L, 1L, 0L);
        assertThat(usermap.out())
                .contains("  to map                0\n  to remap              0\n  to unmap              1\n");
        assertThat(usermap.run("apply", verified().path("repair").asText()))
                .as(usermap.err())
                .isZero();
        assertThat(sandbox.mappings()).isEqualTo(Map.of("bob@x.com", "person-1"));
    }

    @Test
    void aSampleIsDrawnAgainAsItWasAndItsIntervalHoldsTheTruth() throws IOException {
        applyAll();
        drift();

        usermap.set("verify.max-drift-share", "1");
        assertThat(usermap.run("verify", "--sample", "100")).as(usermap.err()).isZero();
        List<String> first = lookedUp();
        assertThat(first).hasSize(100).doesNotHaveDuplicates();
        JsonNode found = verified();
        assertThat(found.path("population").asLong()).isEqualTo(USERS);
        assertThat(found.path("looked_up").asLong()).isEqualTo(100);
        assertThat(found.path("confidence").asDouble()).isEqualTo(0.95);
        long drifted = found.path("missing").asLong() + found.path("different").asLong();
        assertThat(drifted)
                .as("ten of all have drifted")
                .isEqualTo(first.stream()
                        .map(id -> Integer.parseInt(id.substring(5, 8)))
                        .filter(i -> (i % 30 == 0 && i < 210) || (i % 50 == 1 && i < 150))
                        .count());
        SampledShare share = SampledShare.of(drifted, 100, USERS);
        assertThat(found.path("drift_share_low").asDouble()).isEqualTo(share.low(), within(1e-9));
        assertThat(found.path("drift_share_high").asDouble()).isEqualTo(share.high(), within(1e-9));
        assertThat(0.04).isBetween(share.low(), share.high());
        assertThat(usermap.out())
                .contains("100 of 250 users of state 1 looked up\n")
                .contains(" with 95 % confidence");

        sandbox.clearRequests();
        assertThat(usermap.run("verify", "--sample", "100")).isZero();
        assertThat(lookedUp()).as("the same users").isEqualTo(first);
    }

    @Test
    void whatTheServiceDoesNotTellIsUnknownAndNoDrift() throws IOException {
        applyAll();
        sandbox.addFaults("{\"faults\": [{\"path\": \"lookup\", \"ids\": [\"" + user(7) + "\"], \"status\": 400}]}");

        assertThat(usermap.run("verify", "--full")).as(usermap.err()).isZero();
        assertThat(findings(verified())).containsExactly(249L, 0L, 0L, 1L);
        assertThat(verified().path("drift_share_high").asDouble())
                .as("of the others")
                .isZero();
        assertThat(usermap.out()).contains("  unknown               1  the service told nothing\n");

        sandbox.clearRequests();
        usermap.set("lookup.concurrency", "1");
        assertThat(usermap.run("verify", "--sample", "3")).as(usermap.err()).isZero();
        for (String id : lookedUp().subList(0, 2)) {
            sandbox.addFaults("{\"faults\": [{\"path\": \"lookup\", \"ids\": [\"" + id + "\"], \"status\": 400}]}");
        }
        assertThat(usermap.run("verify", "--sample", "3")).isEqualTo(3);
        assertThat(usermap.err())
                .contains("Cannot judge the drift: the service told nothing of 2 of the 3 users looked up.");

        sandbox.addFaults("{\"faults\": [{\"path\": \"lookup\", \"status\": 200, \"body\": \"{\\\"error\\\": 1}\"}]}");
        assertThat(usermap.run("verify", "--sample", "10")).isEqualTo(1);
        assertThat(usermap.err()).contains("Cannot verify: the service told nothing of any of the 10 users looked up.");
        sandbox.clearFaults();
        usermap.set("target.secret-key", "another");
        assertThat(usermap.run("verify")).isEqualTo(6);
        assertThat(usermap.err())
                .contains("the service does not know the API key or the secret key (401)")
                .doesNotContain("another");
    }

    @Test
    void takesWhatIsThereIntoTheState() throws IOException {
        strangerMaps("ann@x.com", Optional.of("person-1"));
        strangerMaps("bob@x.com", Optional.of("somebody"));
        strangerMaps("zoe@x.com", Optional.of("person-1"));
        strangerMaps("far@x.com", Optional.of("elsewhere"));
        Map<String, String> there = sandbox.mappings();
        sandbox.clearRequests();
        pairs(Stream.of("ann@x.com,person-1", "bob@x.com,person-1", "cat@x.com,person-1", "abc,person-1"));

        assertThat(usermap.run("verify")).isEqualTo(1);
        assertThat(usermap.err())
                .contains("Cannot verify: there are no users in state 0. Run 'usermap apply' first, or 'usermap verify"
                        + " --adopt' with a source.");
        assertThat(usermap.run("verify", "--adopt")).as(usermap.err()).isZero();
        assertThat(lookedUp()).containsExactly("ann@x.com", "bob@x.com", "cat@x.com", "person-1");
        assertThat(sandbox.mappings()).isEqualTo(there);
        assertThat(List.of(
                        verified().path("adopted").asLong(),
                        verified().path("left_out").asLong()))
                .containsExactly(3L, 0L);
        assertThat(usermap.out()).contains("\n  adopted 3 users into the state\n");
        assertThat(usermap.report().path("outcome").asText()).isEqualTo("done");
        assertThat(usermap.ledger().resolve("claims")).isEmptyDirectory();
        Path adopting = lastRun();
        assertThat(adopting.resolve("verify")).isNotEmptyDirectory();
        assertThat(usermap.run("export")).isZero();
        assertThat(usermap.out())
                .isEqualTo("user_id,global_user_id\nann@x.com,person-1\nbob@x.com,somebody\nzoe@x.com,person-1\n");

        usermap.set("guards.max-remap-share", "1").set("plan.max-rejected-share", "1");
        assertThat(usermap.run("plan")).as(usermap.err()).isZero();
        assertThat(List.of(usermap.count("unchanged"), usermap.count("remap"), usermap.count("map")))
                .as("Ann and Zoe stay, Bob moves, Cat is new")
                .containsExactly(2L, 1L, 1L);
        assertThat(usermap.run("verify", "--adopt")).as(usermap.err()).isZero();
        assertThat(usermap.report().path("outcome").asText()).isEqualTo("nothing_to_do");

        strangerMaps("zoe@x.com", Optional.empty());
        assertThat(usermap.run("verify", "--adopt")).as(usermap.err()).isZero();
        assertThat(usermap.run("export")).isZero();
        assertThat(usermap.out()).as("what has gone there goes here").doesNotContain("zoe@x.com");
        assertThat(usermap.run("verify", "--repair")).as(usermap.err()).isZero();
        assertThat(findings(verified())).containsExactly(3L, 0L, 0L, 0L);
    }

    @Test
    void whoeverHasSeveralTargetsIsDifferentIsNotAdoptedAndLosesThemAllByARepair() throws IOException {
        usermap.set("plan.remap", "unmap-first").set("verify.max-drift-share", "1");
        pairs(Stream.of("ann@x.com,person-1", "bob@x.com,person-1"));
        assertThat(usermap.run("apply")).as(usermap.err()).isZero();
        String answer = """
                {"ann@x.com": {"mapped_from": [], "mapped_to": [{"user_id": "person-1"}, {"user_id": "person-9"}]},
                 "bob@x.com": {"mapped_from": [], "mapped_to": [{"user_id": "person-1"}]}}""";
        sandbox.addFaults(JSON.writeValueAsString(
                Map.of("faults", List.of(Map.of("path", "lookup", "status", 200, "body", answer)))));

        assertThat(usermap.run("verify", "--adopt")).as(usermap.err()).isZero();
        assertThat(findings(verified()).get(2))
                .as("Ann, though one target is right")
                .isEqualTo(1);
        assertThat(List.of(
                        verified().path("adopted").asLong(),
                        verified().path("left_out").asLong()))
                .containsExactly(0L, 1L);

        usermap.set("guards.max-remap-share", "0.4");
        assertThat(usermap.run("verify", "--repair")).as(usermap.err()).isEqualTo(ExitCode.GUARD);
        String plan = verified().path("repair").asText();
        assertThat(usermap.err())
                .contains("50.0 % of the acknowledged mappings would get another target, more than 40.0 %.")
                .contains("usermap apply " + plan + " --allow max-remap-share");
        sandbox.clearFaults();
        sandbox.clearRequests();
        assertThat(usermap.run("apply", plan)).as(usermap.err()).isEqualTo(ExitCode.GUARD);
        assertThat(sandbox.requests()).isEmpty();
        assertThat(usermap.run("apply", plan, "--allow", "max-remap-share"))
                .as(usermap.err())
                .isZero();
        assertThat(sandbox.requests().stream().map(SandboxRequest::mappings).flatMap(List::stream))
                .containsExactly(
                        SandboxRequest.Mapping.unmap("ann@x.com"), SandboxRequest.Mapping.map("ann@x.com", "person-1"));
    }

    @Test
    void neitherAdoptsNorRepairsBesideARunThatIsNotFinished() throws IOException {
        pairs(Stream.of("ann@x.com,person-1", "bob@x.com,person-1"));
        sandbox.addFaults("{\"faults\": [{\"path\": \"map\", \"status\": 503}]}");
        assertThat(usermap.run("apply", "--set", "write.max-attempts=1")).isEqualTo(ExitCode.ERROR);
        String unfinished = usermap.report().path("run").asText();
        sandbox.clearRequests();

        for (String purpose : List.of("--adopt", "--repair")) {
            assertThat(usermap.run("verify", purpose)).isEqualTo(ExitCode.ERROR);
            assertThat(usermap.err())
                    .contains("Cannot verify: run " + unfinished
                            + " has not come to its end. Run 'usermap apply' first, which finishes it.");
        }
        assertThat(sandbox.requests()).isEmpty();
        sandbox.clearFaults();
        assertThat(usermap.run("apply")).as(usermap.err()).isZero();
        assertThat(sandbox.mappings()).hasSize(2);
    }

    @Test
    void verifiesWhatAPlanWasToBringAbout() throws IOException {
        pairs(Stream.of("ann@x.com,person-1", "bob@x.com,person-1"));
        assertThat(usermap.run("plan")).as(usermap.err()).isZero();
        String plan = usermap.report().path("run").asText();

        assertThat(usermap.run("verify", plan)).as(usermap.err()).isEqualTo(3);
        assertThat(verified().path("of").asText()).isEqualTo("plan " + plan);
        assertThat(findings(verified())).containsExactly(0L, 2L, 0L, 0L);
        assertThat(usermap.run("apply", plan)).as(usermap.err()).isZero();
        assertThat(usermap.run("verify", plan)).as(usermap.err()).isZero();
        assertThat(findings(verified())).containsExactly(2L, 0L, 0L, 0L);
    }

    @Test
    void tellsItsProgressPartByPartAndKeepsToTheRate() throws Exception {
        applyAll();
        ByteArrayOutputStream told = new ByteArrayOutputStream();
        Console console =
                new Console(System.out, new PrintStream(told, true, StandardCharsets.UTF_8), false, true, false);
        Configuration configuration = Configuration.of(
                Map.of(
                        "target.endpoint", sandbox.endpoint().toString(),
                        "target.api-key", "k-0123456789abcdef",
                        "target.secret-key", "s-0123456789abcdef",
                        "lookup.per-second", "10",
                        "ledger.path", usermap.ledger().toString()),
                Set.of(),
                Map.of());
        Ledger ledger = Ledger.existing(
                LOCAL.spark().sparkContext().hadoopConfiguration(),
                usermap.ledger().toString());
        LedgerRun run = ledger.begin(Instant.now());
        Dataset<Row> known =
                ledger.known(LOCAL.spark(), ledger.state(LOCAL.spark()).current());
        try (Target target = Target.open(configuration)) {
            Verified found = new Verification(
                            LOCAL.spark(), configuration, target, console, Waiting::pass, Duration.ofMillis(70))
                    .look(run, new Expected("state 1", known), Optional.empty());
            assertThat(found.agreed()).isEqualTo(USERS);
        }

        assertThat(lookedUp()).hasSize(USERS).doesNotHaveDuplicates();
        List<JsonNode> lines = new ArrayList<>();
        for (String line : told.toString(StandardCharsets.UTF_8).split("\n", -1)) {
            if (line.contains("progress")) {
                lines.add(JSON.readTree(line));
            }
        }
        assertThat(lines).as("three parts, the last one tells by its end").hasSize(2);
        assertThat(lines.get(1).path("looked_up").asLong()).isBetween(130L, 200L);
        assertThat(lines.get(1).path("total").asLong()).isEqualTo(USERS);
        List<SandboxRequest> requests = sandbox.requests();
        double seconds = (requests.get(requests.size() - 1).arrivedNanos()
                        - requests.get(0).arrivedNanos())
                / 1e9;
        assertThat((requests.size() - 1) / seconds).as("requests a second").isLessThanOrEqualTo(10.5);
    }

    @Test
    void aCancelledSparkJobInterruptsItAndItsReportSaysSo() throws Exception {
        applyAll();
        sandbox.addFaults("{\"faults\": [{\"path\": \"lookup\", \"delay_answer\": \"3s\"}]}");
        usermap.set("lookup.per-second", "0.1");
        CompletableFuture<Integer> verifying = CompletableFuture.supplyAsync(() -> usermap.run("verify", "--full"));
        Waiting.until(
                "it reads", Duration.ofSeconds(20), () -> !sandbox.requests().isEmpty());
        LOCAL.spark().sparkContext().cancelAllJobs();

        assertThat(verifying.get(30, TimeUnit.SECONDS)).as(usermap.err()).isEqualTo(ExitCode.INTERRUPTED);
        assertThat(usermap.err())
                .as("three requests, one in ten seconds")
                .contains("looking up 250 of 250 users of state 1 takes about 30s")
                .contains("verify was interrupted. Run 'usermap verify' again: it begins anew.");
        assertThat(usermap.report().path("outcome").asText()).isEqualTo("interrupted");
    }

    @Test
    void theCommandsOfTheGuideRun() throws IOException {
        applyAll();
        drift();
        usermap.set("verify.max-drift-share", "1");
        List<String> commands = ReadmeFiles.blocks(ReadmeFiles.text("job/docs/verify.md"), "bash").stream()
                .flatMap(String::lines)
                .filter(line -> line.startsWith("job/bin/usermap "))
                .toList();
        assertThat(commands).hasSizeGreaterThan(4);
        String plan = "";
        for (String command : commands) {
            String words = command.substring("job/bin/usermap ".length())
                    .replaceFirst(" *#.*$", "")
                    .replace(" --config conf/daily.conf", "")
                    .replaceFirst("^apply .*", "apply " + plan);
            assertThat(usermap.run(words.split(" ")))
                    .as(command + "\n" + usermap.err())
                    .isZero();
            String repair = verified().path("repair").asText();
            plan = repair.isEmpty() ? plan : repair;
        }
        assertThat(plan).isNotEmpty();
        assertThat(sandbox.mappings()).as("it is repaired").containsEntry(user(180), "person-0");

        String told = ReadmeFiles.blocks(ReadmeFiles.text("job/docs/verify.md"), "json")
                .get(0);
        Verified any = Verified.of("state 3", 48_211, 991, 6, 3, 0);
        assertThat(Json.read(told, Verified.class))
                .as("the figures told are those of the arithmetic")
                .contains(any);
        assertThat(JSON.readTree(told).fieldNames())
                .toIterable()
                .containsExactlyElementsOf(
                        () -> Json.tree(Json.document(any)).orElseThrow().fieldNames());
    }
}
