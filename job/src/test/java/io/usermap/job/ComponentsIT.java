package io.usermap.job;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import org.apache.spark.SparkContext;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

class ComponentsIT {
    @RegisterExtension
    static final LocalSpark LOCAL = new LocalSpark();

    private static final StructType EDGE =
            new StructType().add("a", DataTypes.StringType).add("b", DataTypes.StringType);

    private static Dataset<Row> frame(List<Row> edges) {
        return LOCAL.spark().createDataFrame(edges, EDGE);
    }

    private static Map<String, String> components(Dataset<Row> edges) {
        Map<String, String> found = new TreeMap<>();
        for (Row row : Components.of(edges).collectAsList()) {
            assertThat(found.put(row.getString(0), row.getString(1))).isNull();
        }
        return found;
    }

    /** The textbook's way: every id points towards the smallest of its component. */
    private static final class UnionFind {
        private final Map<String, String> parents = new HashMap<>();

        private String root(String id) {
            String parent = parents.computeIfAbsent(id, same -> same);
            if (parent.equals(id)) {
                return id;
            }
            String root = root(parent);
            parents.put(id, root);
            return root;
        }

        void join(String a, String b) {
            String one = root(a);
            String other = root(b);
            parents.put(one.compareTo(other) < 0 ? other : one, one.compareTo(other) < 0 ? one : other);
        }

        Map<String, String> components() {
            Map<String, String> found = new TreeMap<>();
            new ArrayList<>(parents.keySet()).forEach(id -> found.put(id, root(id)));
            return found;
        }
    }

    @Test
    void agreesWithAUnionFindOnRandomGraphs() {
        long seed = Long.getLong("usermap.seed", 20261122L);
        Random random = new Random(seed);
        List<Row> edges = new ArrayList<>();
        UnionFind expected = new UnionFind();
        // Graphs that share no id, from sparse to dense, with repetitions, both directions and edges to oneself.
        for (int graph = 0; graph < 40; graph++) {
            int ids = 2 + random.nextInt(60);
            for (int edge = random.nextInt(2 * ids); edge >= 0; edge--) {
                String a = "%d-%x".formatted(graph, random.nextInt(ids) * 7919);
                String b = "%d-%x".formatted(graph, random.nextInt(ids) * 7919);
                edges.add(RowFactory.create(a, b));
                expected.join(a, b);
            }
        }
        Collections.shuffle(edges, random);

        assertThat(components(frame(edges)))
                .as("seed %d", seed)
                .isEqualTo(expected.components())
                .hasSizeGreaterThan(300);
    }

    @Test
    void putsAChainOfAHundredThousandTogetherInFewRounds() {
        int length = 100_000;
        Dataset<Row> chain = LOCAL.spark()
                .range(length)
                // Ids that say nothing of their place in the chain.
                .selectExpr("md5(cast(id AS string)) AS a", "md5(cast(id + 1 AS string)) AS b");
        // Here are rows enough for compiled code to pay.
        LOCAL.spark().conf().set("spark.sql.codegen.wholeStage", "true");
        SparkContext context = LOCAL.spark().sparkContext();
        context.setJobGroup("chain", "", false);
        Dataset<Row> found = Components.of(chain);
        int rounds = context.statusTracker().getJobIdsForGroup("chain").length;
        context.clearJobGroup();

        assertThat(rounds).as("one job a round, and 17 doublings of a distance").isBetween(10, 20);
        Row figures = found.selectExpr("count(*)", "count(DISTINCT component)", "min(component)", "min(id)")
                .first();
        assertThat(figures).isEqualTo(RowFactory.create(length + 1L, 1L, figures.getString(3), figures.getString(3)));
    }

    @Test
    void knowsNoComponentsWithoutEdges() {
        assertThat(components(frame(List.of()))).isEmpty();
        assertThat(components(frame(List.of(RowFactory.create("lone", "lone")))))
                .isEqualTo(Map.of("lone", "lone"));
    }

    @Test
    void doesNotDependOnOrderOrPartitioning() {
        List<Row> edges = List.of(
                RowFactory.create("d", "b"),
                RowFactory.create("b", "c"),
                RowFactory.create("y", "x"),
                RowFactory.create("c", "a"),
                RowFactory.create("x", "z"),
                RowFactory.create("d", "b"));
        Map<String, String> expected = Map.of("a", "a", "b", "a", "c", "a", "d", "a", "x", "x", "y", "x", "z", "x");
        assertThat(components(frame(edges).coalesce(1))).isEqualTo(expected);
        assertThat(components(frame(edges).repartition(5))).isEqualTo(expected);
    }
}
