package io.usermap.client;

import java.util.HashMap;
import java.util.Map;

/**
 * The max-min fair share of a budget among writers that want different amounts.
 *
 * <p>Who wants less than an equal part gets what it wants, and the rest is divided equally among the others. With 1,500
 * to divide among writers that want 100, 2,000 and 2,000, the share is 700: 100 + 700 + 700. A binary indexed tree over
 * the amounts keeps a change and a question at a few dozen steps, however many writers there are. Not thread-safe.
 *
 * @param <W> the writer
 */
final class FairShare<W> {
    private final Map<W, Integer> demands = new HashMap<>();
    private final long[] writers;
    private final long[] mappings;
    private final int largest;
    private final int highestBit;
    private long demanded;

    /** A division in which nobody wants more than {@code largest} at a time; larger demands count as that. */
    FairShare(int largest) {
        this.largest = largest;
        this.writers = new long[largest + 1];
        this.mappings = new long[largest + 1];
        this.highestBit = Integer.highestOneBit(largest);
    }

    /** Sets what {@code writer} wants, at least 1; replaces what it wanted before. */
    void want(W writer, int demand) {
        int counted = Math.max(1, Math.min(demand, largest));
        Integer before = demands.put(writer, counted);
        if (before != null) {
            add(before, -1);
        }
        add(counted, 1);
    }

    /** {@code writer} wants nothing any more. */
    void leave(W writer) {
        Integer before = demands.remove(writer);
        if (before != null) {
            add(before, -1);
        }
    }

    /** What all want together. */
    int demanded() {
        return (int) Math.min(Integer.MAX_VALUE, demanded);
    }

    /** How many writers want something. */
    int writers() {
        return demands.size();
    }

    /** The share of a writer that wants much, of {@code budget} mappings; at least 1. */
    int of(int budget) {
        long all = demands.size();
        long below = 0;
        long belowSum = 0;
        int level = 0;
        // The largest level at which everybody gets min(demand, level) within the budget.
        for (int bit = highestBit; bit > 0; bit >>= 1) {
            int next = level + bit;
            if (next <= largest) {
                long count = below + writers[next];
                long sum = belowSum + mappings[next];
                if (sum + (all - count) * next <= budget) {
                    level = next;
                    below = count;
                    belowSum = sum;
                }
            }
        }
        long greedy = all - below;
        if (greedy == 0) {
            return Math.max(1, budget);
        }
        return (int) Math.max(1, (budget - belowSum) / greedy);
    }

    private void add(int demand, int change) {
        demanded += (long) change * demand;
        for (int i = demand; i <= largest; i += i & -i) {
            writers[i] += change;
            mappings[i] += (long) change * demand;
        }
    }
}
