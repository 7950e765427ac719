package io.usermap.job;

import io.usermap.client.IdRules;
import io.usermap.job.Keys.Mode;
import java.nio.file.Path;
import java.util.UUID;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;

/** A state of its own in a folder, and plans made for it. */
final class StateOnDisk {
    private final SparkSession spark;
    private final State state;

    StateOnDisk(SparkSession spark, Path folder) {
        this.spark = spark;
        this.state = new State(
                spark,
                LedgerFolder.of(
                        folder.resolve(UUID.randomUUID().toString()).toString(),
                        spark.sparkContext().hadoopConfiguration()));
    }

    State state() {
        return state;
    }

    StateOnDisk with(Dataset<Row> acknowledged) {
        state.take(acknowledged, 0, "run");
        return this;
    }

    Planner planner(Dataset<Row> source, Shape shape, IdRules rules, Mode mode) {
        return planner(source, shape, rules, mode, Planner.TOLD);
    }

    /** A plan in which every task is told of {@code told} absent users at most. */
    Planner planner(Dataset<Row> source, Shape shape, IdRules rules, Mode mode, int told) {
        return new Planner.Making(spark, state, state.current(), mode, told)
                .planner(CheckedRows.of(source, shape, rules), shape);
    }
}
