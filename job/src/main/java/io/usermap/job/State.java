package io.usermap.job;

import static org.apache.spark.sql.functions.col;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.UUID;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;

/**
 * What the service acknowledged, in versions: data that never changes, then one small manifest that makes it count.
 *
 * <p>Readers take the newest manifest that is whole, so a publication that was cut short never happened. Rows are
 * {@code user_id, global_user_id}, every user once; without a target, an unmap that was acknowledged. Published by the
 * holder of the ledger's claim only.
 */
final class State {
    private static final String MANIFEST = "manifest-";
    private static final int VERSIONS_KEPT = 3;

    private static final StructType SCHEMA = new StructType()
            .add("user_id", DataTypes.StringType, false)
            .add("global_user_id", DataTypes.StringType, true);

    /**
     * What one version consists of.
     *
     * @param version counts up from 1; 0 is the state before the first run
     * @param data folders below the state's, whose rows together are the state
     * @param acknowledged users that are mapped
     * @param sourceRows rows of the source that the run saw
     * @param run the run that led here
     */
    record Version(long version, List<String> data, long acknowledged, long sourceRows, String run) {
        static final Version NONE = new Version(0, List.of(), 0, 0, "");
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
        if (version.data().isEmpty()) {
            return spark.createDataFrame(List.of(), SCHEMA);
        }
        String[] paths = version.data().stream().map(folder::address).toArray(String[]::new);
        return spark.read().schema(SCHEMA).parquet(paths);
    }

    /**
     * Takes acknowledged changes into the state and publishes the result; taking the same ones in again changes nothing.
     *
     * @param changes {@code user_id, global_user_id}, every user once
     */
    Version take(Dataset<Row> changes, long sourceRows, String run) {
        Version before = current();
        Dataset<Row> after = rows(before)
                .join(changes.select("user_id"), new String[] {"user_id"}, "left_anti")
                .unionByName(changes);
        String data = "data-" + UUID.randomUUID();
        after.write().parquet(folder.address(data));
        Version published = new Version(
                newestNumber() + 1,
                List.of(data),
                spark.read()
                        .schema(SCHEMA)
                        .parquet(folder.address(data))
                        .filter(col("global_user_id").isNotNull())
                        .count(),
                sourceRows,
                run);
        folder.write(name(published.version()), Json.sealed(published));
        prune();
        return published;
    }

    private void prune() {
        List<String> old = manifests().stream().skip(VERSIONS_KEPT).toList();
        List<String> kept = new ArrayList<>();
        manifests().stream()
                .limit(VERSIONS_KEPT)
                .flatMap(name -> folder.read(name).flatMap(text -> Json.unsealed(text, Version.class)).stream())
                .forEach(version -> kept.addAll(version.data()));
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
