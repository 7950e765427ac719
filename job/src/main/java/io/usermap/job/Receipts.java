package io.usermap.job;

import static org.apache.spark.sql.functions.coalesce;
import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.input_file_name;
import static org.apache.spark.sql.functions.lit;
import static org.apache.spark.sql.functions.max;
import static org.apache.spark.sql.functions.struct;
import static org.apache.spark.sql.functions.when;

import io.usermap.client.AllowanceLog.Answered;
import java.io.FileNotFoundException;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.Supplier;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.storage.StorageLevel;

/**
 * What the data source wrote down of a run, one JSON line per row: the truth about what was acknowledged.
 *
 * <p>A line that is no whole JSON, as a crash may leave the last one, does not count. Of several lines of one user an
 * acknowledgement stands; otherwise the newest does. Of a remap in two steps, the second stands over the first.
 */
final class Receipts {
    private static final String ACCEPTED = "accepted";
    private static final String REJECTED = "rejected";
    private static final String REFUSED = "refused";
    private static final String TORN = "torn";
    private static final int MOST_LOOKS = 5;

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

    /** Which half of a remap in two steps; whatever has one step only is in the second. */
    enum Step {
        /** The unmap. */
        FIRST,
        /** The map, and all other changes. */
        SECOND
    }

    private final Dataset<Row> lines;
    private final Dataset<Row> settled;

    private Receipts(Dataset<Row> lines) {
        this.lines = lines;
        this.settled = settled(lines);
    }

    /** The receipts of {@code run}, as they are at this moment. */
    static Receipts of(SparkSession spark, LedgerRun run) {
        Dataset<Row> lines =
                run.hasReceipts() ? lines(spark, run.receiptsAddress()) : spark.createDataFrame(List.of(), SCHEMA);
        Column second = input_file_name()
                .contains("/" + LedgerRun.RECEIPTS + "/" + LedgerRun.UNMAP_FIRST + "/")
                .equalTo(false);
        return new Receipts(lines.withColumn("second", second));
    }

    /**
     * What {@code reading} says. It begins anew, with new receipts, if a file goes while it is read: writers merge theirs.
     */
    static <T> T listingAgain(Supplier<T> reading) {
        for (int look = 1; ; look++) {
            try {
                return reading.get();
            } catch (RuntimeException e) {
                if (look == MOST_LOOKS || !isFileGone(e)) {
                    throw e;
                }
            } catch (Exception e) { // Spark throws checked exceptions that its methods do not declare
                if (look == MOST_LOOKS || !isFileGone(e)) {
                    throw e;
                }
            }
        }
    }

    /**
     * The rows of {@code reading} as they are at this moment, kept on the executors' disks, for a job that takes so long
     * that a file of receipts may go meanwhile. Where an executor is lost they are read anew. Blocks.
     */
    static Dataset<Row> kept(SparkSession spark, Supplier<Dataset<Row>> reading) {
        return listingAgain(() -> {
            Dataset<Row> rows = reading.get();
            // Not the Dataset: Spark would take what is kept of it for whatever is read of the same folder later.
            JavaRDD<Row> kept = rows.javaRDD().persist(StorageLevel.DISK_ONLY());
            long unused = kept.count();
            return spark.createDataFrame(kept, rows.schema());
        });
    }

    private static boolean isFileGone(Throwable failure) {
        for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
            // Spark hands the cause on from executors as text only.
            if (cause instanceof FileNotFoundException
                    || String.valueOf(cause.getMessage()).contains("FileNotFoundException")
                    || String.valueOf(cause.getMessage()).contains("FILE_NOT_EXIST")) {
                return true;
            }
        }
        return false;
    }

    /** The whole lines below {@code folders}. */
    static Dataset<Row> lines(SparkSession spark, String... folders) {
        Column whole = col(TORN)
                .isNull()
                .and(col("user_id").isNotNull())
                .and(col("outcome").isNotNull());
        return spark.read()
                .schema(SCHEMA)
                .options(LedgerRun.WHOLE)
                .option("recursiveFileLookup", "true")
                .option("pathGlobFilter", "*.jsonl")
                .option("lineSep", "\n")
                .option("columnNameOfCorruptRecord", TORN)
                .json(folders)
                .filter(whole);
    }

    /** One row per user and step: {@code user_id, second, last.(accepted, at, attempt, reason, target)}. */
    private static Dataset<Row> settled(Dataset<Row> lines) {
        Column target = when(coalesce(col("unmap"), lit(false)), lit(null).cast("string"))
                .otherwise(col("global_user_id"));
        return lines.filter(col("outcome").isin(ACCEPTED, REJECTED))
                .groupBy("user_id", "second")
                .agg(max(struct(
                                col("outcome").equalTo(ACCEPTED).as("accepted"),
                                col("at"),
                                col("attempt"),
                                coalesce(col("reason"), lit(REFUSED)).as("reason"),
                                target.as("target")))
                        .as("last"));
    }

    /** What the service acknowledged: {@code user_id, global_user_id}, every user once, no target for an unmap. */
    Dataset<Row> acknowledged() {
        return settled.filter(col("last.accepted"))
                .groupBy("user_id")
                .agg(max(struct(col("second"), col("last.target").as("target"))).as("newest"))
                .select(col("user_id"), col("newest.target").as("global_user_id"));
    }

    /** Users of whom {@code step} was acknowledged: {@code user_id}. */
    Dataset<Row> acknowledged(Step step) {
        return answered(step).filter(col("last.accepted")).select("user_id");
    }

    /** Users of whom {@code step} was acknowledged, or refused by the service: {@code user_id}. */
    Dataset<Row> settled(Step step) {
        return answered(step)
                .filter(col("last.accepted").or(col("last.reason").equalTo(REFUSED)))
                .select("user_id");
    }

    private Dataset<Row> answered(Step step) {
        return settled.filter(col("second").equalTo(step == Step.SECOND));
    }

    /** When the newest answer of the first step arrived; empty if there is none. */
    Optional<Instant> lastOfFirstStep() {
        Row newest = lines.filter(
                        col("second").equalTo(false).and(col("request").isNotNull()))
                .agg(max("at"))
                .first();
        return newest.isNullAt(0) ? Optional.empty() : Optional.of(Instant.parse(newest.getString(0)));
    }

    /**
     * How many mappings there are of which outcome; a remap in two steps is two.
     *
     * @param accepted mappings that were acknowledged
     * @param rejectedByReason mappings that the service refused or that could not be sent, by reason
     */
    record Count(long accepted, Map<String, Long> rejectedByReason) {
        static final Count NONE = new Count(0, Map.of());

        /** Of those, the ones that the service refused while it accepted others, which says that the key is right. */
        long refusedForGood() {
            return accepted > 0 ? rejectedByReason.getOrDefault(REFUSED, 0L) : 0;
        }
    }

    /** Counts the mappings; one pass over the receipts. */
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
                // A line may be there twice, where a merge of files was cut short.
                .agg(max("at"), functions.countDistinct("user_id"))
                .collectAsList()
                .stream()
                .map(row -> new Answered(Instant.parse(row.getString(1)), Math.toIntExact(row.getLong(2))))
                .toList();
    }
}
