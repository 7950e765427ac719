package io.usermap.job;

import static org.apache.spark.sql.functions.col;

import io.usermap.client.AllowanceLog;
import io.usermap.client.AllowanceRules;
import io.usermap.spark.UserMapRun;
import java.time.Duration;
import java.time.Instant;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;

/**
 * Sends the rows of a saved plan through the data source, and takes what was acknowledged into the state.
 *
 * <p>In this order: heartbeat, requests with their receipts, state. A crash before the state is published leaves receipts,
 * which the next {@code apply} takes in; one after it makes it take the same receipts in once more, which changes nothing.
 * Two threads run beside the write: one beats the heart, one tells the progress.
 */
final class Sending {

    /**
     * What became of a plan.
     *
     * @param accepted mappings that are acknowledged, earlier attempts of the run included
     * @param before mappings of these that an earlier attempt had acknowledged
     * @param rejectedByReason rows that the service refused, or that could not be sent
     * @param figures what the data source counted in this attempt
     * @param allowanceLog what of the window is used up
     * @param took how long it took
     * @param failure what ended it before its end
     */
    record Sent(
            long accepted,
            long before,
            Map<String, Long> rejectedByReason,
            UserMapRun.Progress figures,
            AllowanceLog allowanceLog,
            Duration took,
            Optional<Exception> failure) {}

    private static final Duration FIRST_LINE = Duration.ofSeconds(5);
    private static final Duration LINES = Duration.ofSeconds(10);
    private static final Duration BAR = Duration.ofSeconds(1);

    private final SparkSession spark;
    private final Configuration configuration;
    private final Ledger ledger;
    private final Console console;

    Sending(SparkSession spark, Configuration configuration, Ledger ledger, Console console) {
        this.spark = spark;
        this.configuration = configuration;
        this.ledger = ledger;
        this.console = console;
    }

    /** Sends what {@code run} has no acknowledgement for; blocks until all is settled. */
    Sent send(LedgerRun run, Plan plan, Target target) {
        Instant start = Instant.now();
        AllowanceLog seed = seed();
        Receipts earlier = Receipts.of(spark, run);
        long before = earlier.count().accepted();
        Dataset<Row> rest = spark.read()
                .parquet(run.planAddress())
                .filter(col("op").notEqual("reject"))
                .join(earlier.acknowledged().select("user_id"), new String[] {"user_id"}, "left_anti")
                .select(
                        col("user_id"),
                        col("global_user_id"),
                        col("op").equalTo("unmap").as("unmap"));
        run.beat(start);
        Map<String, String> options = new HashMap<>(target.writeOptions());
        options.put("receiptsPath", run.receiptsAddress());
        options.put("onRejected", "record");
        Optional<Exception> failure = Optional.empty();
        try (UserMapRun writing = UserMapRun.open(spark, options, target.apiKey(), seed);
                Beside beside = new Beside(run)) {
            beside.tell(new Progress(plan.writes() - before, configuration.allowance(), start), writing);
            try {
                rest.write()
                        .format("amplitude-usermap")
                        .mode("append")
                        .options(writing.options())
                        .save();
            } catch (Exception e) { // Spark throws checked exceptions that its methods do not declare
                failure = Optional.of(e);
            }
            UserMapRun.Progress figures = writing.progress();
            AllowanceLog log = writing.allowanceLog();
            Receipts receipts = Receipts.of(spark, run);
            Receipts.Count count = receipts.count();
            if (count.accepted() > 0) {
                ledger.state().take(receipts.acknowledged(), plan.sourceRows(), run.id());
            }
            return new Sent(
                    count.accepted(),
                    before,
                    count.rejectedByReason(),
                    figures,
                    log,
                    Duration.between(start, Instant.now()),
                    failure);
        }
    }

    /** What of the window the runs before have used up. */
    private AllowanceLog seed() {
        AllowanceRules rules = configuration.allowance();
        return ledger.lastSent()
                .map(last -> last.allowance().orElseGet(() -> {
                    List<AllowanceLog.Answered> answered = Receipts.of(spark, last)
                            .answeredAfter(last.lastBeat().minus(rules.silentHold()));
                    // A receipt is a sign of life too.
                    Instant lastSign = answered.stream()
                            .map(AllowanceLog.Answered::at)
                            .filter(at -> at.isAfter(last.lastBeat()))
                            .max(Comparator.naturalOrder())
                            .orElseGet(last::lastBeat);
                    return AllowanceLog.afterCrash(rules, answered, lastSign);
                }))
                .orElseGet(AllowanceLog::empty);
    }

    /** The threads beside the write; daemons that end with it. */
    private final class Beside implements AutoCloseable {
        private final ScheduledExecutorService threads = Executors.newScheduledThreadPool(2, task -> {
            Thread thread = new Thread(task, "usermap-beside-write");
            thread.setDaemon(true);
            return thread;
        });

        Beside(LedgerRun run) {
            long millis = Math.max(50, configuration.value(Keys.LOCK_TERM).toMillis() / 6);
            every(Duration.ofMillis(millis), Duration.ofMillis(millis), () -> beat(run));
        }

        private void beat(LedgerRun run) {
            try {
                run.beat(Instant.now());
            } catch (RuntimeException e) {
                // The next beat may succeed; a ledger that stays away ends the run when its receipts cannot be written.
                console.event(Source.firstLine(e));
            }
        }

        void tell(Progress progress, UserMapRun writing) {
            Duration first = console.movesBar() ? BAR : FIRST_LINE;
            Duration next = console.movesBar() ? BAR : LINES;
            every(first, next, () -> show(progress, writing.progress()));
        }

        private void every(Duration first, Duration next, Runnable task) {
            // Its end is the end of these threads, so nobody asks the future.
            var unused = threads.scheduleAtFixedRate(task, first.toMillis(), next.toMillis(), TimeUnit.MILLISECONDS);
        }

        private void show(Progress progress, UserMapRun.Progress now) {
            Instant at = Instant.now();
            if (console.movesBar()) {
                console.bar(progress.bar(now, at));
            } else {
                console.event("progress", progress.line(now, at), progress.fields(now, at));
            }
        }

        @Override
        public void close() {
            threads.shutdown();
            try {
                // A beat that is being written must not land after the run is finished.
                if (!threads.awaitTermination(10, TimeUnit.SECONDS)) {
                    threads.shutdownNow();
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
            if (console.movesBar()) {
                console.bar("\n");
            }
        }
    }
}
