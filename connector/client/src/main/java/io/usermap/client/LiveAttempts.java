package io.usermap.client;

import io.usermap.client.Allowance.Writer;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;

/**
 * Which attempt of each partition may send: the first that asks, until it leaves or nothing is heard of it for a hold, be it
 * that it is silent or that it has finished; and nobody once the driver has the result of one.
 *
 * <p>An attempt that another one has followed is never live again: what it knows of the receipts is from before the other
 * one sent. Memory grows with the partitions of the writes that run, and with attempts that were followed. Not thread-safe.
 */
final class LiveAttempts {

    /** What an attempt of a partition may do. */
    enum Standing {
        /** It may send. */
        LIVE,
        /** Another one may, for now. */
        WAITS,
        /** It was live, and another one came after it. */
        FOLLOWED,
        /** The driver has the result of another one, so nothing is left to do. */
        SETTLED
    }

    private record Partition(String write, int number) {
        static Partition of(Writer writer) {
            return new Partition(writer.write(), writer.partition());
        }
    }

    /** Who was live last; {@code here} until it leaves before its end, so also when it has finished. */
    private record Attempt(Writer writer, long heard, boolean here) {}

    private final Map<Partition, Attempt> last = new HashMap<>();
    private final Set<Writer> followed = new HashSet<>();
    private final Set<Partition> settled = new HashSet<>();
    private final long holdNanos;

    /** Nobody is live; one of whom nothing is heard for {@code holdNanos} gives way to another. */
    LiveAttempts(long holdNanos) {
        this.holdNanos = holdNanos;
    }

    /** What {@code writer} may do now; it becomes the live one of its partition if there is none. */
    Standing standing(Writer writer, long now) {
        if (settled.contains(Partition.of(writer))) {
            return Standing.SETTLED;
        }
        Attempt known = last.get(Partition.of(writer));
        if (followed.contains(writer)) {
            return Standing.FOLLOWED;
        }
        if (known != null && !known.writer().equals(writer)) {
            if (known.here() && now - known.heard() <= holdNanos) {
                return Standing.WAITS;
            }
            followed.add(known.writer());
        }
        last.put(Partition.of(writer), new Attempt(writer, now, true));
        return Standing.LIVE;
    }

    /** {@code writer} has said something. */
    void heard(Writer writer, long now) {
        last.computeIfPresent(
                Partition.of(writer),
                (partition, attempt) ->
                        attempt.writer().equals(writer) ? new Attempt(writer, now, attempt.here()) : attempt);
    }

    /** {@code writer} gives way to another attempt of its partition. */
    void leave(Writer writer) {
        last.computeIfPresent(
                Partition.of(writer),
                (partition, attempt) ->
                        attempt.writer().equals(writer) ? new Attempt(writer, attempt.heard(), false) : attempt);
    }

    /** The driver has the result of an attempt of the partition: until the write is over nobody need send any of it. */
    void settle(String write, int partition) {
        last.remove(new Partition(write, partition));
        settled.add(new Partition(write, partition));
    }

    /** {@code write} is over. */
    void end(String write) {
        settled.removeIf(partition -> partition.write().equals(write));
        last.keySet().removeIf(partition -> partition.write().equals(write));
        followed.removeIf(writer -> writer.write().equals(write));
    }

    /** How many partitions have, or had, a live attempt or a result. */
    int size() {
        return last.size() + settled.size();
    }
}
