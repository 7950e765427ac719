package io.usermap.job;

import static org.apache.spark.sql.functions.array;
import static org.apache.spark.sql.functions.coalesce;
import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.explode;
import static org.apache.spark.sql.functions.expr;
import static org.apache.spark.sql.functions.isnan;
import static org.apache.spark.sql.functions.lit;
import static org.apache.spark.sql.functions.min;
import static org.apache.spark.sql.functions.struct;
import static org.apache.spark.sql.functions.udf;
import static org.apache.spark.sql.functions.when;

import io.usermap.client.IdRules;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.api.java.UDF1;
import org.apache.spark.sql.types.DataTypes;

/**
 * Edges as rows of clusters: those that count are put together, the others told with their reason.
 *
 * <p>An edge below the threshold is left out; one with an id that cannot be right is rejected, in the name of the end that
 * can be right if there is one, and one whose score cannot be read in the name of both, so that nobody is taken for
 * vanished.
 */
final class Edges {
    private Edges() {}

    /** As {@link CheckedRows#of}; reads the source once and blocks until the clusters are known. */
    static Dataset<Row> checked(Dataset<Row> source, Shape.Edges edges, IdRules rules) {
        // Kept, so that edges that count and edges that do not are told from one and the same reading.
        Dataset<Row> rows = rows(source, edges, rules).localCheckpoint();
        Dataset<Row> counting = rows.filter(col("reason").isNull());
        Dataset<Row> members = Components.of(counting.select("left", "right"))
                .select(col("id").as("user_id"), col("component").as("target"));
        Column none = lit(null).cast(DataTypes.DoubleType);
        Dataset<Row> ranked = edges.sources().isEmpty()
                ? members.withColumn("rank", none)
                : members.join(ranks(counting), new String[] {"user_id"}, "left");
        Column rightStands =
                col("left_problem").isNotNull().and(col("right_problem").isNull());
        Column leftFirst = struct(col("left").as("user_id"), col("right").as("target"));
        Column rightFirst = struct(col("right").as("user_id"), col("left").as("target"));
        Column told = when(col("reason").equalTo(RowReason.UNREADABLE_SCORE.code()), array(leftFirst, rightFirst))
                .otherwise(array(when(rightStands, rightFirst).otherwise(leftFirst)));
        Dataset<Row> others = rows.filter(col("reason").isNotNull())
                .select(explode(told).as("told"), col("reason"))
                .select(
                        col("told.user_id"),
                        col("told.target"),
                        lit(false).as("unmap"),
                        none.as("rank"),
                        col("reason"));
        return ranked.select(
                        col("user_id"),
                        col("target"),
                        lit(false).as("unmap"),
                        col("rank"),
                        lit(null).cast(DataTypes.StringType).as("reason"))
                .unionByName(others);
    }

    /** {@code left, right, left_rank, right_rank, left_problem, right_problem, reason}, one for each edge. */
    private static Dataset<Row> rows(Dataset<Row> source, Shape.Edges edges, IdRules rules) {
        Column swallowed = CheckedRows.swallowsRows(
                source,
                CheckedRows.text(edges.left().column()),
                CheckedRows.text(edges.right().column()));
        Column ofScore = edges.score()
                .map(score -> {
                    Column value = expr("try_cast(" + exact(source, score.column()) + " AS double)");
                    return when(value.isNull().or(isnan(value)), RowReason.UNREADABLE_SCORE.code())
                            .when(value.lt(score.least()), RowReason.BELOW_MIN_SCORE.code());
                })
                .orElse(lit(null).cast(DataTypes.StringType));
        Column reason = when(swallowed, RowReason.UNCLOSED_QUOTE.code()).otherwise(ofScore);
        return source.select(
                        CheckedRows.id(edges.left()).as("left"),
                        CheckedRows.id(edges.right()).as("right"),
                        Ranks.ofSource(edges.left(), edges.sources()).as("left_rank"),
                        Ranks.ofSource(edges.right(), edges.sources()).as("right_rank"),
                        coalesce(CheckedRows.problemOfParts(edges.left()), problem(CheckedRows.id(edges.left()), rules))
                                .as("left_problem"),
                        coalesce(
                                        CheckedRows.problemOfParts(edges.right()),
                                        problem(CheckedRows.id(edges.right()), rules))
                                .as("right_problem"),
                        reason.as("of_score"))
                .withColumn("reason", coalesce(col("of_score"), col("left_problem"), col("right_problem")))
                .drop("of_score");
    }

    /** A float by its digits: a score of 0.9 would come out as 0.89999998, and miss a threshold of 0.9. */
    private static String exact(Dataset<Row> source, String column) {
        String quoted = CheckedRows.quoted(column);
        boolean isFloat =
                source.select(col(quoted)).schema().fields()[0].dataType().equals(DataTypes.FloatType);
        return isFloat ? "cast(" + quoted + " AS string)" : quoted;
    }

    private static Column problem(Column id, IdRules rules) {
        return udf(
                        (UDF1<byte[], String>) text -> CheckedRows.code(rules.problemOfId(CheckedRows.decoded(text))),
                        DataTypes.StringType)
                .apply(CheckedRows.bytes(id));
    }

    private static Dataset<Row> ranks(Dataset<Row> counting) {
        return counting.select(col("left").as("user_id"), col("left_rank").as("rank"))
                .unionByName(counting.select(
                        col("right").as("user_id"), col("right_rank").as("rank")))
                .groupBy("user_id")
                .agg(min("rank").as("rank"));
    }
}
