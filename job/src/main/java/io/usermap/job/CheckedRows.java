package io.usermap.job;

import static org.apache.spark.sql.functions.coalesce;
import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.lit;
import static org.apache.spark.sql.functions.lower;
import static org.apache.spark.sql.functions.trim;
import static org.apache.spark.sql.functions.udf;
import static org.apache.spark.sql.functions.when;

import io.usermap.client.IdRules;
import io.usermap.client.RejectReason;
import java.util.Optional;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.api.java.UDF3;
import org.apache.spark.sql.expressions.UserDefinedFunction;
import org.apache.spark.sql.types.DataTypes;

/** The rows of a source in one form, whatever its shape, each with the reason why it cannot be right, if there is one. */
final class CheckedRows {
    /** The reason of rows whose unmap column holds neither true nor false. */
    static final String UNREADABLE_UNMAP = "unreadable_unmap";

    private CheckedRows() {}

    /**
     * {@code user_id, target, unmap, reason}, one row for each of the source's; nothing is read yet.
     *
     * <p>{@code target} is the global user for pairs and the cluster for clusters; {@code reason} is null for a row that
     * can be right.
     */
    static Dataset<Row> of(Dataset<Row> source, Shape shape, IdRules rules) {
        Column user;
        Column target;
        Column unmap = lit(false);
        Column unreadable = lit(false);
        UserDefinedFunction problem;
        if (shape instanceof Shape.Pairs pairs) {
            user = text(pairs.userId());
            target = text(pairs.globalUserId());
            problem = udf(
                    (UDF3<String, String, Boolean, String>)
                            (id, global, asked) -> code(problemOfPair(rules, id, global, asked)),
                    DataTypes.StringType);
            if (pairs.unmap().isPresent()) {
                Column word = lower(trim(text(pairs.unmap().get())));
                unmap = coalesce(word.equalTo("true"), lit(false));
                unreadable = coalesce(word.isin("true", "false", "").equalTo(false), lit(false));
            }
        } else {
            Shape.Clusters clusters = (Shape.Clusters) shape;
            user = text(clusters.id());
            target = text(clusters.cluster());
            problem = udf(
                    (UDF3<String, String, Boolean, String>) (id, cluster, asked) ->
                            code(cluster == null ? Optional.of(RejectReason.MISSING_ID) : rules.problemOfId(id)),
                    DataTypes.StringType);
        }
        return source.select(user.as("user_id"), target.as("target"), unmap.as("unmap"), unreadable.as("unreadable"))
                .withColumn(
                        "reason",
                        when(col("unreadable"), lit(UNREADABLE_UNMAP))
                                .otherwise(problem.apply(col("user_id"), col("target"), col("unmap"))))
                .withColumn("rank", lit(null).cast("double"))
                .drop("unreadable");
    }

    private static Optional<RejectReason> problemOfPair(IdRules rules, String id, String global, boolean unmap) {
        return rules.problemOfRow(id, global, unmap).filter(reason -> reason != RejectReason.SELF_MAP);
    }

    @SuppressWarnings("NullAway") // Spark's word for "no reason" is null
    private static String code(Optional<RejectReason> reason) {
        return reason.map(RejectReason::code).orElse(null);
    }

    private static Column text(String column) {
        return col("`" + column.replace("`", "``") + "`").cast(DataTypes.StringType);
    }
}
