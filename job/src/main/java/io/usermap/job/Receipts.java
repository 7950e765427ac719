package io.usermap.job;

import static org.apache.spark.sql.functions.coalesce;
import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.lit;
import static org.apache.spark.sql.functions.max;
import static org.apache.spark.sql.functions.struct;
import static org.apache.spark.sql.functions.when;

import io.usermap.client.AllowanceLog.Answered;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;

/**
 * What the data source wrote down of a run, one JSON line per row: the truth about what was acknowledged.
 *
 * <p>A line that is no whole JSON, as a crash may leave the last one, does not count. Of several lines of one user an
 * acknowledgement stands; otherwise the newest does.
 */
final class Receipts {
    private static final String ACCEPTED = "accepted";
    private static final String REJECTED = "rejected";
    private static final String TORN = "torn";

    private static final StructType SCHEMA = new StructType()
            .add("user_id", DataTypes.StringType)
            .add("global_user_id", DataTypes.StringType)
            .add("unmap", DataTypes.BooleanType)
            .add("outcome", DataTypes.StringType)
            .add("reason", DataTypes.StringType)
            .add("request", DataTypes.StringType)
            .add("at", DataTypes.StringType)
            .add("attempt", DataTypes.IntegerType)
            .add(TORN, DataTypes.StringType);

    private final Dataset<Row> lines;
    private final Dataset<Row> settled;

    private Receipts(Dataset<Row> lines) {
        this.lines = lines;
        this.settled = settled(lines);
    }

    /** The receipts of {@code run}, as they are at this moment. */
    static Receipts of(SparkSession spark, LedgerRun run) {
        Dataset<Row> lines = run.hasReceipts()
                ? spark.read()
                        .schema(SCHEMA)
                        .option("recursiveFileLookup", "true")
                        .option("pathGlobFilter", "*.jsonl")
                        .option("lineSep", "\n")
                        .option("columnNameOfCorruptRecord", TORN)
                        .json(run.receiptsAddress())
                : spark.createDataFrame(List.of(), SCHEMA);
        Column whole = col(TORN)
                .isNull()
                .and(col("user_id").isNotNull())
                .and(col("outcome").isNotNull());
        return new Receipts(lines.filter(whole));
    }

    /** One row per user: {@code user_id, last.(accepted, at, attempt, reason, target)}. */
    private static Dataset<Row> settled(Dataset<Row> lines) {
        Column target = when(coalesce(col("unmap"), lit(false)), lit(null).cast("string"))
                .otherwise(col("global_user_id"));
        return lines.filter(col("outcome").isin(ACCEPTED, REJECTED))
                .groupBy("user_id")
                .agg(max(struct(
                                col("outcome").equalTo(ACCEPTED).as("accepted"),
                                col("at"),
                                col("attempt"),
                                coalesce(col("reason"), lit("refused")).as("reason"),
                                target.as("target")))
                        .as("last"));
    }

    /** What the service acknowledged: {@code user_id, global_user_id}, every user once, no target for an unmap. */
    Dataset<Row> acknowledged() {
        return settled.filter(col("last.accepted"))
                .select(col("user_id"), col("last.target").as("global_user_id"));
    }

    /**
     * How many users there are of which outcome.
     *
     * @param accepted users whose change was acknowledged
     * @param rejectedByReason users that the service refused or that could not be sent, by reason
     */
    record Count(long accepted, Map<String, Long> rejectedByReason) {}

    /** Counts the users; one pass over the receipts. */
    Count count() {
        Column reason = when(col("last.accepted"), lit(ACCEPTED)).otherwise(col("last.reason"));
        Map<String, Long> byReason = new TreeMap<>();
        settled.groupBy(reason.as("reason"))
                .agg(functions.count(lit(1)))
                .collectAsList()
                .forEach(row -> byReason.put(row.getString(0), row.getLong(1)));
        long accepted = Optional.ofNullable(byReason.remove(ACCEPTED)).orElse(0L);
        return new Count(accepted, byReason);
    }

    /** The requests that were answered after {@code since}: when, and with how many mappings. */
    List<Answered> answeredAfter(Instant since) {
        return lines
                .filter(col("request").isNotNull().and(col("at").gt(since.toString())))
                .groupBy("request")
                .agg(max("at"), functions.count(lit(1)))
                .collectAsList()
                .stream()
                .map(row -> new Answered(Instant.parse(row.getString(1)), Math.toIntExact(row.getLong(2))))
                .toList();
    }
}
