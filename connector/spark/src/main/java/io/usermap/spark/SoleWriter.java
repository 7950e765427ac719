package io.usermap.spark;

import io.usermap.client.AllowanceLog;
import io.usermap.client.AllowanceRules;
import io.usermap.client.InvalidSettingsException;
import java.time.Duration;
import java.time.Instant;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.LongSupplier;
import java.util.function.Supplier;

/**
 * One allowance where no coordinator can be had: one write at a time, and what it leaves of the window for the next.
 *
 * <p>Runs on the driver. The one task of a write keeps the log meanwhile, so a second write could only use the whole
 * allowance once more; it is refused. Thread-safe; every method answers at once.
 */
final class SoleWriter {
    /** Less than this is how clocks are: an entry that is seen again must be known as the same. */
    private static final Duration LEAST_JUMP = Duration.ofMillis(500);

    private static final Map<String, SoleWriter> BY_ALLOWANCE = new ConcurrentHashMap<>();

    private final Supplier<Instant> wallClock;
    private final LongSupplier nanos;
    private AllowanceLog used = AllowanceLog.empty();
    private Instant seenAt;
    private long seenNanos;
    private long unheardUntil;
    private boolean known;
    private Optional<String> running = Optional.empty();

    /** By these clocks, the one of which may be set at any time. */
    SoleWriter(Supplier<Instant> wallClock, LongSupplier nanos) {
        this.wallClock = wallClock;
        this.nanos = nanos;
        this.seenAt = wallClock.get();
        this.seenNanos = nanos.getAsLong();
        this.unheardUntil = seenNanos;
    }

    /** That of the allowance with this name, one in this JVM. */
    static SoleWriter of(String allowanceName) {
        return BY_ALLOWANCE.computeIfAbsent(allowanceName, name -> new SoleWriter(Instant::now, System::nanoTime));
    }

    /**
     * {@code write} is about to start its task.
     *
     * @param start what is assumed of the window if nothing is known of it
     * @return what of the window is used up now
     * @throws InvalidSettingsException if another write is under way
     */
    synchronized AllowanceLog begin(String write, AllowanceLog start) {
        if (running.isPresent() && !running.get().equals(write)) {
            throw new InvalidSettingsException("Cannot write mappings: another write of this application to the same"
                    + " service with the same key is running, and this platform keeps the driver's RPC from the"
                    + " connector, so that each of the two would use the whole allowance. Start this write when the"
                    + " other is over.");
        }
        learn(start, AllowanceLog.empty());
        running = Optional.of(write);
        AllowanceLog seed = used;
        used = AllowanceLog.empty();
        return seed;
    }

    /** {@code write} is over and leaves {@code left} of the window used up; said again, it changes nothing. */
    synchronized void end(String write, AllowanceLog left) {
        if (running.isPresent() && running.get().equals(write)) {
            Instant now = now();
            used = left.and(used, now);
            running = Optional.empty();
        }
    }

    /** {@code write} is over on the driver; nobody knows what its task sent, or whether it has ended. */
    synchronized void endUnheard(String write, AllowanceRules rules) {
        if (running.isPresent() && running.get().equals(write)) {
            unheardUntil =
                    nanos.getAsLong() + rules.callTimeout().plus(rules.margin()).toNanos();
            end(write, AllowanceLines.InTask.lost(rules, wallClock.get()));
        }
    }

    /** Whether the task of a write that is over may still wait for answers to its requests in flight. */
    synchronized boolean mayStillWrite() {
        return nanos.getAsLong() - unheardUntil < 0;
    }

    /**
     * A run knows what earlier processes used.
     *
     * @param start what is assumed of the window besides, if nothing was known of it
     * @param seed what they wrote down
     */
    synchronized void learn(AllowanceLog start, AllowanceLog seed) {
        Instant now = now();
        used = used.and(known ? seed : seed.and(start, now), now);
        known = true;
    }

    /** The wall clock; what is used up moves with it where it was set, because within one process it cannot be fooled. */
    private Instant now() {
        Instant now = wallClock.get();
        long nowNanos = nanos.getAsLong();
        Duration jump = Duration.between(seenAt.plusNanos(nowNanos - seenNanos), now);
        if (jump.abs().compareTo(LEAST_JUMP) > 0) {
            used = used.movedBy(jump);
            seenAt = now;
            seenNanos = nowNanos;
        }
        return now;
    }

    /** What of the window is used up now: all of it, as far as is known, while a write is under way. */
    synchronized AllowanceLog used(AllowanceRules rules) {
        Instant now = now();
        return running.isPresent() ? AllowanceLines.InTask.lost(rules, now) : used;
    }
}
