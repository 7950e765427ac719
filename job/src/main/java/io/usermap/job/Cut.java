package io.usermap.job;

import static org.apache.spark.sql.functions.broadcast;
import static org.apache.spark.sql.functions.coalesce;
import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.concat;
import static org.apache.spark.sql.functions.count;
import static org.apache.spark.sql.functions.lit;
import static org.apache.spark.sql.functions.min;
import static org.apache.spark.sql.functions.row_number;
import static org.apache.spark.sql.functions.sum;
import static org.apache.spark.sql.functions.when;

import java.util.List;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.expressions.Window;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;

/**
 * The changes of a plan that fit into a budget, chosen so that what is in force afterwards has no chain.
 *
 * <h2>Why does no chain arise?</h2>
 *
 * <p>Before the run and after the whole plan every user points straight at a centre. Half of a plan makes a chain a to b, b
 * to c in two ways only. Either b becomes the centre of a while its own mapping is still in force: but its unmap is in the
 * same cluster, which is taken whole, or in part with its unmaps first. Or b, a centre so far, is mapped while a still
 * points at it: all such a move in this plan too, as remap or unmap, in whatever cluster. Within a cluster that is taken in
 * part, maps come last. Across clusters the map of b is held back while any of them is: it is new, so nobody else waits for
 * it, and b stays the centre that it was. Example: {a, x to b} is now {x}, {a, b, c} with c in force: b is mapped to c in
 * the run that has moved a and x.
 */
final class Cut {
    private static final StructType QUOTA = new StructType()
            .add("value", DataTypes.IntegerType)
            .add("size", DataTypes.LongType)
            .add("taken", DataTypes.LongType)
            .add("partial", DataTypes.BooleanType);

    private Cut() {}

    /**
     * What of {@code changes} fits; blocks for the counts that decide it.
     *
     * @param changes map, remap and unmap rows in the columns of a saved plan, every user once
     * @param writesPerRemap 2 if a remap is an unmap and a map
     */
    static Dataset<Row> fitting(Dataset<Row> changes, Budget budget, int writesPerRemap) {
        Column step = when(col("op").equalTo("unmap"), 0)
                .when(col("op").equalTo("remap"), 1)
                .otherwise(2);
        Dataset<Row> priced = changes.withColumn(
                        "unit", coalesce(concat(lit("cluster "), col("cluster")), concat(lit("user "), col("user_id"))))
                .withColumn("step", step)
                .withColumn(
                        "writes",
                        when(col("op").equalTo("remap"), writesPerRemap).otherwise(1));
        Dataset<Row> units = priced.groupBy("unit")
                .agg(min("step").as("value"), sum("writes").as("size"))
                .persist();
        try {
            List<Budget.Group> groups = units.groupBy("value", "size").agg(count(lit(1))).collectAsList().stream()
                    .map(row -> new Budget.Group(row.getInt(0), row.getLong(1), row.getLong(2)))
                    .toList();
            Budget.Division division = budget.divide(groups);
            Dataset<Row> whole = priced.join(whole(units, division), new String[] {"unit"}, "left_semi");
            Dataset<Row> taken = division.part()
                    .map(part -> whole.unionByName(beginning(priced, units, part, budget)))
                    .orElse(whole)
                    .drop("unit", "step", "writes")
                    .localCheckpoint();
            return withoutCentresInUse(changes, taken);
        } finally {
            units.unpersist();
        }
    }

    /** The units that are taken whole; of a group that does not fit as a whole, the first ones by name. */
    private static Dataset<Row> whole(Dataset<Row> units, Budget.Division division) {
        List<Row> rows = division.quotas().stream()
                .map(quota -> RowFactory.create(
                        quota.group().value(),
                        quota.group().size(),
                        quota.taken(),
                        quota.taken() < quota.group().clusters()))
                .toList();
        Dataset<Row> quotas = units.sparkSession().createDataFrame(rows, QUOTA);
        Dataset<Row> chosen = units.join(broadcast(quotas), new String[] {"value", "size"});
        Dataset<Row> first = chosen.filter(col("partial"))
                .withColumn(
                        "place",
                        row_number().over(Window.partitionBy("value", "size").orderBy("unit")))
                .filter(col("place").leq(col("taken")));
        return chosen.filter(col("partial").equalTo(false)).select("unit").unionByName(first.select("unit"));
    }

    /** The first changes of the first unit that is larger than the budget: unmaps, then remaps, then maps. */
    private static Dataset<Row> beginning(Dataset<Row> priced, Dataset<Row> units, Budget.Part part, Budget budget) {
        Dataset<Row> unit = units.filter(
                        col("value").equalTo(part.value()).and(col("size").gt(budget.writes())))
                .orderBy("unit")
                .limit(1);
        Column sent = sum("writes").over(Window.partitionBy("unit").orderBy("step", "user_id"));
        return priced.join(broadcast(unit.select("unit")), new String[] {"unit"}, "left_semi")
                .withColumn("sent", sent)
                .filter(col("sent").leq(part.writes()))
                .drop("sent");
    }

    private static Dataset<Row> withoutCentresInUse(Dataset<Row> changes, Dataset<Row> taken) {
        Dataset<Row> inUse = changes.filter(col("previous_global_user_id").isNotNull())
                .join(taken.select("user_id"), new String[] {"user_id"}, "left_anti")
                .select(col("previous_global_user_id").as("user_id"));
        Column map = col("op").equalTo("map");
        return taken.filter(map.equalTo(false))
                .unionByName(taken.filter(map).join(inUse, new String[] {"user_id"}, "left_anti"));
    }
}
