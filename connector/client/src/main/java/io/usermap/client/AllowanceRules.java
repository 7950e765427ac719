package io.usermap.client;

import java.io.Serializable;
import java.time.Duration;

/**
 * The figures that the allowance is computed with, fixed for one coordinator.
 *
 * <p>At the defaults 1,500 mappings fit into any 30 s; a permit comes back 31 s after its response; a permit about which
 * nothing is heard is held for 5 + 30 + 10 + 30 + 1 = 76 s. Send deadline and margin shrink with a short window (down to
 * 1 s each) and never grow past their defaults.
 *
 * @param mappingsPerWindow the most mappings of this application in any window, at least 1
 * @param window the length of the window
 * @param guard how much longer than the window a permit stays away, against clocks that differ and bookkeeping in seconds
 * @param callTimeout the longest that one request may take from its first byte, connecting included
 * @param pacing whether the allowance is used as it comes or spread evenly
 */
public record AllowanceRules(
        int mappingsPerWindow, Duration window, Duration guard, Duration callTimeout, Pacing pacing)
        implements Serializable {

    /** How the allowance is spread over the window. */
    public enum Pacing {
        /** Few large requests: what the window allows leaves at once. */
        BURST,
        /** Many small requests, evenly spaced, for a service that only approximates the window. */
        SMOOTH
    }

    private static final Duration SEND_DEADLINE = Duration.ofSeconds(5);
    private static final Duration MARGIN = Duration.ofSeconds(10);
    private static final Duration LEAST_HOLD = Duration.ofSeconds(1);

    public AllowanceRules {
        if (mappingsPerWindow < 1) {
            throw new IllegalArgumentException("Cannot send within an allowance of " + mappingsPerWindow
                    + " mappings a window. Raise eventsPerSecond, windowSeconds or allowanceShare.");
        }
    }

    /**
     * The rules for a rate.
     *
     * @param eventsPerSecond the organisation's rate, 50 by default
     * @param share the part of it that this application may use, above 0 and at most 1
     */
    public static AllowanceRules of(
            double eventsPerSecond,
            double share,
            Duration window,
            Duration guard,
            Duration callTimeout,
            Pacing pacing) {
        double seconds = window.toNanos() / 1e9;
        // A hair above, so that 0.1 x 30 x 10 is 30 and not 29.
        int mappings = (int) Math.min(Integer.MAX_VALUE, Math.floor(eventsPerSecond * seconds * share + 1e-9));
        return new AllowanceRules(mappings, window, guard, callTimeout, pacing);
    }

    /** How long after its grant a permit may still be used. */
    public Duration sendDeadline() {
        return scaled(SEND_DEADLINE, 6);
    }

    /** What is added to the longest call before silence is believed. */
    public Duration margin() {
        return scaled(MARGIN, 3);
    }

    /** How long a permit stays away after its response. */
    public Duration coolDown() {
        return window.plus(guard);
    }

    /** How long after its grant a permit comes back when nothing is heard of it. */
    public Duration silentHold() {
        return sendDeadline().plus(callTimeout).plus(margin()).plus(coolDown());
    }

    /** The smallest grant worth a request: 2 s of allowance, 100 of 1,500. */
    public int minGrant() {
        return Math.max(1, mappingsPerWindow / 15);
    }

    private Duration scaled(Duration most, int partsOfWindow) {
        Duration part = window.dividedBy(partsOfWindow);
        Duration atLeast = part.compareTo(LEAST_HOLD) < 0 ? LEAST_HOLD : part;
        return atLeast.compareTo(most) > 0 ? most : atLeast;
    }
}
