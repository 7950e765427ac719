package io.usermap.job;

import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.count;
import static org.apache.spark.sql.functions.count_distinct;
import static org.apache.spark.sql.functions.lit;

import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import java.util.function.UnaryOperator;
import java.util.stream.Collectors;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;

/**
 * What the changes of a plan mean for persons: how many are joined, how many taken apart.
 *
 * <p>A person is a centre and whoever points at it. Only users who leave a centre tell of either, so a plan of new users
 * costs nothing here; otherwise the state may be read once, for the centres in question.
 *
 * @param merged clusters in which users of several persons come together
 * @param split persons whose users come to stand in several places
 */
record Moves(long merged, long split) {
    static final Moves NONE = new Moves(0, 0);

    private static final String PREVIOUS = "previous_global_user_id";
    private static final String CLUSTER = "cluster";

    /** The place of those who stay; no cluster has this name. */
    private static final String BEHIND = "";

    /** So many changes are counted on the driver: Spark's rounds cost more than they do. */
    static final int FEW = 200_000;

    /**
     * Counts in a few changes; as {@link #of(Dataset, UnaryOperator, boolean)} otherwise.
     *
     * @param membersOf how many users were mapped to each of some persons before the plan; of clusters it is asked only for
     *     centres that no change leaves, and whether there are any is all that counts
     */
    static Moves of(List<Row> changes, Function<Set<String>, Map<String, Long>> membersOf, boolean centresAreUsers) {
        Set<String> inForce = new HashSet<>();
        Map<String, Long> leaving = new HashMap<>();
        Set<String> asked = new HashSet<>();
        for (Row change : changes) {
            previous(change).ifPresent(inForce::add);
            if (leaves(change)) {
                leaving.merge(change.getAs(PREVIOUS), 1L, Long::sum);
                centre(change).ifPresent(asked::add);
            }
        }
        asked.removeAll(inForce);
        if (!centresAreUsers) {
            asked.addAll(leaving.keySet());
        }
        Map<String, Long> members = asked.isEmpty() ? Map.of() : membersOf.apply(asked);
        inForce.addAll(members.keySet());
        Map<String, Set<String>> personsOf = new HashMap<>();
        Map<String, Set<String>> placesOf = new HashMap<>();
        Set<String> moved = new HashSet<>();
        for (Row change : changes) {
            String cluster = change.getAs(CLUSTER);
            String user = change.getAs("user_id");
            if (leaves(change)) {
                Set<String> persons = personsOf.computeIfAbsent(cluster, name -> new HashSet<>());
                persons.add(change.getAs(PREVIOUS));
                centre(change).filter(inForce::contains).ifPresent(persons::add);
                placesOf.computeIfAbsent(change.getAs(PREVIOUS), name -> new HashSet<>())
                        .add(cluster);
            } else if (change.getAs("op").equals("map") && leaving.containsKey(user)) {
                placesOf.computeIfAbsent(user, name -> new HashSet<>()).add(cluster);
                moved.add(user);
            }
        }
        leaving.forEach((person, many) -> {
            if (!moved.contains(person) && (centresAreUsers || members.getOrDefault(person, 0L) > many)) {
                placesOf.computeIfAbsent(person, name -> new HashSet<>()).add(BEHIND);
            }
        });
        return new Moves(severalIn(personsOf), severalIn(placesOf));
    }

    /** What to ask for members where nothing is known but the centres that have some. */
    static Function<Set<String>, Map<String, Long>> among(Set<String> centres) {
        return asked -> asked.stream().filter(centres::contains).collect(Collectors.toMap(centre -> centre, one -> 1L));
    }

    private static Optional<String> previous(Row change) {
        return Optional.ofNullable(change.getAs(PREVIOUS));
    }

    private static Optional<String> centre(Row change) {
        return Optional.ofNullable(change.getAs("global_user_id"));
    }

    private static boolean leaves(Row change) {
        return change.getAs(PREVIOUS) != null && change.getAs(CLUSTER) != null;
    }

    private static long severalIn(Map<String, Set<String>> each) {
        return each.values().stream().filter(all -> all.size() > 1).count();
    }

    /**
     * Counts; blocks.
     *
     * @param changes in the columns of a saved plan
     * @param membersOf gives {@code target, members} for {@code target}: how many users were mapped to each before the plan
     * @param centresAreUsers whether a centre that nobody maps is a user who stays behind, as in clusters, or a name only,
     *     as in pairs
     */
    static Moves of(Dataset<Row> changes, UnaryOperator<Dataset<Row>> membersOf, boolean centresAreUsers) {
        Column leaves = col(PREVIOUS).isNotNull().and(col(CLUSTER).isNotNull());
        Dataset<Row> left = changes.filter(leaves)
                .select(
                        col(PREVIOUS).as("person"),
                        col("cluster"),
                        col("global_user_id").as("centre"))
                .persist();
        try {
            if (left.isEmpty()) {
                return NONE;
            }
            Dataset<Row> leaving = left.groupBy("person").agg(count(lit(1)).as("leaving"));
            Dataset<Row> centres = left.filter(col("centre").isNotNull())
                    .select(col("cluster"), col("centre").as("person"))
                    .distinct();
            Dataset<Row> members = membersOf
                    .apply(leaving.select("person")
                            .unionByName(centres.select("person"))
                            .distinct()
                            .withColumnRenamed("person", "target"))
                    .withColumnRenamed("target", "person")
                    .persist();
            try {
                return new Moves(
                        merged(left, centres, members), split(left, changes, leaving, members, centresAreUsers));
            } finally {
                members.unpersist();
            }
        } finally {
            left.unpersist();
        }
    }

    private static long merged(Dataset<Row> left, Dataset<Row> centres, Dataset<Row> members) {
        Dataset<Row> inForce = centres.join(members, new String[] {"person"}, "left_semi");
        return left.select("cluster", "person")
                .unionByName(inForce)
                .groupBy("cluster")
                .agg(count_distinct(col("person")).as("persons"))
                .filter(col("persons").gt(1))
                .count();
    }

    private static long split(
            Dataset<Row> left,
            Dataset<Row> changes,
            Dataset<Row> leaving,
            Dataset<Row> members,
            boolean centresAreUsers) {
        Dataset<Row> centresToo = changes.filter(col("op").equalTo("map"))
                .select(col("user_id").as("person"), col("cluster"))
                .join(leaving, new String[] {"person"}, "left_semi");
        Dataset<Row> behind = leaving.join(centresToo, new String[] {"person"}, "left_anti")
                .join(members, new String[] {"person"})
                .filter(lit(centresAreUsers).or(col("members").gt(col("leaving"))))
                .select(col("person"), lit(BEHIND).as("cluster"));
        return left.select("person", "cluster")
                .unionByName(centresToo)
                .unionByName(behind)
                .groupBy("person")
                .agg(count_distinct(col("cluster")).as("places"))
                .filter(col("places").gt(1))
                .count();
    }
}
