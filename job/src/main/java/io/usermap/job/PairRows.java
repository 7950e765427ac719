package io.usermap.job;

import static org.apache.spark.sql.functions.coalesce;
import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.count;
import static org.apache.spark.sql.functions.lit;
import static org.apache.spark.sql.functions.max;
import static org.apache.spark.sql.functions.min;
import static org.apache.spark.sql.functions.not;
import static org.apache.spark.sql.functions.struct;
import static org.apache.spark.sql.functions.udf;
import static org.apache.spark.sql.functions.when;

import io.usermap.client.IdRules;
import io.usermap.client.RejectReason;
import java.util.Map;
import java.util.TreeMap;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.api.java.UDF1;
import org.apache.spark.sql.expressions.UserDefinedFunction;
import org.apache.spark.sql.types.DataTypes;

/**
 * The rows of pairs, told apart into those that can be right and those that cannot, each of these with its reason.
 *
 * <p>They are read once and kept, so that every step of a plan sees the same rows, whatever becomes of the source meanwhile;
 * {@link #close} lets go of them. Equal rows count once. Rows of one user that contradict each other are rejected together,
 * one per distinct row; a user mapped to itself is no contradiction and no mapping either.
 */
final class PairRows implements AutoCloseable {
    private static final String CONFLICT = RejectReason.CONFLICT.code();

    private static final UserDefinedFunction STRIPPED =
            udf((UDF1<String, String>) IdRules::stripped, DataTypes.StringType);

    /** Whether a row says more than that a user is itself. */
    private static final Column OTHER = coalesce(col("target").notEqual(col("user_id")), lit(true));

    private final Dataset<Row> checked;
    private final Dataset<Row> perUser;
    private final Counted counted;
    private final boolean few;

    /**
     * What the first pass counts.
     *
     * @param rows all of them
     * @param good those that can be right
     * @param selfMaps of these, users mapped to themselves
     * @param ranked whether any row has a priority
     */
    private record Counted(long rows, long good, long selfMaps, boolean ranked) {}

    private PairRows(Dataset<Row> checked, Dataset<Row> perUser, Counted counted, boolean few) {
        this.checked = checked;
        this.perUser = perUser;
        this.counted = counted;
        this.few = few;
    }

    /**
     * Reads the rows; blocks for one pass over them.
     *
     * @param pairs as {@link CheckedRows} gives them
     * @param small so many rows come to the driver, whatever the source says of its size
     * @throws StoppedException if a column holds words that must not be guessed at
     */
    static PairRows of(Dataset<Row> pairs, int small) {
        Dataset<Row> checked = pairs.persist();
        Map<String, Long> byReason = new TreeMap<>();
        long ranks = 0;
        long selfMaps = 0;
        Column selfMap = col("reason").isNull().and(not(OTHER));
        for (Row group : checked.groupBy(coalesce(col("reason"), lit("")))
                .agg(count(lit(1)), count(col("rank")), count(when(selfMap, lit(1))))
                .collectAsList()) {
            byReason.put(group.getString(0), group.getLong(1));
            ranks += group.getLong(2);
            selfMaps += group.getLong(3);
        }
        long rows = byReason.values().stream().mapToLong(Long::longValue).sum();
        try {
            RowReason.requireReadable(rows, byReason);
        } catch (StoppedException e) {
            checked.unpersist();
            throw e;
        }
        Counted counted = new Counted(rows, byReason.getOrDefault("", 0L), selfMaps, ranks > 0);
        if (rows > small) {
            return new PairRows(checked, perUser(checked).persist(), counted, false);
        }
        Dataset<Row> local = local(checked);
        checked.unpersist();
        return new PairRows(local, local(perUser(local)), counted, true);
    }

    /** Rows that have come to the driver, in one partition: nothing that is done with them needs a shuffle. */
    static Dataset<Row> local(Dataset<Row> rows) {
        return rows.sparkSession()
                .createDataFrame(rows.collectAsList(), rows.schema())
                .coalesce(1);
    }

    /** Whether there are so few rows that they have come to the driver. */
    boolean areFew() {
        return few;
    }

    /** One row per user: what its rows want at least and at most; they differ where rows contradict each other. */
    private static Dataset<Row> perUser(Dataset<Row> checked) {
        Column wish = struct(col("target"), col("unmap"));
        return checked.filter(col("reason").isNull())
                .groupBy("user_id")
                .agg(
                        min(when(OTHER, wish)).as("least"),
                        max(when(OTHER, wish)).as("most"),
                        min("rank").as("rank"))
                .withColumn("conflict", col("least").eqNullSafe(col("most")).equalTo(false));
    }

    /**
     * What is wanted, one row per user whose rows agree: {@code user_id, target, unmap}; the target of a user that is only
     * mapped to itself, or that is to be unmapped, is null.
     */
    Dataset<Row> wishes() {
        return perUser.filter(col("conflict").equalTo(false))
                .select(
                        col("user_id"),
                        col("least.target").as("target"),
                        coalesce(col("least.unmap"), lit(false)).as("unmap"));
    }

    /** {@code members} with the ranks of those who are users of the source; null for others, and where none is configured. */
    Dataset<Row> ranked(Dataset<Row> members) {
        return counted.ranked()
                ? members.join(perUser.select(col("user_id").as("id"), col("rank")), new String[] {"id"}, "left")
                : members.withColumn("rank", lit(null).cast("double"));
    }

    /** What is not planned: {@code user_id, target, reason}. */
    Dataset<Row> rejects() {
        Dataset<Row> bad = checked.filter(col("reason").isNotNull()).select("user_id", "target", "reason");
        return bad.unionByName(conflicts());
    }

    /**
     * Who is named in rows that are not planned: {@code user_id} without the blanks around it, once each; some may be planned
     * by other rows.
     */
    Dataset<Row> rejectedUsers() {
        Dataset<Row> inConflict = perUser.filter(col("conflict")).select("user_id");
        return counted.good() == counted.rows()
                ? inConflict
                : checked.filter(col("reason").isNotNull().and(col("user_id").isNotNull()))
                        .select(STRIPPED.apply(col("user_id")).as("user_id"))
                        .unionByName(inConflict)
                        .distinct();
    }

    /** Of changes, whom the table has lost: {@code user_id}, once each. */
    Dataset<Row> deletedUsers() {
        return checked.filter(col("reason").isNull().and(col(CheckedRows.DELETED)))
                .select("user_id")
                .distinct();
    }

    private Dataset<Row> conflicts() {
        Dataset<Row> users = perUser.filter(col("conflict")).select("user_id");
        return checked.filter(col("reason").isNull().and(OTHER))
                .join(users, new String[] {"user_id"}, "left_semi")
                .select("user_id", "target", "unmap")
                .distinct()
                .select(col("user_id"), col("target"), lit(CONFLICT).as("reason"));
    }

    /** Rows that the source has. */
    long rows() {
        return counted.rows();
    }

    /**
     * Rows that say nothing more than others do, by reason: self-maps and repetitions. Blocks for a look at the users.
     *
     * @param conflicts rows that are rejected because they contradict each other
     */
    Map<String, Long> leftOut(long conflicts) {
        long agreed = perUser.filter(col("least").isNotNull().and(not(col("conflict"))))
                .count();
        long duplicates = counted.good() - counted.selfMaps() - agreed - conflicts;
        Map<String, Long> byReason = new TreeMap<>();
        byReason.put(RejectReason.SELF_MAP.code(), counted.selfMaps());
        byReason.put(RowReason.DUPLICATE.code(), duplicates);
        byReason.values().removeIf(rows -> rows == 0);
        return byReason;
    }

    @Override
    public void close() {
        checked.unpersist();
        perUser.unpersist();
    }
}
