package io.usermap.spark;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInfo;
import org.junit.jupiter.api.io.TempDir;

/** The catalog: mappings written with SQL. */
class SqlIT extends SparkCase {
    @TempDir
    Path folder;

    private String catalog = "";

    @BeforeEach
    void configureCatalog(TestInfo test) throws IOException {
        // Spark keeps a catalog as it was configured when it was first used: one for each test.
        catalog = test.getTestMethod().orElseThrow().getName().toLowerCase(java.util.Locale.ROOT);
        Path key = Files.writeString(folder.resolve("key"), "key-of-tests");
        configure("", "io.usermap.spark.UserMapCatalog");
        configure(".endpoint", sandbox.endpoint().toString());
        configure(".apiKey", "file:" + key);
        configure(".eventsPerSecond", "" + PER_SECOND);
        configure(".windowSeconds", "1");
    }

    private void configure(String key, String value) {
        spark.conf().set("spark.sql.catalog." + catalog + key, value);
    }

    @Test
    void insertsMappingsByTheNamesOfTheColumns() {
        spark.sql("INSERT INTO " + catalog + ".usermap SELECT 'ann@global' AS global_user_id, 'ann@shop' AS user_id");

        assertThat(sandbox.mappings()).containsEntry("ann@shop", "ann@global");
    }

    @Test
    void insertsByNameWhenAskedTo() {
        spark.sql("INSERT INTO " + catalog
                + ".usermap BY NAME SELECT false AS unmap, 'ann@shop' AS user_id, 'ann@global' AS global_user_id");

        assertThat(sandbox.mappings()).containsEntry("ann@shop", "ann@global");
    }

    @Test
    void refusesColumnsWithoutNames() {
        assertThatThrownBy(() -> spark.sql("INSERT INTO " + catalog + ".usermap VALUES ('ann@shop', 'ann@global')"))
                .hasMessageContaining("the rows have no column 'user_id' (they have: col1, col2)");
        assertThat(sandbox.requests()).isEmpty();
    }

    @Test
    void refusesAPlainKey() {
        configure(".apiKey", "key-of-tests");

        assertThatThrownBy(() -> spark.sql("INSERT INTO " + catalog
                        + ".usermap SELECT 'ann@shop' AS user_id, 'ann@global' AS global_user_id"))
                .hasMessageContaining("Cannot use option 'apiKey': a plain key would be in the configuration and the"
                        + " event log. Use env:NAME, file:PATH or secret:scope/key.")
                .hasMessageNotContaining("key-of-tests");
    }

    @Test
    void listsItsTableAndNoOther() {
        assertThat(spark.sql("SHOW TABLES IN " + catalog).select("tableName").collectAsList())
                .extracting(row -> row.getString(0))
                .containsExactlyInAnyOrder("usermap", "lookup");
        assertThatThrownBy(() -> spark.sql("SELECT * FROM " + catalog + ".mappings"))
                .hasMessageContaining("TABLE_OR_VIEW_NOT_FOUND");
    }

    @Test
    void refusesToCreateAndDropTables() {
        assertThatThrownBy(() -> spark.sql("CREATE TABLE " + catalog + ".other (id STRING)"))
                .hasMessage("Cannot CREATE TABLE in catalog '" + catalog + "': its tables 'usermap' and"
                        + " 'lookup' stand for the service. Use INSERT INTO " + catalog + ".usermap.");
        assertThatThrownBy(() -> spark.sql("DROP TABLE " + catalog + ".usermap"))
                .hasMessageStartingWith("Cannot DROP TABLE");
    }
}
