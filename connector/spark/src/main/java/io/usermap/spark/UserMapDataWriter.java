package io.usermap.spark;

import io.usermap.client.Allowance;
import io.usermap.client.AllowanceLog;
import io.usermap.client.Batch;
import io.usermap.client.BatchSender;
import io.usermap.client.IdRules;
import io.usermap.client.Mapping;
import io.usermap.client.Pacer;
import io.usermap.client.RejectReason;
import io.usermap.client.RetrySchedule;
import io.usermap.client.SendLog;
import io.usermap.client.SendTally;
import io.usermap.client.ServiceException;
import io.usermap.client.Tally;
import io.usermap.client.UserMapClient;
import io.usermap.spark.Receipt.Outcome;
import io.usermap.spark.UserMapOptions.OnConflict;
import io.usermap.spark.UserMapOptions.OnRejected;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.io.UncheckedIOException;
import java.net.SocketTimeoutException;
import java.nio.channels.ClosedByInterruptException;
import java.time.Duration;
import java.time.Instant;
import java.util.EnumMap;
import java.util.Iterator;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CancellationException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.apache.spark.TaskContext;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.connector.metric.CustomTaskMetric;
import org.apache.spark.sql.connector.write.DataWriter;
import org.apache.spark.sql.connector.write.WriterCommitMessage;
import org.jspecify.annotations.Nullable;

/**
 * Writes one partition: checks each row, gathers batches, sends them as the allowance permits.
 *
 * <p>Runs in a task on an executor. Rows of one user are adjacent, so duplicates and contradictions are seen with one row
 * held back. Memory is one batch, or two where the last small requests of one may be in flight while the next is
 * gathered, whatever the partition's size. What goes wrong with the service or a row does not throw
 * here, where Spark would try the partition four times and send it four times: it is carried to the driver in the commit
 * message. Used by the task's thread, and at {@link #abort} by one that ends it in its place.
 */
final class UserMapDataWriter implements DataWriter<InternalRow> {
    private static final int SPARK_UPDATES_METRICS_EVERY = 100;
    /** What a reply may take from the HTTP client's time-out to the task. */
    private static final Duration ON_THE_WAY = Duration.ofSeconds(1);

    private static final Duration MOST_FOR_CLOSING = Duration.ofSeconds(30);

    /**
     * What a partition's writer tells the driver.
     *
     * @param partition the partition
     * @param tally what it did
     * @param rejected rejected rows by reason
     * @param problem why the write must fail; empty if this partition is well
     * @param failure what this partition stopped the write for, if it did
     * @param used the window, where the writer itself keeps the log
     */
    record Message(
            int partition,
            Tally tally,
            Map<RejectReason, Long> rejected,
            String problem,
            @Nullable ServiceException failure,
            AllowanceLog used)
            implements WriterCommitMessage {}

    private final UserMapWriterFactory plan;
    private final int partition;
    private final MappingColumns columns;
    private final IdRules idRules;
    private final AllowanceLines.Connection line;
    private final SendTally tally = new SendTally();
    private final BatchSender sender;
    private final WriterReceipts receipts;
    private final Map<RejectReason, Long> rejected = new EnumMap<>(RejectReason.class);
    private final SendLog sendLog = new Log();

    private final AdjacentRows adjacent = new AdjacentRows();

    private Batch batch;
    private @Nullable Batch underWay;
    private long rows;
    private boolean live;
    private boolean finished;
    /** Another attempt has done all of it, and the driver knows: nothing is left to send, to note or to count. */
    private boolean settled;

    private boolean interrupted;
    private boolean aborted;
    private String problem = "";
    private @Nullable ServiceException failure;
    private boolean flushedForMetrics;
    private boolean metricsAreRegular = true;

    UserMapDataWriter(UserMapWriterFactory plan, int partition, long taskId, Optional<String> receiptsFolder)
            throws IOException {
        UserMapOptions options = plan.options();
        this.plan = plan;
        this.partition = partition;
        this.columns = plan.columns();
        this.idRules = options.idRules();
        this.batch = newBatch();
        this.receipts = new WriterReceipts(
                receiptsFolder.isEmpty()
                        ? Optional.empty()
                        : Optional.of(ReceiptFolder.open(
                                plan.hadoop(),
                                receiptsFolder.get(),
                                plan.writeId(),
                                partition,
                                plan.partitions(),
                                taskId)),
                this::endWithoutReceipts);
        this.line = plan.lines().connect(new Allowance.Writer(plan.writeId(), partition, taskId));
        this.sender = new BatchSender(
                plan.writeId() + "-" + partition + "-" + taskId,
                UserMapClient.of(options.endpoints(), options.connectTimeout(), options.requestTimeout()),
                line,
                Pacer.of(plan.allowanceName()),
                RetrySchedule.of(options.maxAttempts()),
                tally,
                this::whileWaiting);
    }

    @Override
    public void write(InternalRow row) throws IOException {
        if (flushedForMetrics) {
            // Asked for metrics in the middle of the rows: the question says nothing about the end.
            metricsAreRegular = false;
        }
        rows++;
        if (isOver()) {
            return;
        }
        String userId = columns.userId(row);
        String globalUserId = columns.globalUserId(row);
        boolean unmap = columns.unmap(row);
        Optional<RejectReason> wrong = idRules.problemOfRow(userId, globalUserId, unmap);
        if (wrong.isPresent() || userId == null) {
            reject(userId, globalUserId, unmap, wrong.orElse(RejectReason.MISSING_ID));
        } else {
            take(unmap || globalUserId == null ? Mapping.unmap(userId) : Mapping.map(userId, globalUserId));
        }
    }

    /** Spark 4 hands all rows over at once, which tells where they end, before it asks for the last metrics. */
    @SuppressWarnings("MissingOverride") // the interface of the Spark that this is compiled against does not have it
    public void writeAll(Iterator<InternalRow> all) throws IOException {
        while (all.hasNext()) {
            write(all.next());
        }
        finishRows();
    }

    private void take(Mapping mapping) throws IOException {
        AdjacentRows.Finding finding = adjacent.next(mapping);
        if (finding.repeated()) {
            skip(mapping, Receipt.DUPLICATE);
        }
        for (Mapping row : finding.contradictory()) {
            conflict(row);
        }
        gather(finding.toSend());
    }

    private void conflict(Mapping mapping) {
        if (plan.options().onConflict() == OnConflict.FAIL) {
            fail("Cannot write mappings: near row " + rows + " of partition " + partition
                    + ", rows of one user contradict each other. Keep one row a user, or set option 'onConflict' to"
                    + " reject.");
        }
        reject(mapping, RejectReason.CONFLICT);
    }

    private void gather(Optional<Mapping> row) throws IOException {
        if (row.isEmpty() || isOver()) {
            return;
        }
        Mapping mapping = row.get();
        Batch.Offer offer = batch.offer(mapping);
        if (offer == Batch.Offer.FULL) {
            flush();
            offer = batch.offer(mapping);
        }
        if (offer == Batch.Offer.TOO_LARGE) {
            reject(mapping, RejectReason.TOO_LARGE);
        }
    }

    private boolean isOver() {
        return settled || !problem.isEmpty();
    }

    private Batch newBatch() {
        UserMapOptions options = plan.options();
        return new Batch(plan.apiKey(), idRules, options.maxBatchRows(), options.maxBatchBytes());
    }

    /** Hands the batch to the sender; afterwards there is an empty one to go on with. */
    private void flush() throws IOException {
        if (batch.size() == 0) {
            return;
        }
        if (becomeLive()) {
            receipts.takeSettled(batch).forEach(this::settledBefore);
        }
        if (live
                && !isOver()
                && batch.size() > 0
                && sent(() -> sender.send(batch, sendLog)) instanceof BatchSender.UnderWay) {
            Batch free = underWay == null ? newBatch() : underWay;
            underWay = batch;
            batch = free;
        }
        publish();
        batch.clear();
    }

    /** Waits for the attempts of this partition before this one, and looks at their receipts only then. */
    private boolean becomeLive() throws IOException {
        if (!live && sent(sender::enter) instanceof BatchSender.Resolved) {
            live = true;
            receipts.lookThrough();
        }
        return live;
    }

    private interface Sending {
        BatchSender.Result result() throws InterruptedException;
    }

    private BatchSender.Result sent(Sending sending) {
        try {
            BatchSender.Result result = sending.result();
            if (result instanceof BatchSender.Stopped stopped) {
                onStopped(stopped);
            }
            return result;
        } catch (InterruptedException e) {
            interrupted = true;
            throw new CancellationException("The task was interrupted while it waited for the allowance.");
        }
    }

    private void onStopped(BatchSender.Stopped stopped) {
        switch (stopped.reason()) {
            // Not for the driver to hear: the other attempt goes on, with what this one had acknowledged.
            case Allowance.FOLLOWED ->
                throw new CancellationException("Cannot go on with partition " + partition
                        + ": nothing was heard of this task for so long that another attempt has taken over.");
            // Nothing to throw: it would be one more failure of a partition that is done, and may end the job.
            case Allowance.SETTLED -> {
                settled = true;
                problem = "";
                failure = null;
                rejected.clear();
            }
            default -> {
                if (problem.isEmpty()) {
                    problem = stopped.reason();
                    failure = stopped.failure().orElse(null);
                }
            }
        }
    }

    private void settledBefore(Mapping mapping, Outcome outcome) {
        if (outcome == Outcome.ACCEPTED) {
            skip(mapping, Receipt.ACKNOWLEDGED);
        } else {
            // Has its receipt; the commit message of the attempt that wrote it never came.
            tally.rejected();
            count(RejectReason.REFUSED);
        }
    }

    private void skip(Mapping mapping, String reason) {
        tally.skipped();
        receipts.add(Receipt.of(mapping, Outcome.SKIPPED, Instant.now()), reason);
    }

    private void reject(Mapping mapping, RejectReason reason) {
        Receipt row = Receipt.of(mapping, Outcome.REJECTED, Instant.now());
        reject(row.userId(), row.globalUserId(), row.unmap(), reason);
    }

    private void reject(@Nullable String userId, @Nullable String globalUserId, boolean unmap, RejectReason reason) {
        tally.rejected();
        count(reason);
        receipts.add(new Receipt(userId, globalUserId, unmap, Outcome.REJECTED, Instant.now()), reason.code());
    }

    private void count(RejectReason reason) {
        rejected.merge(reason, 1L, Long::sum);
        if (plan.options().onRejected() != OnRejected.FAIL) {
            return;
        }
        if (reason == RejectReason.REFUSED) {
            fail("Cannot write mappings: the service refused a row of partition " + partition + " that stood alone"
                    + (tally.snapshot().accepted() == 0
                            ? ", and has accepted none of this partition. Check the API key, the endpoint and"
                                    + " minIdLength."
                            : ". Set option 'onRejected' to record and a 'receiptsPath' to find it and go on."));
        } else {
            fail("Cannot write mappings: near row " + rows + " of partition " + partition + ", " + reason.sentence()
                    + ". Correct the row, or set option 'onRejected' to record and a 'receiptsPath'.");
        }
    }

    private void fail(String reason) {
        stop(reason, false);
    }

    private void stop(String reason, boolean retryable) {
        if (!isOver()) {
            problem = reason;
            failure = new ServiceException(reason, 0, retryable);
            line.stop(reason);
        }
    }

    /**
     * What is sent now would have no receipt, and would be sent again: nothing more of the write is. A task that is ended
     * may have failed for that alone, and stops nobody: another attempt sends what has no receipt.
     */
    private void endWithoutReceipts(IOException e) {
        if (aborted) {
            return;
        }
        checkTask();
        if (isInterruption(e)) {
            interrupted = true;
            throw new CancellationException("The task was interrupted while it wrote receipts.");
        }
        stop(String.valueOf(e.getMessage()), true);
    }

    /** As a filesystem tells it whose answer the thread did not wait for to its end. */
    private static boolean isInterruption(IOException e) {
        for (Throwable cause = e; cause != null; cause = cause.getCause()) {
            boolean io = cause instanceof InterruptedIOException && !(cause instanceof SocketTimeoutException);
            if (io || cause instanceof ClosedByInterruptException || cause instanceof InterruptedException) {
                return true;
            }
        }
        return false;
    }

    /** A wait for the window may be long, and receipts must not wait with it to be seen. */
    private void whileWaiting() {
        checkTask();
        publish();
    }

    private void publish() {
        receipts.publish(sender.isSmooth());
    }

    /** No more rows: what is gathered is sent, and everything resolved. */
    private void finishRows() throws IOException {
        gather(adjacent.release());
        if (!isOver()) {
            flush();
        }
        sent(sender::finish);
        publish();
    }

    /**
     * The figures so far.
     *
     * <p>Before Spark 4 the last question comes before {@link #commit}, when the last batch, for small writes the only one,
     * has not been sent. Spark asks at every hundredth row and at the end, so a question at another row means the end:
     * the batch is sent now. Should a platform ask at other rows, one small request tells, and this is not done again.
     */
    @Override
    public CustomTaskMetric[] currentMetricsValues() {
        if (rows % SPARK_UPDATES_METRICS_EVERY != 0 && metricsAreRegular) {
            try {
                finishRows();
                flushedForMetrics = true;
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
        return UserMapMetrics.values(counted());
    }

    @Override
    public WriterCommitMessage commit() throws IOException {
        finishRows();
        // What goes wrong here is a problem too.
        receipts.close();
        finished = problem.isEmpty();
        close();
        return new Message(partition, counted(), rejected, problem, failure, line.log());
    }

    /** What this attempt has done; nothing if it never was the one to send, because the one that was has counted the rows. */
    private Tally counted() {
        return settled && !live ? Tally.NONE : tally.snapshot();
    }

    /**
     * The task failed or was cancelled: what is in flight is waited for, within the request time-out, so that it has its
     * receipt.
     *
     * <p>In a thread of its own, because Spark may interrupt the task's again and again, and on some filesystems an
     * interrupted thread can close no file.
     */
    @Override
    public void abort() throws IOException {
        boolean wasInterrupted = interrupted;
        interrupted = false;
        aborted = true;
        Duration drain = plan.options().requestTimeout().plus(ON_THE_WAY);
        long until = System.nanoTime() + drain.plus(MOST_FOR_CLOSING).toNanos();
        FutureTask<Void> end = new FutureTask<>(() -> {
            sender.drain(drain);
            close();
            return null;
        });
        Thread thread = new Thread(end, "usermap-ends-" + plan.writeId() + "-" + partition);
        thread.setDaemon(true);
        thread.start();
        try {
            while (true) {
                try {
                    end.get(until - System.nanoTime(), TimeUnit.NANOSECONDS);
                    return;
                } catch (InterruptedException e) {
                    wasInterrupted = true;
                } catch (ExecutionException e) {
                    throw new IOException("Cannot end the task in order.", e.getCause());
                } catch (TimeoutException e) {
                    throw new IOException(
                            "Cannot close the receipts of a task that was ended: their filesystem does not"
                                    + " answer.",
                            e);
                }
            }
        } finally {
            if (wasInterrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    @Override
    public void close() throws IOException {
        try {
            receipts.close();
        } finally {
            sender.close();
            if (finished) {
                line.finish(counted());
            } else {
                line.leave(counted());
            }
            if (interrupted) {
                interrupted = false;
                Thread.currentThread().interrupt();
            }
        }
    }

    /** Throws if the task of this thread was cancelled. */
    static void checkTask() {
        TaskContext task = TaskContext.get();
        if (task != null && task.isInterrupted()) {
            throw new CancellationException("The task was cancelled.");
        }
    }

    /** Writes the receipts of what was sent; called in the task's thread. */
    private final class Log implements SendLog {
        @Override
        public void accepted(Batch sent, int from, int to, Exchange exchange) {
            add(sent, from, to, Outcome.ACCEPTED, null, exchange);
        }

        @Override
        public void refused(Batch sent, int row, Exchange exchange) {
            add(sent, row, row + 1, Outcome.REJECTED, RejectReason.REFUSED.code(), exchange);
            count(RejectReason.REFUSED);
        }

        private void add(Batch sent, int from, int to, Outcome outcome, @Nullable String reason, Exchange exchange) {
            receipts.add(sent, from, to, outcome, reason, exchange);
            publish();
        }
    }
}
