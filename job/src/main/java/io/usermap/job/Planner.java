package io.usermap.job;

import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.when;

import io.usermap.client.RejectReason;
import io.usermap.job.Found.Kind;
import io.usermap.job.Keys.Mode;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.unsafe.types.UTF8String;
import org.jspecify.annotations.Nullable;

/**
 * The changes between what is acknowledged and what the source wants: stars, in which every user points straight at its
 * centre and no centre points anywhere.
 *
 * <p>Users that are in the state and not among the wanted ones keep out of the way: under {@code upsert}, and where the
 * source names them in a row that was rejected, they are left alone, unless their target has become a member of a cluster;
 * then they follow it to its centre, so that no chain arises. Under {@code mirror} the others are unmapped.
 *
 * <p>A state row without a target is an unmap that was acknowledged: an unmap that the source asks for is sent once.
 *
 * <h2>How is it done, and why?</h2>
 *
 * <p>A full outer join of source and state would shuffle both, and an election by cluster once more. Here the source is
 * shuffled twice and the state never: by id, where {@link Census} zips it with the state's files, then by cluster, where
 * {@link Stars} elects. Only the changes come out. Users of the state that the source lacks are usually few; then the driver
 * tells every task of them. If they are many, they are joined to the members that they point at.
 */
final class Planner implements AutoCloseable {
    /**
     * When which of several ways to the same plan is the shorter one.
     *
     * @param told so many absent users are told to every task, more are brought to their clusters by a join; and so many
     *     centres are told to the driver
     * @param small a source of at most so many users is small
     * @param large beside a state of at least so many
     */
    record Limits(int told, int small, long large) {
        static final Limits USUAL = new Limits(500_000, 5_000, 500_000);
    }

    private static final long BYTES_A_PARTITION = 32L << 20;
    /** No source of so many bytes has few users. */
    private static final long LARGE_BYTES = 64L << 20;
    /** So many partitions at most share a task, one after the other. */
    private static final int PARTITIONS_A_TASK = 16;

    /** Sources that cannot tell their size say something absurd. */
    private static final long UNKNOWN_BYTES = 1L << 50;

    private final Optional<PairRows> pairs;
    private final PlanFacts seen;
    private final PlanFacts settled;
    private final Dataset<Row> plan;

    private Planner(Optional<PairRows> pairs, PlanFacts seen, PlanFacts settled, Dataset<Row> plan) {
        this.pairs = pairs;
        this.seen = seen;
        this.settled = settled;
        this.plan = plan;
    }

    /**
     * Reads the source, once, and finds out who is in it; blocks for that. The changes are worked out when they are written.
     *
     * @param checked as {@link CheckedRows} gives them
     * @param version what is acknowledged
     * @throws StoppedException if the source cannot be read to its end, or an unmap column holds other words than true
     *     and false
     */
    static Planner of(Dataset<Row> checked, Shape shape, State state, State.Version version, Mode mode) {
        return Source.toItsEnd(
                () -> new Making(checked.sparkSession(), state, version, mode, Limits.USUAL).planner(checked, shape));
    }

    /** A partition and its number, which a task knows no more once it has several of them. */
    private record Numbered(int index, Iterator<InternalRow> rows) {}

    /** The steps of a plan. */
    record Making(SparkSession spark, State state, State.Version version, Mode mode, Limits limits) {

        Planner planner(Dataset<Row> checked, Shape shape) {
            PlanFacts seen = registered();
            PlanFacts settled = registered();
            boolean isPairs = shape instanceof Shape.Pairs;
            boolean isFeed = shape instanceof Shape.Pairs of && of.feed().isPresent();
            // A row names two users at most, and the second one may point at a third.
            int few = isLargeBeside() ? limits.small() / 3 : 0;
            Optional<PairRows> pairs = isPairs ? Optional.of(PairRows.of(checked, few)) : Optional.empty();
            PairsInForce inForce = new PairsInForce(spark, lookup(), limits.small());
            Dataset<Row> sightings = pairs.map(rows -> Sighting.ofPairs(
                            rows,
                            wishes -> isFeed ? inForce.besideFeed(wishes, rows) : inForce.besideTable(wishes, rows)))
                    .orElseGet(() -> Sighting.ofClusters(checked));
            int partitions = pairs.filter(PairRows::areFew).isPresent() ? atOnce() : partitions(sightings);
            JavaRDD<InternalRow> byId = sorted(sightings, Sighting.KEY, partitions);
            List<Long> lookUp = isLargeBeside() && mayBeSmall(bytes(sightings))
                    ? keysOfFew(byId).orElse(null)
                    : null;
            Census census = new Census(state.zipped(version), mode, lookUp, limits.told() / partitions, seen);
            JavaRDD<InternalRow> byCluster = byCluster(
                    byId.mapPartitionsWithIndex((index, rows) -> census.found(index, partitions, rows), true)
                            .coalesce(tasks(partitions)),
                    partitions);
            // The figures are complete once the shuffle is written, which a single task of what follows waits for.
            byCluster
                    .mapPartitions(rows -> Collections.<Boolean>emptyIterator())
                    .collectPartitions(new int[] {0});
            Map<String, Long> byReason = seen.counts(Census.LEFT_OUT);
            byReason.putAll(seen.counts(Census.REJECTED));
            RowReason.requireReadable(seen.rows(), byReason);
            HashMap<UTF8String, List<UTF8String>> told = new HashMap<>();
            JavaRDD<InternalRow> followers = none(partitions);
            if (lookUp != null) {
                told.putAll(lookup().followers(members(byCluster)));
            } else if (seen.absent().size() == seen.count(Census.ABSENT)) {
                told.putAll(followers(seen));
            } else {
                followers = followers(census, byId, byCluster, partitions);
            }
            Stars stars = new Stars(context().broadcast(told), limits.told() / partitions, settled);
            JavaRDD<Row> changes = byCluster
                    .mapPartitionsWithIndex(
                            (index, rows) -> List.of(new Numbered(index, rows)).iterator(), true)
                    .zipPartitions(followers, (found, more) -> {
                        Numbered part = found.next();
                        return stars.changes(part.index(), part.rows(), more);
                    });
            Dataset<Row> plan = spark.createDataFrame(changes.coalesce(tasks(partitions)), Stars.PLAN);
            return new Planner(pairs, seen, settled, isPairs ? asPairs(plan) : plan);
        }

        /**
         * How many tasks take all partitions, one after the other. Each task leaves a file for every partition of the next
         * step, or one of the plan: as many tasks as partitions would make files by the square, and of a few bytes.
         */
        private int tasks(int partitions) {
            return Math.max(
                    partitions / PARTITIONS_A_TASK,
                    Math.min(partitions, 4 * context().defaultParallelism()));
        }

        private StateLookup lookup() {
            return new StateLookup(spark, state, version);
        }

        private JavaRDD<InternalRow> byCluster(JavaRDD<Row> found, int partitions) {
            return sorted(spark.createDataFrame(found, Found.COLUMNS), "cluster_key", partitions);
        }

        private PlanFacts registered() {
            PlanFacts facts = new PlanFacts();
            spark.sparkContext().register(facts);
            return facts;
        }

        private JavaSparkContext context() {
            return JavaSparkContext.fromSparkContext(spark.sparkContext());
        }

        /** Whether a source of so many bytes may have few users; one that cannot tell its size is looked at. */
        private static boolean mayBeSmall(long bytes) {
            return bytes < LARGE_BYTES || bytes >= UNKNOWN_BYTES;
        }

        private static long bytes(Dataset<Row> rows) {
            // Nobody knows the size, and more columns of it: that is more than a long can tell.
            BigInteger bytes =
                    rows.queryExecution().optimizedPlan().stats().sizeInBytes().bigInteger();
            return bytes.min(BigInteger.valueOf(Long.MAX_VALUE)).longValue();
        }

        private int partitions(Dataset<Row> rows) {
            long bytes = bytes(rows);
            long wanted = bytes < UNKNOWN_BYTES
                    ? bytes / BYTES_A_PARTITION
                    : Math.max(
                            spark.sparkContext().defaultParallelism(),
                            rows.rdd().getNumPartitions());
            long most = Math.min(1_024, Math.max(1, wanted));
            return Math.max(StateSegment.partsFor(version.entries()), Integer.highestOneBit((int) most * 2 - 1));
        }

        /** As many partitions as run at once: enough for few rows. */
        private int atOnce() {
            return Integer.highestOneBit(Math.max(
                    1, Math.min(spark.sparkContext().defaultParallelism(), StateSegment.partsFor(version.entries()))));
        }

        private JavaRDD<InternalRow> sorted(Dataset<Row> rows, String key, int partitions) {
            JavaRDD<InternalRow> sorted = rows.repartition(partitions, col(key))
                    .sortWithinPartitions(key)
                    .queryExecution()
                    .toRdd()
                    .toJavaRDD();
            return inPartitions(sorted, partitions);
        }

        /**
         * Rows that were to be spread over so many partitions.
         *
         * @throws IllegalStateException if Spark has spread them over others: the state is not
         */
        JavaRDD<InternalRow> inPartitions(JavaRDD<InternalRow> rows, int partitions) {
            if (rows.getNumPartitions() == partitions) {
                return rows;
            }
            // Spark plans nothing at all for rows that turn out to be none.
            if (!rows.isEmpty()) {
                throw new IllegalStateException("Cannot plan: Spark has spread rows over " + rows.getNumPartitions()
                        + " partitions and not over the " + partitions + " that the state needs. Use a version of Spark"
                        + " that README names, without rules of others in its optimizer.");
            }
            return none(partitions);
        }

        private JavaRDD<InternalRow> none(int partitions) {
            return context().parallelize(List.of(), partitions);
        }

        /** Whether the state is so large that few users are better looked up in it; then nobody is absent. */
        private boolean isLargeBeside() {
            return mode == Mode.UPSERT && version.entries() >= limits.large();
        }

        /** The keys of the source's users, sorted, if these are few; those of rows that do not count are there too. */
        private Optional<List<Long>> keysOfFew(JavaRDD<InternalRow> byId) {
            int small = limits.small();
            JavaRDD<UTF8String> users = byId.mapPartitions(rows -> firstUsers(rows, small));
            // A look at one of many partitions spares large sources the look at all.
            int enough = 2 * small / byId.getNumPartitions() + 100;
            if (byId.getNumPartitions() > 2 && users.collectPartitions(new int[] {0})[0].size() > enough) {
                return Optional.empty();
            }
            Set<UTF8String> few = new HashSet<>(users.collect());
            return few.size() > small
                    ? Optional.empty()
                    : Optional.of(few.stream()
                            .map(user -> IdKey.of(user.toString()))
                            .sorted()
                            .distinct()
                            .toList());
        }

        /** One more than are few, each once, however often the rows name it. */
        private static Iterator<UTF8String> firstUsers(Iterator<InternalRow> rows, int small) {
            Set<UTF8String> users = new HashSet<>();
            while (rows.hasNext() && users.size() <= small) {
                UTF8String id = Sighting.idOf(rows.next());
                if (id != null) {
                    users.add(id);
                }
            }
            return users.iterator();
        }

        private static JavaRDD<Found> ofKind(int kind, JavaRDD<InternalRow> rows) {
            return rows.map(Found::of).filter(found -> found.kind() == kind);
        }

        /** The members of a small source: they may be the targets of others. */
        private static Set<UTF8String> members(JavaRDD<InternalRow> byCluster) {
            return new HashSet<>(ofKind(Kind.MEMBER, byCluster).map(Found::user).collect());
        }

        private static HashMap<UTF8String, List<UTF8String>> followers(PlanFacts seen) {
            HashMap<UTF8String, List<UTF8String>> byTarget = new HashMap<>();
            seen.absent()
                    .forEach(absent -> byTarget.computeIfAbsent(absent.present(), target -> new ArrayList<>())
                            .add(absent.id()));
            return byTarget;
        }

        /**
         * Absent users who are too many to be told, each with the cluster of its target. All of the state may be absent, so
         * only those are brought along that may point at a member.
         */
        private JavaRDD<InternalRow> followers(
                Census census, JavaRDD<InternalRow> byId, JavaRDD<InternalRow> byCluster, int partitions) {
            Broadcast<UserSet> targets = context()
                    .broadcast(ofKind(Kind.MEMBER, byCluster)
                            .treeAggregate(new UserSet(), (set, member) -> set.with(member.user()), UserSet::or));
            Dataset<Row> absent = spark.createDataFrame(
                    byId.mapPartitionsWithIndex(
                            (index, rows) -> census.absent(index, partitions, rows, targets.value()), true),
                    new StructType().add("follower", DataTypes.BinaryType).add("present", DataTypes.BinaryType));
            Dataset<Row> members = spark.createDataFrame(
                    ofKind(Kind.MEMBER, byCluster)
                            .map(member -> RowFactory.create(
                                    bytes(member.cluster()), member.user().getBytes())),
                    new StructType().add("cluster", DataTypes.BinaryType).add("present", DataTypes.BinaryType));
            JavaRDD<Row> found = members.join(absent, new String[] {"present"})
                    .select("cluster", "follower", "present")
                    .toJavaRDD()
                    .map(row -> Found.member(
                            UTF8String.fromBytes(row.getAs(0)),
                            UTF8String.fromBytes(row.getAs(1)),
                            UTF8String.fromBytes(row.getAs(2)),
                            Found.KNOWN | Found.FOLLOWS,
                            Double.NaN));
            return byCluster(found, partitions);
        }

        private static byte[] bytes(@Nullable UTF8String text) {
            return Objects.requireNonNull(text).getBytes();
        }

        /** A rejected pair names its target where a cluster has its name. */
        private static Dataset<Row> asPairs(Dataset<Row> plan) {
            return plan.withColumn(
                            "global_user_id",
                            when(col("op").equalTo("reject"), col("cluster")).otherwise(col("global_user_id")))
                    .withColumn("cluster", when(col("op").notEqual("reject"), col("cluster")));
        }
    }

    /** The rows of the plan: changes, rejected rows and suspicious users; worked out anew whenever they are used. */
    Dataset<Row> plan() {
        return plan;
    }

    /** How many users get {@code op}: map, remap, unmap, or unchanged; known once the plan was written. */
    long users(String op) {
        return settled.count(op);
    }

    /** Users of the largest cluster, its centre included; known once the plan was written. */
    long largestCluster() {
        return settled.largestCluster();
    }

    /**
     * Centres that some users of their cluster were mapped to before and others come to from elsewhere, known once the plan
     * was written; empty if they are too many to be kept in mind.
     */
    Optional<Set<String>> joinedCentres() {
        List<UTF8String> centres = settled.centres();
        return centres.size() < settled.count(Stars.JOINED)
                ? Optional.empty()
                : Optional.of(centres.stream().map(UTF8String::toString).collect(Collectors.toSet()));
    }

    /** Rows that the source has. */
    long rows() {
        return pairs.map(PairRows::rows).orElseGet(() -> seen.rows());
    }

    /** Rows that are not planned, by reason. */
    Map<String, Long> rejectedByReason() {
        return seen.counts(Census.REJECTED);
    }

    /**
     * Rows that were left out on purpose, by reason: ids of other types, edges below the threshold, self-maps, and rows that
     * repeat others.
     */
    Map<String, Long> leftOutByReason() {
        Map<String, Long> byReason = seen.counts(Census.LEFT_OUT);
        long conflicts = rejectedByReason().getOrDefault(RejectReason.CONFLICT.code(), 0L);
        pairs.ifPresent(rows -> byReason.putAll(rows.leftOut(conflicts)));
        return byReason;
    }

    /** Users whose id differs from another one's only by case or blanks. */
    long suspicious() {
        return seen.count(Census.SUSPICIOUS);
    }

    @Override
    public void close() {
        pairs.ifPresent(PairRows::close);
    }
}
