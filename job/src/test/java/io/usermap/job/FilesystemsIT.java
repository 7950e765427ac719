package io.usermap.job;

import static org.assertj.core.api.Assertions.assertThat;

import io.usermap.sandbox.SandboxRequest;
import java.io.IOException;
import java.nio.file.Files;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A ledger on filesystems that rename slowly or not at all, are full, or end in the middle of a file. */
class FilesystemsIT extends CommandCase {
    private static final int USERS = 120;
    private static final int BATCH = 20;
    /** One request at a time, and the one after it may be on its way already. */
    private static final int IN_FLIGHT = 2 * BATCH;

    @BeforeEach
    void putTheLedgerThere() throws IOException {
        LOCAL.spark()
                .sparkContext()
                .hadoopConfiguration()
                .set("fs." + TroubledFiles.SCHEME + ".impl", TroubledFiles.class.getName());
        usermap.set("ledger.path", TroubledFiles.SCHEME + "://" + usermap.ledger())
                .set("ledger.lock-term", "2s")
                .set("write.writers", "1")
                .set("write.max-batch-rows", Integer.toString(BATCH))
                .set("guards.max-remap-share", "1")
                .set("guards.max-unmap-share", "1");
        pairs(rows(0, "person-1"));
    }

    @AfterEach
    void heal() {
        TroubledFiles.heal();
    }

    private static String[] rows(int from, String target) {
        return IntStream.range(from, from + USERS)
                .mapToObj(i -> "user-%03d,%s".formatted(i, target))
                .toArray(String[]::new);
    }

    private static Map<String, String> mappings(int from, String target) {
        return IntStream.range(from, from + USERS)
                .boxed()
                .collect(Collectors.toMap("user-%03d"::formatted, i -> target));
    }

    /** How many rows the service has stored more than once. */
    private long storedAgain() {
        Map<String, Long> times = sandbox.requests().stream()
                .filter(SandboxRequest::stored)
                .flatMap(request -> request.mappings().stream())
                .collect(Collectors.groupingBy(Object::toString, Collectors.counting()));
        return times.values().stream().mapToLong(count -> count - 1).sum();
    }

    /** What the ledger takes for acknowledged. */
    private Map<String, String> exported() throws IOException {
        assertThat(usermap.run("export")).as(usermap.err()).isZero();
        Map<String, String> known = new TreeMap<>();
        usermap.out().lines().skip(1).map(line -> line.split(",", -1)).forEach(pair -> known.put(pair[0], pair[1]));
        return known;
    }

    private void endsRight() throws IOException {
        TroubledFiles.heal();
        assertThat(usermap.run("apply")).as(usermap.err()).isZero();
        assertThat(sandbox.mappings()).isEqualTo(mappings(0, "person-1"));
        assertThat(exported()).isEqualTo(mappings(0, "person-1"));
        assertThat(storedAgain()).as("rows sent again").isLessThanOrEqualTo(IN_FLIGHT);
    }

    @Test
    void commandsWorkWhereOnlyWhatSparkWritesIsRenamedAndSlowly() throws IOException {
        TroubledFiles.befall(new TroubledFiles.Trouble() {
            @Override
            public boolean renameCopies() {
                return true;
            }

            @Override
            public boolean refusesRename(Path path) {
                return !path.toString().matches(".*/(rewritten-)?(plan|carried-over|verify)/.*");
            }
        });

        // Nobody takes over here, and nothing is sent again for being slow.
        usermap.set("ledger.lock-term", "30s").set("write.request-timeout", "30s");
        String first = apply();
        pairs(rows(40, "person-2"));
        assertThat(usermap.run("plan", "--set", "plan.mode=mirror"))
                .as(usermap.err())
                .isZero();
        String plan = usermap.report().path("run").asText();
        assertThat(usermap.run("apply", plan)).as(usermap.err()).isZero();

        assertThat(sandbox.mappings()).isEqualTo(mappings(40, "person-2"));
        assertThat(exported()).isEqualTo(mappings(40, "person-2"));
        assertThat(storedAgain()).isZero();
        assertThat(usermap.run("explain", "user-050")).as(usermap.err()).isZero();
        assertThat(usermap.out()).contains(first, plan);
        verifiesAndForgets();
    }

    private void verifiesAndForgets() throws IOException {
        usermap.set("target.secret-key", "s-0123456789abcdef").set("lookup.per-second", "1000");
        assertThat(usermap.run("verify", "--full")).as(usermap.err()).isZero();
        assertThat(usermap.run("forget", "user-050")).as(usermap.err()).isZero();
        assertThat(exported()).hasSize(USERS - 1).doesNotContainKey("user-050");
    }

    @Test
    void saysWhatIsWrongWhereNothingCanBeRenamed() throws IOException {
        TroubledFiles.befall(new TroubledFiles.Trouble() {
            @Override
            public boolean refusesRename(Path path) {
                return true;
            }
        });

        assertThat(usermap.run("apply")).isEqualTo(ExitCode.ERROR);

        assertThat(usermap.err()).contains("Cannot write ", "ledger.path").doesNotContain("Exception");
        assertThat(sandbox.requests()).isEmpty();
        endsRight();
    }

    @Test
    void goesOnFromDisksThatWereFull() throws IOException {
        for (String what : List.of("/receipts", "/state/data", "/state/manifest")) {
            // The third file of receipts: some are written, and some are sent in vain.
            int from = what.equals("/receipts") ? 3 : 1;
            TroubledFiles.FullDisk disk = TroubledFiles.befall(
                    new TroubledFiles.FullDisk(path -> path.toString().contains(what), from));

            int exitCode = usermap.run("apply");

            assertThat(disk.hasCome()).as(what).isTrue();
            assertThat(exitCode).as(usermap.err()).isEqualTo(ExitCode.ERROR);
            assertThat(usermap.err())
                    .contains("No space left on device")
                    .containsPattern("Cannot write .*" + what)
                    .doesNotContain("Exception");
            TroubledFiles.heal();
        }
        endsRight();
    }

    /** So that nobody waits for the term of a dead one; {@link ClaimTest} and {@link InterruptIT} do. */
    private void forgetClaims() throws IOException {
        try (Stream<java.nio.file.Path> claims = Files.list(usermap.ledger().resolve("claims"))) {
            for (java.nio.file.Path claim : claims.toList()) {
                Files.delete(claim);
            }
        }
    }

    /**
     * As if each run were killed there: from then on nothing can be altered, and of the file at hand half is there. Each goes
     * on from where the one before was ended, farther on its way; the second file of a plan is what its rename has begun to
     * copy.
     */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "/claims/ 1, /plan/ 1, /plan/ 2, /plan.json 1, /heartbeat 1, /last-sent 1, /receipts/ 2, /state/data 2",
                "/state/manifest 1, /report.json 1, /allowance.json 2"
            })
    void goesOnAfterEndsInTheMiddleOf(String files) throws IOException {
        for (String end : files.split(", ", -1)) {
            String[] words = end.split(" ", -1);
            TroubledFiles.Death death = TroubledFiles.befall(
                    new TroubledFiles.Death(path -> path.toString().contains(words[0]), Integer.parseInt(words[1])));

            int exitCode = usermap.run("apply");

            assertThat(death.hasCome()).as(end).isTrue();
            assertThat(exitCode).as(end + ": " + usermap.err()).isEqualTo(ExitCode.ERROR);
            TroubledFiles.heal();
            forgetClaims();
        }
        endsRight();
    }

    /** As {@link #goesOnAfterEndsInTheMiddleOf}: what the one before has left complete is not lost by the next. */
    @Test
    void forgetsOneAndNobodyElseWhereverItWasEndedBefore() throws IOException {
        String run = apply();
        for (String where : List.of(
                "/state/data",
                "/state/manifest",
                "/rewritten-plan/",
                "/rewritten-plan.whole",
                "/plan/",
                "/receipts/")) {
            TroubledFiles.Death death = TroubledFiles.befall(
                    new TroubledFiles.Death(path -> path.toString().contains(where), 1));

            int exitCode = usermap.run("forget", "user-050");

            assertThat(death.hasCome()).as(where).isTrue();
            assertThat(exitCode).as(where + ": " + usermap.err()).isEqualTo(ExitCode.ERROR);
            TroubledFiles.heal();
            forgetClaims();
        }
        assertThat(usermap.run("forget", "user-050")).as(usermap.err()).isZero();

        LedgerRun left = ledgerRun(run);
        assertThat(users(LedgerRun.rows(LOCAL.spark(), left.planAddress())))
                .hasSize(USERS - 1)
                .doesNotContain("user-050");
        assertThat(users(Receipts.of(LOCAL.spark(), left).acknowledged()))
                .hasSize(USERS - 1)
                .doesNotContain("user-050");
        assertThat(exported()).hasSize(USERS - 1).doesNotContainKey("user-050");
    }

    private LedgerRun ledgerRun(String id) {
        return new LedgerRun(
                id,
                LedgerFolder.of(
                        TroubledFiles.SCHEME + "://"
                                + usermap.ledger().resolve("runs").resolve(id),
                        LOCAL.spark().sparkContext().hadoopConfiguration()));
    }

    private static List<String> users(Dataset<Row> rows) {
        return rows.select("user_id").collectAsList().stream()
                .map(row -> row.getString(0))
                .toList();
    }
}
