package io.usermap.client;

import java.util.PriorityQueue;

/** A clock that jumps from one event to the next. */
final class VirtualTime {
    private record Event(long at, long order, Runnable what) {}

    private final PriorityQueue<Event> events = new PriorityQueue<>(
            (a, b) -> a.at() == b.at() ? Long.compare(a.order(), b.order()) : Long.compare(a.at(), b.at()));
    private long now;
    private long order;

    /** Nanoseconds since the start. */
    long now() {
        return now;
    }

    double seconds() {
        return now / 1e9;
    }

    static long nanos(double seconds) {
        return (long) (seconds * 1e9);
    }

    void at(long nanos, Runnable what) {
        events.add(new Event(Math.max(now, nanos), order++, what));
    }

    void after(double seconds, Runnable what) {
        at(now + nanos(seconds), what);
    }

    /** Lets happen what is due, until there is nothing more or {@code seconds} have passed since the start. */
    void runUntil(double seconds) {
        long until = nanos(seconds);
        for (Event next = events.peek(); next != null && next.at() <= until; next = events.peek()) {
            events.remove();
            now = next.at();
            next.what().run();
        }
        now = until;
    }
}
