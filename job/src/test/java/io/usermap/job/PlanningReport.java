package io.usermap.job;

import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.collect_list;
import static org.apache.spark.sql.functions.explode;
import static org.apache.spark.sql.functions.min;
import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.OperatingSystemMXBean;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.function.ToDoubleFunction;
import java.util.stream.Stream;
import org.apache.hadoop.fs.FileSystem;
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
    private static final int ROUNDS = 3;

    /** So many rounds before them get both compiled. */
    private static final int WARMING = 2;

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

    /** What this process has computed so far, in seconds of one core; collecting garbage and compiling included. */
    private static double processSeconds() {
        OperatingSystemMXBean system = ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class);
        return system.getProcessCpuTime() / 1e9;
    }

    /** A piece of work beside another. */
    private record Round(Cost join, Cost plan) {
        double ratio() {
            return plan.seconds() / join.seconds();
        }

        double ratioOfCores() {
            return plan.coreSeconds() / join.coreSeconds();
        }
    }

    private record Cost(double seconds, double coreSeconds) {
        static Cost of(Runnable work) {
            double before = processSeconds();
            double seconds = PlanningReport.seconds(work);
            return new Cost(seconds, processSeconds() - before);
        }
    }

    private static double median(List<Round> rounds, ToDoubleFunction<Round> figure) {
        double[] sorted = rounds.stream().mapToDouble(figure).sorted().toArray();
        return sorted[sorted.length / 2];
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
                .config("spark.sql.extensions", "io.delta.sql.DeltaSparkSessionExtension")
                .config("spark.sql.catalog.spark_catalog", "org.apache.spark.sql.delta.catalog.DeltaCatalog")
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

    /** A ledger with what was planned and acknowledged so far. */
    private record Runs(SparkSession spark, Path data, Ledger ledger) {
        static Runs in(SparkSession spark, Path data) {
            return new Runs(
                    spark,
                    data,
                    Ledger.open(
                            spark.sparkContext().hadoopConfiguration(),
                            data.resolve("ledger").toString(),
                            "report"));
        }

        State.Version version() {
            return ledger.state(spark).current();
        }

        /** All that {@code usermap plan} does between its configuration and the guards. */
        LedgerRun planned(Map<String, String> settings) {
            LedgerRun run = ledger.begin(Instant.now());
            PrintStream nowhere = new PrintStream(OutputStream.nullOutputStream(), false, StandardCharsets.UTF_8);
            Configuration configuration = Configuration.of(settings, Set.of(Configuration.Need.SOURCE), Map.of());
            new Planning(spark, configuration, ledger, new Console(nowhere, nowhere, true, false, false)).make(run);
            return run;
        }

        /** What {@code apply} does once the service has acknowledged all of it. */
        void taken(LedgerRun run) {
            ledger.state(spark)
                    .take(
                            spark.read()
                                    .parquet(run.planAddress())
                                    .filter(Planning.sent())
                                    .select("user_id", "global_user_id"),
                            run.plan().counts().sourceRows(),
                            run.id());
        }
    }

    private static Map<String, String> clusters(String path) {
        return Map.of("source.path", path, "source.id-column", "id", "source.cluster-column", "cluster");
    }

    private static String figures(Plan.Counts counts) {
        return String.format(
                Locale.ROOT,
                "%,d rows: map %,d, remap %,d, unmap %,d, unchanged %,d; %,d merges, %,d splits",
                counts.sourceRows(),
                counts.map(),
                counts.remap(),
                counts.unmap(),
                counts.unchanged(),
                counts.merged(),
                counts.split());
    }

    /** What a first run of the same clusters has led to: each under the smallest of its users. */
    private static void acknowledge(Runs runs, long acknowledged) {
        Dataset<Row> mapped = clusters(runs.spark(), acknowledged, false)
                .groupBy("cluster")
                .agg(min("id").as("global_user_id"), collect_list("id").as("ids"))
                .select(col("global_user_id"), explode(col("ids")).as("user_id"))
                .filter(col("user_id").notEqual(col("global_user_id")));
        runs.ledger().state(runs.spark()).take(mapped, acknowledged * 6 / 5, "first");
    }

    /** One size: the same plan several times, each beside the join. */
    private Runs size(SparkSession spark, long acknowledged, boolean warm) {
        String data = folder.resolve("of-" + acknowledged).toString();
        clusters(spark, acknowledged, true).write().parquet(data + "/second");
        Runs runs = Runs.in(spark, Path.of(data));
        acknowledge(runs, acknowledged);
        State.Version version = runs.version();
        runs.ledger().state(spark).rows(version).write().parquet(data + "/state");
        List<Round> rounds = new ArrayList<>();
        List<String> told = new ArrayList<>();
        for (int round = warm ? 1 : 1 - WARMING; round <= ROUNDS; round++) {
            Cost join = Cost.of(() -> spark.read()
                    .parquet(data + "/second")
                    .withColumnRenamed("id", "user_id")
                    .join(spark.read().parquet(data + "/state"), new String[] {"user_id"}, "full_outer")
                    .write()
                    .format("noop")
                    .mode("overwrite")
                    .save());
            Cost plan = Cost.of(() -> told.add(
                    figures(runs.planned(clusters(data + "/second")).plan().counts())));
            System.out.printf("round %d: join %s, plan %s%n", round, join, plan);
            if (round > 0) {
                rounds.add(new Round(join, plan));
            }
        }
        double seconds = median(rounds, round -> round.plan().seconds());
        line(
                "| %,d | %.1f s | %.1f s | %.1f s | %.2f (%.2f to %.2f) | %.2f | %s |",
                version.acknowledged(),
                median(rounds, round -> round.join().seconds()),
                seconds,
                seconds * 1e6 / version.acknowledged(),
                median(rounds, Round::ratio),
                rounds.stream().mapToDouble(Round::ratio).min().orElseThrow(),
                rounds.stream().mapToDouble(Round::ratio).max().orElseThrow(),
                median(rounds, Round::ratioOfCores),
                told.get(0));
        return runs;
    }

    /** A thousand changes against a large state, through the change feed of a Delta table. */
    private void delta(Runs runs) {
        String table = runs.data().resolve("pairs").toString();
        SparkSession spark = runs.spark();
        spark.sql("CREATE TABLE delta.`" + table + "` (user_id STRING, global_user_id STRING) USING delta"
                + " TBLPROPERTIES (delta.enableChangeDataFeed = true)");
        spark.range(DELTA)
                .selectExpr(
                        "md5(cast(id * 601 AS string)) AS user_id",
                        "md5(cast(id * 601 + 6001 AS string)) AS global_user_id")
                .write()
                .format("delta")
                .mode("append")
                .save(table);
        spark.sql("UPDATE delta.`" + table + "` SET global_user_id = concat('person-', global_user_id)");
        Map<String, String> feed = Map.of("source.format", "delta", "source.path", table, "source.start-version", "2");
        long acknowledged = runs.version().acknowledged();
        List<double[]> rounds = new ArrayList<>();
        LedgerRun last = null;
        for (int round = 0; round < ROUNDS; round++) {
            long readBefore = bytesRead();
            long start = System.nanoTime();
            last = runs.planned(feed);
            rounds.add(new double[] {(System.nanoTime() - start) / 1e9, bytesRead() - readBefore});
            System.out.printf("delta %.1f s, %.0f bytes read%n", rounds.get(round)[0], rounds.get(round)[1]);
        }
        LedgerRun run = Objects.requireNonNull(last);
        rounds.sort(Comparator.comparingDouble(round -> round[0]));
        double[] median = rounds.get(rounds.size() / 2);
        Path state = runs.data().resolve("ledger/state");
        long before = bytes(state);
        double taken = seconds(() -> runs.taken(run));
        long written = bytes(state) - before;
        line("");
        line(
                "%,d pairs from the change feed of a Delta table against %,d acknowledged (%s):",
                DELTA, acknowledged, figures(run.plan().counts()));
        line(
                "planned in %.1f s, %,.0f bytes read of a state of %,d; taken into the state in %.1f s, %,d bytes written,",
                median[0], median[1], before, taken, written);
        line("%,d a pair.", written / DELTA);
        assertThat(written).as("in proportion to the changes").isLessThan(DELTA * 1_000L);
        assertThat(median[1]).as("a part of the state").isLessThan(before / 2.0);
    }

    /** What this process has read from files so far, shuffles aside. */
    private static long bytesRead() {
        return Optional.ofNullable(FileSystem.getGlobalStorageStatistics().get("file"))
                .map(file -> file.getLong("bytesRead"))
                .orElse(0L);
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
                "`local[2]` on %d cores, a heap of %d MB, Spark %s, Java %d, one process. The source has clusters of six users; between two",
                Runtime.getRuntime().availableProcessors(),
                Runtime.getRuntime().maxMemory() >> 20,
                session().version(),
                Runtime.version().feature());
        line(
                "runs 1 %% of the users moved, vanished or are new. *Join* is Spark's full outer join of the source and a plain copy of");
        line(
                "the state; *plan* is all that `usermap plan` does: it reads the same source, checks each id, compares with the state,");
        line(
                "elects, writes the changes, hashes them, and counts merges and splits. Median of %d rounds, and the span of their",
                ROUNDS);
        line(
                "ratios, after %d that count for nothing; times are this machine's, the ratio is what counts. The ratio in core-seconds",
                WARMING);
        line("is that of what the process has computed, which hardly depends on what else the machine does.");
        line("");
        line("| acknowledged | join | plan | a million in | plan / join | in core-seconds | what was planned |");
        line("|---|---|---|---|---|---|---|");
        try (SparkSession spark = session()) {
            for (long size : sizes) {
                Runs runs = size(spark, size, size != sizes[0]);
                if (size == sizes[sizes.length - 1]) {
                    delta(runs);
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
