package io.usermap.spark;

import static org.assertj.core.api.Assertions.assertThat;

import io.usermap.client.AllowanceLog;
import io.usermap.client.Secret;
import java.nio.file.Path;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.GenericInternalRow;
import org.apache.spark.sql.connector.write.DataWriter;
import org.apache.spark.unsafe.types.UTF8String;
import org.apache.spark.util.SerializableConfiguration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** An attempt that started while another one of its partition was still sending, as a repeated stage starts them. */
class TakeoverIT extends SparkCase {
    @TempDir
    Path folder;

    @Test
    void whoTakesAPartitionOverSkipsWhatWasAcknowledgedAfterItHadStarted() throws Exception {
        UserMapOptions options = UserMapOptions.of(options(
                "maxBatchRows",
                "10",
                "receiptsPath",
                folder.resolve("receipts").toString(),
                "onRejected",
                "record",
                // A part of the hold, which the second attempt waits for.
                "requestTimeout",
                "2s"));
        Secret key = Secret.of("key-of-tests");
        String name = AllowanceDesk.nameOf(options.endpoints(), key);
        AllowanceDesk desk = AllowanceDesk.open(name, options.allowance(), AllowanceLog.empty(), AllowanceLog.empty());
        UserMapWriterFactory factory = new UserMapWriterFactory(
                "write-1",
                new MappingColumns(0, 1, -1, "user_id"),
                options,
                key,
                desk.lines(),
                name,
                1,
                new SerializableConfiguration(spark.sparkContext().hadoopConfiguration()));
        DataWriter<InternalRow> first = factory.createWriter(0, 1);
        send(first, 0, 11);
        DataWriter<InternalRow> second = factory.createWriter(0, 2);
        send(first, 11, 20);
        first.commit();
        first.close();
        send(second, 0, 20);
        second.commit();
        second.close();

        assertThat(sandbox.mappings()).hasSize(20);
        assertThat(sandbox.counts().mapped()).as("none sent twice").isEqualTo(20);
    }

    private static void send(DataWriter<InternalRow> writer, int from, int to) throws Exception {
        for (int i = from; i < to; i++) {
            writer.write(new GenericInternalRow(
                    new Object[] {UTF8String.fromString("user-%03d".formatted(i)), UTF8String.fromString("global-user")
                    }));
        }
    }
}
