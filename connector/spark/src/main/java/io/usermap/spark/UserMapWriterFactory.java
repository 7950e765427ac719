package io.usermap.spark;

import io.usermap.client.Secret;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Optional;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.connector.write.DataWriter;
import org.apache.spark.sql.connector.write.DataWriterFactory;
import org.apache.spark.sql.connector.write.streaming.StreamingDataWriterFactory;
import org.apache.spark.util.SerializableConfiguration;

/**
 * All that executors need to write: travels inside the task, where no log and no plan shows it.
 *
 * @param writeId the write's id, in receipts and request ids
 * @param columns where the fields of a mapping stand
 * @param options the options, without keys
 * @param apiKey the key itself
 * @param lines how writers reach the coordinator
 * @param allowanceName the allowance's name, without the key
 * @param partitions how many partitions the write has
 * @param configuration Hadoop's, for the receipts
 */
record UserMapWriterFactory(
        String writeId,
        MappingColumns columns,
        UserMapOptions options,
        Secret apiKey,
        AllowanceLines lines,
        String allowanceName,
        int partitions,
        SerializableConfiguration configuration)
        implements DataWriterFactory, StreamingDataWriterFactory {

    @Override
    public DataWriter<InternalRow> createWriter(int partitionId, long taskId) {
        return open(this, partitionId, taskId, options.receiptsPath());
    }

    @Override
    public DataWriter<InternalRow> createWriter(int partitionId, long taskId, long epochId) {
        UserMapWriterFactory ofEpoch = new UserMapWriterFactory(
                UserMapWrite.idOfEpoch(writeId, epochId),
                columns,
                options,
                apiKey,
                lines,
                allowanceName,
                partitions,
                configuration);
        Optional<String> receipts =
                options.receiptsPath().map(path -> path + "/" + UserMapWrite.receiptsOfEpoch(writeId, epochId));
        return open(ofEpoch, partitionId, taskId, receipts);
    }

    private static DataWriter<InternalRow> open(
            UserMapWriterFactory plan, int partitionId, long taskId, Optional<String> receipts) {
        try {
            return new UserMapDataWriter(plan, partitionId, taskId, receipts);
        } catch (IOException e) {
            throw new UncheckedIOException("Cannot use the folder of option 'receiptsPath': " + e.getMessage(), e);
        }
    }

    Configuration hadoop() {
        return configuration.value();
    }

    @Override
    public String toString() {
        return "UserMapWriterFactory[" + options + "]";
    }
}
