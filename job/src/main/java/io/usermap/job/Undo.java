package io.usermap.job;

import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.lit;
import static org.apache.spark.sql.functions.when;

import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;

/**
 * The changes that reverse a run: what was acknowledged of it, back to what was in force before.
 *
 * <p>Left alone are users who have moved since the run, and those whose return would make a chain with what later runs have
 * built: somebody points at them now, or what they pointed at points elsewhere. Leaving one alone may make a chain of
 * another's return, so the search goes on until it finds none.
 *
 * @param rows the changes in the columns of a saved plan
 * @param acknowledged changes of the run that the service acknowledged
 * @param moved of these, users who have moved since
 * @param chained of these, users whose return would make a chain
 */
record Undo(Dataset<Row> rows, long acknowledged, long moved, long chained) {

    /**
     * Works the changes out; blocks until they are counted.
     *
     * @param plan the run's rows, in the columns of a saved plan
     * @param acknowledged {@code user_id, global_user_id} of the run's receipts
     * @param state {@code user_id, global_user_id} now
     */
    static Undo of(Dataset<Row> plan, Dataset<Row> acknowledged, Dataset<Row> state) {
        Dataset<Row> sent = plan.filter(Planning.sent())
                .select(col("user_id"), col("previous_global_user_id").as("before"), col("cluster"))
                .join(acknowledged.select(col("user_id"), col("global_user_id").as("after")), new String[] {"user_id"})
                .localCheckpoint();
        Dataset<Row> known =
                mapped(state).select(col("user_id"), col("global_user_id").as("now"));
        Dataset<Row> back = sent.join(known, new String[] {"user_id"}, "left")
                .filter(col("now").eqNullSafe(col("after")))
                .drop("now")
                .localCheckpoint();
        long all = sent.count();
        long unmoved = back.count();
        long before;
        long left = unmoved;
        do {
            before = left;
            back = withoutChains(back, state).localCheckpoint();
            left = back.count();
        } while (left < before);
        return new Undo(rows(back), all, all - unmoved, unmoved - left);
    }

    private static Dataset<Row> withoutChains(Dataset<Row> back, Dataset<Row> state) {
        Dataset<Row> returning = back.filter(col("before").isNotNull());
        Dataset<Row> then = mapped(state)
                .join(back.select("user_id"), new String[] {"user_id"}, "left_anti")
                .unionByName(returning.select(col("user_id"), col("before").as("global_user_id")));
        Dataset<Row> pointedAt = then.select(col("global_user_id").as("user_id"));
        Dataset<Row> pointing = then.select(col("user_id").as("before"));
        return back.filter(col("before").isNull())
                .unionByName(returning
                        .join(pointedAt, new String[] {"user_id"}, "left_anti")
                        .join(pointing, new String[] {"before"}, "left_anti")
                        .select("user_id", "before", "cluster", "after"));
    }

    private static Dataset<Row> mapped(Dataset<Row> state) {
        return state.filter(col("global_user_id").isNotNull());
    }

    private static Dataset<Row> rows(Dataset<Row> back) {
        Column op = when(col("before").isNull(), "unmap")
                .when(col("after").isNull(), "map")
                .otherwise("remap");
        return back.filter(col("before").eqNullSafe(col("after")).equalTo(false))
                .select(
                        op.as("op"),
                        col("user_id"),
                        col("before").as("global_user_id"),
                        col("after").as("previous_global_user_id"),
                        lit("undo").as("reason"),
                        col("cluster"));
    }
}
