package io.usermap.job;

import static org.apache.spark.sql.functions.coalesce;
import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.lit;
import static org.apache.spark.sql.functions.monotonically_increasing_id;
import static org.apache.spark.sql.functions.not;
import static org.apache.spark.sql.functions.struct;
import static org.apache.spark.sql.functions.udf;
import static org.apache.spark.sql.functions.when;

import io.usermap.client.IdRules;
import java.util.function.UnaryOperator;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.api.java.UDF1;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.expressions.UserDefinedFunction;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.unsafe.types.UTF8String;
import org.jspecify.annotations.Nullable;

/**
 * What a row of the source says of a user, on its way to {@link Census}.
 *
 * <p>Travels as {@code key, cluster, id, more}; the last is null where there is nothing to say, as in nearly every row, or
 * {@code candidate, asked, rank, reason}.
 *
 * @param key the {@link IdKey} of the user, by which the rows are brought together and sorted
 * @param cluster the cluster that the row puts it into; of a rejected row the target or cluster that it names
 * @param id the user
 * @param flags of {@link Found#CANDIDATE} and {@link Found#ASKED}
 * @param rank smaller is better; NaN if none is configured
 * @param reason why the row takes no part; null if it does
 */
record Sighting(
        long key,
        @Nullable UTF8String cluster,
        @Nullable UTF8String id,
        int flags,
        double rank,
        @Nullable UTF8String reason) {

    /** The column that holds the key. */
    static final String KEY = "key";

    private static final int ID = 2;

    /** The key of a rejected id without the blanks around it, unless it is one that stands for nobody. */
    private static final UserDefinedFunction REJECTED_KEY =
            udf((UDF1<String, Long>) Sighting::keyOfRejected, DataTypes.LongType);

    /** Rows of clusters, as {@link CheckedRows} gives them: anybody may become the centre. */
    static Dataset<Row> ofClusters(Dataset<Row> checked) {
        return keyed(checked.select(
                col("target").as("cluster"),
                col("user_id").as("id"),
                lit(true).as("candidate"),
                lit(false).as("asked"),
                col("rank"),
                col("reason")));
    }

    /**
     * Rows of pairs; blocks for the rounds in which chains are flattened.
     *
     * @param completed adds to what is wanted, {@code user_id, target, unmap}, what stays as it is without being named
     */
    static Dataset<Row> ofPairs(PairRows pairs, UnaryOperator<Dataset<Row>> completed) {
        Dataset<Row> rejects = pairs.rejects()
                .select(
                        col("target").as("cluster"),
                        col("user_id").as("id"),
                        lit(false).as("candidate"),
                        lit(false).as("asked"),
                        lit(null).cast("double").as("rank"),
                        col("reason"));
        Dataset<Row> sightings = keyed(pairs.ranked(Pairs.members(completed.apply(pairs.wishes())))
                .withColumn("reason", lit(null).cast("string"))
                .unionByName(rejects));
        return pairs.areFew() ? PairRows.local(sightings) : sightings;
    }

    private static Dataset<Row> keyed(Dataset<Row> rows) {
        // What names nobody must not come together in one place: it may be half of the source.
        return rows.withColumn("candidate", coalesce(col("candidate"), lit(false)))
                .withColumn("asked", coalesce(col("asked"), lit(false)))
                .select(
                        when(col("reason").isNull(), State.key(col("id")))
                                .otherwise(coalesce(REJECTED_KEY.apply(col("id")), monotonically_increasing_id()))
                                .as(KEY),
                        col("cluster"),
                        col("id"),
                        when(
                                        not(col("candidate")
                                                .and(not(col("asked")))
                                                .and(col("rank").isNull())
                                                .and(col("reason").isNull())),
                                        struct(col("candidate"), col("asked"), col("rank"), col("reason")))
                                .as("more"));
    }

    private static @Nullable Long keyOfRejected(@Nullable String id) {
        String plain = id == null ? "" : IdRules.stripped(id);
        return plain.isEmpty() || IdRules.isPlaceholder(plain) ? null : IdKey.of(plain);
    }

    /** Out of the four columns; outlives {@code row}. */
    static Sighting of(InternalRow row) {
        if (row.isNullAt(3)) {
            return new Sighting(row.getLong(0), text(row, 1), text(row, ID), Found.CANDIDATE, Double.NaN, null);
        }
        InternalRow more = row.getStruct(3, 4);
        return new Sighting(
                row.getLong(0),
                text(row, 1),
                text(row, ID),
                (more.getBoolean(0) ? Found.CANDIDATE : 0) | (more.getBoolean(1) ? Found.ASKED : 0),
                more.isNullAt(2) ? Double.NaN : more.getDouble(2),
                text(more, 3));
    }

    /** Only the user of a row; outlives it. */
    static @Nullable UTF8String idOf(InternalRow row) {
        return text(row, ID);
    }

    private static @Nullable UTF8String text(InternalRow row, int column) {
        return row.isNullAt(column) ? null : row.getUTF8String(column).clone();
    }
}
