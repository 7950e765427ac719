package io.usermap.job;

import static org.assertj.core.api.Assertions.assertThat;

import io.usermap.client.IdRules;
import io.usermap.job.Keys.Mode;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.Collections;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import java.util.function.IntFunction;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.apache.hadoop.fs.FileSystem;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.scheduler.SparkListener;
import org.apache.spark.scheduler.SparkListenerTaskEnd;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.GenericInternalRow;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.unsafe.types.UTF8String;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What a plan reads, shuffles and holds in memory. */
class PlanningCostIT {
    @RegisterExtension
    static final LocalSpark LOCAL = new LocalSpark();

    @TempDir
    private static Path folder;

    private static final int ACKNOWLEDGED = 100_000;
    private static final int ROWS = 200_000;
    private static final IdRules RULES = new IdRules(5);
    private static final Shape PAIRS = new Shape.Pairs("user_id", "global_user_id", Optional.empty());
    private static final StructType PAIR =
            new StructType().add("user_id", DataTypes.StringType).add("global_user_id", DataTypes.StringType);

    private static StateOnDisk large;

    /** Users {@code user-0} to {@code user-99999}, five to a centre, and others with ids so long that they fill files. */
    @BeforeAll
    static void acknowledgeMany() {
        large = new StateOnDisk(LOCAL.spark(), folder.resolve("large"))
                .with(
                        LOCAL.spark()
                                .range(ACKNOWLEDGED)
                                .selectExpr(
                                        "concat('user-', id) AS user_id",
                                        "concat('centre-', cast(floor(id / 5) AS string)) AS global_user_id")
                                .unionByName(
                                        LOCAL.spark()
                                                .range(ACKNOWLEDGED / 4)
                                                .selectExpr(
                                                        "concat('long-', sha2('a' || id, 512), sha2('b' || id, 512)) AS user_id",
                                                        "concat('long-', sha2('c' || id, 512), sha2('d' || id, 512)) AS global_user_id")));
    }

    private static Dataset<Row> pairs(String... pairs) {
        return LOCAL.spark()
                .createDataFrame(
                        Stream.of(pairs)
                                .map(pair -> RowFactory.create((Object[]) pair.split(">", 2)))
                                .toList(),
                        PAIR);
    }

    /** Rows that cannot tell how many they are, as those of a database. */
    private static Dataset<Row> ofUnknownSize(Dataset<Row> rows) {
        return LOCAL.spark().createDataFrame(rows.toJavaRDD(), rows.schema());
    }

    private static List<String> planned(Dataset<Row> source, Planner.Limits limits) {
        return planned(source, PAIRS, limits);
    }

    private static List<String> planned(Dataset<Row> source, Shape shape, Planner.Limits limits) {
        try (Planner planner = large.planner(source, shape, RULES, Mode.UPSERT, limits)) {
            return planner.plan().collectAsList().stream()
                    .map(row -> row.getString(0) + " " + row.getString(1) + " " + row.getString(2))
                    .sorted()
                    .toList();
        }
    }

    private static final String[] FEW = {"user-7>centre-9", "centre-4>person-1", "newcomer>centre-1"};
    private static final List<String> FEW_PLANNED = List.of(
            "map centre-4 person-1",
            "map newcomer centre-1",
            "remap user-20 person-1",
            "remap user-21 person-1",
            "remap user-22 person-1",
            "remap user-23 person-1",
            "remap user-24 person-1",
            "remap user-7 centre-9");

    private static long bytes(Path below) throws IOException {
        try (Stream<Path> files = Files.walk(below)) {
            return files.filter(Files::isRegularFile)
                    .mapToLong(PlanningCostIT::size)
                    .sum();
        }
    }

    private static long size(Path file) {
        try {
            return Files.size(file);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static long bytesRead() {
        return Objects.requireNonNull(FileSystem.getGlobalStorageStatistics().get("file"))
                .getLong("bytesRead");
    }

    @Test
    void fewPairsReadLittleOfALargeState() throws IOException {
        long before = bytesRead();

        assertThat(planned(pairs(FEW), new Planner.Limits(1_000, 1_000, 1_000))).isEqualTo(FEW_PLANNED);

        assertThat(bytesRead() - before).isPositive().isLessThan(bytes(folder.resolve("large")) / 5);
    }

    @Test
    void fewClustersOfASourceThatCannotTellItsSizeReadLittleOfALargeState() throws IOException {
        Dataset<Row> clusters =
                ofUnknownSize(pairs("1>user-7", "1>user-8", "1>newcomer").toDF("cluster", "id"));
        long before = bytesRead();

        assertThat(planned(clusters, new Shape.Clusters("cluster", "id"), new Planner.Limits(1_000, 1_000, 1_000)))
                .containsExactly("remap user-7 newcomer", "remap user-8 newcomer");

        assertThat(bytesRead() - before).isPositive().isLessThan(bytes(folder.resolve("large")) / 5);
    }

    /** What tasks are run while something is done. */
    private static int tasks(Runnable work) {
        AtomicInteger tasks = new AtomicInteger();
        whileHearing(ended -> tasks.incrementAndGet(), work);
        return tasks.get();
    }

    private static void whileHearing(Consumer<SparkListenerTaskEnd> heard, Runnable work) {
        SparkListener listener = new SparkListener() {
            @Override
            public void onTaskEnd(SparkListenerTaskEnd ended) {
                heard.accept(ended);
            }
        };
        LOCAL.spark().sparkContext().addSparkListener(listener);
        try {
            work.run();
        } finally {
            LOCAL.spark().sparkContext().removeSparkListener(listener);
        }
    }

    @Test
    void aChangeFeedOfFewPairsCostsNoMoreThanTheyDo() throws IOException {
        Dataset<Row> feed = ofUnknownSize(LOCAL.spark()
                .range(20)
                .selectExpr(
                        "concat('user-', id * 5000 + 1) AS user_id",
                        "concat('person-', id) AS global_user_id",
                        "explode(array('update_preimage', 'update_postimage')) AS _change_type",
                        "2L AS _commit_version"));
        Shape shape = new Shape.Pairs(
                "user_id",
                "global_user_id",
                Optional.empty(),
                Optional.of(new Shape.Feed("_change_type", "_commit_version")),
                Optional.empty());
        LOCAL.spark().conf().set("spark.sql.shuffle.partitions", "100");
        long before = bytesRead();
        try {
            int tasks = tasks(() -> assertThat(planned(feed, shape, new Planner.Limits(1_000, 1_000, 1_000)))
                    .hasSize(20)
                    .contains("remap user-5001 person-1"));

            assertThat(tasks)
                    .as("each step in a few tasks, but for the first ones")
                    .isLessThan(400);
        } finally {
            LOCAL.spark().conf().set("spark.sql.shuffle.partitions", "2");
        }
        assertThat(bytesRead() - before)
                .as("single pages, with little that lies beside them")
                .isPositive()
                .isLessThan(bytes(folder.resolve("large")) / 4);
    }

    /** Five users to a cluster, under ids so long that they fill files; of every hundredth cluster one goes to the next. */
    private static Dataset<Row> clusters(boolean moved) {
        String cluster = "cast(floor((id + " + (moved ? "if(id % 500 = 3, 5, 0)" : "0") + ") / 5) AS string)";
        return LOCAL.spark()
                .range(20_000)
                .selectExpr(
                        "concat(if(id % 5 = 0, 'a-', 'b-'), sha2('a' || id, 512), sha2('b' || id, 512)) AS id",
                        cluster + " AS cluster");
    }

    @ParameterizedTest
    @CsvSource({"1000000, 40", "20, 20"})
    void mergesAndSplitsAreToldWithoutReadingTheStateAgain(String maxWrites, int moved) throws IOException {
        Path data = folder.resolve("once-" + maxWrites);
        Ledger ledger = Ledger.open(
                LOCAL.spark().sparkContext().hadoopConfiguration(),
                data.resolve("ledger").toString(),
                "cost");
        Dataset<Row> first = clusters(false);
        ledger.state(LOCAL.spark())
                .take(
                        first.filter("id LIKE 'b-%'")
                                .join(first.filter("id LIKE 'a-%'").withColumnRenamed("id", "centre"), "cluster")
                                .selectExpr("id AS user_id", "centre AS global_user_id"),
                        0,
                        "first");
        clusters(true).write().parquet(data.resolve("source").toString());
        Configuration configuration = Configuration.of(
                Map.of(
                        "source.path",
                        data.resolve("source").toString(),
                        "source.id-column",
                        "id",
                        "source.cluster-column",
                        "cluster",
                        "plan.max-writes",
                        maxWrites),
                Set.of(Configuration.Need.SOURCE),
                Map.of());
        PrintStream nowhere = new PrintStream(OutputStream.nullOutputStream(), false, StandardCharsets.UTF_8);
        Console console = new Console(nowhere, nowhere, true, false, false);
        long before = bytesRead();

        Plan plan = new Planning(LOCAL.spark(), configuration, ledger, console).make(ledger.begin(Instant.now()));

        assertThat(plan.counts().remap()).isEqualTo(moved);
        assertThat(plan.counts().merged()).isEqualTo(moved);
        assertThat(plan.carriedOver().all()).isEqualTo(40 - moved);
        // The state holds each user twice: for those who ask for the user, and for those who ask for the target.
        long once = bytes(data.resolve("source")) + bytes(data.resolve("ledger").resolve("state")) / 2;
        assertThat(bytesRead() - before).isBetween(once / 2, once * 5 / 4);
    }

    @Test
    void usersWhoAreAbsentAreShuffledOnlyIfTheyMayFollow() {
        AtomicLong records = new AtomicLong();
        whileHearing(
                ended -> records.addAndGet(
                        ended.taskMetrics().shuffleWriteMetrics().recordsWritten()),
                () -> assertThat(planned(pairs(FEW), new Planner.Limits(0, 0, Long.MAX_VALUE)))
                        .isEqualTo(FEW_PLANNED));

        assertThat(records).hasPositiveValue().hasValueLessThan(ACKNOWLEDGED / 100);
    }

    /** Rows that are made when they are asked for; before the last one the memory in use is looked at. */
    private static final class Rows implements Iterator<InternalRow> {
        private final IntFunction<InternalRow> row;
        private int next;
        private long bytesInUse;

        Rows(IntFunction<InternalRow> row) {
            this.row = row;
        }

        @Override
        public boolean hasNext() {
            return next < ROWS;
        }

        @Override
        public InternalRow next() {
            if (next == ROWS - 1) {
                System.gc();
                bytesInUse = Runtime.getRuntime().totalMemory()
                        - Runtime.getRuntime().freeMemory();
            }
            return row.apply(next++);
        }
    }

    private static UTF8String text(String text) {
        return UTF8String.fromString(text);
    }

    private static long bytesInUse() {
        System.gc();
        return Runtime.getRuntime().totalMemory() - Runtime.getRuntime().freeMemory();
    }

    /** Takes all that comes out; says how many rows that was. */
    private static int drained(Iterator<Row> rows) {
        int many = 0;
        for (; rows.hasNext(); many++) {
            rows.next();
        }
        return many;
    }

    private static PlanFacts facts() {
        PlanFacts facts = new PlanFacts();
        LOCAL.spark().sparkContext().register(facts);
        return facts;
    }

    @ParameterizedTest
    @ValueSource(strings = {"other_id_type", "too_short", "contradictory"})
    void anIdInAnyNumberOfRowsIsNotHeldInMemory(String reason) {
        UTF8String id = text("someone@shop");
        long key = IdKey.of("someone@shop");
        boolean good = reason.equals("contradictory");
        // A kilobyte each, so that all of them together would stand out.
        String cluster = "c".repeat(1_000);
        Rows rows = new Rows(number -> new GenericInternalRow(new Object[] {
            key,
            text(cluster + number),
            id,
            good ? null : new GenericInternalRow(new Object[] {true, false, null, text(reason)})
        }));
        PlanFacts facts = facts();
        Census census = new Census(large.state().zipped(State.Version.NONE), Mode.UPSERT, null, 0, facts);
        long before = bytesInUse();

        int told = drained(census.found(0, 1, rows));

        assertThat(told).isEqualTo(reason.equals("other_id_type") ? 0 : ROWS);
        assertThat(rows.bytesInUse - before).as("bytes for %d rows", ROWS).isLessThan(50L << 20);
    }

    @Test
    void rejectedRowsOfOneIdAreNotHeldInMemoryOnTheirWayOut() {
        UTF8String id = text("someone@shop");
        String cluster = "c".repeat(1_000);
        Rows rows = new Rows(number -> {
            Row found =
                    Found.row(7, Found.Kind.REJECT, text(cluster + number), id, null, 0, Double.NaN, text("conflict"));
            return new GenericInternalRow(new Object[] {found.get(0), found.get(1)});
        });
        JavaSparkContext context =
                JavaSparkContext.fromSparkContext(LOCAL.spark().sparkContext());
        Stars stars = new Stars(context.broadcast(new HashMap<>()), 0, facts());
        long before = bytesInUse();

        assertThat(drained(stars.changes(0, rows, Collections.emptyIterator()))).isEqualTo(ROWS);

        assertThat(rows.bytesInUse - before).isLessThan(50L << 20);
    }

    @Test
    void aRowKeepsAllThatWasFoundOnItsWay() {
        List<String> texts = List.of("", "g", "x".repeat(253), "x".repeat(254), "x".repeat(255), "x".repeat(70_000));
        IntStream.range(0, texts.size()).forEach(number -> {
            UTF8String one = text(texts.get(number));
            UTF8String other = number % 2 == 0 ? null : one;
            double rank = number % 3 == 0 ? Double.NaN : number;
            Row row = Found.row(number, Found.Kind.REJECT, one, other, one, Found.ASKED, rank, other);

            assertThat(Found.of(new GenericInternalRow(new Object[] {row.get(0), row.get(1)})))
                    .isEqualTo(new Found(number, Found.Kind.REJECT, one, other, one, Found.ASKED, rank, other));
        });
    }
}
