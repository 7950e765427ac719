package io.usermap.job;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/** Tables of Delta and Iceberg, and their change feeds, as those write them. */
class LakeIT {
    @RegisterExtension
    static final LocalSpark LOCAL = new LocalSpark(Map.of(
            "spark.sql.extensions",
            "io.delta.sql.DeltaSparkSessionExtension,org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
            "spark.sql.catalog.spark_catalog",
            "org.apache.spark.sql.delta.catalog.DeltaCatalog",
            "spark.databricks.delta.snapshotPartitions",
            "1"));

    /** What becomes of the users by the changes below. */
    private static final List<String> LAST = List.of(
            "ann-1 person-2", "bob-2 null!", "cid-3 person-1", "dan-4 person-1", "old-5 null!", "new-5 person-1");

    @TempDir
    private static Path folder;

    private static void sql(String... statements) {
        for (String statement : statements) {
            LOCAL.spark().sql(statement);
        }
    }

    private static String delta(String name) {
        return folder.resolve(name).toString();
    }

    /** Version 1 inserts four users; 2 to 5 change, delete, change the id, and add. */
    private static void write(String table) {
        sql(
                "INSERT INTO " + table + " VALUES ('ann-1', 'person-1'), ('bob-2', 'person-1'), ('cid-3', 'person-1'),"
                        + " ('old-5', 'person-1')",
                "UPDATE " + table + " SET global_user_id = 'person-2' WHERE user_id = 'ann-1'",
                "DELETE FROM " + table + " WHERE user_id = 'bob-2'",
                "UPDATE " + table + " SET user_id = 'new-5' WHERE user_id = 'old-5'",
                "INSERT INTO " + table + " VALUES ('dan-4', 'person-1')");
    }

    @BeforeAll
    static void writeTheTables() {
        sql("CREATE TABLE delta.`" + delta("pairs") + "` (user_id STRING, global_user_id STRING) USING delta"
                + " TBLPROPERTIES (delta.enableChangeDataFeed = true)");
        write("delta.`" + delta("pairs") + "`");
        LOCAL.spark().conf().set("spark.sql.catalog.lake", "org.apache.iceberg.spark.SparkCatalog");
        LOCAL.spark().conf().set("spark.sql.catalog.lake.type", "hadoop");
        LOCAL.spark()
                .conf()
                .set("spark.sql.catalog.lake.warehouse", folder.resolve("lake").toString());
        // Without it, Iceberg looks for Hive as soon as a table is named by its path.
        LOCAL.spark().conf().set("spark.sql.catalog.default_iceberg", "org.apache.iceberg.spark.SparkCatalog");
        LOCAL.spark().conf().set("spark.sql.catalog.default_iceberg.type", "hadoop");
        LOCAL.spark()
                .conf()
                .set(
                        "spark.sql.catalog.default_iceberg.warehouse",
                        folder.resolve("lake").toString());
        sql("CREATE TABLE lake.db.pairs (user_id STRING, global_user_id STRING) USING iceberg");
        write("lake.db.pairs");
    }

    private static Configuration configuration(String... settings) {
        Map<String, String> texts = new HashMap<>();
        for (String setting : settings) {
            texts.put(setting.split("=", 2)[0], setting.split("=", 2)[1]);
        }
        return Configuration.of(texts, Set.of(Configuration.Need.SOURCE), Map.of());
    }

    private static List<String> checked(String... settings) {
        Configuration configuration = configuration(settings);
        Dataset<Row> source = Source.load(LOCAL.spark(), configuration);
        Shape shape = Shape.of(source.schema(), configuration);
        return CheckedRows.of(source, shape, configuration.idRules()).collectAsList().stream()
                .map(row -> row.getAs("user_id") + " " + row.getAs("target") + (row.<Boolean>getAs("unmap") ? "!" : "")
                        + (row.getAs("reason") == null ? "" : " " + row.getAs("reason")))
                .toList();
    }

    private static final List<String> NOW =
            List.of("ann-1 person-2", "cid-3 person-1", "dan-4 person-1", "new-5 person-1");

    @Test
    void readsWhatIsInForceInADeltaTable() {
        assertThat(checked("source.path=" + delta("pairs"))).containsExactlyInAnyOrderElementsOf(NOW);
        assertThat(checked("source.table=delta.`" + delta("pairs") + "`")).containsExactlyInAnyOrderElementsOf(NOW);
        assertThatThrownBy(() -> checked("source.path=" + delta("pairs"), "source.format=parquet"))
                .isInstanceOf(StoppedException.class)
                .hasMessage(
                        "Cannot read the source " + delta("pairs") + " as parquet: it is a table of Delta, which keeps"
                                + " files that are no longer in force. Set 'source.format' to delta.");
    }

    @Test
    void readsNoFilesOfATableWithoutTheTable() {
        for (String files : List.of("/*.parquet", "/part-*")) {
            assertThatThrownBy(() -> checked("source.path=" + delta("pairs") + files))
                    .isInstanceOf(StoppedException.class)
                    .hasMessage("Cannot read the source " + delta("pairs") + files + " as parquet: it is in a table of"
                            + " Delta (" + delta("pairs") + "), which keeps files that are no longer in force. Set"
                            + " 'source.format' to delta, 'source.path' to the table, and choose in 'source.sql'.");
        }
        Path iceberg = folder.resolve("lake/db/pairs");
        assertThatThrownBy(() -> checked("source.path=" + iceberg.resolve("data"), "source.format=Parquet"))
                .isInstanceOf(StoppedException.class)
                .hasMessageContaining("it is in a table of Iceberg (" + iceberg + "), which");
        assertThatThrownBy(() -> checked("source.path=" + iceberg, "source.format=parquet"))
                .isInstanceOf(StoppedException.class)
                .hasMessageContaining("it is a table of Iceberg, which keeps files that are no longer in force. Set"
                        + " 'source.format' to iceberg.");
    }

    @Test
    void readsTheChangeFeedOfDelta() {
        assertThat(checked("source.path=" + delta("pairs"), "source.start-version=1"))
                .containsExactlyInAnyOrderElementsOf(LAST);
        assertThat(checked("source.table=delta.`" + delta("pairs") + "`", "source.start-version=1"))
                .containsExactlyInAnyOrderElementsOf(LAST);
        assertThat(checked("source.path=" + delta("pairs"), "source.start-version=3"))
                .containsExactlyInAnyOrder("bob-2 null!", "dan-4 person-1", "old-5 null!", "new-5 person-1");
        assertThat(checked("source.path=" + delta("pairs"), "source.start-version=6"))
                .as("nothing has changed since version 5")
                .isEmpty();
        assertThat(checked("source.table=delta.`" + delta("pairs") + "`", "source.start-version=6"))
                .isEmpty();
        assertThat(checked("source.query=SELECT * FROM table_changes_by_path('" + delta("pairs") + "', 5)"))
                .containsExactly("dan-4 person-1");
    }

    @Test
    void endsOverVersionsThatDeltaDoesNotHave() {
        for (String version : List.of("7", "99")) {
            assertThatThrownBy(() -> checked("source.path=" + delta("pairs"), "source.start-version=" + version))
                    .hasStackTraceContaining("latest version of the table")
                    .hasStackTraceContaining(version);
        }
        sql("CREATE TABLE delta.`" + delta("plain") + "` (user_id STRING, global_user_id STRING) USING delta");
        assertThatThrownBy(() -> checked("source.path=" + delta("plain"), "source.start-version=0"))
                .hasStackTraceContaining("DELTA_MISSING_CHANGE_DATA");
    }

    @Test
    void readsWhatIsInForceInAnIcebergTable() {
        assertThat(checked("source.table=lake.db.pairs")).containsExactlyInAnyOrderElementsOf(NOW);
        assertThat(checked("source.format=iceberg", "source.path=lake.db.pairs"))
                .containsExactlyInAnyOrderElementsOf(NOW);
        assertThat(checked("source.path=" + folder.resolve("lake/db/pairs"))).containsExactlyInAnyOrderElementsOf(NOW);
    }

    @Test
    void readsTheChangesOfIceberg() {
        String first = LOCAL.spark()
                .sql("SELECT snapshot_id FROM lake.db.pairs.snapshots ORDER BY committed_at LIMIT 1")
                .first()
                .mkString();
        List<String> later =
                List.of("ann-1 person-2", "bob-2 null!", "dan-4 person-1", "old-5 null!", "new-5 person-1");

        assertThat(checked("source.table=lake.db.pairs.changes")).containsExactlyInAnyOrderElementsOf(LAST);
        assertThat(checked("source.table=lake.db.pairs.changes", "source.start-version=" + first))
                .containsAll(later);
        assertThat(checked("source.format=iceberg", "source.path=lake.db.pairs", "source.start-version=" + first))
                .containsAll(later);
        assertThat(checked("source.path=" + folder.resolve("lake/db/pairs"), "source.start-version=" + first))
                .containsAll(later);
        sql("CALL lake.system.create_changelog_view(table => 'db.pairs', changelog_view => 'changed', compute_updates"
                + " => true, identifier_columns => array('user_id'))");
        assertThat(checked("source.table=changed")).containsExactlyInAnyOrderElementsOf(LAST);
    }
}
