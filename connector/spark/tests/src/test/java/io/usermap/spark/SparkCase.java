package io.usermap.spark;

import io.usermap.sandbox.Sandbox;
import io.usermap.sandbox.SandboxOptions;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;

/** A local Spark and a fresh sandbox over HTTP, with a window that is short enough to wait for. */
abstract class SparkCase {
    static final StructType PAIRS = new StructType()
            .add("user_id", "string")
            .add("global_user_id", "string")
            .add("unmap", "boolean");

    /**
     * What no version of Spark has a part in, because the connector's own threads decide it or because it takes long: shown
     * on the oldest one only.
     */
    static final String ONE_SPARK = "one-spark";

    /** 500 mappings in any second. */
    static final int PER_SECOND = 500;

    static SparkSession spark;

    @TempDir
    static Path keys;

    private static Path keyFile = Path.of("");

    Sandbox sandbox;

    @BeforeAll
    static void startSpark() throws IOException {
        keyFile = Files.writeString(keys.resolve("api-key"), "key-of-tests");
        spark = SparkSession.builder()
                .master("local[2]")
                .appName("usermap tests")
                .config("spark.ui.enabled", "false")
                .config("spark.sql.shuffle.partitions", "4")
                .getOrCreate();
    }

    @AfterAll
    static void stopSpark() {
        spark.stop();
    }

    @BeforeEach
    void startSandbox() throws IOException {
        sandbox = Sandbox.start(SandboxOptions.builder()
                .eventsPerSecond(PER_SECOND)
                .window(Duration.ofSeconds(1))
                .keys(java.util.Set.of("key-of-tests"))
                .build());
    }

    @AfterEach
    void stopSandbox() {
        sandbox.close();
    }

    /** Options that fit the sandbox; {@code more} are keys and values in turn. */
    Map<String, String> options(String... more) {
        Map<String, String> options = new HashMap<>(Map.of(
                "endpoint",
                sandbox.endpoint().toString(),
                "apiKey",
                "file:" + keyFile,
                "eventsPerSecond",
                "" + PER_SECOND,
                "windowSeconds",
                "1"));
        for (int i = 0; i < more.length; i += 2) {
            options.put(more[i], more[i + 1]);
        }
        return options;
    }

    void write(Dataset<Row> rows, Map<String, String> options) {
        rows.write().format("amplitude-usermap").mode("append").options(options).save();
    }

    static Dataset<Row> rows(Row... rows) {
        return spark.createDataFrame(List.of(rows), PAIRS);
    }

    static Row map(String user, String global) {
        return RowFactory.create(user, global, null);
    }

    static Row unmap(String user) {
        return RowFactory.create(user, null, true);
    }

    /** {@code count} users, each mapped to one of a hundred others. */
    static Dataset<Row> manyRows(int count) {
        return spark.range(count)
                .selectExpr(
                        "concat('user-', lpad(id, 7, '0')) AS user_id",
                        "concat('global-', id % 100) AS global_user_id");
    }
}
