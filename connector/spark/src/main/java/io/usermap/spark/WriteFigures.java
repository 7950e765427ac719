package io.usermap.spark;

import io.usermap.client.Allowance.Writer;
import io.usermap.client.Tally;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;

/**
 * What the writers of each write have done so far, as they reported it. Memory grows with the writers that are alive, and
 * with the writes up to a thousand. Not thread-safe.
 */
final class WriteFigures {
    private static final int MOST_WRITES_REMEMBERED = 1_000;

    private static final class OfWrite {
        final Map<Writer, Tally> tallies = new HashMap<>();
        long firstGrant;
        long lastReport;
    }

    private final Map<String, OfWrite> writes = new LinkedHashMap<>();

    /** {@code write} was granted something. */
    void granted(String write, long now) {
        OfWrite known = of(write);
        known.firstGrant = known.firstGrant == 0 ? now : known.firstGrant;
    }

    /** {@code writer} has had a reply. */
    void reported(Writer writer, Tally tally, long now) {
        put(writer, tally);
        of(writer.write()).lastReport = now;
    }

    /** {@code writer} says what it has done altogether. */
    void put(Writer writer, Tally tally) {
        of(writer.write()).tallies.put(writer, tally);
    }

    /**
     * The write is over: keeps one sum of its writers, but for those that are {@code alive}, whose tasks are still being
     * killed and will report once more.
     */
    void sumUp(String write, Set<Writer> alive) {
        OfWrite known = writes.get(write);
        if (known != null) {
            Tally sum = known.tallies.entrySet().stream()
                    .filter(tally -> !alive.contains(tally.getKey()))
                    .map(Map.Entry::getValue)
                    .reduce(Tally.NONE, Tally::plus);
            known.tallies.keySet().retainAll(alive);
            known.tallies.put(new Writer(write, -1, -1), sum);
        }
    }

    /**
     * The sum of the tallies of {@code names}; then the most in a window, the nanoseconds from the first grant to the last
     * report, and the wait.
     */
    long[] of(String[] names, int mostInWindow, long waitNanos) {
        Tally sum = Tally.NONE;
        long first = Long.MAX_VALUE;
        long last = Long.MIN_VALUE;
        for (String name : names) {
            OfWrite known = writes.get(name);
            if (known != null) {
                for (Tally tally : known.tallies.values()) {
                    sum = sum.plus(tally);
                }
                if (known.firstGrant != 0) {
                    first = Math.min(first, known.firstGrant);
                    last = Math.max(last, Math.max(known.firstGrant, known.lastReport));
                }
            }
        }
        long[] tally = sum.figures();
        long[] figures = new long[tally.length + 3];
        System.arraycopy(tally, 0, figures, 0, tally.length);
        figures[tally.length] = mostInWindow;
        figures[tally.length + 1] = first == Long.MAX_VALUE ? 0 : last - first;
        figures[tally.length + 2] = waitNanos;
        return figures;
    }

    private OfWrite of(String write) {
        OfWrite known = writes.computeIfAbsent(write, id -> new OfWrite());
        if (writes.size() > MOST_WRITES_REMEMBERED) {
            writes.remove(writes.keySet().iterator().next());
        }
        return known;
    }
}
