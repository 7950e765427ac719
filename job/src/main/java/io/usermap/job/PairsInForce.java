package io.usermap.job;

import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.lit;

import java.util.List;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;

/**
 * What is in force already and belongs to wishes that do not name it. Wishes are {@code user_id, target, unmap}.
 *
 * @param spark the session
 * @param lookup finds users in the state
 * @param small so many users are looked up; the state is read whole for more
 */
record PairsInForce(SparkSession spark, StateLookup lookup, int small) {

    /**
     * A feed does not name what stays: where its targets are mapped themselves, that is part of a chain to flatten. And of
     * users that came to the table and left it again before we mapped them, there is nothing to unmap.
     */
    Dataset<Row> besideFeed(Dataset<Row> wishes, PairRows pairs) {
        Dataset<Row> own = withoutUnmapsOfStrangers(wishes, pairs);
        Dataset<Row> targets = own.filter(col("target").isNotNull())
                .select(col("target").as("user_id"))
                .distinct()
                .join(own.select("user_id"), new String[] {"user_id"}, "left_anti");
        return own.unionByName(inForce(targets));
    }

    /** Whoever is named in rejected rows only stays where it is, so whoever is to be mapped to it goes there too. */
    Dataset<Row> besideTable(Dataset<Row> wishes, PairRows pairs) {
        Dataset<Row> users = atHand(pairs.rejectedUsers());
        if (users.isEmpty()) {
            return wishes;
        }
        Dataset<Row> targets = wishes.select(col("target").as("user_id"))
                .join(users, new String[] {"user_id"})
                .distinct()
                .join(
                        wishes.select("user_id").join(users, new String[] {"user_id"}),
                        new String[] {"user_id"},
                        "left_anti");
        return wishes.unionByName(inForce(targets));
    }

    private Dataset<Row> withoutUnmapsOfStrangers(Dataset<Row> wishes, PairRows pairs) {
        Dataset<Row> deleted = atHand(pairs.deletedUsers());
        if (deleted.isEmpty()) {
            return wishes;
        }
        Dataset<Row> known = lookup.rows(deleted, small).select("user_id");
        Dataset<Row> strangers = atHand(deleted.join(known, new String[] {"user_id"}, "left_anti"));
        return strangers.isEmpty()
                ? wishes
                : wishes.join(strangers.withColumn("stranger", lit(true)), new String[] {"user_id"}, "left")
                        .select(
                                col("user_id"),
                                col("target"),
                                col("unmap").and(col("stranger").isNull()).as("unmap"));
    }

    /** The same users, worked out if they are few. */
    private Dataset<Row> atHand(Dataset<Row> users) {
        List<Row> first = users.limit(small + 1).collectAsList();
        return first.size() > small ? users : spark.createDataFrame(first, users.schema());
    }

    /** What is acknowledged of {@code users}, as wishes. */
    private Dataset<Row> inForce(Dataset<Row> users) {
        return lookup.rows(users, small)
                .filter(col("global_user_id").isNotNull())
                .select(
                        col("user_id"),
                        col("global_user_id").as("target"),
                        lit(false).as("unmap"));
    }
}
