package io.usermap.job;

import static org.apache.spark.sql.functions.count;
import static org.apache.spark.sql.functions.lit;

import io.usermap.job.State.Zipped;
import io.usermap.job.StateFile.Entry;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.unsafe.types.UTF8String;

/**
 * What one version of the state knows about some users, in the few pages that have them.
 *
 * <p>Called on the driver; blocks for the tasks that look.
 *
 * @param spark where the tasks run
 * @param state whose files are looked into
 * @param version what is acknowledged
 */
record StateLookup(SparkSession spark, State state, State.Version version) {
    private static final StructType TARGET = new StructType().add("target", DataTypes.StringType, false);

    /**
     * The rows of {@code users}, as {@link State#rows} has them.
     *
     * @param users {@code user_id}, every user once
     * @param few so many are looked up; for more, the state is read as a whole
     */
    Dataset<Row> rows(Dataset<Row> users, int few) {
        Set<UTF8String> ids = first(users, few + 1);
        if (ids.size() > few) {
            return state.rows(version).join(users, new String[] {"user_id"}, "left_semi");
        }
        Iterator<Row> found = State.rows(byUser(ids).iterator());
        List<Row> rows = new ArrayList<>();
        found.forEachRemaining(rows::add);
        return spark.createDataFrame(rows, State.SCHEMA);
    }

    /**
     * Of few users those who are followed, with whoever else is mapped to them: the target's id, then the users'.
     */
    Map<UTF8String, List<UTF8String>> followers(Set<UTF8String> targets) {
        return pointing(targets, user -> !targets.contains(user)).stream()
                .collect(Collectors.groupingBy(
                        entry -> Objects.requireNonNull(entry.target()),
                        Collectors.mapping(Entry::user, Collectors.toList())));
    }

    /**
     * How many users are mapped to each of some users, in the columns "target" and "members"; without those that nobody is
     * mapped to.
     *
     * @param targets the users, in a column "target", every one once
     * @param few so many are looked up; for more, the state is read as a whole
     */
    Dataset<Row> members(Dataset<Row> targets, int few) {
        Set<UTF8String> ids = first(targets, few + 1);
        JavaRDD<Row> pointing = ids.size() > few
                ? pointingAtSome(targets)
                : state.context()
                        .parallelize(
                                pointing(ids, user -> true).stream()
                                        .map(StateLookup::target)
                                        .toList(),
                                1);
        return spark.createDataFrame(pointing, TARGET)
                .groupBy("target")
                .agg(count(lit(1)).as("members"))
                .join(targets, new String[] {"target"}, "left_semi");
    }

    /** The same for users who are at hand. */
    Map<String, Long> members(Set<String> targets, int few) {
        if (targets.size() <= few) {
            return pointing(utf8(targets.stream()), user -> true).stream()
                    .collect(Collectors.groupingBy(entry -> String.valueOf(entry.target()), Collectors.counting()));
        }
        return collected(members(targets(targets), few));
    }

    /** The users in a column "target". */
    Dataset<Row> targets(Set<String> users) {
        return spark.createDataset(List.copyOf(users), Encoders.STRING()).toDF("target");
    }

    /** The rows of {@link #members(Dataset, int)}. */
    static Map<String, Long> collected(Dataset<Row> members) {
        return members.collectAsList().stream()
                .collect(Collectors.toMap(row -> row.getAs("target"), row -> row.getAs("members")));
    }

    private static Set<UTF8String> utf8(Stream<String> ids) {
        return ids.map(UTF8String::fromString).collect(Collectors.toSet());
    }

    private static Set<UTF8String> first(Dataset<Row> ids, int most) {
        return utf8(ids.limit(most).collectAsList().stream().map(row -> row.getString(0)));
    }

    private static Row target(Entry entry) {
        return RowFactory.create(String.valueOf(entry.target()));
    }

    /** The targets of all users that are mapped to one of {@code targets}, and of a few more; once for each user. */
    private JavaRDD<Row> pointingAtSome(Dataset<Row> targets) {
        Broadcast<UserSet> wanted = state.context()
                .broadcast(targets.toJavaRDD()
                        .treeAggregate(
                                new UserSet(),
                                (set, row) -> set.with(UTF8String.fromString(row.getString(0))),
                                UserSet::or));
        int partitions = State.partsFor(version.users());
        Zipped zipped = state.zipped(version);
        return state.partitions(partitions)
                .flatMap(index -> State.stream(zipped.entries(index, partitions))
                        .filter(entry ->
                                entry.target() != null && wanted.value().mayHave(entry.target()))
                        .map(StateLookup::target)
                        .iterator());
    }

    /** The entries that are mapped to one of {@code targets} now, of users that are wanted. */
    private List<Entry> pointing(Set<UTF8String> targets, Predicate<UTF8String> isWanted) {
        List<StateSegment> byTarget =
                version.layers().stream().map(State.Layer::targets).toList();
        List<Zipped> each =
                byTarget.stream().map(segment -> state.zipped(List.of(segment))).toList();
        // Somebody was mapped to them once; whether that is so now, the user's own entry tells.
        Set<UTF8String> once = found(each, targets, State.partsFor(byTarget)).stream()
                .map(entry -> Objects.requireNonNull(entry.target()))
                .filter(isWanted)
                .collect(Collectors.toSet());
        return byUser(once).stream()
                .filter(entry -> entry.target() != null && targets.contains(entry.target()))
                .toList();
    }

    private List<Entry> byUser(Set<UTF8String> ids) {
        return found(List.of(state.zipped(version)), ids, State.partsFor(version.users()));
    }

    /** The entries of {@code ids}, in each of several places. */
    private List<Entry> found(List<Zipped> each, Set<UTF8String> ids, int partitions) {
        Broadcast<HashSet<UTF8String>> wanted = state.context().broadcast(new HashSet<>(ids));
        return state.partitions(partitions)
                .flatMap(index -> {
                    List<Long> keys = wanted.value().stream()
                            .map(id -> IdKey.of(id.toString()))
                            .filter(key -> IdKey.partition(key, partitions) == index)
                            .sorted()
                            .distinct()
                            .toList();
                    return each.stream()
                            .flatMap(zipped -> State.stream(zipped.entries(index, partitions, keys)))
                            .filter(entry -> wanted.value().contains(entry.user()))
                            .iterator();
                })
                .collect();
    }
}
