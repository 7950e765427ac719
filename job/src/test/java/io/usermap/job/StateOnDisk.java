package io.usermap.job;

import io.usermap.client.IdRules;
import io.usermap.job.Keys.Mode;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;
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

    /** Who is mapped where, by the newest version. */
    Map<String, String> acknowledged() {
        Map<String, String> mapped = new TreeMap<>();
        state.rows(state.current()).collectAsList().stream()
                .filter(row -> !row.isNullAt(1))
                .forEach(row -> mapped.put(row.getString(0), row.getString(1)));
        return mapped;
    }

    Planner planner(Dataset<Row> source, Shape shape, IdRules rules, Mode mode) {
        return planner(source, shape, rules, mode, Planner.Limits.USUAL);
    }

    Planner planner(Dataset<Row> source, Shape shape, IdRules rules, Mode mode, Planner.Limits limits) {
        return new Planner.Making(spark, state, state.current(), mode, limits)
                .planner(CheckedRows.of(source, shape, rules), shape);
    }
}
