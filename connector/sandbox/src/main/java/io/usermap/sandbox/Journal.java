package io.usermap.sandbox;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.usermap.sandbox.SandboxRequest.Mapping;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.io.Reader;
import java.io.UncheckedIOException;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The mappings on disk: a file that only grows, one line per batch, replayed at the start.
 *
 * <p>The first line holds the format's version; every other one is an array of mappings in the API's own words. A line is
 * handed to the operating system in one write before the batch is answered, so the end of the process, {@code kill -9}
 * included, loses nothing that was answered; a power cut may. A last line that was cut short is removed at the next start.
 * A journal that is much longer than what is in force is written anew then.
 *
 * <p>A lock file keeps a second sandbox, of this process or another, out of the folder. Not thread-safe: its owner calls it
 * under a lock.
 */
final class Journal implements AutoCloseable {
    static final String FILE = "mappings.jsonl";
    static final String LOCK_FILE = "lock";

    private static final int VERSION = 1;
    private static final String VERSION_KEY = "usermap_sandbox_journal";
    private static final int COMPACT_FROM_CHANGES = 10_000;
    private static final int COMPACT_FROM_RATIO = 4;
    private static final int MAPPINGS_PER_LINE = 1000;

    /** A thousand mappings with ids of the greatest length, every character escaped, and their keys. */
    private static final int MAX_LINE_LENGTH = MAPPINGS_PER_LINE * (2 * 6 * IdRules.MAX_LENGTH + 100);

    private final FileChannel lock;
    private final RandomAccessFile file;

    private Journal(FileChannel lock, RandomAccessFile file) {
        this.lock = lock;
        this.file = file;
    }

    /**
     * Locks {@code folder}, creating it if it is missing, replays what is there into {@code store}, and is ready for more.
     *
     * @throws IOException if the folder is in use or cannot be written, or if the journal is broken or of a newer version
     */
    static Journal open(Path folder, MappingStore store) throws IOException {
        FileChannel lock = lock(folder);
        try {
            Path path = folder.resolve(FILE);
            cutTornLine(path);
            long changes = replay(path, store);
            if (changes >= COMPACT_FROM_CHANGES && changes / COMPACT_FROM_RATIO > store.size()) {
                compact(path, store.snapshot());
            }
            return new Journal(lock, openAtEnd(path));
        } catch (IOException | RuntimeException e) {
            lock.close();
            throw e;
        }
    }

    /**
     * Adds a batch; when this returns, the end of the process does not lose it.
     *
     * @throws IOException if it cannot be written; the journal is then as it was before
     */
    void append(List<Mapping> batch) throws IOException {
        if (batch.isEmpty()) {
            return;
        }
        long before = file.length();
        try {
            file.write(line(batch));
        } catch (IOException e) {
            file.setLength(before);
            file.seek(before);
            throw e;
        }
    }

    /** Closes the file and frees the folder. */
    @Override
    public void close() {
        try (lock) {
            file.close();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Creates the folder if it is missing, and holds it until the channel is closed. */
    private static FileChannel lock(Path folder) throws IOException {
        FileChannel channel;
        try {
            // The check comes first because a link to a folder counts as a file for createDirectories.
            if (!Files.isDirectory(folder)) {
                Files.createDirectories(folder);
            }
            channel = FileChannel.open(folder.resolve(LOCK_FILE), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
        } catch (FileAlreadyExistsException e) {
            throw new IOException("Cannot keep mappings in " + folder + ": it is a file. Choose a folder.", e);
        } catch (FileSystemException e) {
            String reason = e.getReason() == null ? e.getClass().getSimpleName() : e.getReason();
            throw new IOException(
                    "Cannot keep mappings in " + folder + ": " + reason + ". Choose a folder that can be written.", e);
        }
        try {
            if (channel.tryLock() != null) {
                return channel;
            }
        } catch (OverlappingFileLockException e) {
            // Held by another sandbox of this process: the same case, told in another way.
        }
        channel.close();
        throw new IOException("Cannot keep mappings in " + folder
                + ": another sandbox uses this folder. Stop it or choose another folder.");
    }

    /** Cuts the file after its last line end: what follows was never answered. */
    private static void cutTornLine(Path path) throws IOException {
        try (RandomAccessFile file = new RandomAccessFile(path.toFile(), "rw")) {
            long end = file.length();
            byte[] block = new byte[8192];
            while (end > 0) {
                int length = (int) Math.min(block.length, end);
                file.seek(end - length);
                file.readFully(block, 0, length);
                while (length > 0 && block[length - 1] != '\n') {
                    length--;
                    end--;
                }
                if (length > 0) {
                    break;
                }
            }
            file.setLength(end);
        }
    }

    /** Applies every line to {@code store} and returns how many mappings they held. */
    private static long replay(Path path, MappingStore store) throws IOException {
        long changes = 0;
        int number = 0;
        try (BufferedReader lines = Files.newBufferedReader(path, StandardCharsets.UTF_8)) {
            for (String line = readLine(lines); line != null; line = readLine(lines)) {
                number++;
                if (line.length() > MAX_LINE_LENGTH) {
                    throw broken(path, number);
                }
                JsonNode value = StrictJson.MAPPER.readTree(line);
                if (number == 1) {
                    checkVersion(path, value.path(VERSION_KEY).asInt());
                } else {
                    List<Mapping> batch = mappings(path, number, value);
                    batch.forEach(store::put);
                    changes += batch.size();
                }
            }
        } catch (JsonProcessingException | CharacterCodingException e) {
            throw broken(path, Math.max(1, number));
        }
        return changes;
    }

    /** The next line, or so much of one that is too long as shows it to be; {@code null} at the end. */
    private static @Nullable String readLine(Reader in) throws IOException {
        StringBuilder line = new StringBuilder();
        int character = in.read();
        if (character < 0) {
            return null;
        }
        while (character >= 0 && character != '\n' && line.length() <= MAX_LINE_LENGTH) {
            line.append((char) character);
            character = in.read();
        }
        return line.toString();
    }

    private static void checkVersion(Path path, int version) throws IOException {
        if (version < 1) {
            throw broken(path, 1);
        }
        if (version > VERSION) {
            throw new IOException("Cannot read " + path + ": its format is version " + version + ", newer than "
                    + VERSION + ". Use the sandbox that wrote it or choose another folder.");
        }
    }

    private static List<Mapping> mappings(Path path, int number, JsonNode line) throws IOException {
        if (!line.isArray()) {
            throw broken(path, number);
        }
        List<Mapping> batch = new ArrayList<>(line.size());
        for (JsonNode mapping : line) {
            String userId = mapping.path("user_id").textValue();
            String globalUserId = mapping.path("global_user_id").textValue();
            boolean unmap = mapping.path("unmap").booleanValue();
            if (userId == null || (globalUserId == null) != unmap) {
                throw broken(path, number);
            }
            batch.add(unmap ? Mapping.unmap(userId) : Mapping.map(userId, globalUserId));
        }
        return batch;
    }

    private static IOException broken(Path path, int line) {
        return new IOException("Cannot read " + path + ": line " + line
                + " is not what a sandbox writes. Move the file away to start without mappings.");
    }

    private static void compact(Path path, Map<String, String> mappings) throws IOException {
        Path fresh = path.resolveSibling(FILE + ".new");
        Files.deleteIfExists(fresh);
        try (RandomAccessFile file = openAtEnd(fresh)) {
            List<Mapping> batch = new ArrayList<>(MAPPINGS_PER_LINE);
            for (Map.Entry<String, String> mapping : mappings.entrySet()) {
                batch.add(Mapping.map(mapping.getKey(), mapping.getValue()));
                if (batch.size() == MAPPINGS_PER_LINE) {
                    file.write(line(batch));
                    batch.clear();
                }
            }
            if (!batch.isEmpty()) {
                file.write(line(batch));
            }
            file.getFD().sync();
        }
        Files.move(fresh, path, StandardCopyOption.REPLACE_EXISTING, StandardCopyOption.ATOMIC_MOVE);
    }

    /** Not a channel: those close themselves when a thread that writes is interrupted. */
    private static RandomAccessFile openAtEnd(Path path) throws IOException {
        RandomAccessFile file = new RandomAccessFile(path.toFile(), "rw");
        try {
            if (file.length() == 0) {
                file.write(("{\"" + VERSION_KEY + "\":" + VERSION + "}\n").getBytes(StandardCharsets.UTF_8));
            }
            file.seek(file.length());
            return file;
        } catch (IOException e) {
            file.close();
            throw e;
        }
    }

    private static byte[] line(List<Mapping> batch) throws JsonProcessingException {
        ArrayNode line = StrictJson.MAPPER.createArrayNode();
        for (Mapping mapping : batch) {
            ObjectNode written = line.addObject().put("user_id", mapping.userId());
            if (mapping.globalUserId().isPresent()) {
                written.put("global_user_id", mapping.globalUserId().get());
            } else {
                written.put("unmap", true);
            }
        }
        return (StrictJson.MAPPER.writeValueAsString(line) + "\n").getBytes(StandardCharsets.UTF_8);
    }
}
