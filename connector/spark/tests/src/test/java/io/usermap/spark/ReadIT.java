package io.usermap.spark;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import io.usermap.client.InvalidSettingsException;
import io.usermap.sandbox.SandboxRequest;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.execution.QueryExecution;
import org.apache.spark.sql.execution.SparkPlan;
import org.apache.spark.sql.util.QueryExecutionListener;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInfo;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Mappings read back: by ids in an option, by conditions in SQL, by a table of ids. */
class ReadIT extends SparkCase {
    private static final int LOOKUPS_PER_SECOND = 20;

    @TempDir
    Path folder;

    private String catalog = "";
    private Map<String, String> reading = Map.of();

    @BeforeEach
    void mapSomebody(TestInfo test) throws IOException {
        Path secret = Files.writeString(folder.resolve("secret"), "secret-of-tests");
        reading = options("secretKey", "file:" + secret, "lookupsPerSecond", "" + LOOKUPS_PER_SECOND);
        // Spark keeps a catalog as it was configured when it was first used: one for each test.
        catalog = test.getTestMethod().orElseThrow().getName().toLowerCase(Locale.ROOT);
        spark.conf().set("spark.sql.catalog." + catalog, "io.usermap.spark.UserMapCatalog");
        reading.forEach((key, value) -> spark.conf().set("spark.sql.catalog." + catalog + "." + key, value));
        write(
                rows(map("ann@shop", "ann@global"), map("ann@phone", "ann@global"), map("bob@shop", "bob@global")),
                options());
        sandbox.clearRequests();
    }

    private Dataset<Row> read(String... more) {
        Map<String, String> options = new HashMap<>(reading);
        for (int i = 0; i < more.length; i += 2) {
            options.put(more[i], more[i + 1]);
        }
        return spark.read().format("amplitude-usermap").options(options).load();
    }

    private Dataset<Row> sql(String query) {
        return spark.sql(query.replace("CATALOG", catalog));
    }

    private List<List<String>> asked() {
        return sandbox.requests().stream().map(SandboxRequest::lookedUp).toList();
    }

    @ParameterizedTest
    @ValueSource(strings = {"form", "json", "query"})
    void readsTheLinksOfTheIdsInTheOption(String encoding) {
        Dataset<Row> links =
                read("userIds", "[\"ann@shop\", \"ann@global\", \"no+body@x\"]", "lookupEncoding", encoding);

        assertThat(links.schema().simpleString())
                .isEqualTo("struct<user_id:string,mapped_to:array<struct<amplitude_id:bigint,user_id:string>>,"
                        + "mapped_from:array<struct<amplitude_id:bigint,user_id:string>>>");
        assertThat(links.selectExpr(
                                "user_id",
                                "mapped_to.user_id AS to",
                                "array_sort(mapped_from.user_id) AS from",
                                "forall(mapped_from, one -> one.amplitude_id > 0) AS numbered")
                        .selectExpr("to_json(struct(*))")
                        .as(Encoders.STRING())
                        .collectAsList())
                .containsExactly(
                        "{\"user_id\":\"ann@shop\",\"to\":[\"ann@global\"],\"from\":[],\"numbered\":true}",
                        "{\"user_id\":\"ann@global\",\"to\":[],\"from\":[\"ann@phone\",\"ann@shop\"],\"numbered\":true}",
                        "{\"user_id\":\"no+body@x\",\"to\":[],\"from\":[],\"numbered\":true}");
        assertThat(asked()).containsExactly(List.of("ann@shop", "ann@global", "no+body@x"));
    }

    @Test
    void readsTheTargetsOfTheUsersThatAQueryNames() {
        Dataset<Row> targets = sql("SELECT * FROM CATALOG.usermap"
                + " WHERE user_id = 'ann@shop' OR user_id IN ('bob@shop', 'nobody@x') OR 'ann@phone' = user_id");

        assertThat(targets.collectAsList())
                .extracting(Row::toString)
                .containsExactlyInAnyOrder(
                        "[ann@shop,ann@global,false]", "[bob@shop,bob@global,false]", "[ann@phone,ann@global,false]");
        assertThat(asked())
                .singleElement()
                .satisfies(ids ->
                        assertThat(ids).containsExactlyInAnyOrder("ann@shop", "bob@shop", "nobody@x", "ann@phone"));
    }

    @Test
    void conditionsThatNameNobodyAreAppliedToWhatIsRead() {
        assertThat(sql("SELECT user_id FROM CATALOG.lookup WHERE user_id IN ('ann@shop', 'ann@global', 'bob@shop')"
                                + " AND user_id <> 'bob@shop' AND size(mapped_to) = 1")
                        .as(Encoders.STRING())
                        .collectAsList())
                .containsExactly("ann@shop");
        assertThat(sql("SELECT * FROM CATALOG.lookup WHERE user_id = 'ann@shop' AND user_id = 'bob@shop'")
                        .collectAsList())
                .isEmpty();
        assertThat(asked()).as("the contradiction asks for nobody").hasSize(1);
    }

    @Test
    void asksForAHundredIdsAtATimeWithinTheRate() {
        String ids = IntStream.range(0, 950)
                .mapToObj(i -> "\"user-" + i + "\"")
                .reduce((one, other) -> one + "," + other)
                .orElseThrow();

        assertThat(read("userIds", "[" + ids + "]", "lookupsPerSecond", "5").count())
                .isEqualTo(950);
        assertThat(asked()).hasSize(10).allSatisfy(some -> assertThat(some).hasSizeBetween(50, 100));
        assertThat(asked().stream().flatMap(List::stream).distinct().count()).isEqualTo(950);
        assertThat(took())
                .as("ten requests, 200 ms apart, of which the first may come late")
                .isGreaterThan(Duration.ofMillis(1_200));
    }

    /** From the first request to the last. */
    private Duration took() {
        List<SandboxRequest> requests = sandbox.requests();
        return Duration.ofNanos(requests.get(requests.size() - 1).arrivedNanos()
                - requests.get(0).arrivedNanos());
    }

    @Test
    void looksATableOfIdsUpInTasks() {
        Dataset<Row> people = spark.range(0, 1_000, 1, 7)
                .selectExpr("if(id % 10 = 9, null, concat('user-', id % 500)) AS person", "id")
                .unionByName(spark.sql("SELECT 'ann@shop' AS person, 1L AS id"));
        Map<String, String> slowly = new HashMap<>(reading);
        slowly.put("lookupsPerSecond", "5");
        Dataset<Row> links = UserMapLookup.on(slowly).lookup(people, "PERSON");
        assertThat(sandbox.requests()).as("nothing is asked for yet").isEmpty();

        Dataset<Row> kept = links.persist();
        assertThat(kept.count()).as("450 numbers and Ann").isEqualTo(451);
        assertThat(kept.where("user_id = 'ann@shop'")
                        .selectExpr("mapped_to[0].user_id", "size(mapped_to)", "size(mapped_from)")
                        .first())
                .hasToString("[ann@global,1,0]");
        kept.unpersist();

        assertThat(asked())
                .as("451 by two readers")
                .hasSizeBetween(5, 6)
                .allSatisfy(some -> assertThat(some).hasSizeLessThanOrEqualTo(100));
        assertThat(asked().stream().flatMap(List::stream))
                .doesNotHaveDuplicates()
                .hasSize(451);
        assertThat(took())
                .as("two readers share the rate: 400 ms if each had one of its own")
                .isGreaterThan(Duration.ofMillis(600));
    }

    @ParameterizedTest
    @Tag(ONE_SPARK)
    @ValueSource(ints = {1, 4})
    void asManyRequestsAreInFlightAsTheOptionSaysAndNoMore(int concurrency) {
        // Tasks that begin together may still come to their first request at different times.
        Duration held = Duration.ofMillis(concurrency == 1 ? 150 : 1_000);
        sandbox.addFaults("{\"faults\": [{\"path\": \"lookup\", \"delay_answer\": \"" + held.toMillis() + "ms\"}]}");
        Map<String, String> options = new HashMap<>(reading);
        options.putAll(Map.of("lookupConcurrency", "" + concurrency, "lookupsPerSecond", "1000"));
        Dataset<Row> people = spark.range(800).selectExpr("concat('user-', id) AS person");

        assertThat(UserMapLookup.on(options).lookup(people, "person").count()).isEqualTo(800);

        List<Long> arrivals =
                sandbox.requests().stream().map(SandboxRequest::arrivedNanos).toList();
        assertThat(arrivals.stream()
                        .map(at -> arrivals.stream()
                                .filter(other -> other <= at && at - other < held.toNanos())
                                .count()))
                .as("requests that are not answered yet when one arrives")
                .contains((long) concurrency)
                .allMatch(count -> count <= concurrency);
    }

    @Test
    void ofAUserThatTheServiceRefusesNothingIsRead() {
        sandbox.addFaults("{\"faults\": [{\"path\": \"lookup\", \"ids\": [\"bob@shop\"], \"status\": 400}]}");

        assertThat(read("userIds", "[\"ann@shop\", \"bob@shop\", \"ann@phone\"]")
                        .selectExpr("user_id", "mapped_to IS NULL", "mapped_from IS NULL")
                        .collectAsList())
                .extracting(Row::toString)
                .containsExactly("[ann@shop,false,false]", "[bob@shop,true,true]", "[ann@phone,false,false]");
        assertThatThrownBy(() -> sql("SELECT * FROM CATALOG.usermap WHERE user_id IN ('ann@shop', 'bob@shop')")
                        .collectAsList())
                .hasMessageContaining(
                        "Cannot read the mappings of all users asked for: of one of them the service tells"
                                + " nothing. Read table 'lookup' instead, where it is the row without lists.");
    }

    @Test
    void aReadWithoutIdsNamesTheWay() {
        for (Dataset<Row> all : List.of(
                read(),
                sql("SELECT * FROM CATALOG.usermap"),
                sql("SELECT * FROM CATALOG.lookup WHERE user_id LIKE 'ann%'"),
                sql("SELECT * FROM CATALOG.usermap WHERE user_id = 'ann@shop' OR global_user_id = 'ann@global'"))) {
            assertThatThrownBy(all::collectAsList)
                    .hasMessageContaining(
                            "Cannot read mappings without ids: the service cannot list what it holds. Name"
                                    + " them with WHERE user_id = '...' or user_id IN ('...'), or with option 'userIds'; for a"
                                    + " table of ids use UserMapLookup.on(options).lookup(dataset, \"user_id\").");
        }
        assertThat(sandbox.requests()).isEmpty();
    }

    @Test
    void saysWhatIsWrongWithAReadBeforeItAsks() {
        assertThatThrownBy(() -> read("userIds", "[\"ann\", 7]").collectAsList())
                .isInstanceOf(InvalidSettingsException.class)
                .hasMessage("Cannot parse option 'userIds': element 2 is not a string. Write a JSON array of strings,"
                        + " for example [\"ann\", \"bob\"].");
        assertThatThrownBy(() -> read("userIds", "ann@shop").collectAsList())
                .hasMessageStartingWith("Cannot parse option 'userIds': it is not JSON.")
                .hasMessageNotContaining("ann@shop");
        assertThatThrownBy(() -> read("userIds", "[\"ann\"]", "secretKey", "").collectAsList())
                .isInstanceOf(InvalidSettingsException.class)
                .hasMessage("Cannot reach the service without a key: option 'secretKey' is not set. Set it to env:NAME,"
                        + " file:PATH or secret:scope/key.");
        UserMapLookup lookup = UserMapLookup.on(reading);
        assertThatThrownBy(() -> lookup.lookup(manyRows(1), "id"))
                .isInstanceOf(InvalidSettingsException.class)
                .hasMessage(
                        "Cannot look ids up: the rows have no column 'id' (they have: user_id, global_user_id). Name"
                                + " one of these.");
        assertThatThrownBy(() -> lookup.lookup(spark.range(3), "id"))
                .isInstanceOf(InvalidSettingsException.class)
                .hasMessage("Cannot look ids up: column 'id' is of type bigint, not string. Cast it with CAST(id AS"
                        + " STRING).");
        assertThatThrownBy(() -> sql("INSERT INTO CATALOG.lookup SELECT 'ann@shop' AS user_id"))
                .hasMessage(
                        "Cannot write to table '" + catalog + ".lookup': it tells what the service holds. Use INSERT"
                                + " INTO the table 'usermap' of the same catalog.");
        assertThat(sandbox.requests()).isEmpty();
    }

    @Test
    void aCancelledReadStopsWaitingForTheRate() throws Exception {
        CompletableFuture<Throwable> cancelled = CompletableFuture.supplyAsync(() -> {
            spark.sparkContext().setJobGroup("reading", "reading", false);
            Map<String, String> slowly = new HashMap<>(reading);
            slowly.put("lookupsPerSecond", "0.01");
            return catchThrowable(() ->
                    UserMapLookup.on(slowly).lookup(manyRows(1_000), "user_id").count());
        });
        waitUntil(() -> !sandbox.requests().isEmpty());
        spark.sparkContext().cancelJobGroup("reading");
        assertThat(cancelled.get(20, TimeUnit.SECONDS)).hasMessageContaining("cancelled");

        // The task's slots are free again: two readers can ask, and nobody else does.
        sandbox.clearRequests();
        UserMapLookup.on(reading).lookup(manyRows(300), "user_id").count();
        assertThat(asked()).hasSizeBetween(3, 4);
    }

    @Test
    void tellsItsFiguresToSpark() {
        Map<String, Long> figures = new ConcurrentHashMap<>();
        QueryExecutionListener listener = new QueryExecutionListener() {
            @Override
            public void onSuccess(String function, QueryExecution execution, long durationNanos) {
                SparkPlan scan = execution.executedPlan().collectLeaves().head();
                for (String name : List.of("throttled", "requests", "lookedUp")) {
                    figures.put(name, scan.metrics().apply(name).value());
                }
            }

            @Override
            public void onFailure(String function, QueryExecution execution, Exception exception) {}
        };
        spark.listenerManager().register(listener);
        read("userIds", "[\"ann@shop\", \"bob@shop\"]").collectAsList();

        waitUntil(() -> figures.containsKey("lookedUp"));
        spark.listenerManager().unregister(listener);
        assertThat(figures).isEqualTo(Map.of("lookedUp", 2L, "requests", 1L, "throttled", 0L));
    }

    @Test
    void theStatementsOfTheGuideRun() throws IOException {
        Path root = Path.of("").toAbsolutePath();
        while (!Files.exists(root.resolve("LICENSE"))) {
            root = Objects.requireNonNull(root.getParent());
        }
        String guide = Files.readString(root.resolve("connector/docs/reading.md"));
        String statements = guide.substring(guide.indexOf("```sql\n") + 7);
        List<String> rows = Stream.of(
                        statements.substring(0, statements.indexOf("```")).split(";", -1))
                .map(statement -> sql(statement.replace("amplitude.", "CATALOG."))
                        .orderBy("user_id")
                        .collectAsList()
                        .toString())
                .toList();

        assertThat(rows)
                .containsExactly(
                        "[[ann@shop,ann@global], [bob@shop,bob@global]]",
                        "[[ann@shop,ann@global], [nobody@x,null]]",
                        "[[ann@global,2]]");
    }

    private static void waitUntil(BooleanSupplier condition) {
        long until = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
        while (!condition.getAsBoolean() && System.nanoTime() < until) {
            LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(20));
        }
    }
}
