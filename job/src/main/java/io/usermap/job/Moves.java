package io.usermap.job;

import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.count;
import static org.apache.spark.sql.functions.count_distinct;
import static org.apache.spark.sql.functions.lit;

import java.util.function.UnaryOperator;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;

/**
 * What the changes of a plan mean for persons: how many are joined, how many taken apart.
 *
 * <p>A person is a centre and whoever points at it. Only users who leave a centre tell of either, so a plan of new users
 * costs nothing here; otherwise the state is read once, for the centres in question.
 *
 * @param merged clusters in which users of several persons come together
 * @param split persons whose users come to stand in several places
 */
record Moves(long merged, long split) {
    static final Moves NONE = new Moves(0, 0);

    /**
     * Counts; blocks.
     *
     * @param changes in the columns of a saved plan
     * @param membersOf gives {@code target, members} for {@code target}: how many users were mapped to each before the plan
     * @param centresAreUsers whether a centre that nobody maps is a user who stays behind, as in clusters, or a name only,
     *     as in pairs
     */
    static Moves of(Dataset<Row> changes, UnaryOperator<Dataset<Row>> membersOf, boolean centresAreUsers) {
        Column leaves =
                col("previous_global_user_id").isNotNull().and(col("cluster").isNotNull());
        Dataset<Row> left = changes.filter(leaves)
                .select(
                        col("previous_global_user_id").as("person"),
                        col("cluster"),
                        col("global_user_id").as("centre"))
                .persist();
        try {
            if (left.isEmpty()) {
                return NONE;
            }
            Dataset<Row> leaving = left.groupBy("person").agg(count(lit(1)).as("leaving"));
            Dataset<Row> centres = left.filter(col("centre").isNotNull())
                    .select(col("cluster"), col("centre").as("person"))
                    .distinct();
            Dataset<Row> members = membersOf
                    .apply(leaving.select("person")
                            .unionByName(centres.select("person"))
                            .distinct()
                            .withColumnRenamed("person", "target"))
                    .withColumnRenamed("target", "person")
                    .persist();
            try {
                return new Moves(
                        merged(left, centres, members), split(left, changes, leaving, members, centresAreUsers));
            } finally {
                members.unpersist();
            }
        } finally {
            left.unpersist();
        }
    }

    private static long merged(Dataset<Row> left, Dataset<Row> centres, Dataset<Row> members) {
        Dataset<Row> inForce = centres.join(members, new String[] {"person"}, "left_semi");
        return left.select("cluster", "person")
                .unionByName(inForce)
                .groupBy("cluster")
                .agg(count_distinct(col("person")).as("persons"))
                .filter(col("persons").gt(1))
                .count();
    }

    private static long split(
            Dataset<Row> left,
            Dataset<Row> changes,
            Dataset<Row> leaving,
            Dataset<Row> members,
            boolean centresAreUsers) {
        Dataset<Row> centresToo = changes.filter(col("op").equalTo("map"))
                .select(col("user_id").as("person"), col("cluster"))
                .join(leaving, new String[] {"person"}, "left_semi");
        Dataset<Row> behind = leaving.join(centresToo, new String[] {"person"}, "left_anti")
                .join(members, new String[] {"person"})
                .filter(lit(centresAreUsers).or(col("members").gt(col("leaving"))))
                .select(col("person"), lit("").as("cluster"));
        return left.select("person", "cluster")
                .unionByName(centresToo)
                .unionByName(behind)
                .groupBy("person")
                .agg(count_distinct(col("cluster")).as("places"))
                .filter(col("places").gt(1))
                .count();
    }
}
