package io.usermap.job;

import static org.apache.spark.sql.functions.col;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.usermap.client.IdRules;
import io.usermap.job.Keys.Mode;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What is planned for which source and state; ids are single letters here, so the rules allow one character. */
class PlannerIT {
    @RegisterExtension
    static final LocalSpark LOCAL = new LocalSpark();

    @TempDir
    private static Path folder;

    private static final IdRules RULES = new IdRules(1);
    private static final Shape PAIRS = new Shape.Pairs("user_id", "global_user_id", Optional.of("unmap"));
    private static final Shape CLUSTERS = new Shape.Clusters("cluster", "id");
    private static final StructType STATE =
            new StructType().add("user_id", DataTypes.StringType).add("global_user_id", DataTypes.StringType);
    private static final StructType PAIR = STATE.add("unmap", DataTypes.BooleanType);

    /**
     * What a source and a state lead to.
     *
     * @param sentence what the case shows
     * @param source {@code a>b} (map), {@code a>} (no target), {@code a!} (unmap); of clusters, {@code name:abc}
     * @param state {@code a>b}, or {@code a>} for an unmap that was acknowledged
     * @param changes {@code op user target reason}, sorted
     */
    private record Case(String sentence, List<String> source, List<String> state, List<String> changes) {}

    private static Case when(String sentence, String source, String state, String... changes) {
        return new Case(sentence, words(source), words(state), List.of(changes));
    }

    private static List<String> words(String text) {
        return text.isEmpty() ? List.of() : List.of(text.split(" ", -1));
    }

    /** Plans all cases at once, each with ids of its own, and compares what became of each. */
    private Stream<DynamicTest> planned(Shape shape, Mode mode, Case... cases) {
        List<Row> source = new ArrayList<>();
        List<Row> state = new ArrayList<>();
        for (int number = 0; number < cases.length; number++) {
            String prefix = number + "/";
            cases[number]
                    .source()
                    .forEach(word -> source.addAll(
                            shape instanceof Shape.Pairs ? List.of(pair(prefix, word)) : cluster(prefix, word)));
            cases[number].state().forEach(word -> {
                Row row = pair(prefix, word);
                state.add(RowFactory.create(row.getString(0), row.getString(1)));
            });
        }
        Dataset<Row> rows =
                shape instanceof Shape.Pairs ? LOCAL.spark().createDataFrame(source, PAIR) : clusters(source);
        List<String> changes = changes(rows, shape, LOCAL.spark().createDataFrame(state, STATE), mode);
        return IntStream.range(0, cases.length)
                .mapToObj(number -> DynamicTest.dynamicTest(
                        cases[number].sentence(),
                        () -> assertThat(changes.stream()
                                        .filter(change -> change.contains(" " + number + "/"))
                                        .map(change -> change.replace(number + "/", "")))
                                .containsExactlyElementsOf(cases[number].changes())));
    }

    private static Row pair(String prefix, String word) {
        String[] ends = word.split("[>!]", 2);
        String target = ends[1].isEmpty() || ends[1].equals("null") ? ends[1] : prefix + ends[1];
        return RowFactory.create(prefix + ends[0], target.isEmpty() ? null : target, word.contains("!"));
    }

    private static List<Row> cluster(String prefix, String word) {
        String[] parts = word.split(":", 2);
        return parts[1].chars()
                .mapToObj(id -> RowFactory.create(prefix + parts[0], prefix + (char) id))
                .toList();
    }

    private Dataset<Row> pairs(String... words) {
        return LOCAL.spark()
                .createDataFrame(
                        Arrays.stream(words).map(word -> pair("", word)).toList(), PAIR);
    }

    private Dataset<Row> clusters(List<Row> rows) {
        return LOCAL.spark()
                .createDataFrame(
                        rows,
                        new StructType().add("cluster", DataTypes.StringType).add("id", DataTypes.StringType));
    }

    private Dataset<Row> state(Map<String, String> mappings) {
        List<Row> rows = mappings.entrySet().stream()
                .map(entry -> RowFactory.create(entry.getKey(), entry.getValue()))
                .toList();
        return LOCAL.spark().createDataFrame(rows, STATE);
    }

    /** A plan for a state of its own, with what {@code acknowledged} says in it. */
    private Planner planner(Dataset<Row> source, Shape shape, Dataset<Row> acknowledged, Mode mode) {
        return new StateOnDisk(LOCAL.spark(), folder).with(acknowledged).planner(source, shape, RULES, mode);
    }

    /** The changes as {@code op user target reason}, sorted. */
    private List<String> changes(Dataset<Row> source, Shape shape, Dataset<Row> state, Mode mode) {
        return planned(planner(source, shape, state, mode));
    }

    private static List<String> planned(Planner made) {
        return told(rows(made));
    }

    private static List<Row> rows(Planner made) {
        try (Planner planner = made) {
            return planner.plan().collectAsList();
        }
    }

    private static List<String> told(List<Row> changes) {
        return changes.stream()
                .map(row -> row.getString(0) + " " + row.getString(1) + " " + row.getString(2) + " " + row.getString(4))
                .sorted()
                .toList();
    }

    @TestFactory
    Stream<DynamicTest> pairsUnderUpsert() {
        String longChain = IntStream.range(0, 100)
                .mapToObj(i -> "u%03d>u%03d".formatted(i, i + 1))
                .collect(Collectors.joining(" "));
        String[] flattened = IntStream.range(0, 100)
                .mapToObj("map u%03d u100 new"::formatted)
                .toArray(String[]::new);
        return planned(
                PAIRS,
                Mode.UPSERT,
                when(
                        "new pairs are mapped, those in force left alone",
                        "a>g b>g c>h b>g",
                        "b>g",
                        "map a g new",
                        "map c h new"),
                when(
                        "chains are flattened to their end",
                        "a>b b>c x>b",
                        "",
                        "map a c new",
                        "map b c new",
                        "map x c new"),
                when("long ones too", longChain, "", flattened),
                when(
                        "a cycle is cut by electing the smallest of its users",
                        "b>c c>a a>b x>y y>b",
                        "",
                        "map b a new",
                        "map c a new",
                        "map x a new",
                        "map y a new"),
                when("or the one that costs fewest writes", "b>c c>a a>b", "a>c", "map b c new"),
                when("a self-map is no mapping", "g>g a>g", "", "map a g new"),
                when("a self-map does not contradict a mapping", "a>a a>g", "", "map a g new"),
                when("a centre that is mapped is unmapped", "g>g a>g", "g>h", "map a g new", "unmap g null centre"),
                when("an unmap of a stranger is sent", "a!", "", "unmap a null asked"),
                when("an unmap of a mapped user is sent", "a!", "a>g", "unmap a null asked"),
                when("an unmap that was acknowledged is not", "a!", "a>"),
                when("whoever was unmapped can be mapped again", "a>g", "a>", "map a g new"),
                when(
                        "rows that contradict each other or cannot be right are rejected",
                        "a>g a>h a>g b>g c>null d> e! e>g",
                        "",
                        "map b g new",
                        "reject a g conflict",
                        "reject a h conflict",
                        "reject c null placeholder",
                        "reject d null missing_id",
                        "reject e g conflict",
                        "reject e null conflict"),
                when(
                        "a vanished user follows its target, others stay",
                        "g>h",
                        "v>g w>k",
                        "map g h new",
                        "remap v h follows"),
                when(
                        "who contradicts itself stays, and whoever is mapped to it goes where it is",
                        "g>h g>k u>g n>g",
                        "g>h u>h",
                        "map n h new",
                        "reject g h conflict",
                        "reject g k conflict"),
                when(
                        "so does who is named only where a target cannot be right",
                        "g>null u>g",
                        "g>h",
                        "map u h new",
                        "reject g null placeholder"),
                when(
                        "who is not mapped can be a target then",
                        "g>null u>g",
                        "",
                        "map u g new",
                        "reject g null placeholder"),
                when(
                        "whatever blanks are around it",
                        "g\u00A0>k u>g",
                        "g>h u>h",
                        "reject g\u00A0 k surrounding_blanks"),
                when(
                        "a row that counts outweighs one that does not",
                        "g>null g>k u>g",
                        "g>h",
                        "map u k new",
                        "reject g null placeholder",
                        "remap g k moved"));
    }

    @TestFactory
    Stream<DynamicTest> pairsUnderMirror() {
        return planned(
                PAIRS,
                Mode.MIRROR,
                when(
                        "vanished users are unmapped",
                        "g>h",
                        "v>g w>k",
                        "map g h new",
                        "unmap v null vanished",
                        "unmap w null vanished"),
                when("rejected is not vanished", "b>g b>h", "b>g", "reject b g conflict", "reject b h conflict"),
                when(
                        "nor is it a centre",
                        "g>h g>k u>g",
                        "g>h u>h w>h",
                        "reject g h conflict",
                        "reject g k conflict",
                        "unmap w null vanished"));
    }

    @TestFactory
    Stream<DynamicTest> clustersUnderUpsert() {
        return planned(
                CLUSTERS,
                Mode.UPSERT,
                when("the smallest stands for a new cluster", "1:cab", "", "map b a new", "map c a new"),
                when(
                        "the centre that costs fewest writes is elected",
                        "1:mnu 2:g",
                        "m>g n>g",
                        "remap m u moved",
                        "remap n u moved"),
                when("one more comes under the centre in force", "1:abcd", "b>d c>d", "map a d new"),
                when("of two in force the smaller stays", "1:abxy", "a>b x>y", "map y b new", "remap x b moved"),
                when("whoever is left alone is unmapped", "1:a 2:g", "a>g", "unmap a null centre"),
                when(
                        "one user in two clusters is in none",
                        "1:ab 2:bc",
                        "",
                        "reject b null conflict",
                        "reject b null conflict"));
    }

    @Test
    void anIdThatIsRejectedForTheBlanksAroundItHasNotVanished() {
        List<String> blanks = List.of(" ", "\t", "\u0085", "\u00A0", "\u2003", "\u3000", "\uFEFF");
        List<Row> rows = new ArrayList<>(List.of(RowFactory.create("1", "bob@shop")));
        Map<String, String> state = new TreeMap<>();
        for (int number = 0; number < blanks.size(); number++) {
            String id = "ann" + number + "@shop";
            rows.add(RowFactory.create("1", number % 2 == 0 ? id + blanks.get(number) : blanks.get(number) + id));
            state.put(id, "bob@shop");
        }

        assertThat(changes(clusters(rows), CLUSTERS, state(state), Mode.MIRROR))
                .hasSize(blanks.size())
                .allMatch(change -> change.startsWith("reject ") && change.endsWith(" null surrounding_blanks"));
    }

    @Test
    void countsSourceRowsAndReasons() {
        Dataset<Row> source = pairs(
                "a>g", "a>g", "a>a", "b>null", "c>null", "d>g", "d>h", "d>h", "e>e", "e>e", "f!", "f!", "f!", "h>k",
                "i>i", "i>m", "i>n");
        try (Planner planner = planner(source, PAIRS, state(Map.of()), Mode.UPSERT)) {
            assertThat(planner.rows()).isEqualTo(17);
            assertThat(planner.rejectedByReason()).isEqualTo(Map.of("placeholder", 2L, "conflict", 4L));
            assertThat(planner.leftOutByReason())
                    .as("all but those rejected and one for each of a, f and h")
                    .isEqualTo(Map.of("self_map", 4L, "duplicate", 4L));
        }
    }

    @Test
    void countsRepetitionsInClusters() {
        List<Row> rows = Stream.of("1 a", "1 a", "1 a", "1 b", "2 c", "3 c", "2 c", "2 d", "4 null", "4 null")
                .map(row -> RowFactory.create((Object[]) row.split(" ", 2)))
                .toList();
        try (Planner planner = planner(clusters(rows).repartition(3), CLUSTERS, state(Map.of()), Mode.UPSERT)) {
            assertThat(planner.rows()).isEqualTo(10);
            assertThat(planner.rejectedByReason())
                    .as("what cannot be right is listed row by row")
                    .isEqualTo(Map.of("placeholder", 2L, "conflict", 2L));
            assertThat(planner.leftOutByReason())
                    .as("all but those rejected and one for each of a, b and d")
                    .isEqualTo(Map.of("duplicate", 3L));
        }
    }

    @Test
    void readsAnUnmapColumnOfTextAndRefusesOtherWords() {
        StructType schema = STATE.add("unmap", DataTypes.StringType);
        Dataset<Row> words = LOCAL.spark()
                .createDataFrame(
                        List.of(
                                RowFactory.create("a", null, "TRUE"),
                                RowFactory.create("b", "g", ""),
                                RowFactory.create("c", "g", null)),
                        schema);
        assertThat(changes(words, PAIRS, state(Map.of()), Mode.UPSERT))
                .containsExactly("map b g new", "map c g new", "unmap a null asked");

        Dataset<Row> others = LOCAL.spark().createDataFrame(List.of(RowFactory.create("a", "g", "yes")), schema);
        assertThatThrownBy(() -> planner(others, PAIRS, state(Map.of()), Mode.UPSERT))
                .isInstanceOf(StoppedException.class)
                .hasMessage("Cannot read the unmap column: 1 rows hold neither true nor false. Mend them in"
                        + " 'source.sql'.");
    }

    @ParameterizedTest
    @ValueSource(strings = {"usual", "small beside the state"})
    void aFeedFollowsMappingsInForceThatItDoesNotName(String way) {
        Shape feed = new Shape.Pairs(
                "user_id",
                "global_user_id",
                Optional.of("unmap"),
                Optional.of(new Shape.Feed("_change_type", "_commit_version")),
                Optional.empty());
        Dataset<Row> checked = pairs("a>b", "x>y", "y>z", "k>l", "m!", "gone!", "asked!")
                .selectExpr(
                        "user_id",
                        "global_user_id AS target",
                        "unmap",
                        "cast(null AS double) AS rank",
                        "cast(null AS string) AS reason",
                        "user_id IN ('m', 'gone') AS deleted");
        StateOnDisk ledger =
                new StateOnDisk(LOCAL.spark(), folder).with(state(Map.of("b", "c", "y", "w", "m", "l", "n", "l")));
        State state = ledger.state();
        Planner.Limits limits = Objects.requireNonNull(WAYS.get(way));

        assertThat(planned(new Planner.Making(LOCAL.spark(), state, state.current(), Mode.UPSERT, limits)
                        .planner(checked, feed)))
                .as("we have never mapped the one who is gone, but are asked for another unmap")
                .containsExactly(
                        "map a c new",
                        "map k l new",
                        "map x z new",
                        "remap y z moved",
                        "unmap asked null asked",
                        "unmap m null asked");
    }

    @Test
    void rowsInOtherPartitionsThanThoseOfTheStateAreNoEmptySource() {
        State state = new StateOnDisk(LOCAL.spark(), folder).state();
        Planner.Making making =
                new Planner.Making(LOCAL.spark(), state, state.current(), Mode.MIRROR, Planner.Limits.USUAL);
        JavaRDD<InternalRow> rows =
                LOCAL.spark().range(3).coalesce(1).queryExecution().toRdd().toJavaRDD();

        assertThat(making.inPartitions(rows, 1)).isSameAs(rows);
        assertThat(making.inPartitions(rows.filter(row -> false), 4).getNumPartitions())
                .isEqualTo(4);
        assertThatThrownBy(() -> making.inPartitions(rows, 4))
                .hasMessage(
                        "Cannot plan: Spark has spread rows over 1 partitions and not over the 4 that the state"
                                + " needs. Use a version of Spark that README names, without rules of others in its optimizer.");
    }

    @Test
    void aPriorityDecidesWhoStandsForACycle() {
        Dataset<Row> pairs =
                pairs("b>c", "c>a", "a>b").selectExpr("*", "CASE user_id WHEN 'c' THEN 1 WHEN 'a' THEN 2 END AS rank");
        Dataset<Row> checked = pairs.selectExpr(
                "user_id",
                "global_user_id AS target",
                "unmap",
                "cast(rank AS double) AS rank",
                "cast(null AS string) AS reason");
        StateOnDisk ledger = new StateOnDisk(LOCAL.spark(), folder);
        State state = ledger.state();

        assertThat(planned(Planner.of(checked, PAIRS, state, state.current(), Mode.UPSERT)))
                .containsExactly("map a c new", "map b c new");
    }

    @Test
    void tellsUsersWhoseIdsDifferOnlyByCaseOrBlanksAndPlansThem() {
        Dataset<Row> source = clusters(List.of(
                RowFactory.create("1", "Ann@shop"),
                RowFactory.create("1", "bob@shop"),
                RowFactory.create("2", "ann@shop"),
                RowFactory.create("2", "car l@shop"),
                RowFactory.create("3", "carl@shop"),
                RowFactory.create("3", "dora@shop")));
        try (Planner planner = planner(source, CLUSTERS, state(Map.of()), Mode.UPSERT)) {
            assertThat(planned(planner))
                    .containsExactly(
                            "map bob@shop Ann@shop new",
                            "map car l@shop ann@shop new",
                            "map dora@shop carl@shop new",
                            "suspicious Ann@shop null differs_only_by_case_or_blanks",
                            "suspicious ann@shop null differs_only_by_case_or_blanks",
                            "suspicious car l@shop null differs_only_by_case_or_blanks",
                            "suspicious carl@shop null differs_only_by_case_or_blanks");
            assertThat(planner.suspicious()).isEqualTo(4);
        }
    }

    @Test
    void tellsUsersWhoseIdsDifferOnlyByCaseFromThoseOfMappedOnes() {
        Dataset<Row> source = clusters(List.of(
                RowFactory.create("1", "ann@shop"),
                RowFactory.create("1", "bob@shop"),
                RowFactory.create("2", "carl@shop")));
        Map<String, String> mapped = Map.of("Ann@shop", "Bob@shop", "Dora@shop", "Bob@shop");
        try (Planner planner = planner(source, CLUSTERS, state(mapped), Mode.UPSERT)) {
            assertThat(planned(planner))
                    .as("as where a resolver has begun to put ids into lower case")
                    .containsExactly(
                            "map bob@shop ann@shop new",
                            "suspicious Ann@shop null differs_only_by_case_or_blanks",
                            "suspicious ann@shop null differs_only_by_case_or_blanks");
            assertThat(planner.suspicious()).isEqualTo(2);
        }
    }

    @ParameterizedTest
    @CsvSource({"UPSERT, false", "UPSERT, true", "MIRROR, true"})
    void plansTheSameWhateverThePartitioning(Mode mode, boolean adaptiveAndGenerated) {
        Random random = new Random(7);
        List<Row> rows = IntStream.range(0, 500)
                .mapToObj(i -> RowFactory.create("c" + random.nextInt(120), "user-" + i))
                .collect(Collectors.toList());
        Map<String, String> mapped = new TreeMap<>();
        // Half of the users, many of them under centres of other clusters, and some that the source does not name.
        random.ints(250, 0, 600).forEach(i -> mapped.put("user-" + i, "user-" + (600 + i % 40)));
        StateOnDisk ledger = new StateOnDisk(LOCAL.spark(), folder).with(state(mapped));
        List<Row> shuffled = new ArrayList<>(rows);
        Collections.shuffle(shuffled, random);
        Dataset<Row> expected = ledger.planner(clusters(rows).coalesce(1), CLUSTERS, RULES, mode)
                .plan()
                .orderBy("user_id")
                .localCheckpoint();
        assertThat(expected.select("op").distinct().count())
                .as("several kinds of changes")
                .isGreaterThan(1);
        Map<String, String> usual = spread(adaptiveAndGenerated);
        // Rows that cannot tell how many they are, so that they stay in about as many partitions as they come in.
        Dataset<Row> spread = LOCAL.spark()
                .createDataFrame(
                        JavaSparkContext.fromSparkContext(LOCAL.spark().sparkContext())
                                .parallelize(shuffled, 40),
                        clusters(List.of()).schema());
        try (Planner planner = ledger.planner(spread, CLUSTERS, RULES, mode)) {
            LOCAL.assertSame(expected, planner.plan().orderBy("user_id"));
            assertThat(planner.plan().rdd().getNumPartitions())
                    .as("files of 64 partitions")
                    .isBetween(2, 32);
            assertThat(planner.rows()).isEqualTo(500);
            for (String op : List.of("map", "remap", "unmap")) {
                assertThat(planner.users(op))
                        .isEqualTo(expected.filter(col("op").equalTo(op)).count());
            }
        } finally {
            usual.forEach(LOCAL.spark().conf()::set);
        }
    }

    /** Lets Spark do what it does outside these tests, if wanted, over more partitions; returns how it was. */
    private static Map<String, String> spread(boolean adaptiveAndGenerated) {
        Map<String, String> usual = new TreeMap<>();
        for (String key : List.of("spark.sql.adaptive.enabled", "spark.sql.codegen.wholeStage")) {
            usual.put(key, LOCAL.spark().conf().get(key));
            LOCAL.spark().conf().set(key, Boolean.toString(adaptiveAndGenerated));
        }
        usual.put("spark.sql.shuffle.partitions", LOCAL.spark().conf().get("spark.sql.shuffle.partitions"));
        LOCAL.spark().conf().set("spark.sql.shuffle.partitions", "5");
        return usual;
    }

    /** A clustering of ten users of one world, each of them in the source or not. */
    private static Map<String, String> clustering(String world, Random random) {
        Map<String, String> clusterOf = new TreeMap<>();
        for (char id = 'a'; id < 'k'; id++) {
            if (random.nextInt(5) > 0) {
                clusterOf.put(world + id, world + random.nextInt(4));
            }
        }
        return clusterOf;
    }

    /** The ways that large and small sources go, each forced upon the same small cases. */
    private static final Map<String, Planner.Limits> WAYS = Map.of(
            "usual", Planner.Limits.USUAL,
            "absent users joined", new Planner.Limits(0, 0, Long.MAX_VALUE),
            "small beside the state", new Planner.Limits(1_000, 1_000_000, 0));

    @ParameterizedTest
    @CsvSource({
        "UPSERT, usual",
        "MIRROR, usual",
        "UPSERT, absent users joined",
        "MIRROR, absent users joined",
        "UPSERT, small beside the state"
    })
    void reachesTheWantedStarsWithAsFewWritesAsAnyChoiceOfCentres(Mode mode, String way) {
        long seed = Long.getLong("usermap.seed", 20261122L);
        Random random = new Random(seed);
        Map<String, String> state = new TreeMap<>();
        StateOnDisk ledger = new StateOnDisk(LOCAL.spark(), folder);
        Planner.Limits limits = Objects.requireNonNull(WAYS.get(way));
        for (int step = 0; step < 4; step++) {
            // Worlds share no user, so that one plan tries sixty cases.
            Map<String, String> source = new TreeMap<>();
            IntStream.range(0, 60).forEach(world -> source.putAll(clustering("w" + world + "-", random)));
            List<Row> rows = source.entrySet().stream()
                    .map(entry -> RowFactory.create(entry.getValue(), entry.getKey()))
                    .toList();
            Planner planner = ledger.planner(clusters(rows), CLUSTERS, RULES, mode, limits);
            List<Row> planned = rows(planner);
            if (limits.told() > 0) {
                assertThat(Moves.of(planned, Moves.among(planner.joinedCentres().orElseThrow()), true))
                        .as("what the state would tell: seed %d, step %d", seed, step)
                        .isEqualTo(Moves.of(planned, membersIn(state), true));
            }
            List<String> changes = told(planned);
            int fewest = BruteForce.fewestWrites(source, state, mode);
            applyTo(state, changes);
            ledger.with(acknowledged(changes));

            assertThat(ledger.acknowledged()).isEqualTo(state);
            assertThat(changes).as("seed %d, step %d", seed, step).hasSize(fewest);
            assertThat(changes).extracting(change -> change.split(" ", 4)[1]).doesNotHaveDuplicates();
            assertThat(state.values()).as("no chain").doesNotContainAnyElementsOf(state.keySet());
            Map<String, Set<String>> centres = source.keySet().stream()
                    .collect(Collectors.groupingBy(
                            source::get,
                            Collectors.mapping(user -> state.getOrDefault(user, user), Collectors.toSet())));
            assertThat(centres.values()).allSatisfy(of -> assertThat(of).hasSize(1));
            assertThat(centres.values()).doesNotHaveDuplicates();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"usual", "absent users joined", "small beside the state"})
    void whoeverIsNamedOnlyInRowsThatDoNotCountFollowsItsTarget(String way) {
        StateOnDisk ledger =
                new StateOnDisk(LOCAL.spark(), folder).with(state(Map.of("v", "g", "w", "g", "k", "l", "p", "s")));

        assertThat(planned(ledger.planner(
                        pairs("g>h", "v>x", "v>y", "k>null", "p>q", "p>r", "n>p"),
                        PAIRS,
                        RULES,
                        Mode.UPSERT,
                        Objects.requireNonNull(WAYS.get(way)))))
                .containsExactly(
                        "map g h new",
                        "map n s new",
                        "reject k null placeholder",
                        "reject p q conflict",
                        "reject p r conflict",
                        "reject v x conflict",
                        "reject v y conflict",
                        "remap v h follows",
                        "remap w h follows");
    }

    /** How many users are mapped to each of some persons. */
    private static Function<Set<String>, Map<String, Long>> membersIn(Map<String, String> state) {
        return persons -> state.values().stream()
                .filter(persons::contains)
                .collect(Collectors.groupingBy(person -> person, Collectors.counting()));
    }

    /** What a service acknowledges that does all of {@code changes}. */
    private static Dataset<Row> acknowledged(List<String> changes) {
        List<Row> rows = changes.stream()
                .map(change -> change.split(" ", 4))
                .map(words -> RowFactory.create(words[1], words[0].equals("unmap") ? null : words[2]))
                .toList();
        return LOCAL.spark().createDataFrame(rows, STATE);
    }

    private static void applyTo(Map<String, String> state, List<String> changes) {
        for (String change : changes) {
            String[] words = change.split(" ", 4);
            if (words[0].equals("unmap")) {
                state.remove(words[1]);
            } else {
                state.put(words[1], words[2]);
            }
        }
    }

    /** The same problem solved by trying every choice of centres. */
    private static final class BruteForce {
        static int fewestWrites(Map<String, String> source, Map<String, String> state, Mode mode) {
            Map<String, List<String>> members = new HashMap<>();
            source.forEach((user, cluster) ->
                    members.computeIfAbsent(cluster, name -> new ArrayList<>()).add(user));
            int vanished = 0;
            Map<String, List<String>> followers = new HashMap<>();
            for (Map.Entry<String, String> mapped : state.entrySet()) {
                String cluster = source.get(mapped.getValue());
                if (!source.containsKey(mapped.getKey()) && mode == Mode.MIRROR) {
                    vanished++;
                } else if (!source.containsKey(mapped.getKey()) && cluster != null) {
                    followers
                            .computeIfAbsent(cluster, name -> new ArrayList<>())
                            .add(mapped.getKey());
                }
            }
            int writes = vanished;
            for (Map.Entry<String, List<String>> cluster : members.entrySet()) {
                List<String> all = new ArrayList<>(cluster.getValue());
                all.addAll(followers.getOrDefault(cluster.getKey(), List.of()));
                writes += cluster.getValue().stream()
                        .mapToInt(centre -> (int) all.stream()
                                .filter(user ->
                                        user.equals(centre) ? state.containsKey(user) : !centre.equals(state.get(user)))
                                .count())
                        .min()
                        .orElseThrow();
            }
            return writes;
        }

        private BruteForce() {}
    }
}
