package io.usermap.client;

import io.usermap.client.Allowance.Writer;
import java.util.HashMap;
import java.util.Map;

/**
 * The part of a budget that one writer may have at a time: max-min fair among writes, then among the writers of each.
 *
 * <p>With 1,500 to divide between a write of forty writers that want 2,000 each and a write of one that wants 2,000, that
 * one may have 750 and each of the forty 18. Takes a few dozen steps, however many writers there are; 32 kB for each write
 * of which anybody wants something. Not thread-safe.
 */
final class Division {
    /** The most that one writer wants at a time: the largest batch. */
    private static final int LARGEST_DEMAND = 2_000;

    /** In windows larger than this, what a writer wants is so small a part that who may have how much is idle. */
    private static final int LARGEST_BUDGET = 20_000;

    private final FairShare<String> writes;
    private final Map<String, FairShare<Writer>> writers = new HashMap<>();

    /** A division of at most {@code budget} mappings. */
    Division(int budget) {
        this.writes = new FairShare<>(Math.min(budget, LARGEST_BUDGET));
    }

    /** Sets what {@code writer} wants; replaces what it wanted before. */
    void want(Writer writer, int demand) {
        FairShare<Writer> own = writers.computeIfAbsent(writer.write(), write -> new FairShare<>(LARGEST_DEMAND));
        own.want(writer, demand);
        writes.want(writer.write(), own.demanded());
    }

    /** {@code writer} wants nothing any more. */
    void leave(Writer writer) {
        FairShare<Writer> own = writers.get(writer.write());
        if (own == null) {
            return;
        }
        own.leave(writer);
        if (own.writers() == 0) {
            writers.remove(writer.write());
            writes.leave(writer.write());
        } else {
            writes.want(writer.write(), own.demanded());
        }
    }

    /** The share of a writer of {@code write} that wants much, of {@code budget} mappings; at least 1. */
    int of(String write, int budget) {
        FairShare<Writer> own = writers.get(write);
        int share = writes.of(budget);
        return own == null ? share : own.of(share);
    }
}
