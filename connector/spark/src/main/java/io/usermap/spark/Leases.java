package io.usermap.spark;

import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Until when writes may send, where somebody has to renew that again and again.
 *
 * <p>A write whose lease is found to be over is stopped for good: whoever holds it was paused, and somebody else may have
 * taken over since. All times are of the driver's monotonic clock, so a process that was stopped finds its leases over when it goes on. A write
 * that has no lease may always send. Not thread-safe.
 */
final class Leases {
    /** What a write hears whose lease ran out. */
    static final String OVER =
            "Cannot write mappings: the right to send was not renewed in time, because this process or"
                    + " the ledger's filesystem stood still. Run again: what was acknowledged is not sent again.";

    private final Map<String, Long> until = new HashMap<>();

    /** {@code write} may send until {@code untilNanos}. */
    void renew(String write, long untilNanos) {
        until.put(write, untilNanos);
    }

    /** The writes whose lease is over at {@code now}; each comes out once. */
    List<String> over(long now) {
        List<String> over = until.entrySet().stream()
                .filter(lease -> now - lease.getValue() >= 0)
                .map(Map.Entry::getKey)
                .toList();
        over.forEach(until::remove);
        return over;
    }

    /** How long {@code write} may still send at {@code now}, at most {@code most}. */
    Duration left(String write, long now, Duration most) {
        Long end = until.get(write);
        Duration left = end == null ? most : Duration.ofNanos(end - now);
        return left.compareTo(most) < 0 ? left : most;
    }

    /** {@code write} is over. */
    void end(String write) {
        until.remove(write);
    }
}
