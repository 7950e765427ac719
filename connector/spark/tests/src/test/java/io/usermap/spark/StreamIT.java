package io.usermap.spark;

import static org.assertj.core.api.Assertions.assertThat;

import io.usermap.sandbox.Sandbox;
import io.usermap.sandbox.SandboxOptions;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.streaming.Trigger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A stream of mappings: every epoch goes the way of a write, under the one allowance. */
class StreamIT extends SparkCase {
    @TempDir
    Path folder;

    @Test
    void sendsWhatArrivesEpochByEpochAndNothingTwiceWhenAnEpochIsRepeated() throws Exception {
        arrive("first", "ann@shop", "ann@global");
        run();
        arrive("second", "bob@shop", "bob@global");
        run();
        // As if the application had ended after the second epoch was sent, and before Spark noted so.
        Path noted = folder.resolve("checkpoint/commits/1");
        Files.delete(noted);
        Files.delete(noted.resolveSibling(".1.crc"));
        run();
        assertThat(noted).as("the second epoch, repeated").exists();

        assertThat(sandbox.mappings()).containsEntry("ann@shop", "ann@global").containsEntry("bob@shop", "bob@global");
        assertThat(sandbox.counts().mapped()).isEqualTo(2);
        Dataset<Row> receipts = spark.read().json(folder.resolve("receipts").toString());
        assertThat(receipts.where("outcome = 'accepted'").count()).isEqualTo(2);
        assertThat(receipts.where("outcome = 'skipped'").count()).isEqualTo(1);
    }

    @Test
    void anEpochWaitsForTheWindowThatTheOneBeforeItUsed() throws Exception {
        // Longer than Spark takes from one epoch to the next, so that only the allowance can tell them apart.
        try (Sandbox slow = Sandbox.start(SandboxOptions.builder()
                .eventsPerSecond(80)
                .window(Duration.ofSeconds(5))
                .build())) {
            arrive("first", rows("first", 300));
            arrive("second", rows("second", 300));
            run(options("endpoint", slow.endpoint().toString(), "eventsPerSecond", "80", "windowSeconds", "5"));

            assertThat(spark.read()
                            .text(folder.resolve("checkpoint/commits").toString())
                            .inputFiles())
                    .as("epochs")
                    .hasSize(2);
            assertThat(slow.counts().mapped()).isEqualTo(600);
            assertThat(slow.counts().throttled()).isZero();
            assertThat(slow.mostInWindow()).isLessThanOrEqualTo(400);
        }
    }

    private static List<String> rows(String prefix, int count) {
        return IntStream.range(0, count)
                .mapToObj(i -> "%s-%04d,global-user".formatted(prefix, i))
                .toList();
    }

    private void arrive(String file, String user, String global) throws IOException {
        arrive(file, List.of(user + "," + global));
    }

    private void arrive(String file, List<String> lines) throws IOException {
        Files.createDirectories(folder.resolve("in"));
        Files.write(folder.resolve("in").resolve(file + ".csv"), lines);
    }

    private void run() throws Exception {
        run(options("receiptsPath", folder.resolve("receipts").toString()));
    }

    /** Sends what has arrived, an epoch for each file. */
    private void run(Map<String, String> options) throws Exception {
        Dataset<Row> arriving = spark.readStream()
                .schema("user_id STRING, global_user_id STRING")
                .option("maxFilesPerTrigger", 1)
                .csv(folder.resolve("in").toString());
        arriving.writeStream()
                .format("amplitude-usermap")
                .options(options)
                .option("checkpointLocation", folder.resolve("checkpoint").toString())
                .trigger(Trigger.AvailableNow())
                .start()
                .awaitTermination();
    }
}
