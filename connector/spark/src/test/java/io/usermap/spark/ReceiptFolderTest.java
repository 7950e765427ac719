package io.usermap.spark;

import static org.assertj.core.api.Assertions.assertThat;

import io.usermap.client.Mapping;
import io.usermap.spark.Receipt.Outcome;
import io.usermap.spark.ReceiptFolder.Pace;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ReceiptFolderTest {
    private static final Instant AT = Instant.parse("2026-11-22T03:31:00.123Z");

    @TempDir
    private Path folder;

    private ReceiptFolder open(long attempt) throws IOException {
        return open("write-1", attempt);
    }

    private ReceiptFolder open(String write, long attempt) throws IOException {
        return ReceiptFolder.open(new Configuration(false), folder.toString(), write, 0, 1, attempt);
    }

    /** Writes receipts of users {@code from} to before {@code to}, each in a file of its own. */
    private static void write(ReceiptFolder receipts, int from, int to) throws IOException {
        for (int user = from; user < to; user++) {
            receipts.add(Receipt.of(mapping(user), Outcome.ACCEPTED, AT), null, "request-" + user, 1);
            receipts.publish(Pace.EVERY_REQUEST);
        }
    }

    private static Mapping mapping(int user) {
        return Mapping.map("user-%05d".formatted(user), "person-1");
    }

    private static List<Mapping> mappings(int count) {
        return IntStream.range(0, count).mapToObj(ReceiptFolderTest::mapping).toList();
    }

    private List<Path> files() throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.filter(file -> file.toString().endsWith(".jsonl"))
                    .sorted()
                    .toList();
        }
    }

    private Set<Mapping> acknowledged(int count) throws IOException {
        try (ReceiptFolder next = open(99)) {
            next.lookThrough();
            return acknowledged(next, mappings(count));
        }
    }

    @Test
    void aThousandFilesBecomeAFewThatHoldEachLineOnce() throws IOException {
        try (ReceiptFolder receipts = open(1)) {
            write(receipts, 0, 1_000);
        }

        // 1,000 = 3 x 256 + 3 x 64 + 2 x 16 + 2 x 4: a file for each of these.
        assertThat(files()).hasSize(3 + 3 + 2 + 2);
        assertThat(files().stream().flatMap(ReceiptFolderTest::lines))
                .hasSize(1_000)
                .doesNotHaveDuplicates();
        assertThat(acknowledged(1_010)).containsExactlyInAnyOrderElementsOf(mappings(1_000));
    }

    @Test
    void filesThatWouldBecomeTooLargeStayAsTheyAre() throws IOException {
        org.apache.hadoop.fs.Path path = new org.apache.hadoop.fs.Path(folder.toUri());
        ReceiptTiers tiers = new ReceiptTiers(RawFiles.at(path, new Configuration(false)), path, "part", 1_000);
        for (int i = 0; i < 70; i++) {
            tiers.out().write((i + "x".repeat(98)).substring(0, 99).getBytes(StandardCharsets.US_ASCII));
            tiers.out().write('\n');
            tiers.close();
        }

        assertThat(files()).as("17 of four, which are 400 bytes each, and 2").hasSize(17 + 2);
        assertThat(files().stream().flatMap(ReceiptFolderTest::lines))
                .hasSize(70)
                .doesNotHaveDuplicates();
    }

    @Test
    void whoReadsWhileAnotherMergesListsAgain() throws IOException {
        try (ReceiptFolder writer = open(1);
                ReceiptFolder reader = open(2)) {
            write(writer, 0, 3);
            reader.lookThrough();
            List<Path> seen = files();
            write(writer, 3, 4);

            assertThat(seen)
                    .as("merged by now")
                    .allSatisfy(file -> assertThat(file).doesNotExist());
            assertThat(acknowledged(reader, mappings(3))).hasSize(3);
        }
    }

    @Test
    void aMergeThatWasCutShortLeavesAllOfItsPartsBesideIt() throws IOException {
        try (ReceiptFolder writer = open(1)) {
            write(writer, 0, 3);
        }
        String torn = lines(files().get(0)).findFirst().orElseThrow() + "\n"
                + lines(files().get(1)).findFirst().orElseThrow().substring(0, 30);
        Files.writeString(folder.resolve("part-00000-of-00001-write-1-1-0a0a0a0a-000004.jsonl"), torn);

        assertThat(acknowledged(4)).containsExactlyInAnyOrderElementsOf(mappings(3));
    }

    @Test
    void emptyFilesAndTornLinesAcknowledgeNothing() throws IOException {
        try (ReceiptFolder writer = open(1)) {
            write(writer, 0, 2);
        }
        Files.writeString(folder.resolve("part-00000-of-00001-write-1-7-0b0b0b0b-000000.jsonl"), "");
        Path last = files().get(1);
        String line = Files.readString(last);
        Files.writeString(last, line.substring(0, line.length() - 3));

        assertThat(acknowledged(2)).containsExactly(mapping(0));
    }

    @Test
    void whichReceiptIsTheNewestDoesNotHangOnTheClock() throws IOException {
        Mapping first = Mapping.map("ann@shop", "ann");
        Mapping second = Mapping.map("ann@shop", "anna");
        acknowledge(1, first, AT.plusSeconds(3_600));
        acknowledge(2, second, AT);
        assertThat(acknowledgedOf(first)).as("ann was mapped elsewhere since").isEmpty();
        assertThat(acknowledgedOf(second)).containsExactly(second);

        acknowledge(3, first, AT.minusSeconds(60));
        assertThat(acknowledgedOf(first)).containsExactly(first);
        assertThat(acknowledgedOf(second)).isEmpty();
    }

    /** As a writer does whose clock says {@code at}. */
    private void acknowledge(long attempt, Mapping mapping, Instant at) throws IOException {
        try (ReceiptFolder receipts = open(attempt)) {
            receipts.lookThrough();
            receipts.add(Receipt.of(mapping, Outcome.ACCEPTED, at), null, "request-" + attempt, 1);
        }
    }

    private Set<Mapping> acknowledgedOf(Mapping mapping) throws IOException {
        try (ReceiptFolder next = open(99)) {
            next.lookThrough();
            return acknowledged(next, List.of(mapping));
        }
    }

    private static Set<Mapping> acknowledged(ReceiptFolder folder, List<Mapping> mappings) throws IOException {
        return folder.settled(mappings).entrySet().stream()
                .filter(settled -> settled.getValue() == Outcome.ACCEPTED)
                .map(Map.Entry::getKey)
                .collect(Collectors.toSet());
    }

    @Test
    void whatWasRejectedBeforeItWasSentHidesNoAcknowledgement() throws IOException {
        acknowledge(1, mapping(0), AT);
        try (ReceiptFolder retry = open(2)) {
            retry.lookThrough();
            retry.add(Receipt.of(mapping(0), Outcome.REJECTED, AT.plusSeconds(1)), "conflict", null, 0);
        }

        assertThat(acknowledgedOf(mapping(0))).containsExactly(mapping(0));
    }

    @Test
    void aRefusalStandsForTheAttemptsOfItsWriteAlone() throws IOException {
        try (ReceiptFolder writer = open(1)) {
            writer.add(Receipt.of(mapping(0), Outcome.ACCEPTED, AT), null, "request-1", 1);
            writer.add(Receipt.of(mapping(1), Outcome.REJECTED, AT), "refused", "request-2", 1);
        }
        try (ReceiptFolder retry = open(2)) {
            retry.lookThrough();
            assertThat(retry.settled(mappings(3)))
                    .isEqualTo(Map.of(mapping(0), Outcome.ACCEPTED, mapping(1), Outcome.REJECTED));
            assertThat(retry.settled(List.of(Mapping.unmap("user-00001"))))
                    .as("was never asked for")
                    .isEmpty();
        }
        try (ReceiptFolder next = open("write-2", 1)) {
            next.lookThrough();
            assertThat(next.settled(mappings(3))).isEqualTo(Map.of(mapping(0), Outcome.ACCEPTED));
        }
    }

    private static Stream<String> lines(Path file) {
        try {
            return Files.readAllLines(file).stream();
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }
}
