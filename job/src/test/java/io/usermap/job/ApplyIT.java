package io.usermap.job;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.usermap.sandbox.Sandbox;
import io.usermap.sandbox.SandboxOptions;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.apache.spark.SparkEnv;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/** Whole commands against a sandbox over HTTP, in a session that is not theirs; asserts what the sandbox holds. */
class ApplyIT {
    private static final String KEY = "k-0123456789abcdef";

    @RegisterExtension
    static final LocalSpark LOCAL = new LocalSpark();

    @TempDir
    private Path folder;

    private Sandbox sandbox = start();
    private CommandRunner usermap = new CommandRunner(Path.of("unset"));

    private static Sandbox start() {
        try {
            return Sandbox.start(SandboxOptions.builder()
                    .eventsPerSecond(5000)
                    .window(Duration.ofSeconds(1))
                    .keys(Set.of(KEY))
                    .build());
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }

    @BeforeEach
    void aimAtTheSandbox() {
        usermap = new CommandRunner(folder)
                .set("target.endpoint", sandbox.endpoint().toString())
                .set("target.api-key", KEY);
    }

    @AfterEach
    void closeTheSandbox() {
        sandbox.close();
        assertThat(SparkEnv.get()).as("a session that is not ours goes on").isNotNull();
    }

    private String[] pairs(String... rows) {
        return Stream.concat(Stream.of("user_id,global_user_id"), Stream.of(rows))
                .toArray(String[]::new);
    }

    @Test
    void sendsWhatChangedAndNothingTheSecondTime() throws IOException {
        usermap.source(pairs("ann+1@x.com,person-1", "小林-2222,person-1", "\"bob\"\"s,id\",person-2"));

        assertThat(usermap.run("apply", "--log-format", "json", "--stacktrace"))
                .as(usermap.err())
                .isZero();
        showsNeitherKeyNorIds("ann+1", "小林", "bob", "person-");
        assertThat(sandbox.mappings())
                .isEqualTo(Map.of("ann+1@x.com", "person-1", "小林-2222", "person-1", "bob\"s,id", "person-2"));
        assertThat(usermap.report().path("outcome").asText()).isEqualTo("done");
        assertThat(usermap.count("accepted")).isEqualTo(3);
        assertThat(usermap.count("map")).isEqualTo(3);
        assertThat(usermap.out()).containsPattern("mapped +3").contains("report: " + usermap.ledger());

        sandbox.clearRequests();
        assertThat(usermap.run("apply")).isZero();
        assertThat(sandbox.requests()).isEmpty();
        assertThat(usermap.report().path("outcome").asText()).isEqualTo("nothing_to_do");
        assertThat(usermap.count("accepted")).isZero();
        assertThat(usermap.count("unchanged")).isEqualTo(3);
    }

    @Test
    void remapsAndUnmapsUnderMirror() throws IOException {
        usermap.source(pairs("user-1,person-1", "user-2,person-1", "user-3,person-2"))
                .set("plan.mode", "mirror")
                .set("guards.max-unmap-share", "1")
                .set("guards.max-shrink", "1")
                .set("guards.max-remap-share", "1");
        assertThat(usermap.run("apply")).as(usermap.err()).isZero();

        usermap.source(pairs("user-1,person-2", "user-4,person-1"));
        assertThat(usermap.run("apply")).as(usermap.err()).isZero();

        assertThat(sandbox.mappings()).isEqualTo(Map.of("user-1", "person-2", "user-4", "person-1"));
        assertThat(List.of(usermap.count("map"), usermap.count("remap"), usermap.count("unmap")))
                .containsExactly(1L, 1L, 2L);
    }

    @Test
    void appliesASavedPlanAndRefusesAStaleOne() throws IOException {
        usermap.source(pairs("user-1,person-1"));
        assertThat(usermap.run("plan", "--detailed-exitcode")).isEqualTo(2);
        String plan = usermap.report().path("run").asText();
        assertThat(sandbox.mappings()).isEmpty();
        assertThat(usermap.run("plan", "--format", "json")).isZero();
        JsonNode told = new ObjectMapper().readTree(usermap.out());
        assertThat(told.at("/counts/map").asLong()).isEqualTo(1);
        assertThat(told.path("state_version").asLong()).isZero();
        assertThat(told.path("eta_seconds").asDouble()).isZero();
        assertThat(told.path("hash").asText()).isNotEmpty();
        String fingerprint = told.path("source_fingerprint").asText();
        String other = usermap.report().path("run").asText();

        usermap.source(pairs("user-1,person-1", "user-2,person-1"));
        assertThat(usermap.run("plan", "--format", "json", "--set", "report.ids=plain"))
                .isZero();
        assertThat(new ObjectMapper()
                        .readTree(usermap.out())
                        .path("source_fingerprint")
                        .asText())
                .hasSameSizeAs(fingerprint)
                .isNotEqualTo(fingerprint);
        assertThat(usermap.run("apply", plan)).as(usermap.err()).isZero();
        assertThat(sandbox.mappings())
                .as("what was planned, not what is in the source")
                .hasSize(1);

        assertThat(usermap.run(
                        "apply", usermap.ledger().resolve("runs/" + other).toString()))
                .isEqualTo(5);
        assertThat(usermap.err())
                .contains("Cannot apply the plan of run " + other + ": it was made for version 0 of the state, and run "
                        + plan + " has led to version 1 since: 1 of its 1 changes meet mappings that have moved. Run"
                        + " 'usermap plan' again.");
        assertThat(usermap.report().path("outcome").asText()).isEqualTo("stale");
    }

    @Test
    void resumesWhatACrashHasLeft() throws IOException {
        usermap.source(pairs(IntStream.range(0, 50)
                .mapToObj(i -> "user-%03d,person-1".formatted(i))
                .toArray(String[]::new)));
        assertThat(usermap.run("apply")).as(usermap.err()).isZero();
        crashAfterFirstRequest();
        sandbox.clearRequests();

        assertThat(usermap.run("apply")).as(usermap.err()).isZero();

        assertThat(usermap.err())
                .contains("was interrupted; taking its receipts in and sending the rest of 50 mappings");
        assertThat(usermap.count("accepted") + usermap.count("skipped")).isEqualTo(50);
        assertThat(usermap.count("skipped")).isEqualTo(1);
        assertThat(sandbox.requests().stream().flatMap(request -> request.mappings().stream()))
                .as("what has a receipt is not sent again")
                .hasSize(49)
                .doesNotHaveDuplicates();
    }

    /** Turns the ledger back to the moment at which one row had its receipt and the process died. */
    private void crashAfterFirstRequest() throws IOException {
        Path run = usermap.runs().get(0);
        Files.delete(run.resolve("allowance.json"));
        Files.delete(run.resolve("report.json"));
        Path state = usermap.ledger().resolve("state");
        try (Stream<Path> manifests = Files.list(state)) {
            for (Path manifest : manifests
                    .filter(path -> path.toString().contains("manifest"))
                    .toList()) {
                Files.delete(manifest);
            }
        }
        try (Stream<Path> receipts = Files.walk(run.resolve("receipts"))) {
            boolean first = true;
            for (Path file : receipts.filter(Files::isRegularFile).sorted().toList()) {
                List<String> lines = file.toString().endsWith(".jsonl") ? Files.readAllLines(file) : List.of();
                Files.delete(file);
                if (first && !lines.isEmpty()) {
                    String torn = lines.size() > 1 ? lines.get(1).substring(0, 40) : "{\"user_id\":";
                    Files.writeString(file, lines.get(0) + "\n" + torn);
                    first = false;
                }
            }
        }
    }

    @Test
    void tellsRejectedRowsByReasonAndEndsWith3AboveTheShare() throws IOException {
        usermap.source(pairs("user-1,person-1", "abc,person-1", "user-2,person-1", "user-2,person-2"))
                .set("guards.max-placeholder-share", "1");

        assertThat(usermap.run("apply")).isEqualTo(3);

        assertThat(sandbox.mappings()).containsOnlyKeys("user-1");
        assertThat(usermap.report().path("rejected_by_reason").toString())
                .isEqualTo("{\"conflict\":2,\"too_short\":1}");
        assertThat(usermap.out())
                .contains("2: rows of one user contradict each other; 1: an id is shorter than the service takes");
        assertThat(usermap.err()).contains("Cannot accept so many rejected rows: 3 of 4, more than the share of 0.01.");
    }

    @Test
    void stopsAnEmptySourceAtItsGuard() throws IOException {
        usermap.source("user_id,global_user_id");

        assertThat(usermap.run("apply")).isEqualTo(4);

        assertThat(usermap.err()).contains("Cannot apply the plan: the source has 0 rows, fewer than 1.");
        assertThat(usermap.report().path("guards").toString()).isEqualTo("[\"min-source-rows\"]");
        assertThat(sandbox.requests()).isEmpty();
    }

    @Test
    void comparesATableWithTheLastTableAndNotWithAFeedInBetween() throws IOException {
        usermap.source(pairs("user-1,person-1", "user-2,person-1", "user-3,person-2", "user-4,person-2"));
        assertThat(usermap.run("apply")).as(usermap.err()).isZero();
        usermap.source("user_id,global_user_id,kind", "user-5,person-2,insert")
                .set(
                        "source.sql",
                        "SELECT user_id, global_user_id, kind AS _change_type, 1L AS _commit_version FROM source");
        assertThat(usermap.run("apply")).as(usermap.err()).isZero();

        usermap.source(pairs("user-1,person-1", "user-6,person-1")).set("source.sql", "SELECT * FROM source");

        assertThat(usermap.run("apply")).isEqualTo(4);
        assertThat(usermap.err()).contains("50.0 % of the source's rows are gone");
    }

    @Test
    void saysSoWhereNobodyAnswersOrTheKeyIsWrong() throws IOException {
        usermap.source(pairs("user-1,person-1", "user-2,person-1"))
                .set("target.endpoint", "http://127.0.0.1:9")
                .set("write.max-attempts", "1");
        assertThat(usermap.run("apply")).isEqualTo(1);
        assertThat(usermap.err()).contains("Cannot").doesNotContain("Exception");
        assertThat(usermap.report().path("outcome").asText()).isEqualTo("failed");

        usermap.set("target.endpoint", sandbox.endpoint().toString()).set("target.api-key", "wrong-key-123");

        assertThat(usermap.run("apply")).isEqualTo(6);

        assertThat(usermap.err()).contains("401").doesNotContain("wrong-key-123");
        assertThat(sandbox.requests()).hasSize(1);
        assertThat(usermap.report().path("outcome").asText()).isEqualTo("failed");
        assertThat(usermap.set("target.api-key", KEY).run("apply"))
                .as("nothing is left over of it: " + usermap.err())
                .isZero();
        assertThat(sandbox.mappings()).hasSize(2);
    }

    @Test
    void saysWhatIsWrongWithASource() throws IOException {
        assertThat(usermap.set("source.path", "/no/such/file.csv").run("plan")).isEqualTo(1);
        assertThat(usermap.err())
                .isEqualToIgnoringNewLines("Cannot read the source /no/such/file.csv: there is no such path. Set"
                        + " 'source.path'; a relative one starts at the working directory.");

        assertThat(usermap.source("a,b", "1,2").run("plan")).isEqualTo(1);
        assertThat(usermap.err()).startsWith("Cannot recognise the source's columns: a, b are neither pairs");

        assertThat(usermap.set("source.sql", "SELECT nothing FROM source").run("plan"))
                .isEqualTo(1);
        assertThat(usermap.err()).startsWith("Cannot run 'source.sql': ").contains("nothing");
    }

    @Test
    void neverTakesASourceThatIsReadInHalfForASmallerOne() throws IOException {
        Path source = folder.resolve("half");
        LOCAL.spark()
                .range(20)
                .selectExpr("concat('user-', id) AS user_id", "'person-1' AS global_user_id")
                .repartition(2)
                .write()
                .parquet(source.toString());
        try (Stream<Path> files = Files.list(source)) {
            Path part = files.filter(path -> path.toString().endsWith(".parquet"))
                    .findFirst()
                    .orElseThrow();
            Files.deleteIfExists(part.resolveSibling("." + part.getFileName() + ".crc"));
            byte[] whole = Files.readAllBytes(part);
            Files.write(part, java.util.Arrays.copyOf(whole, whole.length / 2));
        }
        usermap.set("source.path", source.toString()).set("plan.mode", "mirror");

        assertThat(usermap.run("apply")).isEqualTo(1);
        assertThat(usermap.err()).contains("Cannot read the source");

        LOCAL.spark().conf().set("spark.sql.files.ignoreCorruptFiles", "true");
        try {
            assertThat(usermap.run("apply")).isEqualTo(1);
        } finally {
            LOCAL.spark().conf().unset("spark.sql.files.ignoreCorruptFiles");
        }
        assertThat(usermap.err())
                .isEqualToIgnoringNewLines("Cannot plan: 'spark.sql.files.ignoreCorruptFiles' is true, so a source that"
                        + " is read in half would look like one that has shrunk. Set it to false for this session.");
        assertThat(sandbox.requests()).isEmpty();
    }

    @Test
    void refusesALedgerOfAnotherServiceOrOfANewerFormat() throws IOException {
        usermap.source(pairs("user-1,person-1"));
        Files.createDirectories(usermap.ledger());
        Files.writeString(usermap.ledger().resolve("ledger.json"), "{\"format\":2,\"target\":\"loopback\"}");

        assertThat(usermap.set("target.endpoint", "https://api.amplitude.com").run("plan"))
                .isEqualTo(6);
        assertThat(usermap.err())
                .contains(
                        "it holds what loopback acknowledged, and the target is https://api.amplitude.com. Set another"
                                + " 'ledger.path' for it.");

        Files.writeString(usermap.ledger().resolve("ledger.json"), "{\"format\":3,\"target\":\"loopback\"}");
        assertThat(usermap.run("plan")).isEqualTo(1);
        assertThat(usermap.err())
                .contains("its format is 3 and this program knows 2. Use the version of usermap that wrote it.");
    }

    @Test
    void bringsItsOwnSandboxAlongAndLooksItsMappingsUp() throws IOException {
        usermap.set("target.endpoint", "sandbox").source("cluster,unique_id", "1,00017", "1,00018", "2,00019");

        assertThat(usermap.run("apply")).as(usermap.err()).isZero();
        assertThat(usermap.count("accepted")).isEqualTo(1);

        assertThat(usermap.run("lookup", "00018", "00019")).as(usermap.err()).isZero();
        assertThat(usermap.out())
                .matches("(?s)00018\\R  maps to 00017 \\(amplitude id \\d+\\)\\R00019\\R  has no mappings\\R");
    }

    private void showsNeitherKeyNorIds(String... ids) throws IOException {
        assertThat(usermap.out() + usermap.err() + usermap.report())
                .doesNotContain(KEY)
                .doesNotContain(ids);
        try (Stream<Path> files = Files.walk(usermap.ledger())) {
            assertThat(files.filter(Files::isRegularFile))
                    .isNotEmpty()
                    .allSatisfy(file -> assertThat(
                                    new String(Files.readAllBytes(file), java.nio.charset.StandardCharsets.ISO_8859_1))
                            .doesNotContain(KEY));
        }
    }
}
