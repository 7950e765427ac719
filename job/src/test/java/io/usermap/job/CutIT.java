package io.usermap.job;

import static org.assertj.core.api.Assertions.assertThat;

import io.usermap.client.IdRules;
import io.usermap.job.Keys.Mode;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Runs that are cut by a budget, one after another, over random histories of clusterings; and undone again. */
class CutIT {
    @RegisterExtension
    static final LocalSpark LOCAL = new LocalSpark();

    @TempDir
    private static Path folder;

    private static final Shape CLUSTERS = new Shape.Clusters("cluster", "id");
    private static final StructType STATE =
            new StructType().add("user_id", DataTypes.StringType).add("global_user_id", DataTypes.StringType);
    private static final StructType PLAN = new StructType()
            .add("op", DataTypes.StringType)
            .add("user_id", DataTypes.StringType)
            .add("global_user_id", DataTypes.StringType)
            .add("previous_global_user_id", DataTypes.StringType)
            .add("reason", DataTypes.StringType)
            .add("cluster", DataTypes.StringType);

    private static Dataset<Row> state(Map<String, String> mappings) {
        List<Row> rows = mappings.entrySet().stream()
                .map(entry -> RowFactory.create(entry.getKey(), entry.getValue()))
                .toList();
        return LOCAL.spark().createDataFrame(rows, STATE);
    }

    private static Dataset<Row> source(Map<String, String> clusterOf) {
        List<Row> rows = clusterOf.entrySet().stream()
                .map(entry -> RowFactory.create(entry.getValue(), entry.getKey()))
                .toList();
        return LOCAL.spark()
                .createDataFrame(
                        rows,
                        new StructType().add("cluster", DataTypes.StringType).add("id", DataTypes.StringType));
    }

    private static List<Row> changes(Map<String, String> source, Map<String, String> state, Mode mode) {
        StateOnDisk ledger = new StateOnDisk(LOCAL.spark(), folder).with(state(state));
        try (Planner planner = ledger.planner(source(source), CLUSTERS, new IdRules(1), mode)) {
            return planner.plan()
                    .select("op", "user_id", "global_user_id", "previous_global_user_id", "reason", "cluster")
                    .collectAsList();
        }
    }

    /** Clusterings of worlds that share no user; many of ten users, one of forty in few clusters. */
    private static Map<String, String> clustering(Random random) {
        Map<String, String> clusterOf = new TreeMap<>();
        for (int world = 0; world < 20; world++) {
            for (char id = 'a'; id < 'k'; id++) {
                if (random.nextInt(5) > 0) {
                    clusterOf.put("w" + world + "-" + id, "w" + world + "-" + random.nextInt(4));
                }
            }
        }
        for (int id = 0; id < 40; id++) {
            clusterOf.put("large-" + id, "large-" + random.nextInt(3));
        }
        return clusterOf;
    }

    private static void apply(Map<String, String> state, List<Row> changes) {
        for (Row change : changes) {
            if (change.isNullAt(2)) {
                state.remove(change.getString(1));
            } else {
                state.put(change.getString(1), change.getString(2));
            }
        }
    }

    @ParameterizedTest
    @EnumSource(Mode.class)
    void leavesNoChainWhereverItCutsAndGetsThereInTheEnd(Mode mode) {
        long seed = Long.getLong("usermap.seed", 20261122L);
        Random random = new Random(seed);
        Map<String, String> state = stars(clustering(random));
        Map<String, String> source = clustering(random);
        List<Row> changes = changes(source, state, mode);
        int all = changes.size();
        for (int writes : List.of(1, 4, 9, 16, 30, 50)) {
            fitting(changes, state, new Budget(writes + random.nextInt(3)), seed);
        }
        int sent = 0;
        for (int writes : List.of(20, 60)) {
            List<Row> taken = fitting(changes, state, new Budget(writes), seed);
            sent += taken.size();
            apply(state, taken);
            changes = changes(source, state, mode);
        }
        assertThat(sent + changes.size())
                .as("what is cut costs no more writes: seed %d", seed)
                .isEqualTo(all);
    }

    /** What fits, checked for all that a cut must keep to. */
    private static List<Row> fitting(List<Row> changes, Map<String, String> state, Budget budget, long seed) {
        List<Row> taken = Cut.fitting(LOCAL.spark().createDataFrame(changes, PLAN), budget, 1)
                .collectAsList();
        Map<String, String> after = new TreeMap<>(state);
        apply(after, taken);
        assertThat(taken)
                .as("seed %d, %s", seed, budget)
                .isNotEmpty()
                .hasSizeLessThanOrEqualTo((int) budget.writes())
                .isSubsetOf(changes)
                .doesNotHaveDuplicates();
        assertThat(after.values())
                .as("no chain: seed %d, %s", seed, budget)
                .doesNotContainAnyElementsOf(after.keySet());
        requireWholeClusters(changes, taken, budget);
        return taken;
    }

    /** Every cluster under the smallest of its users. */
    private static Map<String, String> stars(Map<String, String> clusterOf) {
        Map<String, String> centres = new TreeMap<>();
        clusterOf.forEach((user, cluster) -> centres.merge(cluster, user, (a, b) -> a.compareTo(b) < 0 ? a : b));
        Map<String, String> state = new TreeMap<>();
        clusterOf.forEach((user, cluster) -> {
            String centre = centres.getOrDefault(cluster, user);
            if (!centre.equals(user)) {
                state.put(user, centre);
            }
        });
        return state;
    }

    private static void requireWholeClusters(List<Row> changes, List<Row> taken, Budget budget) {
        Map<String, List<Row>> byCluster = changes.stream()
                .filter(row -> !row.isNullAt(5))
                .collect(Collectors.groupingBy(row -> row.getString(5)));
        Set<Row> takenRows = new HashSet<>(taken);
        Set<String> inUse = changes.stream()
                .filter(row -> !takenRows.contains(row) && !row.isNullAt(3))
                .map(row -> row.getString(3))
                .collect(Collectors.toSet());
        byCluster.values().stream()
                .filter(rows -> rows.size() <= budget.writes())
                .forEach(rows -> {
                    List<Row> left = rows.stream()
                            .filter(row -> !takenRows.contains(row))
                            .toList();
                    // The map of a centre that is still in use is all that may be held back.
                    assertThat(left.size() == rows.size()
                                    || left.stream().allMatch(row -> inUse.contains(row.getString(1))))
                            .isTrue();
                });
    }

    @Test
    void holdsTheMapOfACentreBackWhileSomebodyElsewherePointsAtIt() {
        Map<String, String> state = Map.of("a", "b", "x", "b", "d", "c", "e", "c", "y", "z");
        Map<String, String> source = new TreeMap<>(Map.of("a", "1", "b", "1", "c", "1", "d", "1", "e", "1"));
        source.putAll(Map.of("x", "2", "y", "2", "z", "2"));
        List<Row> changes = List.of(
                RowFactory.create("remap", "a", "c", "b", "moved", "1"),
                RowFactory.create("map", "b", "c", null, "new", "1"),
                RowFactory.create("remap", "x", "z", "b", "moved", "2"));
        assertThat(changes(source, state, Mode.UPSERT)).containsExactlyInAnyOrderElementsOf(changes);

        assertThat(fitting(changes, state, new Budget(2), 0)).containsExactly(changes.get(0));
    }

    @Test
    void unmapsTheCentreOfAClusterThatDoesNotFitBeforeAnythingPointsAtIt() {
        List<Row> changes = List.of(
                RowFactory.create("map", "0", "a", null, "new", "1"),
                RowFactory.create("remap", "b", "a", "g", "moved", "1"),
                RowFactory.create("unmap", "a", null, "g", "centre", "1"));
        Map<String, String> state = Map.of("a", "g", "b", "g");

        assertThat(fitting(changes, state, new Budget(1), 0)).containsExactly(changes.get(2));
        assertThat(fitting(changes, state, new Budget(2), 0)).containsExactlyInAnyOrder(changes.get(2), changes.get(1));
    }

    @Test
    void takesTheMostValuableFirstAndTheSameWhateverThePartitioning() {
        List<Row> changes = new ArrayList<>();
        for (int i = 0; i < 10; i++) {
            changes.add(RowFactory.create("map", "new-" + i, "g" + i, null, "new", "n" + i));
            changes.add(RowFactory.create("remap", "moved-" + i, "h" + i, "old", "moved", "m" + i));
            changes.add(RowFactory.create("unmap", "gone-" + i, null, "old", "vanished", null));
        }
        Dataset<Row> frame = LOCAL.spark().createDataFrame(changes, PLAN);

        List<String> taken = taken(frame.repartition(5), new Budget(15), 1);

        assertThat(taken).hasSize(15).filteredOn(id -> id.startsWith("gone-")).hasSize(10);
        assertThat(taken).filteredOn(id -> id.startsWith("moved-")).hasSize(5);
        assertThat(taken(frame.coalesce(1), new Budget(15), 1)).isEqualTo(taken);
        assertThat(taken(frame, new Budget(15), 2))
                .as("a remap in two steps is two writes")
                .filteredOn(id -> id.startsWith("moved-"))
                .hasSize(2);
    }

    private static List<String> taken(Dataset<Row> changes, Budget budget, int writesPerRemap) {
        return Cut.fitting(changes, budget, writesPerRemap).collectAsList().stream()
                .map(row -> row.getString(1))
                .sorted()
                .toList();
    }

    @Test
    void tellsMergesAndSplitsOfKnownPersons() {
        // merged: {a to b} and {x to y}; split: {m, n to g} into {m, n, u} and {g}; new: {p, q}; one more: {r to s} and
        // t.
        Map<String, String> before = Map.of("a", "b", "x", "y", "m", "g", "n", "g", "r", "s");
        Map<String, String> source = new TreeMap<>(Map.of("a", "1", "b", "1", "x", "1", "y", "1", "m", "2", "n", "2"));
        source.putAll(Map.of("u", "2", "g", "3", "p", "4", "q", "4", "r", "5", "s", "5", "t", "5"));
        Dataset<Row> changes = LOCAL.spark().createDataFrame(changes(source, before, Mode.UPSERT), PLAN);

        assertThat(moves(changes, before, true)).isEqualTo(new Moves(1, 1));
        assertThat(moves(
                        LOCAL.spark()
                                .createDataFrame(
                                        List.of(
                                                RowFactory.create("remap", "a", "new", "old", "moved", "new"),
                                                RowFactory.create("remap", "b", "new", "old", "moved", "new")),
                                        PLAN),
                        Map.of("a", "old", "b", "old"),
                        false))
                .as("another name for the same person is no split")
                .isEqualTo(Moves.NONE);
    }

    /** Both ways to count, and to learn how many users a person has, tell the same. */
    private static Moves moves(Dataset<Row> changes, Map<String, String> before, boolean centresAreUsers) {
        State state = new StateOnDisk(LOCAL.spark(), folder).with(state(before)).state();
        StateLookup lookup = new StateLookup(LOCAL.spark(), state, state.current());
        Moves lookedUp = Moves.of(changes, persons -> lookup.members(persons, 1_000), centresAreUsers);

        assertThat(Moves.of(changes, persons -> lookup.members(persons, 0), centresAreUsers))
                .isEqualTo(lookedUp);
        for (int few : List.of(0, 1_000)) {
            assertThat(Moves.of(
                            changes.collectAsList(),
                            (Set<String> persons) -> lookup.members(persons, few),
                            centresAreUsers))
                    .isEqualTo(lookedUp);
        }
        return lookedUp;
    }

    @ParameterizedTest
    @EnumSource(Mode.class)
    void countsTheSameMergesAndSplitsOfAFewChangesAndOfMany(Mode mode) {
        long seed = Long.getLong("usermap.seed", 20261122L);
        Random random = new Random(seed);
        Map<String, String> before = stars(clustering(random));
        List<Row> changes = changes(clustering(random), before, mode);

        Moves moves = moves(LOCAL.spark().createDataFrame(changes, PLAN), before, true);

        assertThat(moves.merged()).as("seed %d", seed).isPositive();
        assertThat(moves.split()).as("seed %d", seed).isPositive();
    }

    @Test
    void undoesARunUpToWhatHasMovedSinceAndLeavesNoChain() {
        long seed = Long.getLong("usermap.seed", 7L);
        Random random = new Random(seed);
        Map<String, String> first = stars(clustering(random));
        Map<String, String> second = new TreeMap<>(first);
        List<Row> run = changes(clustering(random), first, Mode.UPSERT);
        apply(second, run);
        Map<String, String> third = new TreeMap<>(second);
        apply(third, changes(clustering(random), second, Mode.UPSERT));

        Map<String, String> undone = new TreeMap<>(second);
        Undo at = undo(run, second);
        apply(undone, at.rows().collectAsList());
        assertThat(undone).as("nothing moved since: seed %d", seed).isEqualTo(first);
        assertThat(at.moved() + at.chained()).isZero();

        Undo later = undo(run, third);
        apply(third, later.rows().collectAsList());
        assertThat(third.values()).as("no chain: seed %d", seed).doesNotContainAnyElementsOf(third.keySet());
        assertThat(later.moved()).isPositive();
        assertThat(later.acknowledged()).isEqualTo(run.size());
        assertThat(later.rows().count()).isEqualTo(run.size() - later.moved() - later.chained());
    }

    @Test
    void undoesAUserOnceThoughThePlanTellsItAsSuspiciousToo() {
        List<Row> run = List.of(
                RowFactory.create("remap", "Ann", "new", "old", "moved", "1"),
                RowFactory.create("suspicious", "Ann", null, null, "differs_only_by_case_or_blanks", null));

        Undo undo = Undo.of(
                LOCAL.spark().createDataFrame(run, PLAN), state(Map.of("Ann", "new")), state(Map.of("Ann", "new")));

        assertThat(undo.acknowledged()).isEqualTo(1);
        assertThat(undo.rows().collectAsList())
                .containsExactly(RowFactory.create("remap", "Ann", "old", "new", "undo", "1"));
    }

    private static Undo undo(List<Row> run, Map<String, String> state) {
        Map<String, String> acknowledged = new HashMap<>();
        run.forEach(row -> acknowledged.put(row.getString(1), row.getString(2)));
        return Undo.of(LOCAL.spark().createDataFrame(run, PLAN), state(acknowledged), state(state));
    }
}
