package io.usermap.spark;

import io.usermap.client.Mapping;
import io.usermap.spark.Receipt.Outcome;
import java.io.BufferedReader;
import java.io.Closeable;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.function.Consumer;
import java.util.function.Predicate;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.jspecify.annotations.Nullable;

/**
 * The receipts of one writer on a Hadoop filesystem: those of earlier attempts and runs to read, its own to write.
 *
 * <p>A file is written once and closed soon, because on most filesystems nothing of it can be seen before: after each
 * request in burst, every 10 s while slices are spaced evenly; closed ones are merged. Its name says write, partition and
 * attempt. Whole lines count, a torn last line does not. For reading, only the least and the greatest id of each file stay in
 * memory; a batch is compared with the files whose range it meets.
 *
 * <p>The newest receipt of an id is the one with the latest time. So that this is true whatever the clock does, a receipt's
 * time is never before that of those which were there when its writer began. Not thread-safe.
 */
final class ReceiptFolder implements Closeable {
    static final String SUFFIX = ".jsonl";
    private static final long SMOOTH_FILE_NANOS = Duration.ofSeconds(10).toNanos();
    private static final int BUFFER = 64 * 1024;
    private static final int MOST_LOOKS = 5;

    private record Range(Path file, String least, String greatest) {}

    private final FileSystem files;
    private final Path folder;
    private final String stem;
    private final String sameWrite;
    private final Predicate<String> earlierOnes;
    private final List<Range> earlier = new ArrayList<>();
    /** After all of {@link #earlier}. */
    private Instant notBefore = Instant.MIN;

    private final ReceiptTiers own;
    private long openedAt;

    private ReceiptFolder(
            FileSystem files, Path folder, String sameWrite, String attempt, Predicate<String> earlierOnes) {
        this.files = files;
        this.folder = folder;
        this.sameWrite = sameWrite;
        this.stem = sameWrite + attempt;
        this.earlierOnes = earlierOnes;
        this.own = new ReceiptTiers(files, folder, stem, ReceiptTiers.LARGE);
    }

    /**
     * Opens the folder for one attempt of a partition.
     *
     * @param partitions how many partitions the write has; files of as many hold this partition's ids in its own files
     */
    static ReceiptFolder open(
            Configuration hadoop, String path, String write, int partition, int partitions, long attempt)
            throws IOException {
        Path folder = new Path(path);
        FileSystem files = RawFiles.at(folder, hadoop);
        files.mkdirs(folder);
        String place = "part-%05d-of-%05d-".formatted(partition, partitions);
        // Attempts are numbered anew in every application, and a stream's writes keep their ids across restarts.
        String unique = UUID.randomUUID().toString().substring(0, 8);
        String sameLayout = "-of-%05d-".formatted(partitions);
        return new ReceiptFolder(
                files,
                folder,
                place + write + "-",
                attempt + "-" + unique,
                name -> name.startsWith(place) || !name.contains(sameLayout));
    }

    /** Looks through what is there, once no other attempt of the partition writes any more. */
    void lookThrough() throws IOException {
        for (int looks = 1; ; looks++) {
            try {
                list();
                return;
            } catch (FileNotFoundException e) {
                if (looks == MOST_LOOKS) {
                    throw e;
                }
            }
        }
    }

    private interface Reading<T> {
        T result() throws IOException;
    }

    /** What {@code reading} says; once more with a new list if a file goes meanwhile, because its writer merged it. */
    private <T> T listingAgain(Reading<T> reading) throws IOException {
        for (int looks = 1; ; looks++) {
            try {
                return reading.result();
            } catch (FileNotFoundException e) {
                if (looks == MOST_LOOKS) {
                    throw e;
                }
                lookThrough();
            }
        }
    }

    private void list() throws IOException {
        earlier.clear();
        for (FileStatus file : list(files, folder)) {
            String name = file.getPath().getName();
            if (name.endsWith(SUFFIX) && !name.startsWith(stem) && earlierOnes.test(name)) {
                range(file.getPath()).ifPresent(earlier::add);
            }
        }
    }

    private static FileStatus[] list(FileSystem files, Path folder) throws IOException {
        try {
            return files.listStatus(folder);
        } catch (FileNotFoundException e) {
            return new FileStatus[0];
        }
    }

    /** Whether there is anything to compare with. */
    boolean hasEarlier() {
        return !earlier.isEmpty();
    }

    /**
     * Those of {@code mappings} whose newest receipt is for just what they ask for, and whether the service accepted or
     * rejected it. A refusal stands for the attempts of one write: another one may have been mended for it.
     */
    Map<Mapping, Outcome> settled(List<Mapping> mappings) throws IOException {
        Map<String, Mapping> wanted = new HashMap<>();
        String[] ends = {mappings.get(0).userId(), mappings.get(0).userId()};
        for (Mapping mapping : mappings) {
            wanted.put(mapping.userId(), mapping);
            ends[0] = mapping.userId().compareTo(ends[0]) < 0 ? mapping.userId() : ends[0];
            ends[1] = mapping.userId().compareTo(ends[1]) > 0 ? mapping.userId() : ends[1];
        }
        Map<String, Receipt> newest = listingAgain(() -> newest(wanted, ends));
        Map<Mapping, Outcome> settled = new HashMap<>();
        newest.forEach((id, receipt) -> {
            Mapping mapping = wanted.get(id);
            if (mapping != null && receipt.isFor(mapping)) {
                settled.put(mapping, receipt.outcome());
            }
        });
        return settled;
    }

    private boolean settles(Receipt receipt, Path file) {
        return receipt.outcome() == Outcome.ACCEPTED
                || (receipt.outcome() == Outcome.REJECTED && file.getName().startsWith(sameWrite));
    }

    private Map<String, Receipt> newest(Map<String, Mapping> wanted, String[] ends) throws IOException {
        Map<String, Receipt> newest = new HashMap<>();
        for (Range range : earlier) {
            if (range.least().compareTo(ends[1]) <= 0 && range.greatest().compareTo(ends[0]) >= 0) {
                read(files, range.file(), receipt -> {
                    if (settles(receipt, range.file()) && wanted.containsKey(receipt.userId())) {
                        newest.merge(receipt.userId(), receipt, (a, b) -> a.at().isAfter(b.at()) ? a : b);
                    }
                });
            }
        }
        return newest;
    }

    /** Appends a receipt to the file at hand. */
    void add(Receipt receipt, @Nullable String reason, @Nullable String request, int attempt) throws IOException {
        if (!own.isOpen()) {
            openedAt = System.nanoTime();
        }
        try {
            receipt.notBefore(notBefore).write(own.out(), reason, request, attempt);
        } catch (IOException e) {
            throw unwritten(e);
        }
    }

    /** Makes what was added visible: now, or within 10 s where requests are small and many. */
    void publish(Pace pace) throws IOException {
        if (pace == Pace.EVERY_REQUEST || System.nanoTime() - openedAt >= SMOOTH_FILE_NANOS) {
            close();
        }
    }

    /** How often a file is closed. */
    enum Pace {
        /** After each request. */
        EVERY_REQUEST,
        /** Every 10 s. */
        SOON
    }

    @Override
    public void close() throws IOException {
        try {
            own.close();
        } catch (IOException e) {
            throw unwritten(e);
        }
    }

    private IOException unwritten(IOException e) {
        return new IOException(
                "Cannot write receipts into " + folder + ": " + e.getMessage()
                        + ". Make room there, or mend the filesystem, and run again: what has a receipt is not sent twice.",
                e);
    }

    private Optional<Range> range(Path file) throws IOException {
        String[] ends = new String[2];
        read(files, file, receipt -> {
            String id = receipt.userId();
            if (settles(receipt, file) && id != null) {
                if (!receipt.at().isBefore(notBefore)) {
                    notBefore = receipt.at().plusMillis(1);
                }
                ends[0] = ends[0] == null || id.compareTo(ends[0]) < 0 ? id : ends[0];
                ends[1] = ends[1] == null || id.compareTo(ends[1]) > 0 ? id : ends[1];
            }
        });
        return ends[0] == null ? Optional.empty() : Optional.of(new Range(file, ends[0], ends[1]));
    }

    private static void read(FileSystem files, Path file, Consumer<Receipt> each) throws IOException {
        try (BufferedReader lines =
                new BufferedReader(new InputStreamReader(files.open(file), StandardCharsets.UTF_8), BUFFER)) {
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                Receipt.read(line).ifPresent(each);
            }
        }
    }
}
