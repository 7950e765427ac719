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
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/**
 * Senzing's truth set as it grows, three runs of one resolver. The data is public and not copied into the project: it is
 * read from {@code ../shared/data} beside the checkout, where that folder exists.
 */
class TruthSetIT {
    @RegisterExtension
    static final LocalSpark LOCAL = new LocalSpark();

    @TempDir
    private static Path folder;

    private static final Path DATA = Checkout.root().resolveSibling("shared").resolve("data");
    private static final Shape SHAPE = new Shape.Clusters("CLUSTER_ID", "id");

    private Dataset<Row> load(int number, String cluster) {
        return LOCAL.spark()
                .read()
                .option("header", "true")
                .csv(DATA.resolve("truthset-load" + number + "-key.csv").toString())
                .selectExpr(cluster + " AS CLUSTER_ID", "concat(DATA_SOURCE, '-', RECORD_ID) AS id");
    }

    private long apply(Dataset<Row> source, StateOnDisk ledger) {
        try (Planner planner = ledger.planner(source, SHAPE, new IdRules(5), Mode.MIRROR)) {
            Dataset<Row> changes =
                    planner.plan().select("user_id", "global_user_id").localCheckpoint();
            ledger.with(changes);
            return changes.count();
        }
    }

    @Test
    void costsFewWritesAsItGrowsAndNoneWhenClustersAreOnlyRenumbered() {
        assumeThat(Files.isDirectory(DATA))
                .as("no public data at " + DATA + ", nothing to test with")
                .isTrue();
        StateOnDisk ledger = new StateOnDisk(LOCAL.spark(), folder);

        long first = apply(load(1, "CLUSTER_ID"), ledger);
        long second = apply(load(2, "CLUSTER_ID"), ledger);
        long third = apply(load(3, "CLUSTER_ID"), ledger);
        long renumbered = apply(load(3, "sha2(concat('another run', CLUSTER_ID), 256)"), ledger);

        assertThat(List.of(first, second, third, renumbered)).containsExactly(48L, 9L, 17L, 0L);
    }
}
