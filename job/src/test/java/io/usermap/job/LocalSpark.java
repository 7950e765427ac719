package io.usermap.job;

import com.holdenkarau.spark.testing.JavaDatasetSuiteBase;
import java.io.Serial;
import java.util.Map;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.SparkSession;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.extension.AfterAllCallback;
import org.junit.jupiter.api.extension.BeforeAllCallback;
import org.junit.jupiter.api.extension.BeforeEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/**
 * A local session, and spark-testing-base's comparison of frames. Each class has a session of
 * its own, because commands that run in this process may leave nothing behind for the next one.
 *
 * <p>Its suite is held and not extended by the tests: JUnit looks at every method of a test class, and one of the suite's
 * names a class of Hive.
 */
final class LocalSpark implements BeforeAllCallback, BeforeEachCallback, AfterAllCallback {
    /** Frames here have a handful of rows: what pays for itself on many only costs time. */
    static final Map<String, String> CHEAP = Map.of(
            "spark.sql.shuffle.partitions", "2",
            "spark.sql.adaptive.enabled", "false",
            "spark.sql.codegen.wholeStage", "false");

    private static @Nullable Suite plain;

    private final Map<String, String> settings;
    private Suite suite = new Suite();

    /** A plain session. */
    LocalSpark() {
        this(Map.of());
    }

    /** A session that begins with {@code settings} of Spark. */
    LocalSpark(Map<String, String> settings) {
        this.settings = settings;
    }

    /** The suite, without Hive. */
    private static final class Suite extends JavaDatasetSuiteBase {
        @Serial
        private static final long serialVersionUID = 1L;

        @Override
        public boolean enableHiveSupport() {
            return false;
        }
    }

    @Override
    public void beforeAll(ExtensionContext context) {
        Suite running = plain;
        if (settings.isEmpty() && running != null) {
            suite = running;
            return;
        }
        stop();
        // Where a new SparkContext looks for its settings.
        settings.forEach(System::setProperty);
        suite = new Suite();
        suite.runBefore();
        plain = settings.isEmpty() ? suite : null;
        CHEAP.forEach(spark().conf()::set);
    }

    /** A session of a main class, on two threads. */
    static SparkSession session() {
        SparkSession.Builder builder = SparkSession.builder()
                .master("local[2]")
                .config("spark.ui.enabled", "false")
                .config("spark.driver.host", "127.0.0.1")
                .config("spark.driver.bindAddress", "127.0.0.1");
        CHEAP.forEach(builder::config);
        return builder.getOrCreate();
    }

    @Override
    public void beforeEach(ExtensionContext context) {
        suite.runBefore();
    }

    @Override
    public void afterAll(ExtensionContext context) {
        Suite.runAfterClass();
        plain = null;
        settings.keySet().forEach(System::clearProperty);
    }

    /** Ends the session that goes on, for tests that want none. */
    static void stop() {
        if (plain != null) {
            Suite.runAfterClass();
            plain = null;
        }
    }

    SparkSession spark() {
        return suite.spark();
    }

    /** Compares schema and rows, in order. */
    <T> void assertSame(Dataset<T> expected, Dataset<T> actual) {
        suite.assertDatasetEquals(expected, actual);
    }
}
