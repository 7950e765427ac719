package io.usermap.job;

import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.udf;

import io.usermap.job.StateFile.Entry;
import java.io.Serial;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.Iterator;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import java.util.function.Predicate;
import java.util.stream.IntStream;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.broadcast.Broadcast;
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
 * source's ids. Planning then zips both partition by partition and never shuffles the state.
 */
final class State {
    private static final String MANIFEST = "manifest-";
    private static final int VERSIONS_KEPT = 3;
    private static final int SEGMENTS_AFTER_BASE = 8;
    private static final int REWRITE_BASE_AT = 4;

    /** The columns of {@link #rows}. */
    static final StructType SCHEMA = new StructType()
            .add("user_id", DataTypes.StringType, false)
            .add("global_user_id", DataTypes.StringType, true);

    /** {@link IdKey#of} for columns; null for null. */
    static final UserDefinedFunction KEY =
            udf((UDF1<String, Long>) id -> id == null ? null : IdKey.of(id), DataTypes.LongType);

    /**
     * What one version consists of.
     *
     * @param version counts up from 1; 0 is the state before the first run
     * @param segments the oldest first, which is the base
     * @param acknowledged users that are mapped
     * @param sourceRows rows of the source that the run saw
     * @param run the run that led here
     */
    record Version(long version, List<StateSegment> segments, long acknowledged, long sourceRows, String run) {
        static final Version NONE = new Version(0, List.of(), 0, 0, "");

        /** Rows in all segments: at least as many as there are users. */
        long entries() {
            return segments.stream().mapToLong(StateSegment::entries).sum();
        }
    }

    private final SparkSession spark;
    private final LedgerFolder folder;

    State(SparkSession spark, LedgerFolder folder) {
        this.spark = spark;
        this.folder = folder;
    }

    /** The newest version that was published in full. */
    Version current() {
        return manifests().stream()
                .flatMap(name -> folder.read(name).flatMap(text -> Json.unsealed(text, Version.class)).stream())
                .findFirst()
                .orElse(Version.NONE);
    }

    /** The rows of {@code version}. */
    Dataset<Row> rows(Version version) {
        int partitions = StateSegment.partsFor(version.entries());
        Zipped zipped = zipped(version);
        return spark.createDataFrame(
                partitions(partitions)
                        .flatMap(index -> rows(zipped.entries(index, partitions)))
                        .rdd(),
                SCHEMA);
    }

    private static Iterator<Row> rows(Iterator<Entry> entries) {
        return mapped(
                entries,
                entry -> RowFactory.create(
                        entry.user().toString(),
                        entry.target() == null ? null : entry.target().toString()));
    }

    private static <A, B> Iterator<B> mapped(Iterator<A> from, Function<A, B> function) {
        return new Iterator<>() {
            @Override
            public boolean hasNext() {
                return from.hasNext();
            }

            @Override
            public B next() {
                return function.apply(from.next());
            }
        };
    }

    private JavaRDD<Integer> partitions(int partitions) {
        return context().parallelize(IntStream.range(0, partitions).boxed().toList(), partitions);
    }

    private JavaSparkContext context() {
        return JavaSparkContext.fromSparkContext(spark.sparkContext());
    }

    /** The entries of {@code version}, for tasks that zip them with rows of their own. */
    Zipped zipped(Version version) {
        return zipped(version.segments());
    }

    private Zipped zipped(List<StateSegment> segments) {
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
        Version before = current();
        Dataset<Row> keyed = changes.select(
                        col("user_id"),
                        col("global_user_id"),
                        KEY.apply(col("user_id")).as("key"))
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
            List<StateSegment> segments = new ArrayList<>(before.segments());
            if (delta.segment().entries() > 0) {
                segments.add(delta.segment());
            }
            return publish(new Version(
                    newestNumber() + 1, compacted(segments), before.acknowledged() + delta.mapped(), sourceRows, run));
        } finally {
            keyed.unpersist();
        }
    }

    /**
     * Publishes a version without any trace of {@code user}, neither as a user nor as a target, and removes all older ones.
     *
     * @return how many mappings were removed
     */
    long without(String user, String run) {
        Version before = current();
        UTF8String forgotten = UTF8String.fromString(user);
        StateWriter.Written base = rewritten(
                before.segments(), entry -> !forgotten.equals(entry.user()) && !forgotten.equals(entry.target()));
        publish(new Version(newestNumber() + 1, List.of(base.segment()), base.mapped(), before.sourceRows(), run));
        prune(1);
        return before.acknowledged() - base.mapped();
    }

    private List<StateSegment> compacted(List<StateSegment> segments) {
        long after = segments.stream().skip(1).mapToLong(StateSegment::entries).sum();
        if (segments.size() > 1 && after * REWRITE_BASE_AT > segments.get(0).entries()) {
            return List.of(rewritten(segments, entry -> true).segment());
        }
        if (segments.size() > 1 + SEGMENTS_AFTER_BASE) {
            List<StateSegment> later = segments.subList(1, segments.size());
            return List.of(segments.get(0), rewritten(later, entry -> true).segment());
        }
        return segments;
    }

    private interface Kept extends Predicate<Entry>, Serializable {}

    private StateWriter.Written rewritten(List<StateSegment> segments, Kept kept) {
        Zipped zipped = zipped(segments);
        int parts = StateSegment.partsFor(
                segments.stream().mapToLong(StateSegment::entries).sum());
        return StateWriter.write(
                partitions(parts), (part, unused) -> StateWriter.rewritten(zipped.entries(part, parts), kept), zipped);
    }

    private Version publish(Version version) {
        folder.write(name(version.version()), Json.sealed(version));
        prune(VERSIONS_KEPT);
        return version;
    }

    private void prune(int versions) {
        List<String> old = manifests().stream().skip(versions).toList();
        List<String> kept = new ArrayList<>();
        manifests().stream()
                .limit(versions)
                .flatMap(name -> folder.read(name).flatMap(text -> Json.unsealed(text, Version.class)).stream())
                .forEach(version -> version.segments().forEach(segment -> kept.add(segment.folder())));
        // Manifests first: none may name data that is gone.
        old.forEach(folder::delete);
        folder.names().stream()
                .filter(name -> name.startsWith("data-") && !kept.contains(name))
                .forEach(folder::delete);
    }

    private List<String> manifests() {
        return folder.names().stream()
                .filter(name -> name.startsWith(MANIFEST))
                .sorted(Comparator.reverseOrder())
                .toList();
    }

    private long newestNumber() {
        return manifests().stream()
                .findFirst()
                .map(name -> Long.parseLong(name.substring(MANIFEST.length(), name.length() - ".json".length())))
                .orElse(0L);
    }

    private static String name(long version) {
        return MANIFEST + "%012d".formatted(version) + ".json";
    }
}
