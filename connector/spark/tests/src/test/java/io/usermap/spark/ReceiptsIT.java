package io.usermap.spark;

import static org.assertj.core.api.Assertions.assertThat;

import io.usermap.client.AllowanceLog;
import io.usermap.client.RejectReason;
import io.usermap.client.Secret;
import io.usermap.client.ServiceException;
import io.usermap.sandbox.SandboxRequest;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.GenericInternalRow;
import org.apache.spark.sql.connector.write.DataWriter;
import org.apache.spark.unsafe.types.UTF8String;
import org.apache.spark.util.SerializableConfiguration;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Receipts: one line a row, and what they acknowledge is not sent again. */
class ReceiptsIT extends SparkCase {
    @TempDir
    Path folder;

    @Test
    void everyRowEndsWithAReceipt() {
        write(
                rows(
                        map("ann@shop", "ann@global"),
                        map("ann@shop", "ann@global"),
                        unmap("bob@shop"),
                        map("eve", "eve@global"),
                        map("tom@shop", "tom@global"),
                        map("tom@shop", "tim@global")),
                recording("onConflict", "reject"));

        assertThat(outcomes())
                .containsExactlyInAnyOrder(
                        "ann@shop accepted null",
                        "ann@shop skipped duplicate",
                        "bob@shop accepted null",
                        "eve rejected too_short",
                        "tom@shop rejected conflict",
                        "tom@shop rejected conflict");
        assertThat(sandbox.mappings()).containsOnlyKeys("ann@shop");
    }

    @Test
    void theNextWriteSendsOnlyWhatIsNotAcknowledged() {
        write(manyRows(300), recording());
        sandbox.clearRequests();
        write(manyRows(310), recording());

        assertThat(sandbox.requests().stream()
                        .mapToInt(request -> request.mappings().size())
                        .sum())
                .isEqualTo(10);
    }

    @Test
    void anotherNumberOfWritersFindsTheReceiptsToo() {
        write(manyRows(300), recording("writers", "3"));
        sandbox.clearRequests();
        write(manyRows(300), recording("writers", "2"));

        assertThat(sandbox.requests()).isEmpty();
    }

    @Test
    void aChangedTargetIsSentAlthoughTheUserHasAReceipt() {
        write(rows(map("ann@shop", "ann@global")), recording());
        write(rows(map("ann@shop", "bob@global")), recording());
        write(rows(map("ann@shop", "ann@global")), recording());

        assertThat(sandbox.counts().mapped()).isEqualTo(3);
        assertThat(sandbox.mappings()).containsEntry("ann@shop", "ann@global");
    }

    @Test
    void aTornLastLineDoesNotCount() throws IOException {
        write(rows(map("ann@shop", "ann@global")), recording());
        Path file = files().get(0);
        String line = Files.readString(file);
        Files.writeString(file, line.substring(0, line.length() / 2), StandardOpenOption.TRUNCATE_EXISTING);
        write(rows(map("ann@shop", "ann@global")), recording());

        assertThat(sandbox.counts().mapped()).isEqualTo(2);
    }

    @Test
    void receiptsThatCannotBeWrittenEndTheWriteBeforeMoreIsSent() throws IOException {
        UserMapWriterFactory factory = factory(recording("maxBatchRows", "10"));
        DataWriter<InternalRow> writer = factory.createWriter(0, 1);
        Path receipts = Path.of(recording().get("receiptsPath"));
        Files.delete(receipts);
        Files.writeString(receipts, "a file where the folder was");

        for (int i = 0; i < 45; i++) {
            writer.write(row(i));
        }
        UserMapDataWriter.Message message = (UserMapDataWriter.Message) writer.commit();

        assertThat(sandbox.requests())
                .as("and no attempt after this one, which would send it again")
                .hasSize(1);
        assertThat(message.problem())
                .startsWith("Cannot write receipts into " + receipts + ": ")
                .endsWith(
                        "Make room there, or mend the filesystem, and run again: what has a receipt is not sent twice.");
        assertThat(message.failure()).isNotNull().matches(ServiceException::retryable);
    }

    @Test
    @Tag(ONE_SPARK)
    void receiptsCanBeReadSoonAlsoWhileTheWriteWaitsForLong() throws Exception {
        Files.createDirectories(folder.resolve("receipts"));
        sandbox.addFaults("{\"faults\": [{\"path\": \"map\", \"requests\": 2, \"delay_answer\": \"14s\"}]}");
        CompletableFuture<Void> writing = CompletableFuture.runAsync(
                () -> write(manyRows(10), recording("pacing", "smooth", "maxBatchRows", "5", "writers", "1")));
        Waiting.until("two requests are there", () -> sandbox.requests().size() == 2);

        assertThat(Waiting.within(
                        Duration.ofSeconds(13),
                        () -> files().stream().anyMatch(file -> file.toFile().length() > 0)))
                .as("a file that is closed, while the second answer is still to come")
                .isTrue();
        writing.get(30, TimeUnit.SECONDS);
        assertThat(outcomes()).hasSize(10);
    }

    private UserMapWriterFactory factory(Map<String, String> settings) {
        UserMapOptions options = UserMapOptions.of(settings);
        Secret key = Secret.of("key-of-tests");
        String name = AllowanceDesk.nameOf(options.endpoints(), key);
        return new UserMapWriterFactory(
                "write-1",
                new MappingColumns(0, 1, -1, "user_id"),
                options,
                key,
                AllowanceDesk.open(name, options.allowance(), AllowanceLog.empty(), AllowanceLog.empty())
                        .lines(),
                name,
                1,
                new SerializableConfiguration(spark.sparkContext().hadoopConfiguration()));
    }

    @Test
    void aLaterAttemptOfAPartitionSkipsWhatTheEarlierOneSent() throws IOException {
        UserMapWriterFactory factory = factory(recording("maxBatchRows", "10"));

        // Twenty-five rows in batches of ten: the attempt breaks off with two batches sent and five rows gathered.
        DataWriter<InternalRow> first = factory.createWriter(0, 1);
        for (int i = 0; i < 25; i++) {
            first.write(row(i));
        }
        first.abort();
        DataWriter<InternalRow> second = factory.createWriter(0, 2);
        for (int i = 0; i < 25; i++) {
            second.write(row(i));
        }
        second.commit();
        second.close();

        assertThat(sandbox.mappings()).hasSize(25);
        assertThat(sandbox.counts().mapped()).as("none sent twice").isEqualTo(25);
    }

    @Test
    void aLaterAttemptAsksNoMoreForWhatWasRefusedAndCountsIt() throws IOException {
        UserMapWriterFactory factory = factory(recording("maxBatchRows", "10"));
        sandbox.addFaults("{\"faults\": [{\"path\": \"map\", \"ids\": [\"user-003\"], \"status\": 400}]}");
        DataWriter<InternalRow> first = factory.createWriter(0, 1);
        for (int i = 0; i < 25; i++) {
            first.write(row(i));
        }
        first.abort();
        sandbox.clearRequests();
        DataWriter<InternalRow> second = factory.createWriter(0, 2);
        for (int i = 0; i < 25; i++) {
            second.write(row(i));
        }
        UserMapDataWriter.Message message = (UserMapDataWriter.Message) second.commit();

        assertThat(sandbox.requests().stream()
                        .flatMap(request -> request.mappings().stream())
                        .map(SandboxRequest.Mapping::userId))
                .containsExactly("user-020", "user-021", "user-022", "user-023", "user-024");
        assertThat(message.problem()).isEmpty();
        assertThat(message.rejected()).isEqualTo(Map.of(RejectReason.REFUSED, 1L));
        assertThat(message.tally().rejected()).isEqualTo(1);
        assertThat(outcomes())
                .filteredOn(outcome -> outcome.startsWith("user-003 "))
                .containsExactly("user-003 rejected refused");
    }

    private static InternalRow row(int number) {
        return new GenericInternalRow(
                new Object[] {UTF8String.fromString("user-%03d".formatted(number)), UTF8String.fromString("global-user")
                });
    }

    private Map<String, String> recording(String... more) {
        Map<String, String> options = options(more);
        options.put("receiptsPath", folder.resolve("receipts").toString());
        options.put("onRejected", "record");
        return options;
    }

    private List<String> outcomes() {
        return spark
                .read()
                .json(folder.resolve("receipts").toString())
                .select("user_id", "outcome", "reason")
                .collectAsList()
                .stream()
                .map(row -> row.getString(0) + " " + row.getString(1) + " " + row.getString(2))
                .toList();
    }

    private List<Path> files() {
        try (Stream<Path> files = Files.list(folder.resolve("receipts"))) {
            return files.filter(file -> file.toString().endsWith(".jsonl")).toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
