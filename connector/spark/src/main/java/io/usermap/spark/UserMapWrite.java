package io.usermap.spark;

import io.usermap.client.AllowanceLog;
import io.usermap.client.InvalidSettingsException;
import io.usermap.client.RejectReason;
import io.usermap.client.Secret;
import io.usermap.client.ServiceException;
import io.usermap.client.Tally;
import io.usermap.spark.UserMapDataWriter.Message;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.UUID;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import org.apache.spark.rpc.RpcEnv;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.connector.distributions.Distribution;
import org.apache.spark.sql.connector.distributions.Distributions;
import org.apache.spark.sql.connector.expressions.Expression;
import org.apache.spark.sql.connector.expressions.Expressions;
import org.apache.spark.sql.connector.expressions.SortDirection;
import org.apache.spark.sql.connector.expressions.SortOrder;
import org.apache.spark.sql.connector.metric.CustomMetric;
import org.apache.spark.sql.connector.write.BatchWrite;
import org.apache.spark.sql.connector.write.DataWriterFactory;
import org.apache.spark.sql.connector.write.PhysicalWriteInfo;
import org.apache.spark.sql.connector.write.RequiresDistributionAndOrdering;
import org.apache.spark.sql.connector.write.WriterCommitMessage;
import org.apache.spark.sql.connector.write.streaming.StreamingDataWriterFactory;
import org.apache.spark.sql.connector.write.streaming.StreamingWrite;
import org.apache.spark.util.SerializableConfiguration;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The whole life of a write on the driver: how rows are laid out, who coordinates, what the end is.
 *
 * <p>Every id is in one partition and rows are sorted by it, so that duplicates are adjacent and a repeated attempt meets
 * the same rows. What writers could not do is thrown here, once.
 */
final class UserMapWrite implements RequiresDistributionAndOrdering, BatchWrite, StreamingWrite {
    private static final Logger LOG = LoggerFactory.getLogger(UserMapWrite.class);

    /** Characters that tell the starts of a stream apart. */
    private static final int UNIQUE = 8;

    private final SparkSession session;
    private final String writeId;
    private final UserMapOptions options;
    private final MappingColumns columns;
    private final Secret apiKey;
    private final String allowanceName;
    private final Optional<AllowanceDesk> desk;
    private final Optional<UserMapRun> run;
    private String streamId;

    UserMapWrite(
            SparkSession session,
            String writeId,
            UserMapOptions options,
            MappingColumns columns,
            Secret apiKey,
            Optional<UserMapRun> run,
            Supplier<RpcEnv> rpc) {
        this.session = session;
        this.writeId = writeId;
        this.options = options;
        this.columns = columns;
        this.apiKey = apiKey;
        this.run = run;
        this.streamId = writeId;
        this.allowanceName = AllowanceDesk.nameOf(options.endpoints(), apiKey);
        this.desk = AllowanceDesk.tryOpen(rpc, allowanceName, options, AllowanceLog.empty());
        if (desk.isEmpty() && session.sparkContext().getConf().getBoolean("spark.speculation", false)) {
            throw new InvalidSettingsException("Cannot write mappings: this platform keeps the driver's RPC from the"
                    + " connector, and with spark.speculation two tasks would each use the whole allowance. Set"
                    + " spark.speculation to false.");
        }
        run.ifPresent(known -> known.writes(writeId));
    }

    /**
     * Where the receipts of one epoch are below those of the stream: what an earlier attempt of the same epoch was
     * acknowledged need not be sent again, and other epochs say nothing about that.
     */
    static String receiptsOfEpoch(String streamId, long epoch) {
        return "stream=" + streamId.substring(0, streamId.length() - 1 - UNIQUE) + "/epoch=" + epoch;
    }

    /** The id of one epoch of a streaming write. */
    static String idOfEpoch(String writeId, long epoch) {
        return writeId + "-" + epoch;
    }

    @Override
    public String description() {
        return UserMapSource.NAME + " " + options.endpoints().write();
    }

    @Override
    public Distribution requiredDistribution() {
        return Distributions.clustered(new Expression[] {userId()});
    }

    @Override
    public SortOrder[] requiredOrdering() {
        return new SortOrder[] {Expressions.sort(userId(), SortDirection.ASCENDING)};
    }

    /** The column as the rows spell it, because Spark may be told to mind case; quoted, because a name may hold a dot. */
    private Expression userId() {
        return Expressions.column("`" + columns.userIdName().replace("`", "``") + "`");
    }

    @Override
    public int requiredNumPartitions() {
        // Without a coordinator only one task may send.
        return desk.isPresent() ? options.writers(session.sparkContext().defaultParallelism()) : 1;
    }

    @Override
    public BatchWrite toBatch() {
        return this;
    }

    @Override
    public StreamingWrite toStreaming() {
        return this;
    }

    @Override
    public CustomMetric[] supportedCustomMetrics() {
        return UserMapMetrics.all();
    }

    @Override
    public DataWriterFactory createBatchWriterFactory(PhysicalWriteInfo info) {
        desk.ifPresent(known -> known.begin(writeId, options.allowance()));
        return factory(writeId, info);
    }

    @Override
    public StreamingDataWriterFactory createStreamingWriterFactory(PhysicalWriteInfo info) {
        // A stream keeps its id across restarts and repeats an epoch under the same number.
        streamId = writeId + "-" + UUID.randomUUID().toString().substring(0, UNIQUE);
        return factory(streamId, info);
    }

    private UserMapWriterFactory factory(String id, PhysicalWriteInfo info) {
        // As late as this, because other writes may have come and gone since this one was planned.
        AllowanceLines lines = desk.map(AllowanceDesk::lines)
                .orElseGet(() -> new AllowanceLines.InTask(
                        options.allowance(),
                        SoleWriter.of(allowanceName).begin(writeId, AllowanceDesk.startOf(options)),
                        run.flatMap(known -> known.leaseFile(
                                        writeId,
                                        options.receiptsPath(),
                                        session.sparkContext().hadoopConfiguration()))
                                .orElse(null)));
        return new UserMapWriterFactory(
                id,
                columns,
                options,
                apiKey,
                lines,
                allowanceName,
                info.numPartitions(),
                new SerializableConfiguration(session.sparkContext().hadoopConfiguration()));
    }

    /** Two attempts of a partition must not both be told to go ahead, which the allowance sees to itself. */
    @Override
    public boolean useCommitCoordinator() {
        return false;
    }

    /**
     * Tells the coordinator that the result of a partition is here: Spark takes no other, but lets an attempt go on that
     * another run of the stage has started.
     *
     * <p>Runs in the event loop of Spark's scheduler and never waits. A stream hears of no results, so there an attempt that
     * has finished is believed for its hold only. Without a coordinator there is one partition, so that its result ends the
     * job, and with it every other attempt.
     */
    @Override
    public void onDataWriterCommit(WriterCommitMessage message) {
        if (message instanceof Message done) {
            desk.ifPresent(known -> known.committed(writeId, done.partition()));
        }
    }

    @Override
    public void commit(WriterCommitMessage[] messages) {
        finish(writeId, messages);
    }

    @Override
    public void commit(long epochId, WriterCommitMessage[] messages) {
        finish(idOfEpoch(streamId, epochId), messages);
    }

    @Override
    public void abort(WriterCommitMessage[] messages) {
        end(writeId, messages);
    }

    @Override
    public void abort(long epochId, WriterCommitMessage[] messages) {
        end(idOfEpoch(streamId, epochId), messages);
    }

    private void finish(String id, WriterCommitMessage[] messages) {
        end(id, messages);
        Tally tally = Tally.NONE;
        Map<RejectReason, Long> rejected = new TreeMap<>();
        Message failed = null;
        for (WriterCommitMessage message : messages) {
            if (message instanceof Message partition) {
                tally = tally.plus(partition.tally());
                partition.rejected().forEach((reason, rows) -> rejected.merge(reason, rows, Long::sum));
                // The partition that stopped the write says why; the others only that they were stopped.
                boolean says = failed == null || partition.failure() != null;
                failed = !partition.problem().isEmpty() && says ? partition : failed;
            }
        }
        String rejections = rejected.entrySet().stream()
                .map(entry -> entry.getValue() + " " + entry.getKey().code())
                .collect(Collectors.joining(", ", rejected.isEmpty() ? "" : " (", rejected.isEmpty() ? "" : ")"));
        LOG.info(
                "Wrote to {}: {} mapped, {} unmapped, {} rejected{}, {} skipped, in {} requests, {} of them throttled.",
                options.endpoints().write(),
                tally.mapped(),
                tally.unmapped(),
                tally.rejected(),
                rejections,
                tally.skipped(),
                tally.requests(),
                tally.throttled());
        if (failed != null) {
            String summary = failed.problem() + " Before that, " + tally.accepted() + " mappings were accepted.";
            ServiceException cause = failed.failure();
            // Without one, all have words of somebody whose executor is gone, or of a run that is over.
            throw cause == null
                    ? new ServiceException(summary, 0, true)
                    : new ServiceException(summary, cause.status(), cause.retryable());
        }
    }

    private void end(String id, WriterCommitMessage[] messages) {
        desk.ifPresent(known -> known.end(id));
        if (desk.isEmpty()) {
            SoleWriter sole = SoleWriter.of(allowanceName);
            if (messages.length == 1 && messages[0] instanceof Message whole) {
                sole.end(writeId, whole.used());
                run.ifPresent(known -> known.did(id, whole.tally()));
            } else {
                sole.endUnheard(writeId, options.allowance());
            }
            run.ifPresent(known -> known.over(writeId));
        }
    }

    @Override
    public String toString() {
        return description();
    }
}
