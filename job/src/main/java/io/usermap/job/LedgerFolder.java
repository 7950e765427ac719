package io.usermap.job;

import io.usermap.spark.RawFiles;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileAlreadyExistsException;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;

/**
 * A folder of the ledger on any Hadoop filesystem, with small text files in it.
 *
 * <p>Uses create, read, list and delete, and nothing else: no rename, and no checksums of Hadoop's own beside the files of a
 * local filesystem, which would keep a torn file from being read at all. A file may be found torn after a crash; whoever reads
 * one has to notice. Blocks; thread-safe.
 *
 * @param files the filesystem
 * @param path the folder, which need not exist
 */
record LedgerFolder(FileSystem files, Path path) {

    /** The folder at {@code path}. */
    static LedgerFolder of(String path, Configuration hadoop) {
        try {
            Path folder = new Path(path);
            FileSystem files = RawFiles.at(folder, hadoop);
            return new LedgerFolder(files, files.makeQualified(folder));
        } catch (IOException | IllegalArgumentException e) {
            throw StoppedException.failed(
                    "Cannot use the ledger " + path + ": " + Source.firstLine(e) + " Set 'ledger.path'.", e);
        }
    }

    LedgerFolder folder(String name) {
        return new LedgerFolder(files, new Path(path, name));
    }

    /** The address of a file or folder in here, as Spark takes it. */
    String address(String name) {
        return new Path(path, name).toString();
    }

    /** Writes a file, over the one that is there. */
    void write(String name, String text) {
        try (OutputStream out = files.create(new Path(path, name), true)) {
            out.write(text.getBytes(StandardCharsets.UTF_8));
        } catch (IOException e) {
            throw lost("write", name, e);
        }
    }

    /**
     * Writes a file that is not there yet.
     *
     * @return whether it was not; otherwise it is as before, as far as the filesystem can tell
     */
    boolean writeNew(String name, String text) {
        try (OutputStream out = files.create(new Path(path, name), false)) {
            out.write(text.getBytes(StandardCharsets.UTF_8));
            return true;
        } catch (FileAlreadyExistsException e) {
            return false;
        } catch (IOException e) {
            throw lost("write", name, e);
        }
    }

    /** The text of a file; empty if there is none. */
    Optional<String> read(String name) {
        try (InputStream in = files.open(new Path(path, name))) {
            return Optional.of(new String(in.readAllBytes(), StandardCharsets.UTF_8));
        } catch (FileNotFoundException e) {
            return Optional.empty();
        } catch (IOException e) {
            throw lost("read", name, e);
        }
    }

    boolean has(String name) {
        try {
            return files.exists(new Path(path, name));
        } catch (IOException e) {
            throw lost("look for", name, e);
        }
    }

    /** When a file was last written, by the filesystem's clock; empty if there is none. */
    Optional<Instant> written(String name) {
        try {
            return Optional.of(Instant.ofEpochMilli(
                    files.getFileStatus(new Path(path, name)).getModificationTime()));
        } catch (FileNotFoundException e) {
            return Optional.empty();
        } catch (IOException e) {
            throw lost("look at", name, e);
        }
    }

    /** The names in here, sorted; none if the folder does not exist. */
    List<String> names() {
        try {
            return Arrays.stream(files.listStatus(path))
                    .map(FileStatus::getPath)
                    .map(Path::getName)
                    .sorted()
                    .toList();
        } catch (FileNotFoundException e) {
            return List.of();
        } catch (IOException e) {
            throw lost("list", "", e);
        }
    }

    /** Removes a file, or a folder with all that is in it; nothing happens if it is not there. */
    void delete(String name) {
        try {
            files.delete(new Path(path, name), true);
        } catch (IOException e) {
            throw lost("delete", name, e);
        }
    }

    private UncheckedIOException lost(String verb, String name, IOException e) {
        return new UncheckedIOException(
                "Cannot " + verb + " " + address(name.isEmpty() ? "." : name) + ": " + Source.firstLine(e)
                        + " Check the ledger's filesystem and run the command again.",
                e);
    }
}
