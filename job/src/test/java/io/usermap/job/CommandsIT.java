package io.usermap.job;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.usermap.sandbox.SandboxRequest;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Budgets, remaps in two steps, and the commands that work on the ledger: whole command lines against a sandbox over HTTP. */
class CommandsIT extends CommandCase {
    private static final ObjectMapper JSON = new ObjectMapper();

    @BeforeEach
    void allowChanges() {
        usermap.set("plan.max-rejected-share", "1").set("guards.max-remap-share", "1");
    }

    @Test
    void followsOneUserThroughABudgetUndoAndForget() throws IOException {
        pairs("ann@x.com,person-1", "=bob@x.com,person-1", "abc,person-1");
        String first = apply();

        pairs("ann@x.com,person-2", "=bob@x.com,person-1", "abc,person-1", "dan@x.com,person-1");
        String second = apply("--max-writes", "1");
        assertThat(sandbox.mappings())
                .as("the remap is worth more than the new user")
                .isEqualTo(Map.of("ann@x.com", "person-2", "=bob@x.com", "person-1"));
        assertThat(List.of(usermap.count("remap"), usermap.count("map"), usermap.count("carried_over")))
                .containsExactly(1L, 0L, 1L);
        assertThat(usermap.out()).contains("carried over          1  left to the next run: 1 to map");

        exports();
        explains(first, second);
        undoes(second);
        rebuildsAReport(first, second);
        rebuildsAReportOfWhichNothingIsLeft(second);
        forgets();
        savesNoPlanForAStateThatHasMovedMeanwhile(second);
    }

    private void savesNoPlanForAStateThatHasMovedMeanwhile(String planned) {
        Ledger ledger = Ledger.existing(
                LOCAL.spark().sparkContext().hadoopConfiguration(),
                usermap.ledger().toString());
        Planning planning = new Planning(
                LOCAL.spark(),
                Configuration.of(Map.of(), Set.of(), Map.of()),
                ledger,
                new Console(System.out, System.err, true, false, false));
        LedgerRun late = ledger.begin(Instant.now());
        State.Version now = ledger.state(LOCAL.spark()).current();
        State.Version before =
                new State.Version(now.version() - 1, now.layers(), now.acknowledged(), now.sourceRows(), "before");

        assertThatThrownBy(() -> planning.save(
                        late,
                        LedgerRun.rows(LOCAL.spark(), ledger.named(planned).planAddress()),
                        before,
                        Plan.UNDO,
                        "undoes"))
                .isInstanceOf(StoppedException.class)
                .hasMessage("Cannot save the plan of run " + late.id() + ": " + now.run() + " has led to version "
                        + now.version() + " of the state while it was made from version " + before.version()
                        + ". Run 'usermap undo' again.");
        assertThat(usermap.ledger().resolve("runs").resolve(late.id()).resolve("plan"))
                .as("it may hold a user who was forgotten")
                .doesNotExist();
        assertThat(late.savedPlan()).isEmpty();
    }

    private void exports() throws IOException {
        assertThat(usermap.run("export")).as(usermap.err()).isZero();
        assertThat(usermap.out()).isEqualTo("user_id,global_user_id\n=bob@x.com,person-1\nann@x.com,person-2\n");
        assertThat(usermap.err()).contains("1 rows hold an id that a spreadsheet would take for a formula");

        Path file = folder.resolve("mappings.json");
        assertThat(usermap.run("export", "--format", "json", "--output", file.toString()))
                .isZero();
        assertThat(Files.readAllLines(file))
                .containsExactly(
                        "{\"user_id\":\"=bob@x.com\",\"global_user_id\":\"person-1\"}",
                        "{\"user_id\":\"ann@x.com\",\"global_user_id\":\"person-2\"}");
        assertThat(usermap.run("export", "--format", "json", "--output", file.toString()))
                .isEqualTo(1);
        assertThat(usermap.err()).contains("something is there already. Remove it, or name another --output.");
        assertThat(List.of("command", "outcome", "exit_code"))
                .extracting(name -> usermap.report().path(name).asText())
                .containsExactly("export", "failed", "1");
        assertThat(usermap.run("export", "--format", "parquet")).isEqualTo(1);
        assertThat(usermap.err())
                .contains("Cannot export as parquet to standard output: it is a folder. Name one with --output.");
    }

    private void explains(String first, String second) throws IOException {
        assertThat(usermap.run("explain", "ann@x.com")).as(usermap.err()).isZero();
        assertThat(usermap.out())
                .startsWith("\"ann@x.com\"\n  is mapped to \"person-2\"\n")
                .contains(
                        "  source: {\"user_id\":\"ann@x.com\",\"global_user_id\":\"person-2\"}\n",
                        "  " + second + ": planned to map it to \"person-2\" instead of \"person-1\" (cluster"
                                + " \"person-2\"): its person has another global id than it was mapped to\n",
                        "  " + second + ": accepted \"person-2\" at ",
                        "  " + first + ": planned to map it to \"person-1\" (cluster \"person-1\"): it was not mapped"
                                + " before\n");

        assertThat(usermap.run("explain", "abc")).isZero();
        assertThat(usermap.out())
                .contains(
                        "\"abc\"\n  is not mapped, as far as this ledger knows\n",
                        first + ": dropped a row of it: an id is shorter than the service takes\n");

        assertThat(usermap.run("explain", "dan@x.com", "--format", "json")).isZero();
        JsonNode dan = usermap.json();
        assertThat(dan.path("runs").get(0).path("what").asText()).isEqualTo("carried_over");
        assertThat(dan.path("known").asBoolean()).isFalse();
    }

    private void undoes(String second) throws IOException {
        assertThat(usermap.run("undo", second)).as(usermap.err()).isZero();
        assertThat(usermap.out())
                .contains("  undoes 1 changes of run " + second + "; left out: 0 that have moved since, 0 whose return"
                        + " would make a chain\n")
                .contains("  to remap              1\n");
        String undo = usermap.out().replaceFirst("(?s)^plan (\\S+)\n.*", "$1");
        assertThat(List.of(usermap.report().path("command"), usermap.report().path("run")))
                .extracting(JsonNode::asText)
                .containsExactly("undo", undo);
        assertThat(usermap.count("remap")).isEqualTo(1);
        Path kept = usermap.ledger().resolve("runs").resolve(undo).resolve("report.json");
        assertThat(JSON.readTree(kept.toFile())).as("beside its copy").isEqualTo(usermap.report());
        apply(undo);
        assertThat(sandbox.mappings()).containsEntry("ann@x.com", "person-1");

        assertThat(usermap.run("apply", undo)).isEqualTo(5);
        assertThat(usermap.err()).contains("it was applied before, which has led to version 3 of the state.");
        assertThat(usermap.run("undo", second, "--format", "json")).isZero();
        assertThat(usermap.json().path("shape").asText()).contains("left out: 1 that have moved since");
        assertThat(usermap.json().at("/counts/remap").asLong()).isZero();
        assertThat(usermap.json().path("guards").isArray()).isTrue();
    }

    private void rebuildsAReport(String first, String second) throws IOException {
        Path report = usermap.ledger().resolve("runs").resolve(first).resolve("report.json");
        JsonNode before = JSON.readTree(report.toFile());
        Files.delete(report);
        assertThat(usermap.run("report", first)).as(usermap.err()).isZero();
        JsonNode after = JSON.readTree(usermap.out());
        assertThat(after.path("counts").path("accepted"))
                .isEqualTo(before.path("counts").path("accepted"));
        assertThat(after.path("rejected_by_reason")).isEqualTo(before.path("rejected_by_reason"));
        assertThat(Instant.parse(after.path("started_at").asText()))
                .as("which the id says, in milliseconds")
                .isBetween(
                        Instant.parse(before.path("started_at").asText()).minusMillis(1),
                        Instant.parse(before.path("finished_at").asText()));
        assertThat(report).exists();
        assertThat(after.path("outcome").asText()).isEqualTo("done");
        assertThat(usermap.report()).as("the copy").isEqualTo(after);

        assertThat(usermap.run("runs")).isZero();
        List<String> lines = usermap.out().lines().toList();
        assertThat(lines).hasSize(5);
        assertThat(lines.get(1)).matches("\\S+ +undo +nothing_to_do( +0){6}");
        assertThat(lines.get(2))
                .as("the refusal to apply it again has left its report alone")
                .matches("\\S+ +apply +done +0 +1 +0 +1 +0 +0");
        assertThat(lines.get(3)).matches(second + " +apply +done +0 +1 +0 +1 +1 +1");
        assertThat(lines.get(4)).matches(first + " +apply +done +2 +0 +0 +2 +1 +0");
        Path killed = Files.createDirectory(usermap.ledger().resolve("runs/20260101T000000001Z-0a0a"));
        assertThat(usermap.run("report", killed.getFileName().toString())).isEqualTo(1);
        assertThat(usermap.err())
                .contains("which has no plan: it is being planned, or was ended before it was planned.");
        assertThat(killed).isEmptyDirectory();
        assertThat(usermap.run("runs")).isZero();
        assertThat(usermap.out()).containsPattern(killed.getFileName() + " +plan +unplanned");
        Files.delete(killed);
        assertThat(usermap.run("report", "20990101T000000000Z-0000")).isEqualTo(1);
        assertThat(usermap.err()).contains("has no such run. 'usermap runs' lists them.");
    }

    /** As a disk that is full leaves it. */
    private void rebuildsAReportOfWhichNothingIsLeft(String run) throws IOException {
        Path folder = usermap.ledger().resolve("runs").resolve(run);
        Files.writeString(folder.resolve("report.json"), "");
        assertThat(usermap.run("runs")).isZero();
        assertThat(usermap.out()).containsPattern(run + " +apply +finished");
        Path receipts = folder.resolve("receipts");
        Path elsewhere = folder.resolve("elsewhere");
        Files.move(receipts, elsewhere);
        assertThat(usermap.run("report", run)).as(usermap.err()).isZero();
        assertThat(usermap.json().path("outcome").asText())
                .as("no answer was noted")
                .isEqualTo("failed");
        Files.move(elsewhere, receipts);
        Files.writeString(folder.resolve("report.json"), "");
        assertThat(usermap.run("report", run)).as(usermap.err()).isZero();
        assertThat(usermap.json().path("outcome").asText()).isEqualTo("done");
    }

    private void forgets() throws IOException {
        assertThat(filesHolding("ann@x.com")).as("there is something to forget").isNotEmpty();
        Path last = usermap.runs().stream()
                .filter(run -> Files.exists(run.resolve("allowance.json")))
                .reduce((before, after) -> after)
                .orElseThrow();
        Path mark = last.resolve("allowance.json");
        byte[] finished = Files.readAllBytes(mark);
        Files.delete(mark);
        assertThat(usermap.run("forget", "ann@x.com")).isEqualTo(1);
        assertThat(usermap.err())
                .contains("Cannot forget: run " + last.getFileName()
                        + " has not come to its end. Run 'usermap apply' first, which finishes it.");
        Files.write(mark, finished);

        LedgerFolder claims = LedgerFolder.of(
                usermap.ledger().resolve("claims").toString(),
                LOCAL.spark().sparkContext().hadoopConfiguration());
        try (Claim held = Claim.take(claims, "other", Duration.ofSeconds(2), unused -> {}, unused -> {})) {
            assertThat(usermap.run("forget", "ann@x.com")).isEqualTo(1);
            assertThat(usermap.err())
                    .contains(
                            "Cannot use the ledger: run other is at work in it right now. Wait for its end, then run the"
                                    + " command again.");
            held.requireHeld();
        }

        List<String> versions = versions();
        assertThat(usermap.run("forget", "nobody@x.com")).as(usermap.err()).isZero();
        assertThat(usermap.out()).endsWith("nothing to do: no mapping in force, no plan and no receipt holds the id\n");
        assertThat(versions()).as("no saved plan becomes stale").isEqualTo(versions);

        assertThat(usermap.run("forget", "ann@x.com")).as(usermap.err()).isZero();
        assertThat(usermap.out() + usermap.err()).doesNotContain("ann@x.com");
        assertThat(usermap.out()).isEqualTo("removed: 1 of the acknowledged mappings, 3 rows of plans, 3 receipts\n");
        assertThat(filesHolding("ann@x.com")).isEmpty();
        assertThat(filesHolding("=bob@x.com"))
                .as("receipts of others stay")
                .anyMatch(file -> file.toString().endsWith(".jsonl"));
        assertThat(usermap.run("forget", "person-1")).isZero();
        assertThat(filesHolding("person-1")).as("as a target too").isEmpty();
        assertThat(usermap.run("export")).isZero();
        assertThat(usermap.out()).isEqualTo("user_id,global_user_id\n");
        assertThat(usermap.ledger().resolve("claims"))
                .as("the claim is given back")
                .isEmptyDirectory();
    }

    /** Files of the ledger that hold {@code text}; ids this short stand in Parquet as they are. */
    private List<Path> filesHolding(String text) throws IOException {
        List<Path> holding = new ArrayList<>();
        try (Stream<Path> files = Files.walk(usermap.ledger())) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                if (new String(Files.readAllBytes(file), StandardCharsets.ISO_8859_1).contains(text)) {
                    holding.add(file);
                }
            }
        }
        return holding;
    }

    @Test
    void unmapsFirstAndMapsWhenNoUnmapCanStillArriveEvenAfterACrash() throws IOException {
        usermap.set("plan.remap", "unmap-first");
        pairs("ann@x.com,person-1", "bob@x.com,person-1");
        apply();
        sandbox.clearRequests();
        pairs("ann@x.com,person-2", "bob@x.com,person-2", "cat@x.com,person-2");
        String run = apply();

        assertThat(usermap.count("remap")).isEqualTo(2);
        assertThat(usermap.count("accepted")).as("a remap is two mappings").isEqualTo(5);
        List<SandboxRequest> unmaps = sandbox.requests().stream()
                .filter(request -> request.unmaps() > 0)
                .toList();
        List<SandboxRequest> maps = sandbox.requests().stream()
                .filter(request -> request.mappings().stream()
                        .anyMatch(mapping -> mapping.globalUserId().isPresent()
                                && !mapping.userId().equals("cat@x.com")))
                .toList();
        long lastUnmap = unmaps.get(unmaps.size() - 1).arrivedNanos();
        assertThat(Duration.ofNanos(maps.get(0).arrivedNanos() - lastUnmap))
                .as("send deadline, request time-out and margin: 1s, 500ms, 1s")
                .isGreaterThanOrEqualTo(Duration.ofMillis(2_300));
        assertThat(sandbox.mappings())
                .isEqualTo(Map.of("ann@x.com", "person-2", "bob@x.com", "person-2", "cat@x.com", "person-2"));

        assertThat(usermap.run("undo", run)).isEqualTo(4);
        assertThat(usermap.out())
                .contains("undoes 3 changes of run " + run)
                .contains("to remap              2  unmapped first")
                .contains("to unmap              1");
        String undo = usermap.out().replaceFirst("(?s)^plan (\\S+)\n.*", "$1");
        assertThat(usermap.err()).contains("run 'usermap apply " + undo + " --allow max-unmap-share'");

        crashBetweenTheSteps(usermap.ledger().resolve("runs").resolve(run));
        sandbox.clearRequests();
        assertThat(apply()).isEqualTo(run);
        assertThat(sandbox.requests().stream().flatMap(request -> request.mappings().stream()))
                .as("the second step, and nothing of the first")
                .containsExactlyInAnyOrder(
                        SandboxRequest.Mapping.map("ann@x.com", "person-2"),
                        SandboxRequest.Mapping.map("bob@x.com", "person-2"),
                        SandboxRequest.Mapping.map("cat@x.com", "person-2"));
        assertThat(usermap.count("skipped")).isEqualTo(2);
    }

    /** Turns the ledger back to the moment at which the unmaps had their receipts and nothing else. */
    private void crashBetweenTheSteps(Path run) throws IOException {
        Files.delete(run.resolve("allowance.json"));
        Files.delete(run.resolve("report.json"));
        try (Stream<Path> receipts = Files.list(run.resolve("receipts"))) {
            for (Path file : receipts.filter(Files::isRegularFile).toList()) {
                Files.delete(file);
            }
        }
        try (Stream<Path> state = Files.list(usermap.ledger().resolve("state"))) {
            Files.delete(state.filter(path -> path.getFileName().toString().startsWith("manifest"))
                    .max(Path::compareTo)
                    .orElseThrow());
        }
    }

    @Test
    void tellsWhereALedgerIsMissing() {
        assertThat(usermap.run("runs")).isEqualTo(1);
        assertThat(usermap.err())
                .contains("Cannot use the ledger " + usermap.ledger() + ": there is none. Set 'ledger.path'");
        assertThat(usermap.ledger()).doesNotExist();
    }
}
