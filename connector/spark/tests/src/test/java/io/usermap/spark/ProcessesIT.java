package io.usermap.spark;

import static org.assertj.core.api.Assertions.assertThat;

import io.usermap.sandbox.Sandbox;
import io.usermap.sandbox.SandboxOptions;
import java.time.Duration;
import java.util.Map;
import java.util.Set;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.Test;

/** Executors in processes of their own, which know the connector only by {@code spark.jars}. */
class LocalClusterIT {

    @Test
    void writersInSeveralProcessesShareOneExactWindow() throws Exception {
        try (Sandbox sandbox = Sandbox.start(SandboxOptions.builder()
                        .eventsPerSecond(200)
                        .window(Duration.ofSeconds(2))
                        .build());
                SparkSession spark = LocalCluster.of(2).getOrCreate()) {
            assertThat(onExecutors(spark, "user.dir"))
                    .as("one folder an executor")
                    .hasSize(2);
            assertThat(onExecutors(spark, "java.class.path"))
                    .allSatisfy(path -> assertThat(path).doesNotContain("usermap-", "test-classes"));

            spark.range(1_500)
                    .selectExpr("concat('user-', lpad(id, 7, '0')) AS user_id", "'global-user' AS global_user_id")
                    .write()
                    .format("amplitude-usermap")
                    .mode("append")
                    .options(Map.of(
                            "endpoint", sandbox.endpoint().toString(),
                            "apiKey", "key-of-tests",
                            "eventsPerSecond", "200",
                            "windowSeconds", "2",
                            "writers", "4"))
                    .save();

            assertThat(sandbox.mappings()).hasSize(1_500);
            assertThat(sandbox.counts().throttled()).isZero();
            assertThat(sandbox.mostInWindow()).isLessThanOrEqualTo(400);
        }
    }

    /** The values of a system property of the executors' processes. */
    private static Set<String> onExecutors(SparkSession spark, String property) {
        return Set.copyOf(spark.range(0, 400, 1, 8)
                .selectExpr("java_method('java.lang.System', 'getProperty', '" + property + "') AS value")
                .distinct()
                .as(Encoders.STRING())
                .collectAsList());
    }
}
