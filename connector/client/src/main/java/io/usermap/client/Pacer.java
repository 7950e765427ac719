package io.usermap.client;

import com.google.common.util.concurrent.RateLimiter;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * The backstop of one executor: a rate limiter that is never in the way unless grants arrive in a heap.
 *
 * <p>One per JVM and allowance, at the rate that comes with each grant, which is far above the executor's real share. It
 * must not be the share itself: a grant of 1,500 would book 31 s in advance, the next one would expire while it waits, be
 * asked for again and be billed again, for ever. Thread-safe.
 */
public final class Pacer {
    private static final Map<String, Pacer> BY_ALLOWANCE = new ConcurrentHashMap<>();

    private final RateLimiter limiter = RateLimiter.create(Double.MAX_VALUE);
    private double rate;

    private Pacer() {}

    /** This JVM's pacer for the allowance of that name. */
    public static Pacer of(String allowance) {
        return BY_ALLOWANCE.computeIfAbsent(allowance, name -> new Pacer());
    }

    /** Waits until {@code mappings} may leave at {@code perSecond}; false, at once, if that takes longer than the limit. */
    boolean tryAcquire(int mappings, double perSecond, Duration atMost) {
        return limiterAt(perSecond).tryAcquire(mappings, atMost);
    }

    private synchronized RateLimiter limiterAt(double perSecond) {
        if (rate != perSecond) {
            rate = perSecond;
            limiter.setRate(perSecond);
        }
        return limiter;
    }
}
