package io.usermap.job;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** {@code plan} and {@code apply} as whole commands; asserts what the sandbox holds. */
class ApplyIT extends CommandCase {
    @Test
    void sendsWhatChangedAndNothingTheSecondTime() throws IOException {
        pairs("ann+1@x.com,person-1", "小林-2222,person-1", "\"bob\"\"s,id\",person-2");

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
    void comparesASourceWithTheLastOneThoughThatHadNothingToSend() throws IOException {
        String[] rows = {"user-1,person-1", "user-2,person-1", "user-3,person-2"};
        pairs(rows);
        apply();
        pairs(Stream.of(rows, rows, rows).flatMap(Stream::of).toArray(String[]::new));
        apply();
        assertThat(usermap.report().path("outcome").asText()).isEqualTo("nothing_to_do");
        assertThat(usermap.report().path("left_out_by_reason").toString()).isEqualTo("{\"duplicate\":6}");
        pairs(rows);
        sandbox.clearRequests();

        assertThat(usermap.run("plan", "--format", "json")).isEqualTo(4);
        assertThat(usermap.json().path("guards").toString()).isEqualTo("[\"max-shrink\"]");
        assertThat(usermap.json().at("/counts/last_source_rows").asLong()).isEqualTo(9);
        assertThat(usermap.run("apply"))
                .as("what was only planned is no standard")
                .isEqualTo(4);
        assertThat(usermap.err()).contains("66.7 % of the source's rows are gone");
        assertThat(usermap.run("apply", "--allow", "max-shrink")).isZero();
        assertThat(usermap.run("apply"))
                .as("what a person has let pass is the standard now")
                .isZero();
        assertThat(sandbox.requests()).isEmpty();
        assertThat(versions()).as("no version of the state for nothing").hasSize(1);
    }

    @Test
    void aGuardIsLiftedByNameForOneRunOnly() throws IOException {
        usermap.set("guards.max-remap-share", "0.2").set("guards.max-shrink", "0.2");
        pairs("user-1,person-1", "user-2,person-1", "user-3,person-2");
        apply();
        sandbox.clearRequests();
        pairs("user-1,person-3", "user-2,person-3");

        assertThat(usermap.run("apply")).isEqualTo(4);
        assertThat(usermap.report().path("guards").toString()).isEqualTo("[\"max-shrink\",\"max-remap-share\"]");
        assertThat(usermap.run("apply", "--allow", "max-shrink")).isEqualTo(4);
        assertThat(usermap.report().path("guards").toString()).isEqualTo("[\"max-remap-share\"]");
        assertThat(sandbox.requests()).isEmpty();

        apply("--allow", "max-remap-share", "--allow", "max-shrink");
        assertThat(sandbox.mappings())
                .isEqualTo(Map.of("user-1", "person-3", "user-2", "person-3", "user-3", "person-2"));
        pairs("user-1,person-4", "user-2,person-4");
        assertThat(usermap.run("apply")).as("the next run is judged again").isEqualTo(4);
    }

    @Test
    void remapsAndUnmapsUnderMirror() throws IOException {
        pairs("user-1,person-1", "user-2,person-1", "user-3,person-2")
                .set("plan.mode", "mirror")
                .set("guards.max-unmap-share", "1")
                .set("guards.max-shrink", "1")
                .set("guards.max-remap-share", "1");
        assertThat(usermap.run("apply")).as(usermap.err()).isZero();

        pairs("user-1,person-2", "user-4,person-1");
        sandbox.clearRequests();
        assertThat(usermap.run("apply", "--set", "guards.max-unmap-share=0.5")).isEqualTo(4);
        assertThat(usermap.report().path("guards").toString()).isEqualTo("[\"max-unmap-share\"]");
        assertThat(sandbox.requests()).isEmpty();
        assertThat(usermap.run("apply")).as(usermap.err()).isZero();

        assertThat(sandbox.mappings()).isEqualTo(Map.of("user-1", "person-2", "user-4", "person-1"));
        assertThat(List.of(usermap.count("map"), usermap.count("remap"), usermap.count("unmap")))
                .containsExactly(1L, 1L, 2L);
    }

    @Test
    void appliesASavedPlanAndRefusesAStaleOne() throws IOException {
        pairs("user-1,person-1");
        assertThat(usermap.run("plan", "--detailed-exitcode")).isEqualTo(2);
        String plan = usermap.report().path("run").asText();
        assertThat(sandbox.mappings()).isEmpty();
        assertThat(usermap.run("plan", "--format", "json")).isZero();
        JsonNode told = usermap.json();
        assertThat(told.path("guards").toString()).isEqualTo("[]");
        assertThat(usermap.err()).contains("report: " + usermap.ledger());
        assertThat(told.at("/counts/map").asLong()).isEqualTo(1);
        assertThat(told.path("state_version").asLong()).isZero();
        assertThat(told.path("eta_seconds").asDouble()).isZero();
        assertThat(told.path("hash").asText()).isNotEmpty();
        String fingerprint = told.path("source_fingerprint").asText();
        String other = usermap.report().path("run").asText();

        pairs("user-1,person-1", "user-2,person-1");
        assertThat(usermap.run("plan", "--format", "json", "--set", "report.ids=plain"))
                .isZero();
        assertThat(usermap.json().path("source_fingerprint").asText())
                .hasSameSizeAs(fingerprint)
                .isNotEqualTo(fingerprint);
        String newest = usermap.report().path("run").asText();
        assertThat(usermap.run("apply", "--dry-run")).as(usermap.err()).isZero();
        assertThat(usermap.out()).contains("to map                2").doesNotContain("accepted");
        assertThat(usermap.report().path("outcome").asText()).isEqualTo("done");
        assertThat(usermap.run("apply", newest, "--dry-run")).isZero();
        assertThat(usermap.out()).contains("to map                2");
        assertThat(usermap.err()).doesNotContain("the source is not as it was");
        assertThat(sandbox.requests()).as("of dry runs").isEmpty();
        refusesAPlanThatIsNotTheOneThatWasMade(plan, other);
        LOCAL.spark().conf().set("spark.sql.jsonGenerator.ignoreNullFields", "false");
        try {
            assertThat(usermap.run("apply", plan))
                    .as("in a session of other settings")
                    .isZero();
        } finally {
            LOCAL.spark().conf().unset("spark.sql.jsonGenerator.ignoreNullFields");
        }
        assertThat(usermap.err())
                .contains("the source is not as it was when plan " + plan
                        + " was made; the plan is carried out as it is");
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

    private void refusesAPlanThatIsNotTheOneThatWasMade(String... plans) throws IOException {
        Path runs = usermap.ledger().resolve("runs");
        Path newest = usermap.runs().get(usermap.runs().size() - 1);
        Path rows = runs.resolve(plans[0]).resolve("plan");
        Path aside = folder.resolve("aside");
        Files.move(rows, aside);
        Files.move(newest.resolve("plan"), rows);
        assertThat(usermap.run("apply", plans[0])).isEqualTo(5);
        assertThat(usermap.err())
                .contains("Cannot apply the plan of run " + plans[0] + ": its rows are not those that were planned. Run"
                        + " 'usermap plan' again.");
        Files.move(rows, newest.resolve("plan"));
        Files.move(aside, rows);

        Path facts = runs.resolve(plans[1]).resolve("plan.json");
        String text = Files.readString(facts);
        Files.writeString(facts, text.replace("\"format\" : 1", "\"format\" : 2"));
        assertThat(usermap.run("apply", plans[1])).isEqualTo(1);
        assertThat(usermap.err())
                .contains("Cannot apply the plan of run " + plans[1] + ": its format is 2 and this program knows 1. Use"
                        + " the version of usermap that made it.");
        Files.writeString(facts, text);
        assertThat(sandbox.requests()).isEmpty();
    }

    @Test
    void resumesWhatACrashHasLeft() throws IOException {
        pairs(IntStream.range(0, 50)
                .mapToObj(i -> "user-%03d,person-1".formatted(i))
                .toArray(String[]::new));
        assertThat(usermap.run("apply")).as(usermap.err()).isZero();
        crashAfterFirstRequest();
        sandbox.clearRequests();
        // Its last sign of life is of this moment, and nobody knows what of the window it had used.
        usermap.set("allowance.window", "6s");
        Files.writeString(
                usermap.runs().get(0).resolve("heartbeat"), Instant.now().toString());
        long crashed = System.nanoTime();

        assertThat(usermap.run("apply")).as(usermap.err()).isZero();

        assertThat(sandbox.requests())
                .extracting(request -> Duration.ofNanos(request.arrivedNanos() - crashed))
                .as("not before the window is over")
                .allMatch(after -> after.compareTo(Duration.ofSeconds(6)) > 0);
        assertThat(usermap.err())
                .contains(" was interrupted: 1 of its 50 mappings are acknowledged; sending the other 49");
        assertThat(usermap.count("accepted") + usermap.count("skipped")).isEqualTo(50);
        assertThat(usermap.count("skipped")).isEqualTo(1);
        assertThat(sandbox.requests().stream().flatMap(request -> request.mappings().stream()))
                .as("what has a receipt is not sent again")
                .hasSize(49)
                .doesNotHaveDuplicates();
    }

    /** Of an organisation with a row that the service refuses, which a run that is taken in again does not ask it again. */
    @Test
    void takesInAgainWhatTheStateHasLostAndSendsNothing() throws IOException {
        pairs("user-1,person-1");
        apply();
        sandbox.addFaults("{\"faults\": [{\"path\": \"map\", \"ids\": [\"user-3\"], \"status\": 400}]}");
        pairs("user-1,person-1", "user-2,person-1", "user-3,person-1");
        usermap.set("plan.max-rejected-share", "1");
        String last = apply();
        cut(usermap.ledger().resolve("state/manifest-000000000002.json"), 40);
        sandbox.clearRequests();

        for (List<String> command : List.of(List.of("plan"), List.of("export"), List.of("undo", last))) {
            assertThat(usermap.run(command.toArray(String[]::new))).isEqualTo(1);
            assertThat(usermap.err())
                    .contains(
                            "its state has lost what run " + last + " led to. Run 'usermap apply', which takes it in");
        }
        pairs("user-1,person-1", "user-2,person-1");
        apply("--allow", "max-shrink");

        assertThat(usermap.err()).contains("the state has lost what run " + last + " led to; taking it in again");
        assertThat(sandbox.requests()).isEmpty();
        assertThat(usermap.run("export")).isZero();
        assertThat(usermap.out().lines())
                .containsExactlyInAnyOrder("user_id,global_user_id", "user-1,person-1", "user-2,person-1");
    }

    @Test
    void endsWhereTheStateHasLostMoreThanOneRun() throws IOException {
        pairs("user-1,person-1");
        apply();
        pairs("user-1,person-1", "user-2,person-1");
        String last = apply();
        for (String version : versions()) {
            cut(usermap.ledger().resolve("state").resolve(version), 0);
        }

        for (String command : List.of("plan", "apply", "export")) {
            assertThat(usermap.run(command)).as(command).isEqualTo(1);
            assertThat(usermap.err())
                    .contains(
                            "run " + last + " has led to version 2 of the state, and the newest that can be read is 0."
                                    + " Restore the ledger's folder 'state' from a copy;");
        }
        assertThat(sandbox.counts().mapped()).isEqualTo(2);
    }

    /**
     * Turns the ledger back to the moment at which one row had its receipt, in a file that was cut short, and the process died;
     * what else lies in the folders stays as it is.
     */
    private void crashAfterFirstRequest() throws IOException {
        Path run = usermap.runs().get(0);
        Files.delete(run.resolve("allowance.json"));
        Files.delete(run.resolve("report.json"));
        cut(usermap.ledger().resolve("state/manifest-000000000001.json"), 40);
        boolean first = true;
        for (Path file : receipts(run)) {
            if (first) {
                cut(file, Files.readAllLines(file).get(0).length() + 20);
            } else {
                Files.delete(file);
            }
            first = false;
        }
    }

    private static List<Path> receipts(Path run) throws IOException {
        try (Stream<Path> receipts = Files.walk(run.resolve("receipts"))) {
            return receipts.filter(file -> file.toString().endsWith(".jsonl"))
                    .sorted()
                    .toList();
        }
    }

    private static void cut(Path file, int bytes) throws IOException {
        try (FileChannel open = FileChannel.open(file, StandardOpenOption.WRITE)) {
            open.truncate(bytes);
        }
    }

    @Test
    void tellsRejectedRowsByReasonAndEndsWith3AboveTheShare() throws IOException {
        pairs("user-1,person-1", "abc,person-1", "user-2,person-1", "user-2,person-2")
                .set("guards.max-placeholder-share", "1");

        assertThat(usermap.run("plan")).as("a plan is made all the same").isZero();
        assertThat(usermap.err())
                .contains(
                        "'usermap apply' would end with exit code 3, because of its rejected rows: 3 of 4, more than");
        assertThat(usermap.run("apply")).isEqualTo(3);

        assertThat(sandbox.mappings()).containsOnlyKeys("user-1");
        assertThat(usermap.report().path("rejected_by_reason").toString())
                .isEqualTo("{\"conflict\":2,\"too_short\":1}");
        assertThat(usermap.out())
                .contains("2: rows of one user contradict each other; 1: an id is shorter than the service takes");
        assertThat(usermap.err()).contains("Cannot accept so many rejected rows: 3 of 4, more than the share of 0.01.");
    }

    @Test
    void comparesATableWithTheLastTableAndNotWithAFeedInBetween() throws IOException {
        pairs("user-1,person-1", "user-2,person-1", "user-3,person-2", "user-4,person-2");
        assertThat(usermap.run("apply")).as(usermap.err()).isZero();
        usermap.source("user_id,global_user_id,kind", "user-5,person-2,insert")
                .set(
                        "source.sql",
                        "SELECT user_id, global_user_id, kind AS _change_type, 1L AS _commit_version FROM source");
        assertThat(usermap.run("apply")).as(usermap.err()).isZero();

        pairs("user-1,person-1", "user-6,person-1").set("source.sql", "SELECT * FROM source");

        assertThat(usermap.run("apply")).isEqualTo(4);
        assertThat(usermap.err()).contains("50.0 % of the source's rows are gone");
    }

    @Test
    void saysSoWhereNobodyAnswersOrTheKeyIsWrong() throws IOException {
        pairs("user-1,person-1", "user-2,person-1")
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
    void aPlanThatEndedEarlyIsNotCarriedOnAndNothingOfItIsLost() throws IOException {
        pairs("user-1,person-1", "user-2,person-1").set("write.max-batch-rows", "1");
        assertThat(usermap.run("plan")).as(usermap.err()).isZero();
        String plan = usermap.report().path("run").asText();
        sandbox.addFaults("{\"faults\": [{\"path\": \"map\", \"requests\": 2, \"status\": 401}]}");
        assertThat(usermap.set("write.writers", "1").run("apply", plan)).isEqualTo(6);
        assertThat(sandbox.mappings()).hasSize(1);

        assertThat(usermap.run("apply", plan)).isEqualTo(5);

        assertThat(usermap.err())
                .contains("it ended early, and what was acknowledged of it has led to version 1 of the state."
                        + " Run 'usermap plan' again.");
        assertThat(usermap.run("apply")).as(usermap.err()).isZero();
        assertThat(sandbox.mappings()).hasSize(2);
        assertThat(sandbox.counts().mapped()).as("none sent twice").isEqualTo(2);
    }

    @Test
    void refusesALedgerOfAnotherServiceOrOfANewerFormat() throws IOException {
        pairs("user-1,person-1");
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
                .matches(
                        "(?s)\"00018\"\\R  maps to \"00017\" \\(amplitude id \\d+\\)\\R\"00019\"\\R  has no mappings\\R");
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
