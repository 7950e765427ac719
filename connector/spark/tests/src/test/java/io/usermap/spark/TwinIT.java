package io.usermap.spark;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import io.usermap.client.AllowanceLog;
import io.usermap.client.Secret;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.GenericInternalRow;
import org.apache.spark.sql.connector.write.DataWriter;
import org.apache.spark.unsafe.types.UTF8String;
import org.apache.spark.util.SerializableConfiguration;
import org.junit.jupiter.api.Test;

/** Two attempts of one partition at once, as speculative execution starts them. */
class TwinIT extends SparkCase {
    /** Another attempt of the partition, in a thread of its own. */
    private static final class Twin {
        private final CompletableFuture<Throwable> ended = new CompletableFuture<>();
        private final Thread thread;

        /** One that has all its rows and is about to send them. */
        Twin(UserMapWriterFactory factory) throws InterruptedException {
            CountDownLatch asking = new CountDownLatch(1);
            thread = new Thread(() -> {
                try (DataWriter<InternalRow> writer = factory.createWriter(0, 2)) {
                    send(writer, 10);
                    asking.countDown();
                    ended.complete(catchThrowable(writer::commit));
                } catch (Exception e) {
                    ended.complete(e);
                }
            });
            thread.start();
            assertThat(asking.await(10, TimeUnit.SECONDS)).isTrue();
        }

        /** Ends its task; what became of it. */
        Throwable interrupt() throws Exception {
            thread.interrupt();
            return ended.get(10, TimeUnit.SECONDS);
        }
    }

    @Test
    void whoWaitedForAnAttemptThatSentEverythingSendsNothingBeforeSparkEndsIt() throws Exception {
        UserMapWriterFactory factory = factory(options());
        DataWriter<InternalRow> original = factory.createWriter(0, 1);
        send(original, 10);
        original.currentMetricsValues();
        assertThat(sandbox.counts().mapped()).isEqualTo(10);

        Twin twin = new Twin(factory);
        Waiting.pass(Duration.ofMillis(300));
        original.commit();
        original.close();
        Waiting.pass(betweenQuestions());

        assertThat(twin.interrupt()).hasMessageContaining("interrupted");
        assertThat(sandbox.counts().mapped()).as("each row once").isEqualTo(10);
    }

    @Test
    void whoComesWhenAnotherAttemptHasFinishedSendsNothingBeforeSparkEndsIt() throws Exception {
        UserMapWriterFactory factory = factory(options());
        try (DataWriter<InternalRow> original = factory.createWriter(0, 1)) {
            send(original, 10);
            original.commit();
        }

        Twin late = new Twin(factory);
        Waiting.pass(betweenQuestions());

        assertThat(late.interrupt()).hasMessageContaining("interrupted");
        assertThat(sandbox.counts().mapped()).as("each row once").isEqualTo(10);
    }

    @Test
    void theAttemptAfterOneThatFailedSendsAtOnce() throws Exception {
        UserMapWriterFactory factory = factory(options());
        DataWriter<InternalRow> first = factory.createWriter(0, 1);
        send(first, 10);
        first.abort();
        first.close();
        try (DataWriter<InternalRow> second = factory.createWriter(0, 2)) {
            send(second, 10);
            second.commit();
        }

        assertThat(sandbox.mappings()).hasSize(10);
    }

    /** After the second question of whoever was told to wait, and before the third. */
    private Duration betweenQuestions() {
        return UserMapOptions.of(options())
                .allowance()
                .sendDeadline()
                .multipliedBy(3)
                .dividedBy(2);
    }

    private static UserMapWriterFactory factory(Map<String, String> texts) {
        UserMapOptions options = UserMapOptions.of(texts);
        Secret key = Secret.of("key-of-tests");
        String name = AllowanceDesk.nameOf(options.endpoints(), key);
        AllowanceDesk desk = AllowanceDesk.open(name, options.allowance(), AllowanceLog.empty(), AllowanceLog.empty());
        return new UserMapWriterFactory(
                "write-1",
                new MappingColumns(0, 1, -1, "user_id"),
                options,
                key,
                desk.lines(),
                name,
                1,
                new SerializableConfiguration(spark.sparkContext().hadoopConfiguration()));
    }

    private static void send(DataWriter<InternalRow> writer, int count) throws Exception {
        for (int i = 0; i < count; i++) {
            writer.write(new GenericInternalRow(
                    new Object[] {UTF8String.fromString("user-%03d".formatted(i)), UTF8String.fromString("global-user")
                    }));
        }
    }
}
