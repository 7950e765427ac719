package io.usermap.job;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import io.usermap.client.IdRules;
import io.usermap.job.Keys.Mode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/**
 * Senzing's truth set as it grows, three runs of one resolver. The data is public and not copied into the project: it is
 * read from {@code ../shared/data} beside the checkout, where that folder exists.
 */
class TruthSetIT {
    @RegisterExtension
    static final LocalSpark LOCAL = new LocalSpark();

    private static final Path DATA = Checkout.root().resolveSibling("shared").resolve("data");
    private static final Shape SHAPE = new Shape.Clusters("CLUSTER_ID", "id");

    private Dataset<Row> load(int number, String cluster) {
        return LOCAL.spark()
                .read()
                .option("header", "true")
                .csv(DATA.resolve("truthset-load" + number + "-key.csv").toString())
                .selectExpr(cluster + " AS CLUSTER_ID", "concat(DATA_SOURCE, '-', RECORD_ID) AS id");
    }

    private record Step(long writes, Dataset<Row> state) {}

    private Step apply(Dataset<Row> source, Dataset<Row> state) {
        try (SourceRows rows = SourceRows.of(source, SHAPE, new IdRules(5));
                Planner planner = Planner.of(rows, SHAPE, state, Mode.MIRROR)) {
            Dataset<Row> changes =
                    planner.plan().select("user_id", "global_user_id").localCheckpoint();
            Dataset<Row> after = state.join(changes.select("user_id"), new String[] {"user_id"}, "left_anti")
                    .unionByName(changes)
                    .localCheckpoint();
            return new Step(changes.count(), after);
        }
    }

    @Test
    void costsFewWritesAsItGrowsAndNoneWhenClustersAreOnlyRenumbered() {
        assumeThat(Files.isDirectory(DATA))
                .as("no public data at " + DATA + ", nothing to test with")
                .isTrue();
        Dataset<Row> none = LOCAL.spark()
                .createDataFrame(
                        List.of(),
                        new StructType()
                                .add("user_id", DataTypes.StringType)
                                .add("global_user_id", DataTypes.StringType));

        Step first = apply(load(1, "CLUSTER_ID"), none);
        Step second = apply(load(2, "CLUSTER_ID"), first.state());
        Step third = apply(load(3, "CLUSTER_ID"), second.state());
        Step renumbered = apply(load(3, "sha2(concat('another run', CLUSTER_ID), 256)"), third.state());

        assertThat(List.of(first.writes(), second.writes(), third.writes(), renumbered.writes()))
                .containsExactly(48L, 9L, 17L, 0L);
    }
}
