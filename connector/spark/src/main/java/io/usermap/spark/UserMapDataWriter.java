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
import java.io.UncheckedIOException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CancellationException;
import org.apache.spark.TaskContext;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.connector.metric.CustomTaskMetric;
import org.apache.spark.sql.connector.write.DataWriter;
import org.apache.spark.sql.connector.write.WriterCommitMessage;
import org.apache.spark.unsafe.types.UTF8String;
import org.jspecify.annotations.Nullable;

/**
 * Writes one partition: checks each row, gathers batches, sends them as the allowance permits.
 *
 * <p>Runs in a task on an executor. Rows of one user are adjacent, so duplicates and contradictions are seen with one row
 * held back; memory is one batch, whatever the partition's size. What goes wrong with the service or a row does not throw
 * here, where Spark would try the partition four times and send it four times: it is carried to the driver in the commit
 * message. Used by the task's thread only.
 */
final class UserMapDataWriter implements DataWriter<InternalRow> {
    private static final int SPARK_UPDATES_METRICS_EVERY = 100;
    private static final Duration AT_MOST_FOR_RECEIPTS = Duration.ofSeconds(5);
    private static final char REPLACEMENT = '\uFFFD';

    /**
     * What a partition's writer tells the driver.
     *
     * @param tally what it did
     * @param rejected rejected rows by reason
     * @param problem why the write must fail; empty if this partition is well
     * @param failure what the service said, if that is the problem
     * @param used the window, where the writer itself keeps the log
     */
    record Message(
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
    private final Batch batch;
    private final Optional<ReceiptFolder> receipts;
    private final Map<RejectReason, Long> rejected = new EnumMap<>(RejectReason.class);
    private final SendLog sendLog = new Log();

    private long rows;
    private boolean interrupted;
    private @Nullable Mapping held;
    private @Nullable Mapping lastReleased;
    private @Nullable String contradictory;
    private String problem = "";
    private @Nullable ServiceException failure;
    private boolean flushedForMetrics;
    private boolean metricsAreRegular = true;

    UserMapDataWriter(UserMapWriterFactory plan, int partition, long taskId) throws IOException {
        UserMapOptions options = plan.options();
        this.plan = plan;
        this.partition = partition;
        this.columns = plan.columns();
        this.idRules = options.idRules();
        this.batch = new Batch(plan.apiKey(), idRules, options.maxBatchRows(), options.maxBatchBytes());
        this.line = plan.lines().connect(new Allowance.Writer(plan.writeId(), partition, taskId));
        this.sender = new BatchSender(
                plan.writeId() + "-" + partition + "-" + taskId,
                UserMapClient.of(options.endpoints(), options.connectTimeout(), options.requestTimeout()),
                line,
                Pacer.of(plan.allowanceName()),
                RetrySchedule.of(options.maxAttempts()),
                tally,
                UserMapDataWriter::checkTask);
        this.receipts = options.receiptsPath().isEmpty()
                ? Optional.empty()
                : Optional.of(ReceiptFolder.open(
                        plan.hadoop(),
                        options.receiptsPath().get(),
                        plan.writeId(),
                        partition,
                        plan.partitions(),
                        taskId));
    }

    @Override
    public void write(InternalRow row) throws IOException {
        if (flushedForMetrics) {
            // Asked for metrics in the middle of the rows: the question says nothing about the end.
            metricsAreRegular = false;
        }
        rows++;
        if (!problem.isEmpty()) {
            return;
        }
        String userId = text(row, columns.userId());
        String globalUserId = text(row, columns.globalUserId());
        boolean unmap = columns.unmap() >= 0 && !row.isNullAt(columns.unmap()) && row.getBoolean(columns.unmap());
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

    /** The text of a column; null where there is none. Bytes that are no UTF-8 yield an id that is refused as such. */
    private static @Nullable String text(InternalRow row, int column) {
        if (column < 0 || row.isNullAt(column)) {
            return null;
        }
        UTF8String bytes = row.getUTF8String(column);
        String text = bytes.toString();
        boolean damaged =
                text.indexOf(REPLACEMENT) >= 0 && !UTF8String.fromString(text).equals(bytes);
        return damaged ? text + Character.MIN_HIGH_SURROGATE : text;
    }

    private void take(Mapping mapping) throws IOException {
        Mapping before = held;
        if (before != null && before.userId().equals(mapping.userId())) {
            if (before.equals(mapping)) {
                skip(mapping, Receipt.DUPLICATE);
                return;
            }
            held = null;
            contradictory = mapping.userId();
            conflict(before);
            conflict(mapping);
        } else if (mapping.userId().equals(contradictory)) {
            conflict(mapping);
        } else if (before == null
                && lastReleased != null
                && lastReleased.userId().equals(mapping.userId())) {
            // Its user's first row left early, for the metrics.
            if (lastReleased.equals(mapping)) {
                skip(mapping, Receipt.DUPLICATE);
            } else {
                conflict(mapping);
            }
        } else {
            release();
            held = mapping;
        }
    }

    private void conflict(Mapping mapping) throws IOException {
        if (plan.options().onConflict() == OnConflict.FAIL) {
            fail("Cannot write mappings: near row " + rows + " of partition " + partition
                    + ", rows of one user contradict each other. Keep one row a user, or set option 'onConflict' to"
                    + " reject.");
        }
        Receipt row = Receipt.of(mapping, Outcome.REJECTED, Instant.now());
        reject(row.userId(), row.globalUserId(), row.unmap(), RejectReason.CONFLICT);
    }

    /** The row held back goes into the batch: no other row of its user follows. */
    private void release() throws IOException {
        Mapping mapping = held;
        held = null;
        lastReleased = mapping == null ? lastReleased : mapping;
        if (mapping == null || !problem.isEmpty()) {
            return;
        }
        Batch.Offer offer = batch.offer(mapping);
        if (offer == Batch.Offer.FULL) {
            flush();
            offer = batch.offer(mapping);
        }
        if (offer == Batch.Offer.TOO_LARGE) {
            Receipt row = Receipt.of(mapping, Outcome.REJECTED, Instant.now());
            reject(row.userId(), row.globalUserId(), row.unmap(), RejectReason.TOO_LARGE);
        }
    }

    private void flush() throws IOException {
        if (batch.size() == 0) {
            return;
        }
        leaveOutAcknowledged();
        try {
            BatchSender.Result result = batch.size() == 0 ? new BatchSender.Resolved() : sender.send(batch, sendLog);
            if (result instanceof BatchSender.Stopped stopped && problem.isEmpty()) {
                problem = stopped.reason();
                failure = stopped.failure().orElse(null);
            }
        } catch (InterruptedException e) {
            interrupted = true;
            throw new CancellationException("The task was interrupted while it waited for the allowance.");
        } catch (UncheckedIOException e) {
            throw e.getCause();
        }
        publish();
        batch.clear();
    }

    private void leaveOutAcknowledged() throws IOException {
        if (receipts.isEmpty() || !receipts.get().hasEarlier()) {
            return;
        }
        List<Mapping> all = new ArrayList<>(batch.size());
        for (int row = 0; row < batch.size(); row++) {
            all.add(batch.mapping(row));
        }
        Set<Mapping> acknowledged = receipts.get().acknowledged(all);
        if (acknowledged.isEmpty()) {
            return;
        }
        batch.clear();
        for (Mapping mapping : all) {
            if (acknowledged.contains(mapping)) {
                skip(mapping, Receipt.ACKNOWLEDGED);
            } else {
                batch.offer(mapping);
            }
        }
    }

    private void skip(Mapping mapping, String reason) throws IOException {
        tally.skipped();
        receipt(Receipt.of(mapping, Outcome.SKIPPED, Instant.now()), reason);
    }

    private void reject(@Nullable String userId, @Nullable String globalUserId, boolean unmap, RejectReason reason)
            throws IOException {
        tally.rejected();
        count(reason);
        receipt(new Receipt(userId, globalUserId, unmap, Outcome.REJECTED, Instant.now()), reason.code());
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
        if (problem.isEmpty()) {
            problem = reason;
            line.stop(reason);
        }
    }

    private void receipt(Receipt receipt, String reason) throws IOException {
        if (receipts.isPresent()) {
            receipts.get().add(receipt, reason, null, 0);
        }
    }

    private void publish() throws IOException {
        if (receipts.isPresent()) {
            receipts.get().publish(sender.isSmooth() ? ReceiptFolder.Pace.SOON : ReceiptFolder.Pace.EVERY_REQUEST);
        }
    }

    /** No more rows: what is gathered is sent. */
    private void finishRows() throws IOException {
        release();
        if (problem.isEmpty()) {
            flush();
        }
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
        return UserMapMetrics.values(tally.snapshot());
    }

    @Override
    public WriterCommitMessage commit() throws IOException {
        finishRows();
        close();
        return new Message(tally.snapshot(), rejected, problem, failure, line.log());
    }

    /** The task failed or was cancelled: what is in flight is waited for, so that it has its receipt. */
    @Override
    public void abort() throws IOException {
        // Closing a file fails in an interrupted thread on some filesystems.
        interrupted |= Thread.interrupted();
        sender.drain(batch, sendLog, AT_MOST_FOR_RECEIPTS);
        close();
    }

    @Override
    public void close() throws IOException {
        try {
            if (receipts.isPresent()) {
                receipts.get().close();
            }
        } finally {
            sender.close();
            line.leave(tally.snapshot());
            if (interrupted) {
                interrupted = false;
                Thread.currentThread().interrupt();
            }
        }
    }

    private static void checkTask() {
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
            if (receipts.isEmpty()) {
                return;
            }
            try {
                for (int row = from; row < to; row++) {
                    receipts.get()
                            .add(
                                    Receipt.of(sent.mapping(row), outcome, exchange.at()),
                                    reason,
                                    exchange.id(),
                                    exchange.attempt());
                }
                publish();
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }
}
