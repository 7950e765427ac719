package io.usermap.spark;

import static org.assertj.core.api.Assertions.assertThat;

import io.usermap.client.AllowanceLog;
import io.usermap.client.AllowanceRules;
import io.usermap.client.Secret;
import java.time.Duration;
import java.time.Instant;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.GenericInternalRow;
import org.apache.spark.sql.connector.write.DataWriter;
import org.apache.spark.unsafe.types.UTF8String;
import org.apache.spark.util.SerializableConfiguration;
import org.junit.jupiter.api.Test;

/** The one writer that coordinates itself, where a platform keeps the driver's RPC from the connector. */
class FallbackIT extends SparkCase {

    @Test
    void handsItsWindowToTheNextWriteWhichKeepsToIt() throws Exception {
        AllowanceLog used = send(AllowanceLog.empty(), 0, PER_SECOND);
        long full = System.nanoTime();
        AllowanceLog later = send(used, PER_SECOND, 100);

        assertThat(sandbox.mappings()).hasSize(PER_SECOND + 100);
        assertThat(sandbox.counts().throttled()).isZero();
        assertThat(sandbox.mostInWindow()).isEqualTo(PER_SECOND);
        assertThat(Duration.ofNanos(System.nanoTime() - full)).isGreaterThan(Duration.ofMillis(900));
        assertThat(later.entries()).extracting(AllowanceLog.Entry::mappings).contains(100);
    }

    @Test
    void assumesAFullWindowAfterAnAttemptOfWhichNothingIsKnown() {
        AllowanceRules rules = UserMapOptions.of(options()).allowance();
        AllowanceLog lost = AllowanceLines.InTask.lost(rules);

        assertThat(lost.entries()).singleElement().satisfies(entry -> {
            assertThat(entry.mappings()).isEqualTo(PER_SECOND);
            assertThat(entry.until()).isAfter(Instant.now().plus(rules.coolDown()));
        });
    }

    private AllowanceLog send(AllowanceLog seed, int first, int count) throws Exception {
        UserMapOptions options = UserMapOptions.of(options());
        UserMapWriterFactory factory = new UserMapWriterFactory(
                "write-" + first,
                new MappingColumns(0, 1, -1, "user_id"),
                options,
                Secret.of("key-of-tests"),
                new AllowanceLines.InTask(options.allowance(), seed),
                "fallback",
                1,
                new SerializableConfiguration(spark.sparkContext().hadoopConfiguration()));
        try (DataWriter<InternalRow> writer = factory.createWriter(0, first)) {
            for (int i = first; i < first + count; i++) {
                writer.write(new GenericInternalRow(new Object[] {
                    UTF8String.fromString("user-%05d".formatted(i)), UTF8String.fromString("global-user")
                }));
            }
            return ((UserMapDataWriter.Message) writer.commit()).used();
        }
    }
}
