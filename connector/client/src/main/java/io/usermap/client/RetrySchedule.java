package io.usermap.client;

import java.io.Serializable;
import java.time.Duration;
import java.util.random.RandomGenerator;

/**
 * How long to wait before a mapping is sent again: drawn from the upper half under an exponential cap.
 *
 * <p>With 500 ms and 30 s the wait before the second attempt is drawn from 0.25 to 0.5 s, before the third from 0.5 to 1 s,
 * and from the eighth on from 15 to 30 s; eight attempts take 30.75 s at least and 61.5 s at most. Waits from zero on would
 * let one of many senders use up its attempts in a few seconds and end a write that all others could go on with: a JVM
 * remembers for 10 s that a host's name could not be resolved.
 *
 * @param first the cap before the second attempt
 * @param most the cap that doubling never passes
 * @param maxAttempts how often a mapping is sent, the first time included
 */
public record RetrySchedule(Duration first, Duration most, int maxAttempts) implements Serializable {

    /** The schedule of the connector, with so many attempts. */
    public static RetrySchedule of(int maxAttempts) {
        return new RetrySchedule(Duration.ofMillis(500), Duration.ofSeconds(30), maxAttempts);
    }

    /** Whether a mapping that was sent {@code attempts} times may be sent again. */
    public boolean allowsAfter(int attempts) {
        return attempts < maxAttempts;
    }

    /** The wait before attempt {@code attempts + 1}; {@code attempts} is at least 1. */
    public Duration waitAfter(int attempts, RandomGenerator random) {
        long cap = most.toNanos();
        int doublings = attempts - 1;
        if (doublings < Long.numberOfLeadingZeros(first.toNanos()) - 1) {
            cap = Math.min(cap, first.toNanos() << doublings);
        }
        long half = cap / 2;
        return Duration.ofNanos(half + random.nextLong(cap - half + 1));
    }
}
