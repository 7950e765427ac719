package io.usermap.spark;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.usermap.client.AllowanceLog;
import io.usermap.client.Secret;
import io.usermap.client.ServiceException;
import io.usermap.client.Tally;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.GenericInternalRow;
import org.apache.spark.sql.connector.metric.CustomTaskMetric;
import org.apache.spark.sql.connector.write.DataWriter;
import org.apache.spark.sql.connector.write.WriterCommitMessage;
import org.apache.spark.unsafe.types.UTF8String;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Two attempts of one partition, at once as speculative execution starts them, or one after the other. */
class TwinIT extends SparkCase {
    private static final String WRITE = "write-1";
    private static final Secret KEY = Secret.of("key-of-tests");
    private static final UserMapDataWriter.Message NOTHING_DONE =
            new UserMapDataWriter.Message(0, Tally.NONE, Map.of(), "", null, AllowanceLog.empty());

    /** Another attempt of the partition, in a thread of its own. */
    private static final class Twin {
        private final CompletableFuture<WriterCommitMessage> ended = new CompletableFuture<>();
        private final Thread thread;

        /** One that has all its rows and is about to send them. */
        Twin(UserMapWriterFactory factory) throws InterruptedException {
            CountDownLatch asking = new CountDownLatch(1);
            thread = new Thread(() -> {
                try (DataWriter<InternalRow> writer = factory.createWriter(0, 2)) {
                    send(writer, 10);
                    asking.countDown();
                    ended.complete(writer.commit());
                } catch (Exception e) {
                    ended.completeExceptionally(e);
                }
            });
            thread.start();
            assertThat(asking.await(10, TimeUnit.SECONDS)).isTrue();
        }

        /** Ends its task; what became of it. */
        Throwable interrupt() {
            thread.interrupt();
            return catchThrowable(this::result);
        }

        /** What its task ends with. */
        WriterCommitMessage result() throws Exception {
            return ended.get(10, TimeUnit.SECONDS);
        }
    }

    @Test
    void whoWaitedForAnAttemptThatSentEverythingSendsNothingBeforeSparkEndsIt() throws Exception {
        UserMapWriterFactory factory = factory(write(options()));
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
        UserMapWriterFactory factory = factory(write(options()));
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
        UserMapWriterFactory factory = factory(write(options()));
        DataWriter<InternalRow> first = factory.createWriter(0, 1);
        send(first, 10);
        first.currentMetricsValues();
        assertThat(sandbox.counts().mapped()).as("it was live").isEqualTo(10);
        first.abort();
        first.close();
        try (DataWriter<InternalRow> second = factory.createWriter(0, 2)) {
            send(second, 10);
            long ready = System.nanoTime();
            second.commit();
            assertThat(Duration.ofNanos(System.nanoTime() - ready))
                    .as("it was not told to come later")
                    .isLessThan(sendDeadline());
        }

        assertThat(sandbox.counts().mapped()).as("without receipts, again").isEqualTo(20);
    }

    @Test
    void whoWaitsEndsInOrderAndSendsNothingWhenTheDriverHasTheResultOfAnotherAttempt() throws Exception {
        UserMapWrite write = write(options());
        UserMapWriterFactory factory = factory(write);
        DataWriter<InternalRow> original = factory.createWriter(0, 1);
        send(original, 10);
        original.currentMetricsValues();
        Twin twin = new Twin(factory);
        Waiting.pass(Duration.ofMillis(300));
        WriterCommitMessage result = original.commit();
        original.close();
        write.onDataWriterCommit(result);

        assertThat(twin.result()).isEqualTo(NOTHING_DONE);
        assertThat(sandbox.counts().mapped()).as("each row once").isEqualTo(10);
        assertThat(sandbox.requests()).hasSize(1);
        write.commit(new WriterCommitMessage[] {result});
    }

    @Test
    void whoComesWhenTheDriverHasTheResultOfAnotherAttemptSendsAndCountsNothing() throws Exception {
        UserMapWrite write = write(options("maxBatchRows", "10"));
        UserMapWriterFactory factory = factory(write);
        try (DataWriter<InternalRow> original = factory.createWriter(0, 1)) {
            send(original, 35);
            write.onDataWriterCommit(original.commit());
        }
        int requests = sandbox.requests().size();

        try (DataWriter<InternalRow> late = factory.createWriter(0, 2)) {
            late.write(row("user-000"));
            // The first full batch asks, and hears that there is nothing to do.
            send(late, 35);
            late.write(row(" blanks around "));
            assertThat(late.currentMetricsValues())
                    .extracting(CustomTaskMetric::value)
                    .containsOnly(0L);
            assertThat(late.commit()).isEqualTo(NOTHING_DONE);
        }
        assertThat(sandbox.requests()).hasSize(requests);
        assertThat(sandbox.counts().mapped()).as("each row once").isEqualTo(35);
        long[] figures = desk(UserMapOptions.of(options())).progress(List.of(WRITE));
        assertThat(Tally.of(figures, 0).mapped()).isEqualTo(35);
        assertThat(Tally.of(figures, 0).skipped())
                .as("a duplicate that it saw before it asked")
                .isZero();
    }

    @Test
    void whatALiveAttemptHadSentStaysInTheFiguresWhenAnotherHasDoneTheRest() throws Exception {
        UserMapWrite write = write(options("maxBatchRows", "10"));
        try (DataWriter<InternalRow> first = factory(write).createWriter(0, 1)) {
            send(first, 35);
            write.onDataWriterCommit(NOTHING_DONE);
            send(first, 35);
            first.commit();
        }

        long[] figures = desk(UserMapOptions.of(options())).progress(List.of(WRITE));
        assertThat(Tally.of(figures, 0).mapped())
                .isEqualTo(sandbox.counts().mapped())
                .isBetween(10L, 69L);
    }

    @Test
    void whoIsInterruptedWhileItWritesReceiptsStopsNobodyElse(@TempDir Path folder) throws Exception {
        UserMapWrite write = write(withReceipts(folder));
        DataWriter<InternalRow> first = factory(write).createWriter(0, 1);
        FailingFiles.atNextClose(new InterruptedIOException("Nobody waits for the answer."));

        assertThatThrownBy(() -> send(first, 15)).isInstanceOf(CancellationException.class);
        first.abort();
        first.close();
        assertThat(Thread.interrupted()).as("the interruption is kept").isTrue();

        theNextAttemptSendsTheRest(write);
    }

    @Test
    void whoIsEndedAndCannotWriteItsReceiptsStopsNobodyElse(@TempDir Path folder) throws Exception {
        UserMapWrite write = write(withReceipts(folder));
        DataWriter<InternalRow> first = factory(write).createWriter(0, 1);
        send(first, 15);
        // A duplicate, of which there is a note that is not out.
        first.write(row("user-014"));
        FailingFiles.atNextClose(new IOException("Filesystem closed"));

        first.abort();
        first.close();
        assertThat(FailingFiles.hasFailed()).isTrue();

        theNextAttemptSendsTheRest(write);
    }

    @Test
    void aWriteCanGoOnUnlessWhoeverStoppedItForGoodIsHeard() throws Exception {
        UserMapWrite write = write(options());
        UserMapWriterFactory factory = (UserMapWriterFactory) write.createBatchWriterFactory(() -> 2);
        WriterCommitMessage stopped;
        WriterCommitMessage toldOnly;
        try (DataWriter<InternalRow> one = factory.createWriter(0, 1);
                DataWriter<InternalRow> other = factory.createWriter(1, 2)) {
            one.write(row(" blanks around "));
            stopped = one.commit();
            send(other, 10);
            toldOnly = other.commit();
        }

        assertThat(retryable(write, stopped, toldOnly)).isFalse();
        assertThat(retryable(write, toldOnly, stopped)).isFalse();
        assertThat(retryable(write, toldOnly))
                .as("the other executor died before its message came")
                .isTrue();
        assertThat(sandbox.requests()).isEmpty();
    }

    private static boolean retryable(UserMapWrite write, WriterCommitMessage... messages) {
        ServiceException failure = catchThrowableOfType(ServiceException.class, () -> write.commit(messages));
        assertThat(failure).hasMessageContaining("Cannot write mappings: near row 1 of partition 0");
        return failure.retryable();
    }

    private void theNextAttemptSendsTheRest(UserMapWrite write) throws Exception {
        try (DataWriter<InternalRow> second = factory(write).createWriter(0, 2)) {
            send(second, 15);
            write.commit(new WriterCommitMessage[] {second.commit()});
        }
        assertThat(sandbox.mappings()).hasSize(15);
    }

    private Map<String, String> withReceipts(Path folder) {
        spark.sparkContext()
                .hadoopConfiguration()
                .set("fs." + FailingFiles.SCHEME + ".impl", FailingFiles.class.getName());
        String receipts = FailingFiles.SCHEME + "://" + folder.resolve("receipts");
        return options("maxBatchRows", "10", "onRejected", "record", "receiptsPath", receipts);
    }

    /** After the second question of whoever was told to wait, and before the third. */
    private Duration betweenQuestions() {
        return sendDeadline().multipliedBy(3).dividedBy(2);
    }

    private Duration sendDeadline() {
        return UserMapOptions.of(options()).allowance().sendDeadline();
    }

    private static AllowanceDesk desk(UserMapOptions options) {
        String name = AllowanceDesk.nameOf(options.endpoints(), KEY);
        return AllowanceDesk.open(name, options.allowance(), AllowanceLog.empty(), AllowanceLog.empty());
    }

    private static UserMapWrite write(Map<String, String> texts) {
        return new UserMapWrite(
                spark,
                WRITE,
                UserMapOptions.of(texts),
                new MappingColumns(0, 1, -1, "user_id"),
                KEY,
                Optional.empty(),
                AllowanceDesk::driversRpc);
    }

    private static UserMapWriterFactory factory(UserMapWrite write) {
        return (UserMapWriterFactory) write.createBatchWriterFactory(() -> 1);
    }

    private static void send(DataWriter<InternalRow> writer, int count) throws Exception {
        for (int i = 0; i < count; i++) {
            writer.write(row("user-%03d".formatted(i)));
        }
    }

    private static InternalRow row(String user) {
        return new GenericInternalRow(new Object[] {UTF8String.fromString(user), UTF8String.fromString("global-user")});
    }
}
