package io.usermap.job;

import com.holdenkarau.spark.testing.JavaDatasetSuiteBase;
import java.io.Serial;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.extension.AfterAllCallback;
import org.junit.jupiter.api.extension.BeforeAllCallback;
import org.junit.jupiter.api.extension.BeforeEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/**
 * A local session for the tests of one class, and spark-testing-base's comparison of frames.
 *
 * <p>Its suite is held and not extended by the tests: JUnit looks at every method of a test class, and one of the suite's
 * names a class of Hive.
 */
final class LocalSpark implements BeforeAllCallback, BeforeEachCallback, AfterAllCallback {
    private final Suite suite = new Suite();

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
        suite.runBefore();
        // Frames here have a handful of rows: what pays for itself on many only costs time.
        spark().conf().set("spark.sql.shuffle.partitions", "2");
        spark().conf().set("spark.sql.adaptive.enabled", "false");
        spark().conf().set("spark.sql.codegen.wholeStage", "false");
    }

    @Override
    public void beforeEach(ExtensionContext context) {
        suite.runBefore();
    }

    @Override
    public void afterAll(ExtensionContext context) {
        Suite.runAfterClass();
    }

    SparkSession spark() {
        return suite.spark();
    }

    /** Compares schema and rows, in order. */
    <T> void assertSame(Dataset<T> expected, Dataset<T> actual) {
        suite.assertDatasetEquals(expected, actual);
    }
}
