package io.usermap.spark;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import io.usermap.client.AllowanceLog;
import io.usermap.client.Secret;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Writes that are ended before their end, and what the next one meets. */
class CancelIT extends SparkCase {

    @Test
    void aCancelledSparkJobGivesItsTurnsBackAndTheNextWriteGoesOn() throws Exception {
        CompletableFuture<Throwable> cancelled = startInGroup("to-cancel", options());
        waitForRequests(1);
        spark.sparkContext().cancelJobGroup("to-cancel");

        assertThat(cancelled.get(20, TimeUnit.SECONDS)).hasMessageContaining("cancelled");
        long before = sandbox.counts().mapped();
        long start = System.nanoTime();
        write(rows(map("ann@shop", "ann@global")), options());
        // Turns that were kept for the dead would be in the way until the hold of their permits is over.
        assertThat(Duration.ofNanos(System.nanoTime() - start))
                .isLessThan(
                        UserMapOptions.of(options()).allowance().silentHold().dividedBy(4));
        assertThat(sandbox.mappings()).containsEntry("ann@shop", "ann@global");
        assertThat(sandbox.counts().mapped() - before).isLessThan(PER_SECOND * 2L);
        assertThat(sandbox.counts().throttled()).isZero();
    }

    @Test
    void aCancelledSparkJobLeavesNobodyWaitingAndNothingIsHeldForTheDead() throws Exception {
        // A window that nobody gets back while the test runs.
        Map<String, String> options = options("eventsPerSecond", "8", "windowSeconds", "60");
        Map<String, String> withoutKey = new HashMap<>(options);
        withoutKey.remove("apiKey");
        CompletableFuture<Throwable> cancelled = startInGroup("to-cancel", options);
        waitForRequests(1);
        try (UserMapRun run = UserMapRun.open(spark, withoutKey, Secret.of("key-of-tests"), AllowanceLog.empty())) {
            Waiting.until(
                    "the window is full and a writer waits",
                    () -> sandbox.counts().mapped() == 8 * 60
                            && run.progress().waitingUntil().isPresent());
            spark.sparkContext().cancelJobGroup("to-cancel");

            assertThat(cancelled.get(20, TimeUnit.SECONDS)).hasMessageContaining("cancelled");
            assertThat(run.progress().waitingUntil()).as("who waits").isEmpty();
            Instant allBack =
                    Instant.now().plus(UserMapOptions.of(withoutKey).allowance().coolDown());
            assertThat(run.allowanceLog().entries())
                    .isNotEmpty()
                    .allSatisfy(entry -> assertThat(entry.until()).isBeforeOrEqualTo(allBack));
        }
    }

    @Test
    void otherFiguresAreRefusedWhileAWriteRunsAndTakenWhenItIsOver() throws Exception {
        CompletableFuture<Throwable> running = startInGroup("other-figures", options());
        waitForRequests(1);
        Map<String, String> halved = options("eventsPerSecond", "" + PER_SECOND / 2);

        assertThatThrownBy(() -> write(rows(map("ann@shop", "ann@global")), halved))
                .hasMessageStartingWith("Cannot use an allowance of 250 mappings in 1.0 s")
                .hasMessageEndingWith("Use the same figures, or wait until it is over.");
        spark.sparkContext().cancelJobGroup("other-figures");
        assertThat(running.get(20, TimeUnit.SECONDS)).isNotNull();
        write(rows(map("ann@shop", "ann@global")), halved);
        assertThat(sandbox.mappings()).containsEntry("ann@shop", "ann@global");
        assertThat(sandbox.counts().throttled()).isZero();
    }

    @Test
    void aRunThatIsCancelledStopsItsWritesInWords() throws Exception {
        Map<String, String> options = options();
        options.remove("apiKey");
        try (UserMapRun run = UserMapRun.open(spark, options, Secret.of("key-of-tests"), AllowanceLog.empty())) {
            CompletableFuture<Throwable> writing = startInGroup("run", run.options());
            waitForRequests(2);
            run.cancel("Stopped by the test.");

            assertThat(writing.get(20, TimeUnit.SECONDS)).hasStackTraceContaining("Stopped by the test.");
            assertThat(run.progress().accepted()).isEqualTo(sandbox.counts().mapped());
            assertThat(run.progress().mostInWindow()).isLessThanOrEqualTo(PER_SECOND);
            assertThat(run.allowanceLog().entries()).isNotEmpty();
        }
    }

    @Test
    void aRequestOfACancelledSparkJobIsAnsweredAndHasItsReceiptBeforeTheRunGoesOn(@TempDir Path receipts)
            throws Exception {
        sandbox.addFaults("{\"faults\": [{\"path\": \"map\", \"delay_answer\": \"2500ms\"}]}");
        Map<String, String> options = options("requestTimeout", "20s", "receiptsPath", receipts.toString());
        options.remove("apiKey");
        try (UserMapRun run = UserMapRun.open(spark, options, Secret.of("key-of-tests"), AllowanceLog.empty())) {
            CompletableFuture<Throwable> writing = startInGroup("in-flight", run.options());
            Waiting.until("a request is stored", () -> sandbox.counts().mapped() > 0);
            spark.sparkContext().cancelJobGroup("in-flight");

            assertThat(writing.get(20, TimeUnit.SECONDS)).hasMessageContaining("cancelled");
            assertThat(run.awaitWriters(Duration.ofSeconds(40))).isTrue();
            assertThat(spark.read()
                            .json(receipts.toString())
                            .filter("outcome = 'accepted'")
                            .count())
                    .isEqualTo(sandbox.counts().mapped());
        }
    }

    private CompletableFuture<Throwable> startInGroup(String group, Map<String, String> options) {
        return CompletableFuture.supplyAsync(() -> {
            spark.sparkContext().setJobGroup(group, group, true);
            return catchThrowable(() -> write(manyRows(20_000), options));
        });
    }

    private void waitForRequests(int count) {
        long until = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
        while (sandbox.requests().size() < count && System.nanoTime() < until) {
            LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(20));
        }
        assertThat(sandbox.requests()).hasSizeGreaterThanOrEqualTo(count);
    }
}
