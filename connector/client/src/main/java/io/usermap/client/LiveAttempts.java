package io.usermap.client;

import io.usermap.client.Allowance.Writer;
import java.util.HashMap;
import java.util.Map;

/**
 * Which attempt of each partition may send: the first that asks, until it leaves or nothing is heard of it for a hold.
 *
 * <p>Memory grows with the partitions of the writes that run. Not thread-safe.
 */
final class LiveAttempts {
    private record Partition(String write, int number) {
        static Partition of(Writer writer) {
            return new Partition(writer.write(), writer.partition());
        }
    }

    private record Attempt(Writer writer, long heard) {}

    private final Map<Partition, Attempt> live = new HashMap<>();
    private final long holdNanos;

    /** Nobody is live; one of whom nothing is heard for {@code holdNanos} gives way to another. */
    LiveAttempts(long holdNanos) {
        this.holdNanos = holdNanos;
    }

    /** Whether {@code writer} is the one live attempt of its partition, which it becomes if there is none. */
    boolean isLive(Writer writer, long now) {
        Attempt attempt = live.compute(
                Partition.of(writer),
                (partition, known) -> known == null || known.writer().equals(writer) || now - known.heard() > holdNanos
                        ? new Attempt(writer, now)
                        : known);
        return attempt != null && attempt.writer().equals(writer);
    }

    /** {@code writer} has said something. */
    void heard(Writer writer, long now) {
        live.computeIfPresent(
                Partition.of(writer),
                (partition, attempt) -> attempt.writer().equals(writer) ? new Attempt(writer, now) : attempt);
    }

    /** {@code writer} gives way to another attempt of its partition. */
    void leave(Writer writer) {
        live.computeIfPresent(
                Partition.of(writer), (partition, attempt) -> attempt.writer().equals(writer) ? null : attempt);
    }

    /** {@code write} is over. */
    void end(String write) {
        live.keySet().removeIf(partition -> partition.write().equals(write));
    }

    /** How many partitions have a live attempt. */
    int size() {
        return live.size();
    }
}
