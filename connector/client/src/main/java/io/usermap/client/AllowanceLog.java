package io.usermap.client;

import java.io.Serializable;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;

/**
 * What of the allowance is used up, in wall-clock time, so that it can pass from one process to the next.
 *
 * @param entries the mappings that are not free yet
 */
public record AllowanceLog(List<Entry> entries) implements Serializable {

    /**
     * Mappings that come back together.
     *
     * @param until when they are free again
     * @param mappings how many
     */
    public record Entry(Instant until, int mappings) implements Serializable {}

    /**
     * A request that was answered.
     *
     * @param at when its response arrived
     * @param mappings how many mappings it held
     */
    public record Answered(Instant at, int mappings) {}

    public AllowanceLog {
        entries = List.copyOf(entries);
    }

    /** A window of which nothing is used. */
    public static AllowanceLog empty() {
        return new AllowanceLog(List.of());
    }

    /** A window that is used up at {@code now}, the careful start when it is unknown what others sent. */
    public static AllowanceLog full(AllowanceRules rules, Instant now) {
        return new AllowanceLog(List.of(new Entry(now.plus(rules.coolDown()), rules.mappingsPerWindow())));
    }

    /**
     * The window after a process that ended without saving its log.
     *
     * <p>Receipts alone are not enough: what was sent after the last of them was written is in none. So the mappings of
     * the receipts count until their response + window + guard, and the rest of the allowance counts as used until
     * whatever was in flight at the last sign of life must have been answered or lost. With the defaults, a death 20 s
     * after 500 receipted mappings leaves 1,000 used until 76 s after the last heartbeat.
     *
     * @param answered requests with a receipt
     * @param lastSign the last heartbeat, or the newest receipt if that is later
     */
    public static AllowanceLog afterCrash(AllowanceRules rules, List<Answered> answered, Instant lastSign) {
        List<Entry> entries = new ArrayList<>();
        Instant silentUntil = lastSign.plus(rules.silentHold());
        // The process may have lived for a margin after its last sign: what came back by then may have been used again.
        Instant latestDeath = lastSign.plus(rules.margin());
        int known = 0;
        for (Answered request : answered) {
            Instant until = request.at().plus(rules.coolDown());
            if (until.isAfter(latestDeath)) {
                entries.add(new Entry(until, request.mappings()));
                known += request.mappings();
            }
        }
        int rest = rules.mappingsPerWindow() - known;
        if (rest > 0) {
            entries.add(new Entry(silentUntil, rest));
        }
        return new AllowanceLog(entries);
    }

    /** This log where all of {@code mappingsPerWindow} is away until {@code until} at least. */
    AllowanceLog allUntil(Instant until, int mappingsPerWindow) {
        List<Entry> all = new ArrayList<>();
        int rest = mappingsPerWindow;
        for (Entry entry : entries) {
            all.add(new Entry(entry.until().isBefore(until) ? until : entry.until(), entry.mappings()));
            rest -= entry.mappings();
        }
        if (rest > 0) {
            all.add(new Entry(until, rest));
        }
        return new AllowanceLog(all);
    }

    /** This log after the wall clock was set forward by {@code jump}, or back by a negative one. */
    public AllowanceLog movedBy(Duration jump) {
        return jump.isZero()
                ? this
                : new AllowanceLog(entries.stream()
                        .map(entry -> new Entry(entry.until().plus(jump), entry.mappings()))
                        .toList());
    }

    /** What this log or {@code other} says is used up at {@code now}; an entry that both hold counts once. */
    public AllowanceLog and(AllowanceLog other, Instant now) {
        Set<Entry> mine = new HashSet<>(entries);
        Stream<Entry> others = other.entries.stream().filter(entry -> !mine.contains(entry));
        return new AllowanceLog(Stream.concat(entries.stream(), others)
                .filter(entry -> entry.until().isAfter(now))
                .toList());
    }

    /**
     * How long after {@code now} an entry is free again, between 0 and {@code most}: the wall clock may have jumped since
     * the entry was written.
     */
    static Duration remaining(Entry entry, Instant now, Duration most) {
        Duration left = Duration.between(now, entry.until());
        if (left.isNegative()) {
            return Duration.ZERO;
        }
        return left.compareTo(most) > 0 ? most : left;
    }
}
