package io.usermap.job;

import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.lit;

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
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Sends the rows of a saved plan through the data source, with receipts of what was acknowledged.
 *
 * <p>The heartbeat comes first, then requests and their receipts. Remaps in two steps have receipts of each step, so that
 * whoever resumes knows which of them is due.
 * Three threads run beside the write: one beats the heart, one tells the progress, one hands the claim's lease on.
 */
final class Sending {

    /**
     * What became of a plan.
     *
     * @param accepted mappings that are acknowledged, earlier attempts of the run included; a remap in two steps is two
     * @param before mappings of these that an earlier attempt had acknowledged
     * @param rejectedByReason rows that the service refused, or that could not be sent
     * @param figures what the data source counted in this attempt
     * @param allowanceLog what of the window is used up
     * @param failure what ended it before its end
     */
    record Sent(
            long accepted,
            long before,
            Map<String, Long> rejectedByReason,
            UserMapRun.Progress figures,
            AllowanceLog allowanceLog,
            Optional<Exception> failure) {}

    private static final Logger LOG = LoggerFactory.getLogger(Sending.class);
    private static final Duration FIRST_LINE = Duration.ofSeconds(5);
    private static final Duration LINES = Duration.ofSeconds(10);
    private static final Duration SOON = Duration.ofSeconds(2);
    private static final Duration BAR = Duration.ofSeconds(1);
    private static final Duration SHORTEST_BEAT = Duration.ofMillis(50);
    private static final String INTERRUPTED = "Cannot write mappings: the command was asked to end.";

    private final SparkSession spark;
    private final Configuration configuration;
    private final Ledger ledger;
    private final Claim claim;
    private final Console console;
    private final Interruption interruption;
    private boolean refusalsStand;

    Sending(
            SparkSession spark,
            Configuration configuration,
            Ledger ledger,
            Claim claim,
            Console console,
            Interruption interruption) {
        this.spark = spark;
        this.configuration = configuration;
        this.ledger = ledger;
        this.claim = claim;
        this.console = console;
        this.interruption = interruption;
    }

    /**
     * Sends what {@code run} has no acknowledgement for; blocks until all is settled, or the command is asked to end: then
     * until the requests in flight are answered.
     *
     * @throws StoppedException if another run took the ledger over; then nothing more is written to it
     */
    Sent send(LedgerRun run, Plan plan, Target target) {
        Instant start = Instant.now();
        AllowanceLog seed = Receipts.listingAgain(this::seed);
        Receipts.Count before = run.hasReceipts()
                ? Receipts.listingAgain(() -> Receipts.of(spark, run).count())
                : Receipts.Count.NONE;
        refusalsStand = before.accepted() > 0;
        long left = Math.max(0, plan.writes() - before.accepted() - before.refusedForGood());
        if (run.hasBegunToSend()) {
            long refusals = before.refusedForGood();
            String refused = refusals > 0 ? " and " + Phrases.count(refusals) + " refused" : "";
            console.event("run " + run.id() + " was interrupted: " + Phrases.count(before.accepted()) + " of its "
                    + Phrases.count(plan.writes()) + " mappings are acknowledged" + refused + "; sending the other "
                    + Phrases.count(left));
        }
        Optional<Instant> lastUnmap = lastUnmapOfOthers(run);
        if (interruption.isRequested()) {
            throw StoppedException.interrupted("Cannot apply: the command was asked to end.");
        }
        claim.requireHeld();
        Map<String, String> options = new HashMap<>(target.writeOptions());
        options.put("receiptsPath", run.receiptsAddress());
        options.put("onRejected", "record");
        Optional<Exception> failure = Optional.empty();
        try (UserMapRun writing = UserMapRun.open(spark, options, target.apiKey(), seed);
                Beside beside = begin(run)) {
            writing.leaseUntil(claim.leaseUntil());
            beside.renew(writing);
            beside.tell(new Progress(left, configuration.allowance(), start), writing);
            interruption.during(() -> writing.cancel(INTERRUPTED));
            try {
                write(run, plan, writing, lastUnmap);
            } catch (Exception e) { // Spark throws checked exceptions that its methods do not declare
                failure = Optional.of(e);
                waitForWriters(writing);
            }
            interruption.during(() -> {});
            if (spark.sparkContext().isStopped()) {
                throw StoppedException.interrupted("Cannot apply: Spark was stopped while mappings were sent.");
            }
            claim.requireHeld();
            UserMapRun.Progress figures = writing.progress();
            AllowanceLog log = writing.allowanceLog();
            // Nothing is sent any more: should what follows fail, whoever resumes need not assume the worst.
            run.interrupt(log);
            Receipts.Count count =
                    Receipts.listingAgain(() -> Receipts.of(spark, run).count());
            return new Sent(count.accepted(), before.accepted(), count.rejectedByReason(), figures, log, failure);
        }
    }

    /** From here on requests may leave: first the run says so, so that the ledger's note never names one that has not. */
    private Beside begin(LedgerRun run) {
        run.beginToSend(Instant.now());
        ledger.sends(run);
        return new Beside(run);
    }

    /** Waits for tasks that Spark is still ending, so that what was acknowledged to them has its receipts. */
    private void waitForWriters(UserMapRun writing) {
        try {
            if (spark.sparkContext().isStopped() || writing.awaitWriters(SOON)) {
                return;
            }
            AllowanceRules rules = configuration.allowance();
            Duration most = rules.callTimeout().plus(rules.margin());
            console.event("waiting up to " + Phrases.duration(most) + " for the answers to requests in flight");
            if (!writing.awaitWriters(most)) {
                console.event("some tasks have not come to their end; what they are acknowledged later is sent again");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (Exception e) { // Spark throws checked exceptions that its methods do not declare
            console.event("nobody knows whether all tasks have come to their end: " + Source.firstLine(e));
        }
    }

    /**
     * Writes what has no receipt yet. Remaps in two steps are unmapped, then everything else is sent, and their maps follow
     * when no unmap can still arrive: neither one of this run nor one that another run has left behind.
     */
    private void write(LedgerRun run, Plan plan, UserMapRun writing, Optional<Instant> lastUnmap) throws Exception {
        Dataset<Row> changes = LedgerRun.rows(spark, run.planAddress()).filter(Planning.sent());
        if (lastUnmap.isPresent()) {
            waitForLateUnmaps(lastUnmap.get(), "run before");
        }
        if (!plan.unmapsFirst() || plan.counts().remap() == 0) {
            write(withoutReceipt(changes, run, Receipts.Step.SECOND), run.receiptsAddress(), writing);
            return;
        }
        Dataset<Row> remaps = changes.filter(col("op").equalTo("remap"));
        Optional<Instant> before = lastOfFirstStep(run);
        write(
                withoutReceipt(remaps, run, Receipts.Step.FIRST)
                        .withColumn("global_user_id", lit(null).cast("string"))
                        .withColumn("op", lit("unmap")),
                run.unmapFirstReceiptsAddress(),
                writing);
        long ended = System.nanoTime();
        Dataset<Row> others = changes.filter(col("op").notEqual("remap"));
        if (plan.writes() > 2 * plan.counts().remap()) {
            write(withoutReceipt(others, run, Receipts.Step.SECOND), run.receiptsAddress(), writing);
        }
        Optional<Instant> newest = lastOfFirstStep(run);
        if (newest.isPresent() && newest.equals(before)) {
            waitForLateUnmaps(newest.get(), "first step");
        } else if (newest.isPresent()) {
            // Sent by this process, whose own clock cannot be set.
            waitForLateUnmaps(Duration.ofNanos(System.nanoTime() - ended), "first step");
        }
        Dataset<Row> unmapped = remaps.join(
                Receipts.kept(spark, () -> Receipts.of(spark, run).acknowledged(Receipts.Step.FIRST)),
                new String[] {"user_id"},
                "left_semi");
        write(withoutReceipt(unmapped, run, Receipts.Step.SECOND), run.receiptsAddress(), writing);
    }

    private Dataset<Row> withoutReceipt(Dataset<Row> changes, LedgerRun run, Receipts.Step step) {
        return run.hasReceipts()
                ? changes.join(
                        Receipts.kept(spark, () -> settled(Receipts.of(spark, run), step)),
                        new String[] {"user_id"},
                        "left_anti")
                : changes;
    }

    /** Refused rows are asked again where nothing was accepted before: it may have been the key, which was mended since. */
    private Dataset<Row> settled(Receipts receipts, Receipts.Step step) {
        return refusalsStand ? receipts.settled(step) : receipts.acknowledged(step);
    }

    /** When the newest unmap of a two-step remap of {@code run} was answered. */
    private Optional<Instant> lastOfFirstStep(LedgerRun run) {
        return run.hasReceipts()
                ? Receipts.listingAgain(() -> Receipts.of(spark, run).lastOfFirstStep())
                : Optional.empty();
    }

    private static void write(Dataset<Row> changes, String receipts, UserMapRun writing) {
        changes.select(
                        col("user_id"),
                        col("global_user_id"),
                        col("op").equalTo("unmap").as("unmap"))
                .write()
                .format("amplitude-usermap")
                .mode("append")
                .options(writing.options())
                .option("receiptsPath", receipts)
                .save();
    }

    /**
     * The last sign of life of a run that was left before its end while unmaps of its two-step remaps may still be on their
     * way; not always of the newest run, nor of the one that sent last, which may not have come as far as its first request.
     */
    private Optional<Instant> lastUnmapOfOthers(LedgerRun run) {
        Duration most = Plan.lateArrival(configuration.allowance());
        Instant now = Instant.now();
        return ledger.runs().stream()
                .filter(other -> other.hasBegunToSend() && !other.id().equals(run.id()))
                .filter(other -> !left(other.lastBeat(), now, most).isZero())
                .filter(other -> other.savedReport()
                        .flatMap(text -> Json.read(text, Report.class))
                        .filter(report -> !report.outcome().equals(Outcome.FAILED.word())
                                && !report.outcome().equals(Outcome.INTERRUPTED.word()))
                        .isEmpty())
                .filter(other -> other.savedPlan()
                        .filter(plan -> plan.unmapsFirst() && plan.counts().remap() > 0)
                        .isPresent())
                .map(LedgerRun::lastBeat)
                .max(Comparator.naturalOrder());
    }

    /**
     * How much of {@code most} is left of what began at {@code since}, by the wall clock: where that was set back meanwhile,
     * all of it. A clock that was set forward cannot be told from a wait.
     */
    static Duration left(Instant since, Instant now, Duration most) {
        Duration age = Duration.between(since, now);
        Duration left = age.isNegative() ? most : most.minus(age);
        return left.isNegative() ? Duration.ZERO : left;
    }

    private void waitForLateUnmaps(Instant last, String of) throws InterruptedException {
        Duration most = Plan.lateArrival(configuration.allowance());
        waitForLateUnmaps(most.minus(left(last, Instant.now(), most)), of);
    }

    /** Waits until an unmap cannot arrive any more that left {@code age} ago at the latest. */
    private void waitForLateUnmaps(Duration age, String of) throws InterruptedException {
        Duration wait = Plan.lateArrival(configuration.allowance()).minus(age);
        if (wait.toMillis() > 0) {
            console.event("waiting " + Phrases.duration(wait) + " until no unmap of the " + of + " can still arrive");
            interruption.pause(wait);
        }
    }

    /** What of the window the runs before have used up. */
    private AllowanceLog seed() {
        AllowanceRules rules = configuration.allowance();
        return ledger.lastSent()
                .map(last -> last.allowance().orElseGet(() -> {
                    List<AllowanceLog.Answered> answered = Receipts.of(spark, last)
                            .answeredAfter(last.lastBeat().minus(rules.silentHold()));
                    return afterCrash(rules, answered, last.lastBeat());
                }))
                .orElseGet(AllowanceLog::empty);
    }

    /** What a run that crashed may have used up, by its receipts and its last beat. */
    static AllowanceLog afterCrash(AllowanceRules rules, List<AllowanceLog.Answered> answered, Instant lastBeat) {
        // A receipt is a sign of life too.
        Instant lastSign = answered.stream()
                .map(AllowanceLog.Answered::at)
                .filter(at -> at.isAfter(lastBeat))
                .max(Comparator.naturalOrder())
                .orElse(lastBeat);
        return AllowanceLog.afterCrash(rules, answered, lastSign);
    }

    /**
     * How often a run shows that it is alive: several times a term of its claim, and twice within the margin for which it may
     * have lived on after its last sign, because the next run reckons with no more than that.
     */
    static Duration beats(Duration term, AllowanceRules rules) {
        Duration ofMargin = rules.margin().dividedBy(2);
        Duration ofTerm = term.dividedBy(6);
        Duration beats = ofTerm.compareTo(ofMargin) < 0 ? ofTerm : ofMargin;
        return beats.compareTo(SHORTEST_BEAT) < 0 ? SHORTEST_BEAT : beats;
    }

    /** The threads beside the write; daemons that end with it. */
    private final class Beside implements AutoCloseable {
        private final ScheduledExecutorService threads = Executors.newScheduledThreadPool(3, task -> {
            Thread thread = new Thread(task, "usermap-beside-write");
            thread.setDaemon(true);
            return thread;
        });

        private final Duration beats = beats(configuration.value(Keys.LOCK_TERM), configuration.allowance());

        Beside(LedgerRun run) {
            every(beats, beats, () -> beat(run));
        }

        /** Hands the claim's lease on, several times for each renewal of it. */
        void renew(UserMapRun writing) {
            Duration often = beats.dividedBy(2);
            every(often, often, () -> writing.leaseUntil(claim.leaseUntil()));
        }

        private void beat(LedgerRun run) {
            try {
                // Otherwise somebody else may have the run, and be done with it: its folder, too.
                if (claim.isHeld()) {
                    run.beat(Instant.now());
                }
            } catch (RuntimeException e) {
                // The next beat may succeed; a ledger that stays away ends the run when its receipts cannot be written.
                console.event(Source.firstLine(e));
            }
        }

        void tell(Progress progress, UserMapRun writing) {
            Duration first = console.movesBar() ? BAR : FIRST_LINE;
            Duration next = console.movesBar() ? BAR : LINES;
            every(first, next, () -> show(progress, writing));
        }

        private void every(Duration first, Duration next, Runnable task) {
            // Its end is the end of these threads, so nobody asks the future.
            var unused = threads.scheduleAtFixedRate(task, first.toMillis(), next.toMillis(), TimeUnit.MILLISECONDS);
        }

        private void show(Progress progress, UserMapRun writing) {
            UserMapRun.Progress now;
            try {
                now = writing.progress();
            } catch (Exception e) { // Spark throws checked exceptions that its methods do not declare
                LOG.debug("The coordinator did not tell the progress; asking again.", e);
                return;
            }
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
