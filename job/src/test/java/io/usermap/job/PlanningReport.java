package io.usermap.job;

import static org.assertj.core.api.Assertions.assertThat;

import io.usermap.client.IdRules;
import io.usermap.job.Keys.Mode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Measures planning beside Spark's own full outer join of the same two tables, in one process, and writes
 * {@code job/docs/reports/planning.md}. Takes a quarter of an hour, so it runs by its name only; the report tells how.
 */
class PlanningReport {
    private static final Shape CLUSTERS = new Shape.Clusters("cluster", "id");
    private static final Shape PAIRS = new Shape.Pairs("user_id", "global_user_id", Optional.empty());
    private static final IdRules RULES = new IdRules(5);
    private static final int ROUNDS = 3;
    private static final int DELTA = 1_000;

    @TempDir
    private static Path folder;

    private final StringBuilder text = new StringBuilder();

    private void line(String format, Object... values) {
        String line = String.format(Locale.ROOT, format, values);
        System.out.println(line);
        text.append(line).append('\n');
    }

    private static double seconds(Runnable work) {
        long start = System.nanoTime();
        work.run();
        return (System.nanoTime() - start) / 1e9;
    }

    private static long bytes(Path below) {
        try (Stream<Path> files = Files.walk(below)) {
            return files.filter(Files::isRegularFile)
                    .mapToLong(file -> file.toFile().length())
                    .sum();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static SparkSession session() {
        return SparkSession.builder()
                .master("local[2]")
                .config("spark.ui.enabled", "false")
                .config("spark.sql.shuffle.partitions", "64")
                .config("spark.local.dir", folder.resolve("local").toString())
                .getOrCreate();
    }

    /** Clusters of six, of which five are mapped; in the second of two, 0.5 % of the users moved, vanished, or are new. */
    private static Dataset<Row> clusters(SparkSession spark, long acknowledged, boolean second) {
        String cluster = "concat('cluster-', cast(floor(id / 6) AS string))";
        String moved = "concat('cluster-', cast(floor((id + 6000) / 6) AS string))";
        return spark.range(acknowledged * 6 / 5)
                .filter(second ? "id % 400 <> 11" : "id % 400 <> 13")
                .selectExpr(
                        "md5(cast(id AS string)) AS id",
                        second
                                ? "CASE WHEN id % 200 = 7 THEN " + moved + " ELSE " + cluster + " END AS cluster"
                                : cluster + " AS cluster");
    }

    private void plan(
            SparkSession spark, StateOnDisk ledger, String source, Shape shape, String to, StringBuilder told) {
        try (Planner planner = ledger.planner(spark.read().parquet(source), shape, RULES, Mode.UPSERT)) {
            planner.plan().write().parquet(to);
            told.append(String.format(
                    Locale.ROOT,
                    "%,d rows: map %,d, remap %,d, unmap %,d, unchanged %,d",
                    planner.rows(),
                    planner.users("map"),
                    planner.users("remap"),
                    planner.users("unmap"),
                    planner.users("unchanged")));
        }
    }

    private void take(SparkSession spark, StateOnDisk ledger, String plan) {
        ledger.with(spark.read().parquet(plan).select("user_id", "global_user_id"));
    }

    /** One size: the first load, then the same plan several times, each beside the join. */
    private StateOnDisk size(SparkSession spark, long acknowledged) {
        String data = folder.resolve("of-" + acknowledged).toString();
        clusters(spark, acknowledged, false).write().parquet(data + "/first");
        clusters(spark, acknowledged, true).write().parquet(data + "/second");
        StateOnDisk ledger = new StateOnDisk(spark, Path.of(data));
        plan(spark, ledger, data + "/first", CLUSTERS, data + "/plan", new StringBuilder());
        take(spark, ledger, data + "/plan");
        ledger.state().rows(ledger.state().current()).write().parquet(data + "/state");
        List<double[]> rounds = new ArrayList<>();
        String told = "";
        for (int round = 0; round <= ROUNDS; round++) {
            String to = data + "/plan-" + round;
            StringBuilder figures = new StringBuilder();
            double join = seconds(() -> spark.read()
                    .parquet(data + "/second")
                    .withColumnRenamed("id", "user_id")
                    .join(spark.read().parquet(data + "/state"), new String[] {"user_id"}, "full_outer")
                    .write()
                    .format("noop")
                    .mode("overwrite")
                    .save());
            double ours = seconds(() -> plan(spark, ledger, data + "/second", CLUSTERS, to, figures));
            told = figures.toString();
            System.out.printf("round %d: join %.1f, plan %.1f%n", round, join, ours);
            if (round > 0) { // the first one warms both up
                rounds.add(new double[] {join, ours});
            }
        }
        rounds.sort(Comparator.comparingDouble(round -> round[1] / round[0]));
        double[] median = rounds.get(rounds.size() / 2);
        line(
                "| %,d | %.1f s | %.1f s | %.2f (%.2f to %.2f) | %s |",
                ledger.state().current().acknowledged(),
                median[0],
                median[1],
                median[1] / median[0],
                rounds.get(0)[1] / rounds.get(0)[0],
                rounds.get(rounds.size() - 1)[1] / rounds.get(rounds.size() - 1)[0],
                told);
        return ledger;
    }

    /** A thousand changes against a large state. */
    private void delta(SparkSession spark, StateOnDisk ledger, long acknowledged) {
        Path data = folder.resolve("of-" + acknowledged);
        String source = data.resolve("delta").toString();
        spark.range(DELTA)
                .selectExpr(
                        "md5(cast(id * 601 AS string)) AS user_id",
                        "md5(cast(id * 601 + 6001 AS string)) AS global_user_id")
                .write()
                .parquet(source);
        StringBuilder told = new StringBuilder();
        double planned = seconds(() -> plan(spark, ledger, source, PAIRS, data + "/plan-delta", told));
        long before = bytes(data);
        double taken = seconds(() -> take(spark, ledger, data + "/plan-delta"));
        long written = bytes(data) - before;
        line("");
        line(
                "%,d pairs against %,d acknowledged: planned in %.1f s (%s), taken into the state in %.1f s; %,d bytes written, %,d a pair.",
                DELTA, ledger.state().current().acknowledged(), planned, told, taken, written, written / DELTA);
        assertThat(written).as("in proportion to the changes").isLessThan(DELTA * 1_000L);
    }

    private static Map<String, String> naive(Path csv) throws IOException {
        Map<String, String> clusterOf = new HashMap<>();
        List<String> lines = Files.readAllLines(csv);
        for (String row : lines.subList(1, lines.size())) {
            String[] cells = row.replace("\"", "").split(",", -1);
            clusterOf.put(cells[1] + "-" + cells[2], cells[0]);
        }
        return clusterOf;
    }

    /** The writes of a program that maps each id to the name of its cluster. */
    private void truthSet(Path shared) throws IOException {
        List<Long> naive = new ArrayList<>();
        Map<String, String> before = Map.of();
        for (int load = 1; load <= 4; load++) {
            Map<String, String> now = naive(shared.resolve("truthset-load" + Math.min(load, 3) + "-key.csv"));
            if (load == 4) {
                now.replaceAll((id, cluster) -> "renumbered-" + cluster);
            }
            Map<String, String> last = before;
            long moved = now.entrySet().stream()
                    .filter(user -> !user.getValue().equals(last.get(user.getKey())))
                    .count();
            naive.add(moved
                    + last.keySet().stream().filter(id -> !now.containsKey(id)).count());
            before = now;
        }
        line("");
        line(
                "Senzing's truth set, loads 1, 2, 3, and 3 with its clusters renumbered, under `mirror`: 48, 9, 17 and 0 writes, which a");
        line(
                "test holds. A program that maps each id to the name of its cluster writes %s.",
                naive.toString().replaceAll("[\\[\\]]", ""));
    }

    @Test
    void measuresPlanningBesideAPlainJoin() throws IOException {
        long[] sizes = Arrays.stream(System.getProperty("usermap.sizes", "1000000,3000000,10000000")
                        .split(",", -1))
                .mapToLong(Long::parseLong)
                .toArray();
        line("# Planning in figures");
        line("");
        line("Measured by, on a machine that does nothing else:");
        line("");
        line("```bash");
        line("mvn -q -pl job -am verify -Pplanning-report -Dit.test=PlanningReport -Dtest=None \\");
        line("    -Dsurefire.failIfNoSpecifiedTests=false -Dfailsafe.failIfNoSpecifiedTests=false");
        line("```");
        line("");
        line(
                "`local[2]`, a heap of 4 GB, one process. The source has clusters of six users; between two runs 1 %% of the users");
        line(
                "moved, vanished or are new. *Join* is Spark's full outer join of the source and a plain copy of the state; *plan* reads");
        line(
                "the same source, checks each id, compares with the state, elects, and writes the changes. Median of %d rounds, and the",
                ROUNDS);
        line("span of their ratios; times are this machine's, the ratio is what counts.");
        line("");
        line("| acknowledged | join | plan | plan / join | what was planned |");
        line("|---|---|---|---|---|");
        try (SparkSession spark = session()) {
            for (long size : sizes) {
                StateOnDisk ledger = size(spark, size);
                if (size == sizes[sizes.length - 1]) {
                    delta(spark, ledger, size);
                }
            }
        }
        Path shared = Checkout.root().resolveSibling("shared").resolve("data");
        if (Files.isDirectory(shared)) {
            truthSet(shared);
        }
        Path report = Checkout.root().resolve("job/docs/reports/planning.md");
        Files.createDirectories(report.getParent());
        Files.writeString(report, text);
    }
}
