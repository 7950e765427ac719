package io.usermap.job;

import static org.apache.spark.sql.functions.coalesce;
import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.count;
import static org.apache.spark.sql.functions.lit;
import static org.apache.spark.sql.functions.max;
import static org.apache.spark.sql.functions.min;
import static org.apache.spark.sql.functions.struct;
import static org.apache.spark.sql.functions.when;

import io.usermap.client.IdRules;
import io.usermap.client.RejectReason;
import java.util.Map;
import java.util.TreeMap;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;

/**
 * The source's rows, told apart into those that can be right and those that cannot, each of these with its reason.
 *
 * <p>The source is read once and kept, so that every step of a plan sees the same rows, whatever becomes of the source
 * meanwhile; {@link #close} lets go of them. Equal rows count once. Rows of one user that contradict each other are
 * rejected together, one per distinct row; a user mapped to itself is no contradiction and no mapping either.
 */
final class SourceRows implements AutoCloseable {
    private static final String CONFLICT = RejectReason.CONFLICT.code();

    private final Dataset<Row> checked;
    private final Dataset<Row> perUser;
    private final Map<String, Long> rejected;
    private final long rows;

    private SourceRows(Dataset<Row> checked, Dataset<Row> perUser, Map<String, Long> rejected, long rows) {
        this.checked = checked;
        this.perUser = perUser;
        this.rejected = rejected;
        this.rows = rows;
    }

    /**
     * Reads and checks the source; blocks for one pass over it and one grouping by user.
     *
     * @throws StoppedException if the source cannot be read to its end, or an unmap column holds other words than true
     *     and false
     */
    static SourceRows of(Dataset<Row> source, Shape shape, IdRules rules) {
        Dataset<Row> checked = CheckedRows.of(source, shape, rules).persist();
        try {
            Map<String, Long> rejected = new TreeMap<>();
            long rows = 0;
            for (Row group : checked.groupBy("reason").agg(count(lit(1))).collectAsList()) {
                rows += group.getLong(1);
                if (!group.isNullAt(0)) {
                    rejected.put(group.getString(0), group.getLong(1));
                }
            }
            if (rejected.containsKey(CheckedRows.UNREADABLE_UNMAP)) {
                throw StoppedException.failed(
                        "Cannot read the unmap column: " + rejected.get(CheckedRows.UNREADABLE_UNMAP)
                                + " rows hold neither true nor false. Mend them in 'source.sql'.");
            }
            Dataset<Row> perUser = perUser(checked, shape).persist();
            SourceRows found = new SourceRows(checked, perUser, rejected, rows);
            if (!perUser.filter(col("conflict")).isEmpty()) {
                rejected.put(CONFLICT, found.conflicts().count());
            }
            return found;
        } catch (StoppedException e) {
            throw e;
        } catch (RuntimeException e) {
            throw StoppedException.failed(
                    "Cannot read the source to its end: " + Source.firstLine(rootOf(e))
                            + " Nothing was planned; --stacktrace tells more.",
                    e);
        }
    }

    /** One row per user: what its rows want at least and at most; they differ where rows contradict each other. */
    private static Dataset<Row> perUser(Dataset<Row> checked, Shape shape) {
        Column wish = struct(col("target"), col("unmap"));
        // A cluster may well bear the name of one of its users.
        Column other =
                shape instanceof Shape.Pairs ? coalesce(col("target").notEqual(col("user_id")), lit(true)) : lit(true);
        return checked.filter(col("reason").isNull())
                .groupBy("user_id")
                .agg(min(when(other, wish)).as("least"), max(when(other, wish)).as("most"))
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

    /** What is not planned: {@code user_id, target, reason}. */
    Dataset<Row> rejects() {
        Dataset<Row> bad = checked.filter(col("reason").isNotNull()).select("user_id", "target", "reason");
        return rejected.containsKey(CONFLICT) ? bad.unionByName(conflicts()) : bad;
    }

    private Dataset<Row> conflicts() {
        Dataset<Row> users = perUser.filter(col("conflict")).select("user_id");
        return checked.filter(col("reason").isNull())
                .join(users, new String[] {"user_id"}, "left_semi")
                .select("user_id", "target", "unmap")
                .distinct()
                .select(col("user_id"), col("target"), lit(CONFLICT).as("reason"));
    }

    /** Rows that the source has. */
    long rows() {
        return rows;
    }

    /** Rows that are not planned, by reason. */
    Map<String, Long> rejectedByReason() {
        return Map.copyOf(rejected);
    }

    private static Throwable rootOf(Throwable e) {
        Throwable root = e;
        while (root.getCause() != null && root.getCause() != root) {
            root = root.getCause();
        }
        return root;
    }

    @Override
    public void close() {
        checked.unpersist();
        perUser.unpersist();
    }
}
