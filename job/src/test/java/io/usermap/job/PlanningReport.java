package io.usermap.job;

import io.usermap.client.IdRules;
import io.usermap.job.Keys.Mode;
import java.nio.file.Path;
import java.time.Duration;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PlanningReport {
    @TempDir
    private static Path folder;

    private static final Shape CLUSTERS = new Shape.Clusters("cluster", "id");

    private static SparkSession session() {
        return SparkSession.builder()
                .master("local[2]")
                .config("spark.ui.enabled", "false")
                .config("spark.sql.shuffle.partitions", "64")
                .config("spark.local.dir", folder.resolve("local").toString())
                .getOrCreate();
    }

    private static Duration timed(Runnable work) {
        long start = System.nanoTime();
        work.run();
        return Duration.ofNanos(System.nanoTime() - start);
    }

    private static Dataset<Row> source(SparkSession spark, long acknowledged, boolean changed) {
        long users = acknowledged * 6 / 5;
        String cluster = changed
                ? "CASE WHEN id % 400 = 7 THEN concat('c', cast(floor((id + 6000) / 6) AS string))"
                        + " ELSE concat('c', cast(floor(id / 6) AS string)) END"
                : "concat('c', cast(floor(id / 6) AS string))";
        String from = changed ? "id % 400 <> 11" : "true";
        return spark.range(users).filter(from).selectExpr("md5(cast(id AS string)) AS id", cluster + " AS cluster");
    }

    private void measure(SparkSession spark, long acknowledged) {
        Path data = folder.resolve("data-" + acknowledged);
        source(spark, acknowledged, false).write().parquet(data + "/first");
        source(spark, acknowledged, true).write().parquet(data + "/second");
        StateOnDisk ledger = new StateOnDisk(spark, data);
        Duration first = timed(() -> {
            try (Planner planner =
                    ledger.planner(spark.read().parquet(data + "/first"), CLUSTERS, new IdRules(5), Mode.UPSERT)) {
                planner.plan().write().parquet(data + "/plan-first");
            }
        });
        Duration taken = timed(
                () -> ledger.with(spark.read().parquet(data + "/plan-first").select("user_id", "global_user_id")));
        ledger.state().rows(ledger.state().current()).write().parquet(data + "/state");
        System.out.println("first plan " + first + " take " + taken + " acknowledged "
                + ledger.state().current().acknowledged());
        for (int round = 0; round < 3; round++) {
            String plan = data + "/plan-" + round;
            Duration join = timed(() -> spark.read()
                    .parquet(data + "/second")
                    .withColumnRenamed("id", "user_id")
                    .join(spark.read().parquet(data + "/state"), new String[] {"user_id"}, "full_outer")
                    .write()
                    .format("noop")
                    .mode("overwrite")
                    .save());
            StringBuilder facts = new StringBuilder();
            Duration ours = timed(() -> {
                try (Planner planner =
                        ledger.planner(spark.read().parquet(data + "/second"), CLUSTERS, new IdRules(5), Mode.UPSERT)) {
                    System.out.println("census done " + System.nanoTime() / 1_000_000);
                    planner.plan().write().parquet(plan);
                    System.out.println("plan done " + System.nanoTime() / 1_000_000);
                    facts.append(planner.rows())
                            .append(" rows, map ")
                            .append(planner.users("map"))
                            .append(", remap ")
                            .append(planner.users("remap"))
                            .append(", unmap ")
                            .append(planner.users("unmap"))
                            .append(", unchanged ")
                            .append(planner.users("unchanged"));
                }
            });
            System.out.printf(
                    "%d: join %.1f s, plan %.1f s, ratio %.2f; %s%n",
                    acknowledged,
                    join.toMillis() / 1e3,
                    ours.toMillis() / 1e3,
                    (double) ours.toMillis() / join.toMillis(),
                    facts);
        }
    }

    @Test
    void plansTenMillionsBesideAPlainJoin() {
        try (SparkSession spark = session()) {
            for (String size : System.getProperty("usermap.sizes", "1000000").split(",", -1)) {
                measure(spark, Long.parseLong(size));
            }
        }
    }
}
