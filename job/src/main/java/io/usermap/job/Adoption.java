package io.usermap.job;

import static org.apache.spark.sql.functions.any_value;
import static org.apache.spark.sql.functions.coalesce;
import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.countDistinct;
import static org.apache.spark.sql.functions.explode;
import static org.apache.spark.sql.functions.lit;
import static org.apache.spark.sql.functions.size;
import static org.apache.spark.sql.functions.when;

import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;

/**
 * What the service holds, brought into the state: the way to begin with an organisation that has mappings already.
 *
 * <p>The service cannot list its mappings, so ids come from the source and the state. Whoever is mapped to one of them is
 * learnt too, for a change of that one concerns it. A state holds one target per user: users with several are left out.
 *
 * @param changes {@code user_id, global_user_id} where the state knows something else, every user once
 * @param leftOut users with several targets
 */
record Adoption(Dataset<Row> changes, long leftOut) {

    /** All ids of the source that may stand in a mapping, and what is known of users. */
    static Dataset<Row> expected(Dataset<Row> checked, Shape shape, Dataset<Row> known) {
        Dataset<Row> rows = checked.filter(col("reason").isNull());
        Dataset<Row> ids = rows.select("user_id");
        if (shape instanceof Shape.Pairs) {
            // Of other shapes the target is the name of a cluster.
            ids = ids.unionByName(rows.select(col("target").as("user_id")));
        }
        return known.unionByName(ids.filter(col("user_id").isNotNull())
                .distinct()
                .join(known.select("user_id"), new String[] {"user_id"}, "left_anti")
                .withColumn("global_user_id", lit(null).cast("string")));
    }

    /**
     * Compares findings with what is known; counts once.
     *
     * @param findings as {@link Verification#findings} gives them
     * @param known {@code user_id, global_user_id}
     */
    static Adoption of(Dataset<Row> findings, Dataset<Row> known) {
        Dataset<Row> told = findings.filter(col("mapped_to").isNotNull());
        Dataset<Row> own = told.filter(col("finding")
                        .notEqual(Verification.AGREED)
                        .and(size(Verification.targets()).leq(1)))
                .select(col("user_id"), Verification.first().as("global_user_id"));
        Dataset<Row> others = told.select(
                        explode(col("mapped_from.user_id")).as("follower"),
                        col("user_id").as("target"))
                .groupBy(col("follower").as("user_id"))
                .agg(
                        any_value(col("target")).as("global_user_id"),
                        countDistinct(col("target")).as("targets"))
                .join(findings.select("user_id"), new String[] {"user_id"}, "left_anti")
                .join(known.withColumnRenamed("global_user_id", "now"), new String[] {"user_id"}, "left")
                .filter(col("now").eqNullSafe(col("global_user_id")).equalTo(false));
        Dataset<Row> learnt = others.filter(col("targets").equalTo(1)).select("user_id", "global_user_id");
        long several = told.filter(size(Verification.targets()).gt(1)).count()
                + others.filter(col("targets").gt(1)).count();
        return new Adoption(own.unionByName(learnt), several);
    }

    /** The rows of a plan that bring the service back to what should be, from findings. */
    static Dataset<Row> repair(SparkSession spark, LedgerRun run) {
        return Verification.findings(spark, run)
                .filter(col("finding").isin(Verification.MISSING, Verification.DIFFERENT))
                .select(
                        when(col("global_user_id").isNull(), "unmap")
                                .when(size(Verification.targets()).equalTo(0), "map")
                                .otherwise("remap")
                                .as("op"),
                        col("user_id"),
                        col("global_user_id"),
                        Verification.first().as("previous_global_user_id"),
                        lit("repair").as("reason"),
                        coalesce(col("global_user_id"), Verification.first()).as("cluster"));
    }
}
