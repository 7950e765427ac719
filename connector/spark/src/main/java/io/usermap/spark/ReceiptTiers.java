package io.usermap.spark;

import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.util.ArrayList;
import java.util.List;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The files that one writer writes: small ones, because a file can be seen only once it is closed, which are merged later.
 *
 * <p>Four files of one tier become one of the next, up to {@value #LARGE} bytes. A writer that closes a file every 10 s for 55
 * hours closes 20,000; the ten million rows of all writers are then some 2 GB in a few hundred files. The merged file is written to its end before its parts are deleted, so a crash in
 * between leaves lines that are there twice, or a torn file beside all of its parts: readers count a row once. Nothing is
 * renamed. A merge that fails leaves the parts as they are. Not thread-safe.
 */
final class ReceiptTiers {
    private static final Logger LOG = LoggerFactory.getLogger(ReceiptTiers.class);
    private static final int PARTS = 4;
    static final long LARGE = 16L * 1024 * 1024;
    private static final int BUFFER = 64 * 1024;

    private record Part(Path path, long bytes) {}

    private final FileSystem files;
    private final Path folder;
    private final String stem;
    private final long large;
    private final List<List<Part>> tiers = new ArrayList<>();
    private @Nullable FSDataOutputStream file;
    private @Nullable OutputStream out;
    private Path path;
    private int written;

    /**
     * Tiers without any file yet.
     *
     * @param stem how the names of the files begin
     * @param large bytes beyond which nothing is merged
     */
    ReceiptTiers(FileSystem files, Path folder, String stem, long large) {
        this.files = files;
        this.folder = folder;
        this.stem = stem;
        this.large = large;
        this.path = folder;
    }

    /** Whether a file is open. */
    boolean isOpen() {
        return out != null;
    }

    /** The file at hand, or a new one. */
    OutputStream out() throws IOException {
        OutputStream open = out;
        if (open == null) {
            path = nextPath();
            FSDataOutputStream created = files.create(path, false);
            file = created;
            open = new BufferedOutputStream(created, BUFFER);
            out = open;
        }
        return open;
    }

    private Path nextPath() {
        return new Path(folder, "%s-%06d%s".formatted(stem, written++, ReceiptFolder.SUFFIX));
    }

    /** Closes the file at hand, so that it can be seen, and merges what has piled up. */
    void close() throws IOException {
        OutputStream open = out;
        FSDataOutputStream closing = file;
        out = null;
        file = null;
        if (open == null || closing == null) {
            return;
        }
        try (open) {
            open.flush();
        }
        pile(0, new Part(path, closing.getPos()));
    }

    private void pile(int tier, Part part) {
        while (tiers.size() <= tier) {
            tiers.add(new ArrayList<>());
        }
        List<Part> parts = tiers.get(tier);
        parts.add(part);
        if (parts.size() < PARTS) {
            return;
        }
        List<Part> full = List.copyOf(parts);
        parts.clear();
        long bytes = full.stream().mapToLong(Part::bytes).sum();
        if (bytes > large) {
            return;
        }
        Path merged = nextPath();
        try {
            try (OutputStream all = files.create(merged, false)) {
                for (Part one : full) {
                    try (InputStream in = files.open(one.path())) {
                        in.transferTo(all);
                    }
                }
            }
        } catch (IOException e) {
            LOG.warn("Files of receipts could not be merged; they stay as they are.", e);
            delete(merged);
            return;
        }
        full.forEach(one -> delete(one.path()));
        pile(tier + 1, new Part(merged, bytes));
    }

    private void delete(Path gone) {
        try {
            files.delete(gone, false);
        } catch (IOException e) {
            LOG.debug("A file of receipts stays beside the one that holds its lines, too.", e);
        }
    }
}
