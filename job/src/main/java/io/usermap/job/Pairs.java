package io.usermap.job;

import static org.apache.spark.sql.functions.coalesce;
import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.least;
import static org.apache.spark.sql.functions.lit;
import static org.apache.spark.sql.functions.max;
import static org.apache.spark.sql.functions.min;
import static org.apache.spark.sql.functions.sum;

import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;

/**
 * Pairs as clusters: chains flattened to their end, cycles cut out for the election.
 *
 * <h2>How is it done, and why?</h2>
 *
 * <p>Every user has one target at most, so the pairs are a forest in which a tree may end in a cycle. Most targets are
 * nobody's user; only rows whose target is itself a user take part in the rounds below, with the rows that those targets
 * stand in. A round replaces each target by its target's target, so that the distance covered doubles: a chain of 100,000
 * ends after 17 rounds. In every round before the last, some row of an ending chain reaches its end; a round in which none
 * does leaves only rows that lead into cycles.
 *
 * <p>Of those, the rounds go on until the targets are as few as in the round before: then jumping permutes them, so they
 * are exactly the users on cycles. The smallest id that a user passes is kept along the way; on a cycle, when it changes
 * no more, it is the smallest of the whole cycle and names it.
 */
final class Pairs {
    private Pairs() {}

    /**
     * The members of each star: {@code cluster, id, candidate, asked}, every id once.
     *
     * <p>Candidates may become the centre: the end of a chain, or the users on a cycle. {@code asked} marks users whose
     * unmap the source asks for. Blocks for the rounds if there are chains.
     *
     * @param wishes {@code user_id, target, unmap}, every user once
     */
    static Dataset<Row> members(Dataset<Row> wishes) {
        Dataset<Row> ends = wishes.filter(col("target").isNull())
                .select(
                        col("user_id").as("cluster"),
                        col("user_id").as("id"),
                        col("unmap").as("asked"));
        Dataset<Row> mapped = wishes.filter(col("target").isNotNull())
                .select(col("user_id").as("id"), col("target").as("to"));
        Dataset<Row> stars = flattened(mapped);
        Dataset<Row> centres = stars.filter(col("cyclic").equalTo(false))
                .select(col("cluster"), col("cluster").as("id"), lit(false).as("asked"))
                .unionByName(ends)
                .groupBy("cluster", "id")
                .agg(max("asked").as("asked"))
                .select(col("cluster"), col("id"), lit(true).as("candidate"), col("asked"));
        return stars.select(
                        col("cluster"), col("id"), col("candidate"), lit(false).as("asked"))
                .unionByName(centres);
    }

    /** {@code id, cluster, candidate, cyclic} of every mapped user. */
    private static Dataset<Row> flattened(Dataset<Row> mapped) {
        Dataset<Row> users = mapped.select(col("id").as("to"));
        Dataset<Row> chained = mapped.join(users, new String[] {"to"}, "left_semi");
        Dataset<Row> plain = mapped.join(users, new String[] {"to"}, "left_anti")
                .select(
                        col("id"),
                        col("to").as("cluster"),
                        lit(false).as("candidate"),
                        lit(false).as("cyclic"));
        if (chained.isEmpty()) {
            return plain;
        }
        Dataset<Row> links = chained.select("id", "to");
        Dataset<Row> lastLinks = mapped.join(
                        links.select(col("to").as("id")).distinct(), new String[] {"id"}, "left_semi")
                .join(links.select("id"), new String[] {"id"}, "left_anti")
                .select(col("id"), col("to"), lit(true).as("ended"));
        Dataset<Row> jumps =
                links.withColumn("ended", lit(false)).unionByName(lastLinks).localCheckpoint();
        long open = open(jumps);
        long before = Long.MAX_VALUE;
        while (open > 0 && open < before) {
            before = open;
            jumps = jumped(jumps);
            open = open(jumps);
        }
        Dataset<Row> ended = jumps.filter(col("ended"))
                .join(links.select("id"), new String[] {"id"}, "left_semi")
                .select(
                        col("id"),
                        col("to").as("cluster"),
                        lit(false).as("candidate"),
                        lit(false).as("cyclic"));
        Dataset<Row> flat = plain.unionByName(ended);
        return open == 0
                ? flat
                : flat.unionByName(cycles(links, jumps.filter(col("ended").equalTo(false))));
    }

    private static long open(Dataset<Row> jumps) {
        return jumps.filter(col("ended").equalTo(false)).count();
    }

    private static Dataset<Row> jumped(Dataset<Row> jumps) {
        Dataset<Row> next = jumps.select(
                col("id").as("over"), col("to").as("further"), col("ended").as("further_ended"));
        return jumps.join(next, col("ended").equalTo(false).and(col("to").equalTo(col("over"))), "left")
                .select(
                        col("id"),
                        coalesce(col("further"), col("to")).as("to"),
                        coalesce(col("further_ended"), col("ended")).as("ended"))
                .localCheckpoint();
    }

    /** The users that lead into cycles, each with the smallest id on its cycle as the cluster. */
    private static Dataset<Row> cycles(Dataset<Row> links, Dataset<Row> endless) {
        Dataset<Row> jumps = links.join(endless.select("id"), new String[] {"id"}, "left_semi")
                .select(col("id"), col("to"), least(col("id"), col("to")).as("smallest"))
                .localCheckpoint();
        Row last;
        Row now = spread(jumps);
        do {
            last = now;
            Dataset<Row> next = jumps.select(
                    col("id").as("over"),
                    col("to").as("further"),
                    col("smallest").as("further_smallest"));
            jumps = jumps.join(next, col("to").equalTo(col("over")))
                    .select(
                            col("id"),
                            col("further").as("to"),
                            least(col("smallest"), col("further_smallest")).as("smallest"))
                    .localCheckpoint();
            now = spread(jumps);
        } while (!now.equals(last));
        Dataset<Row> onCycle = jumps.select(col("to").as("id")).distinct().withColumn("on_cycle", lit(true));
        Dataset<Row> names = jumps.join(onCycle, new String[] {"id"})
                .select(col("id").as("to"), col("smallest").as("cluster"));
        return jumps.join(names, new String[] {"to"})
                .join(onCycle, new String[] {"id"}, "left")
                .select(
                        col("id"),
                        col("cluster"),
                        coalesce(col("on_cycle"), lit(false)).as("candidate"),
                        lit(true).as("cyclic"));
    }

    /** How many different targets there are, and a figure that changes whenever a smallest id does. */
    private static Row spread(Dataset<Row> jumps) {
        return jumps.groupBy("to")
                .agg(min("id").as("any"))
                .selectExpr("count(*) AS targets")
                .crossJoin(jumps.select(
                        sum(org.apache.spark.sql.functions.expr("cast(xxhash64(smallest, id) as decimal(38,0))"))
                                .as("smallest")))
                .first();
    }
}
