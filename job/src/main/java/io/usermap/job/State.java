package io.usermap.job;

import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.udf;

import io.usermap.job.StateFile.Entry;
import java.io.Serial;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.api.java.UDF1;
import org.apache.spark.sql.expressions.UserDefinedFunction;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.unsafe.types.UTF8String;
import org.apache.spark.util.SerializableConfiguration;

/**
 * What the service acknowledged, in versions: segments that never change, then one small manifest that makes them count.
 *
 * <p>Readers take the newest manifest that is whole, so a publication that was cut short never happened. Rows are
 * {@code user_id, global_user_id}, every user once; without a target, an unmap that was acknowledged. Published by the
 * holder of the ledger's claim only.
 *
 * <h2>How is it laid out, and why?</h2>
 *
 * <p>Rewriting ten million users for a thousand changes would cost more than sending them. So a run adds a segment as
 * large as its changes, and the newest segment that knows a user is right. Segments that have piled up are merged: beyond
 * eight, those after the base into one; all of them once those after the base hold a quarter of its rows. What a run
 * writes is thus in proportion to its changes, and each row is written about a dozen times over the years.
 *
 * <p>Each segment is spread over files by a hash of the id and sorted in them, the very way in which Spark spreads the
 * source's ids. Planning then zips both partition by partition and never shuffles the state. For sources that are small
 * beside it, each segment has a twin that is sorted by target: few users are looked up in the one, and whoever points at
 * them in the other, in few pages of each.
 */
final class State {
    private static final int VERSIONS_KEPT = 3;
    private static final int LAYERS_AFTER_BASE = 8;
    private static final int REWRITE_BASE_AT = 4;

    /** How the names of folders with data begin. */
    static final String DATA = "data-";

    /** The columns of {@link #rows}. */
    static final StructType SCHEMA = new StructType()
            .add("user_id", DataTypes.StringType, false)
            .add("global_user_id", DataTypes.StringType, true);

    private static final UserDefinedFunction KEY_OF_BYTES =
            udf((UDF1<byte[], Long>) id -> id == null ? null : IdKey.of(id), DataTypes.LongType);

    /**
     * What was published at once.
     *
     * @param users every user with its target, by user
     * @param targets the mapped ones of them once more, by target; later layers may know better
     */
    record Layer(StateSegment users, StateSegment targets) {}

    /**
     * What one version consists of.
     *
     * @param version counts up from 1; 0 is the state before the first run
     * @param layers the oldest first, which is the base
     * @param acknowledged users that are mapped
     * @param sourceRows rows of the source that the run saw
     * @param run the run that led here
     */
    record Version(long version, List<Layer> layers, long acknowledged, long sourceRows, String run) {
        static final Version NONE = new Version(0, List.of(), 0, 0, "");

        /** Rows in all layers: at least as many as there are users. */
        long entries() {
            return layers.stream().mapToLong(layer -> layer.users().entries()).sum();
        }

        List<StateSegment> users() {
            return layers.stream().map(Layer::users).toList();
        }
    }

    /** {@link IdKey#of} for a column of text; null for null. */
    static Column key(Column id) {
        return KEY_OF_BYTES.apply(id.cast(DataTypes.BinaryType));
    }

    private final SparkSession spark;
    private final LedgerFolder folder;
    private final Manifests manifests;

    State(SparkSession spark, LedgerFolder folder) {
        this.spark = spark;
        this.folder = folder;
        this.manifests = new Manifests(folder);
    }

    /**
     * The newest version that was published in full.
     *
     * @throws StoppedException if versions were published and none can be read
     */
    Version current() {
        return manifests.current();
    }

    /** The rows of {@code version}. */
    Dataset<Row> rows(Version version) {
        return rows(version.users());
    }

    private Dataset<Row> rows(List<StateSegment> segments) {
        int partitions = partsFor(segments);
        Zipped zipped = zipped(segments);
        return spark.createDataFrame(
                partitions(partitions)
                        .flatMap(index -> rows(zipped.entries(index, partitions)))
                        .rdd(),
                SCHEMA);
    }

    static int partsFor(List<StateSegment> segments) {
        return StateSegment.partsFor(
                segments.stream().mapToLong(StateSegment::entries).sum());
    }

    static Iterator<Row> rows(Iterator<Entry> entries) {
        return stream(entries)
                .map(entry -> RowFactory.create(
                        entry.user().toString(),
                        entry.target() == null ? null : entry.target().toString()))
                .iterator();
    }

    static Stream<Entry> stream(Iterator<Entry> entries) {
        Iterable<Entry> iterable = () -> entries;
        return StreamSupport.stream(iterable.spliterator(), false);
    }

    JavaRDD<Integer> partitions(int partitions) {
        return context().parallelize(IntStream.range(0, partitions).boxed().toList(), partitions);
    }

    JavaSparkContext context() {
        return JavaSparkContext.fromSparkContext(spark.sparkContext());
    }

    /** The entries of {@code version}, for tasks that zip them with rows of their own. */
    Zipped zipped(Version version) {
        return zipped(version.users());
    }

    Zipped zipped(List<StateSegment> segments) {
        return new Zipped(
                List.copyOf(segments),
                folder.path().toString(),
                context()
                        .broadcast(new SerializableConfiguration(
                                spark.sparkContext().hadoopConfiguration())));
    }

    /**
     * What a task needs to read its partition of the state.
     *
     * @param segments the oldest first
     * @param folder the state's
     * @param hadoop how to reach it
     */
    record Zipped(List<StateSegment> segments, String folder, Broadcast<SerializableConfiguration> hadoop)
            implements Serializable {
        @Serial
        private static final long serialVersionUID = 1L;

        /** The entries of partition {@code index} of {@code partitions}, in the order of their keys; on an executor. */
        Iterator<Entry> entries(int index, int partitions) {
            return StateSegment.read(segments, folder, hadoop.value().value(), index, partitions, Optional.empty());
        }

        /** Those of them that have one of {@code keys}, which are sorted. */
        Iterator<Entry> entries(int index, int partitions, List<Long> keys) {
            return keys.isEmpty()
                    ? Collections.emptyIterator()
                    : StateSegment.read(segments, folder, hadoop.value().value(), index, partitions, Optional.of(keys));
        }
    }

    /**
     * Takes acknowledged changes into the state and publishes the result; taking the same ones in again changes nothing.
     *
     * @param changes {@code user_id, global_user_id}, every user once
     * @param sourceRows rows of the source that they came from
     */
    Version take(Dataset<Row> changes, long sourceRows, String run) {
        return take(changes, sourceRows, run, 0);
    }

    /** As {@link #take(Dataset, long, String)}, as version {@code least} or a later one. */
    Version take(Dataset<Row> changes, long sourceRows, String run, long least) {
        List<String> found = folder.names();
        Version before = current();
        long newest = manifests.newestNumber();
        Dataset<Row> keyed = changes.select(
                        col("user_id"),
                        col("global_user_id"),
                        key(col("user_id")).as("key"))
                .persist();
        try {
            int parts = StateSegment.partsFor(keyed.count());
            Zipped zipped = zipped(before);
            StateWriter.Written delta = StateWriter.write(
                    keyed.repartition(parts, col("key"))
                            .sortWithinPartitions("key")
                            .toJavaRDD(),
                    (part, rows) -> StateWriter.unknown(rows, zipped, part, parts),
                    zipped);
            List<Layer> layers = new ArrayList<>(before.layers());
            if (delta.segment().entries() > 0) {
                layers.add(new Layer(delta.segment(), byTarget(delta.segment())));
            }
            Version version = new Version(
                    Math.max(newest + 1, least),
                    compacted(layers),
                    before.acknowledged() + delta.mapped(),
                    sourceRows,
                    run);
            manifests.publish(version);
            // That of a layer which was merged at once is in nothing that was published.
            prune(VERSIONS_KEPT, Stream.concat(found.stream(), data(layers)).toList());
            return version;
        } finally {
            keyed.unpersist();
        }
    }

    /**
     * Whether {@code user} may stand in here, as a user or as a target: in one of the versions that are kept, or in what a
     * publication has left that was cut short. Looks into a few pages, on the driver.
     */
    boolean mayHold(String user) {
        List<Layer> layers = manifests
                .versions()
                .flatMap(version -> version.layers().stream())
                .distinct()
                .toList();
        List<StateSegment> segments = layers.stream()
                .flatMap(layer -> Stream.of(layer.users(), layer.targets()))
                .toList();
        List<String> known = segments.stream().map(StateSegment::folder).toList();
        UTF8String id = UTF8String.fromString(user);
        return folder.names().stream().anyMatch(name -> name.startsWith(DATA) && !known.contains(name))
                || segments.stream().anyMatch(segment -> holds(segment, id));
    }

    private boolean holds(StateSegment segment, UTF8String id) {
        long key = IdKey.of(id.getBytes());
        int parts = segment.parts();
        return stream(zipped(List.of(segment)).entries(IdKey.partition(key, parts), parts, List.of(key)))
                .anyMatch(entry -> id.equals(entry.user()) || id.equals(entry.target()));
    }

    /**
     * Publishes a version without any trace of {@code user}, neither as a user nor as a target, and removes all older ones.
     *
     * @return how many mappings were removed
     */
    long without(String user, String run) {
        List<String> found = folder.names();
        Version before = current();
        long newest = manifests.newestNumber();
        UTF8String forgotten = UTF8String.fromString(user);
        StateWriter.Written base = rewritten(
                before.users(), entry -> !forgotten.equals(entry.user()) && !forgotten.equals(entry.target()));
        Layer only = new Layer(base.segment(), byTarget(base.segment()));
        manifests.publish(new Version(newest + 1, List.of(only), base.mapped(), before.sourceRows(), run));
        prune(1, found);
        return before.acknowledged() - base.mapped();
    }

    private List<Layer> compacted(List<Layer> layers) {
        List<Layer> later = layers.stream().skip(1).toList();
        long after = later.stream().mapToLong(layer -> layer.users().entries()).sum();
        if (!later.isEmpty() && after * REWRITE_BASE_AT > layers.get(0).users().entries()) {
            return List.of(merged(layers));
        }
        return later.size() > LAYERS_AFTER_BASE ? List.of(layers.get(0), merged(later)) : layers;
    }

    private Layer merged(List<Layer> layers) {
        StateSegment users = rewritten(layers.stream().map(Layer::users).toList(), entry -> true)
                .segment();
        return new Layer(users, byTarget(users));
    }

    /** The mapped users of a segment, sorted by their targets. */
    private StateSegment byTarget(StateSegment users) {
        Dataset<Row> mapped = rows(List.of(users))
                .filter(col("global_user_id").isNotNull())
                .select(
                        col("global_user_id"),
                        col("user_id"),
                        key(col("global_user_id")).as("key"));
        return StateWriter.write(
                        mapped.repartition(users.parts(), col("key"))
                                .sortWithinPartitions("key")
                                .toJavaRDD(),
                        (part, rows) -> StateWriter.all(rows),
                        zipped(List.of()))
                .segment();
    }

    private interface Kept extends Predicate<Entry>, Serializable {}

    private StateWriter.Written rewritten(List<StateSegment> segments, Kept kept) {
        Zipped zipped = zipped(segments);
        int parts = partsFor(segments);
        return StateWriter.write(
                partitions(parts), (part, unused) -> StateWriter.rewritten(zipped.entries(part, parts), kept), zipped);
    }

    /**
     * Removes all but the newest {@code versions}, and of {@code data} what these do not need.
     *
     * @param data the names of data that was there when the work began, and of what came of it: nothing else is removed,
     *     because somebody else may have written it while this process was paused
     */
    private void prune(int versions, List<String> data) {
        Set<String> kept = manifests
                .newest(versions)
                .flatMap(version -> data(version.layers()))
                .collect(Collectors.toSet());
        // Manifests first: none may name data that is gone.
        manifests.keep(versions);
        data.stream()
                .filter(name -> name.startsWith(DATA) && !kept.contains(name))
                .forEach(folder::delete);
    }

    /** The folders of {@code layers}. */
    private static Stream<String> data(List<Layer> layers) {
        return layers.stream()
                .flatMap(layer ->
                        Stream.of(layer.users().folder(), layer.targets().folder()));
    }
}
