package io.usermap.sandbox;

import java.util.ArrayDeque;
import java.util.List;
import java.util.Queue;

/**
 * A sliding window that forgets nothing: at most {@code limit} mappings in any stretch of time as long as the window.
 *
 * <p>Pure: time comes in as nanoseconds of any monotonic clock, in non-decreasing order; the only state is the log of what
 * was counted. A mapping counted at {@code t} is in the window up to, and not at, {@code t + window}. With 1,500 in 30 s,
 * 1,500 of them at 0 s and one more waiting, there is no room at 29.999999999 s and room at 30 s.
 *
 * <p>Not thread-safe: its owner calls it under a lock. Memory is one small entry per request in the window.
 */
final class ExactWindow implements Window {
    /** What was counted at one time. */
    record Entry(long atNanos, int mappings) {}

    private final int limit;
    private final long windowNanos;
    private final Queue<Entry> entries = new ArrayDeque<>();
    private long inWindow;
    private long most;

    ExactWindow(int limit, long windowNanos) {
        this.limit = limit;
        this.windowNanos = windowNanos;
    }

    @Override
    public boolean hasRoom(int mappings, long nowNanos) {
        return inWindow(nowNanos) + mappings <= limit;
    }

    @Override
    public void count(int mappings, long nowNanos) {
        forgetBefore(nowNanos);
        entries.add(new Entry(nowNanos, mappings));
        inWindow += mappings;
        most = Math.max(most, inWindow);
    }

    /** The mappings counted in the window that ends at {@code nowNanos}. */
    long inWindow(long nowNanos) {
        forgetBefore(nowNanos);
        return inWindow;
    }

    /** What is in the window that ends at {@code nowNanos}, oldest first. */
    List<Entry> entries(long nowNanos) {
        forgetBefore(nowNanos);
        return List.copyOf(entries);
    }

    /** The most mappings that any window has held. */
    long most() {
        return most;
    }

    private void forgetBefore(long nowNanos) {
        // Differences, not comparisons: nanoTime may start below zero and wrap.
        for (Entry oldest = entries.peek();
                oldest != null && nowNanos - oldest.atNanos() >= windowNanos;
                oldest = entries.peek()) {
            entries.remove();
            inWindow -= oldest.mappings();
        }
    }
}
