package io.usermap.spark;

import io.usermap.client.AllowanceLog;
import io.usermap.client.AllowanceRules;
import io.usermap.client.InvalidSettingsException;
import java.time.Instant;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;

/**
 * One allowance where no coordinator can be had: one write at a time, and what it leaves of the window for the next.
 *
 * <p>Runs on the driver. The one task of a write keeps the log meanwhile, so a second write could only use the whole
 * allowance once more; it is refused. Thread-safe; every method answers at once.
 */
final class SoleWriter {
    private static final Map<String, SoleWriter> BY_ALLOWANCE = new ConcurrentHashMap<>();

    private AllowanceLog used = AllowanceLog.empty();
    private boolean known;
    private Optional<String> running = Optional.empty();

    private SoleWriter() {}

    /** That of the allowance with this name, one in this JVM. */
    static SoleWriter of(String allowanceName) {
        return BY_ALLOWANCE.computeIfAbsent(allowanceName, name -> new SoleWriter());
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
            used = left.and(used, Instant.now());
            running = Optional.empty();
        }
    }

    /**
     * A run knows what earlier processes used.
     *
     * @param start what is assumed of the window besides, if nothing was known of it
     * @param seed what they wrote down
     */
    synchronized void learn(AllowanceLog start, AllowanceLog seed) {
        used = used.and(known ? seed : seed.and(start, Instant.now()), Instant.now());
        known = true;
    }

    /** What of the window is used up now: all of it, as far as is known, while a write is under way. */
    synchronized AllowanceLog used(AllowanceRules rules) {
        return running.isPresent() ? AllowanceLines.InTask.lost(rules) : used;
    }
}
