package io.usermap.spark;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.Serializable;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.spark.util.SerializableConfiguration;

/**
 * What a run tells the one writer that coordinates itself, perhaps in another process: for how long it may send, or to
 * stop. A small text in the folder of the receipts, which both can reach.
 *
 * <p>The run writes it on the driver, one text after the other; {@link Watch} says what follows from it in the task. Only
 * create, read and delete are asked of the filesystem. Blocks.
 *
 * @param address the file
 * @param leased whether the writer may send only as long as the run says so
 * @param configuration Hadoop's
 */
record LeaseFile(String address, boolean leased, SerializableConfiguration configuration) implements Serializable {
    private static final Pattern LEASE = Pattern.compile("lease ([0-9]+) ([0-9]{1,15})\n");
    private static final Pattern STOP = Pattern.compile("stop (.*)\n", Pattern.DOTALL);

    /** That of {@code write}; no reader of receipts takes it for one. */
    static LeaseFile of(String receiptsFolder, String write, boolean leased, Configuration hadoop) {
        return new LeaseFile(
                new Path(receiptsFolder, "_lease-" + write).toString(), leased, new SerializableConfiguration(hadoop));
    }

    /** The writer may send for {@code left} from now on; {@code number} is another one each time. */
    void renew(long number, Duration left) throws IOException {
        write("lease " + number + " " + Math.max(0, left.toMillis()) + "\n");
    }

    /** The writer shall stop, once its requests in flight are answered. */
    void stop(String reason) throws IOException {
        write("stop " + reason + "\n");
    }

    /** Nobody watches any more. */
    void delete() throws IOException {
        files().delete(path(), false);
    }

    private void write(String text) throws IOException {
        try (OutputStream out = files().create(path(), true)) {
            out.write(text.getBytes(StandardCharsets.UTF_8));
        }
    }

    /** The text that is there now; empty if there is none. */
    Optional<String> read() throws IOException {
        try (InputStream in = files().open(path())) {
            return Optional.of(new String(in.readAllBytes(), StandardCharsets.UTF_8));
        } catch (FileNotFoundException e) {
            return Optional.empty();
        }
    }

    private Path path() {
        return new Path(address);
    }

    private FileSystem files() throws IOException {
        return RawFiles.at(path(), configuration.value());
    }

    /**
     * What the writer may do by what it has seen of the file; pure.
     *
     * <p>Clocks of two processes are not compared. A text was begun when the one before it was in place, and that one came
     * after the last look that did not show it: from the beginning of that look on its lease counts, a renewal and a look
     * too early, never too late. Until two renewals have been seen nothing is sent; if they do not come within a minute,
     * nothing at all. Thread-safe.
     */
    static final class Watch {
        private static final long LONGEST_START_NANOS = Duration.ofMinutes(1).toNanos();

        private final boolean leased;
        private final long start;
        private String last = "";
        private long lastLook;
        private long lastCameAfter;
        private int seen;
        private boolean holds;
        private long until;
        private String stopped = "";

        /** Nothing has been seen at {@code now}. */
        Watch(boolean leased, long now) {
            this.leased = leased;
            this.start = now;
            this.lastLook = now;
        }

        /** The file held {@code text} when it was looked at; the look began at {@code now}. A torn text says nothing. */
        synchronized void saw(String text, long now) {
            Matcher stop = STOP.matcher(text);
            if (stop.matches()) {
                stopped = stop.group(1);
            }
            Matcher lease = LEASE.matcher(text);
            if (lease.matches() && !text.equals(last)) {
                if (seen >= 2) {
                    long end = lastCameAfter
                            + Duration.ofMillis(Long.parseLong(lease.group(2))).toNanos();
                    until = !holds || end - until > 0 ? end : until;
                    holds = true;
                }
                seen++;
                last = text;
                lastCameAfter = lastLook;
            }
            lastLook = now;
        }

        /** Why the write has to stop at {@code now}; empty if it has not. */
        synchronized Optional<String> stopped(long now) {
            boolean over = holds ? now - until >= 0 : now - start >= LONGEST_START_NANOS;
            if (leased && stopped.isEmpty() && over) {
                stopped = Leases.OVER;
            }
            return stopped.isEmpty() ? Optional.empty() : Optional.of(stopped);
        }

        /** How long the writer may still send at {@code now}, at most {@code most}; empty as long as that is not known. */
        synchronized Optional<Duration> left(long now, Duration most) {
            if (!leased) {
                return Optional.of(most);
            }
            if (!holds) {
                return Optional.empty();
            }
            Duration left = Duration.ofNanos(until - now);
            return Optional.of(left.compareTo(most) < 0 ? left : most);
        }
    }
}
