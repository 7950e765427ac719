package io.usermap.spark;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import io.usermap.client.AllowanceLog;
import io.usermap.client.Secret;
import io.usermap.sandbox.SandboxRequest;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The one writer that coordinates itself, where a platform keeps the driver's RPC from the connector. */
class FallbackIT extends SparkCase {
    /** A request that was under way may arrive so long after its task has been ended. */
    private static final Duration UNDER_WAY = Duration.ofMillis(500);

    /** Of 4 s: what a lost task may have sent is counted as long as this. */
    private static final String[] SHORT_HOLD = {"requestTimeout", "1s", "connectTimeout", "1s"};

    private static final Duration LEASE = Duration.ofSeconds(4);
    private static final Duration RENEWALS = Duration.ofMillis(250);

    private final TaskLog tasks = new TaskLog();

    @BeforeEach
    void logTasks() {
        spark.sparkContext().addSparkListener(tasks);
    }

    @AfterEach
    void logNoMore() {
        spark.sparkContext().removeSparkListener(tasks);
    }

    @Test
    void onePartitionWritesAndASecondWriteIsRefusedUntilItIsOverAndGetsItsWindow() throws Exception {
        CompletableFuture<Throwable> first = start(2 * PER_SECOND, options("writers", "4"));
        waitForRequests(1);
        assertThat(tasks.running()).as("tasks, however many writers are wanted").hasSize(1);

        assertThatThrownBy(() -> writeAlone(rows(map("ann@shop", "ann@global")), options()))
                .hasMessageStartingWith("Cannot write mappings: another write of this application to the same service")
                .hasMessageEndingWith("Start this write when the other is over.");
        assertThat(first.get(30, TimeUnit.SECONDS)).isNull();
        writeAlone(rows(map("ann@shop", "ann@global")), options());

        assertThat(sandbox.mappings()).hasSize(2 * PER_SECOND + 1).containsEntry("ann@shop", "ann@global");
        assertThat(sandbox.counts().mapped()).as("each row once").isEqualTo(2 * PER_SECOND + 1);
        assertWindowKept();
    }

    @Test
    @Tag(ONE_SPARK)
    void aRunThatIsOpenedAddsItsSeedToWhatAWriteHasJustUsed() {
        Map<String, String> options = options();
        writeAlone(manyRows(PER_SECOND), options);
        AllowanceLog.Entry elsewhere = new AllowanceLog.Entry(Instant.now().plusSeconds(5), 1);
        Map<String, String> withoutKey = options();
        withoutKey.remove("apiKey");
        try (UserMapRun run = UserMapRun.open(
                spark,
                withoutKey,
                Secret.of("key-of-tests"),
                new AllowanceLog(List.of(elsewhere)),
                NoCoordinatorSource.KEPT)) {
            assertThat(run.allowanceLog().entries()).contains(elsewhere);
            writeAlone(manyRows(PER_SECOND), run.options());
        }

        assertThat(sandbox.counts().mapped()).isEqualTo(2 * PER_SECOND);
        assertWindowKept();
    }

    @Test
    void twinsAreRefused() {
        spark.sparkContext().conf().set("spark.speculation", "true");
        try {
            assertThatThrownBy(() -> writeAlone(manyRows(10), options()))
                    .hasMessageStartingWith("Cannot write mappings: this platform keeps the driver's RPC")
                    .hasMessageEndingWith("Set spark.speculation to false.");
        } finally {
            spark.sparkContext().conf().remove("spark.speculation");
        }
        assertThat(sandbox.requests()).isEmpty();
    }

    @Test
    void anAttemptAfterOneThatDiedAssumesAFullWindow() throws Exception {
        Map<String, String> options = options(SHORT_HOLD);
        CompletableFuture<Throwable> writing = start(PER_SECOND + 1, options);
        waitForRequests(1);
        tasks.running().forEach(id -> spark.sparkContext().killTaskAttempt(id, true, "the test ends it"));

        assertThat(writing.get(60, TimeUnit.SECONDS)).isNull();
        assertThat(longestPause()).isGreaterThan(holdOf(options).minus(UNDER_WAY));
        assertThat(sandbox.mappings()).hasSize(PER_SECOND + 1);
        assertWindowKept();
    }

    @Test
    @Tag(ONE_SPARK)
    void afterAWriteOfWhichNothingIsKnownTheNextAssumesAFullWindow() throws Exception {
        Map<String, String> options = options(SHORT_HOLD);
        CompletableFuture<Throwable> first = start(20 * PER_SECOND, options);
        waitForRequests(1);
        spark.sparkContext().cancelJobGroup("alone");
        assertThat(first.get(30, TimeUnit.SECONDS)).isNotNull();
        writeAlone(manyRows(1), options);

        assertThat(longestPause()).isGreaterThan(holdOf(options).minus(UNDER_WAY));
        assertWindowKept();
    }

    @Test
    void aRunThatIsCancelledIsHeardOfBesideTheReceipts(@TempDir Path receipts) throws Exception {
        try (UserMapRun run = open(receipts)) {
            CompletableFuture<Throwable> writing = start(20 * PER_SECOND, run.options());
            waitForRequests(1);
            run.cancel("Stopped by the test.");

            assertThat(writing.get(10, TimeUnit.SECONDS)).hasStackTraceContaining("Stopped by the test.");
            assertThat(run.awaitWriters(Duration.ofSeconds(40))).isTrue();
            assertThat(sandbox.counts().mapped()).isLessThan(5 * PER_SECOND);
            assertThat(run.progress().accepted()).isEqualTo(sandbox.counts().mapped());
            assertThat(run.progress().requests()).isEqualTo(sandbox.requests().size());
            assertThat(spark.read()
                            .json(receipts.toString())
                            .filter("outcome = 'accepted'")
                            .count())
                    .isEqualTo(sandbox.counts().mapped());
        }
        try (Stream<Path> left = Files.list(receipts)) {
            assertThat(left.filter(file -> file.toString().contains("_lease"))).isEmpty();
        }
    }

    @Test
    @Tag(ONE_SPARK)
    void aWriterWhoseRunDoesNotRenewItsLeaseSendsNoMore(@TempDir Path receipts) throws Exception {
        try (UserMapRun run = open(receipts)) {
            run.leaseUntil(System.nanoTime() + LEASE.toNanos());
            CompletableFuture<Throwable> writing = start(40 * PER_SECOND, run.options());
            long[] renewed = {System.nanoTime()};
            Waiting.until("two requests are there", () -> {
                if (System.nanoTime() - renewed[0] > RENEWALS.toNanos()) {
                    renewed[0] = System.nanoTime();
                    run.leaseUntil(renewed[0] + LEASE.toNanos());
                }
                return sandbox.requests().size() >= 2;
            });

            assertThat(writing.get(20, TimeUnit.SECONDS)).hasStackTraceContaining(Leases.OVER);
            List<SandboxRequest> requests = sandbox.requests();
            assertThat(Duration.ofNanos(requests.get(requests.size() - 1).arrivedNanos() - renewed[0]))
                    .as("from the last renewal to the last request")
                    .isLessThan(LEASE);
            assertThat(sandbox.counts().mapped()).isLessThan(10 * PER_SECOND);
        }
    }

    private UserMapRun open(Path receipts) {
        Map<String, String> options = options("receiptsPath", receipts.toString());
        options.remove("apiKey");
        return UserMapRun.open(
                spark, options, Secret.of("key-of-tests"), AllowanceLog.empty(), NoCoordinatorSource.KEPT);
    }

    private static Duration holdOf(Map<String, String> options) {
        return UserMapOptions.of(options).allowance().silentHold();
    }

    /** The longest time without a request, as the sandbox saw it: ordinarily that of one window. */
    private Duration longestPause() {
        List<SandboxRequest> requests = sandbox.requests();
        return IntStream.range(1, requests.size())
                .mapToObj(i -> Duration.ofNanos(
                        requests.get(i).arrivedNanos() - requests.get(i - 1).arrivedNanos()))
                .max(Comparator.naturalOrder())
                .orElse(Duration.ZERO);
    }

    private void assertWindowKept() {
        assertThat(sandbox.counts().throttled()).isZero();
        assertThat(sandbox.mostInWindow()).isLessThanOrEqualTo(PER_SECOND);
    }

    private void writeAlone(Dataset<Row> rows, Map<String, String> options) {
        rows.write()
                .format(NoCoordinatorSource.class.getName())
                .mode("append")
                .options(options)
                .save();
    }

    private CompletableFuture<Throwable> start(int rows, Map<String, String> options) {
        return CompletableFuture.supplyAsync(() -> {
            spark.sparkContext().setJobGroup("alone", "alone", true);
            return catchThrowable(() -> writeAlone(manyRows(rows), options));
        });
    }

    private void waitForRequests(int count) {
        Waiting.until(count + " requests are there", () -> sandbox.requests().size() >= count);
    }
}
