package io.usermap.job;

import static org.apache.spark.sql.functions.coalesce;
import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.count;
import static org.apache.spark.sql.functions.lit;
import static org.apache.spark.sql.functions.max;
import static org.apache.spark.sql.functions.sum;
import static org.apache.spark.sql.functions.when;

import io.usermap.job.Keys.Mode;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;

/**
 * The changes between what is acknowledged and what the source wants: stars, in which every user points straight at its
 * centre and no centre points anywhere.
 *
 * <p>Users that are in the state and not among the wanted ones keep out of the way: under {@code upsert}, and where the
 * source names them in a row that was rejected, they are left alone, unless their target has become a member of a cluster;
 * then they follow it to its centre, so that no chain arises. Under {@code mirror} the others are unmapped.
 *
 * <p>A state row without a target is an unmap that was acknowledged: an unmap that the source asks for is sent once.
 */
final class Planner implements AutoCloseable {
    private static final List<String> OPS = List.of("map", "remap", "unmap", "unchanged");

    private final SourceRows rows;
    private final Shape shape;
    private final Dataset<Row> decided;
    private final List<Dataset<Row>> kept;
    private final Map<String, Long> byOp = new TreeMap<>();
    private final long largestCluster;

    private Planner(SourceRows rows, Shape shape, Dataset<Row> decided, List<Dataset<Row>> kept) {
        this.rows = rows;
        this.shape = shape;
        this.decided = decided;
        this.kept = kept;
        // In one pass: users of each op, and of the largest cluster; whoever vanished is in none.
        List<Column> perCluster = new ArrayList<>();
        OPS.forEach(op -> perCluster.add(
                sum(when(col("op").equalTo(op), 1L).otherwise(0L)).as(op)));
        List<Column> inAll = new ArrayList<>();
        OPS.forEach(op -> inAll.add(coalesce(sum(op), lit(0L)).as(op)));
        Column size = when(col("cluster").isNotNull(), col("users"));
        Row counts = this.decided
                .groupBy("cluster")
                .agg(count(lit(1)).as("users"), perCluster.toArray(Column[]::new))
                .agg(coalesce(max(size), lit(0L)), inAll.toArray(Column[]::new))
                .first();
        this.largestCluster = counts.getLong(0);
        OPS.forEach(op -> byOp.put(op, counts.getLong(1 + OPS.indexOf(op))));
    }

    /**
     * Works the changes out; blocks until they are counted.
     *
     * @param rows the source's rows; stays open
     * @param state {@code user_id, global_user_id}, every user once
     */
    static Planner of(SourceRows rows, Shape shape, Dataset<Row> state, Mode mode) {
        // Each is used by several of the steps that follow; kept, it is worked out once, and plans stay small.
        List<Dataset<Row>> kept = new ArrayList<>();
        Dataset<Row> members = keep(members(rows, shape), kept);
        Dataset<Row> decided = keep(decided(members, rows, state, mode, kept), kept);
        return new Planner(rows, shape, decided, kept);
    }

    private static Dataset<Row> keep(Dataset<Row> frame, List<Dataset<Row>> kept) {
        Dataset<Row> persisted = frame.persist();
        kept.add(persisted);
        return persisted;
    }

    private static Dataset<Row> members(SourceRows rows, Shape shape) {
        if (shape instanceof Shape.Pairs) {
            return Pairs.members(rows.wishes());
        }
        return rows.wishes()
                .select(
                        col("target").as("cluster"),
                        col("user_id").as("id"),
                        lit(true).as("candidate"),
                        lit(false).as("asked"));
    }

    private static Dataset<Row> decided(
            Dataset<Row> members, SourceRows rows, Dataset<Row> state, Mode mode, List<Dataset<Row>> kept) {
        Dataset<Row> known = state.select(
                col("user_id").as("id"),
                col("global_user_id").as("present"),
                lit(true).as("known"));
        Dataset<Row> wanted = members.join(known, new String[] {"id"}, "left")
                .select(
                        col("cluster"),
                        col("id"),
                        col("candidate"),
                        col("asked"),
                        col("present"),
                        col("known"),
                        lit(false).as("follows"));
        Dataset<Row> absent =
                known.filter(col("present").isNotNull()).join(members.select("id"), new String[] {"id"}, "left_anti");
        Dataset<Row> named = rows.rejects()
                .filter(col("user_id").isNotNull())
                .select(col("user_id").as("id"))
                .distinct();
        Dataset<Row> staying = mode == Mode.UPSERT ? absent : absent.join(named, new String[] {"id"}, "left_semi");
        Dataset<Row> followers = staying.join(
                        members.select(col("cluster"), col("id").as("present")), new String[] {"present"})
                .select(
                        col("cluster"),
                        col("id"),
                        lit(false).as("candidate"),
                        lit(false).as("asked"),
                        col("present"),
                        col("known"),
                        lit(true).as("follows"));
        Dataset<Row> all = keep(wanted.unionByName(followers), kept);
        Dataset<Row> decided = all.join(Election.centres(all), new String[] {"cluster"})
                .select(
                        op().as("op"),
                        col("id").as("user_id"),
                        when(col("id").notEqual(col("centre")), col("centre")).as("global_user_id"),
                        col("present").as("previous_global_user_id"),
                        reason().as("reason"),
                        col("cluster"));
        if (mode == Mode.UPSERT) {
            return decided;
        }
        Dataset<Row> gone = absent.join(named, new String[] {"id"}, "left_anti");
        return decided.unionByName(gone.select(
                lit("unmap").as("op"),
                col("id").as("user_id"),
                lit(null).cast("string").as("global_user_id"),
                col("present").as("previous_global_user_id"),
                lit("vanished").as("reason"),
                lit(null).cast("string").as("cluster")));
    }

    private static Column op() {
        Column isCentre = col("id").equalTo(col("centre"));
        return when(isCentre.and(col("present").isNotNull()), "unmap")
                .when(isCentre.and(col("asked")).and(col("known").isNull()), "unmap")
                .when(isCentre.and(col("asked")), "unchanged")
                .when(isCentre, "centre")
                .when(col("present").isNull(), "map")
                .when(col("present").equalTo(col("centre")), "unchanged")
                .otherwise("remap");
    }

    private static Column reason() {
        return when(col("asked"), "asked")
                .when(col("follows"), "follows")
                .when(col("id").equalTo(col("centre")), "centre")
                .when(col("present").isNull(), "new")
                .otherwise("moved");
    }

    /** The rows of the plan: changes and rejected rows, in the columns of a saved plan. */
    Dataset<Row> plan() {
        boolean clusters = shape instanceof Shape.Clusters;
        Column none = lit(null).cast("string");
        Dataset<Row> rejects = rows.rejects()
                .select(
                        lit("reject").as("op"),
                        col("user_id"),
                        (clusters ? none : col("target")).as("global_user_id"),
                        none.as("previous_global_user_id"),
                        col("reason"),
                        (clusters ? col("target") : none).as("cluster"));
        return decided.filter(col("op").isin("map", "remap", "unmap")).unionByName(rejects);
    }

    /** How many users get {@code op}: map, remap, unmap, or unchanged. */
    long users(String op) {
        return byOp.getOrDefault(op, 0L);
    }

    /** Users of the largest cluster, its centre included. */
    long largestCluster() {
        return largestCluster;
    }

    @Override
    public void close() {
        kept.forEach(Dataset::unpersist);
    }
}
