package io.usermap.spark;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
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
    void sendsWhatArrivesEpochByEpochAndNothingTwiceAfterARestart() throws Exception {
        arrive("first", "ann@shop", "ann@global");
        run();
        arrive("second", "bob@shop", "bob@global");
        run();
        run();

        assertThat(sandbox.mappings()).containsEntry("ann@shop", "ann@global").containsEntry("bob@shop", "bob@global");
        assertThat(sandbox.counts().mapped()).isEqualTo(2);
        assertThat(spark.read().json(folder.resolve("receipts").toString()).count())
                .isEqualTo(2);
    }

    private void arrive(String file, String user, String global) throws IOException {
        Files.createDirectories(folder.resolve("in"));
        Files.write(folder.resolve("in").resolve(file + ".csv"), List.of(user + "," + global));
    }

    private void run() throws Exception {
        Dataset<Row> arriving = spark.readStream()
                .schema("user_id STRING, global_user_id STRING")
                .csv(folder.resolve("in").toString());
        arriving.writeStream()
                .format("amplitude-usermap")
                .options(options("receiptsPath", folder.resolve("receipts").toString()))
                .option("checkpointLocation", folder.resolve("checkpoint").toString())
                .trigger(Trigger.AvailableNow())
                .start()
                .awaitTermination();
    }
}
