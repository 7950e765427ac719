package io.usermap.client;

import com.google.common.util.concurrent.RateLimiter;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;

/**
 * The backstop of one executor: a rate limiter that is never in the way unless grants arrive in a heap.
 *
 * <p>One per JVM and allowance, at the rate that comes with each grant, which is far above the executor's real share. It
 * must not be the share itself: a grant of 1,500 would book 31 s in advance, the next one would expire while it waits, be
 * asked for again and be billed again, for ever. Thread-safe.
 */
public final class Pacer {
    /** Guava's waits ignore interrupts, so they are kept this short. */
    private static final Duration DEAF = Duration.ofMillis(20);

    private static final Map<String, Pacer> BY_ALLOWANCE = new ConcurrentHashMap<>();

    private final RateLimiter limiter = RateLimiter.create(Double.MAX_VALUE);
    private double rate;

    private Pacer() {}

    /** This JVM's pacer for the allowance of that name. */
    public static Pacer of(String allowance) {
        return BY_ALLOWANCE.computeIfAbsent(allowance, name -> new Pacer());
    }

    /**
     * Waits until {@code mappings} may leave at {@code perSecond}; false if that takes longer than {@code atMost}.
     *
     * @throws InterruptedException if the thread is interrupted; then nothing is booked
     */
    boolean tryAcquire(int mappings, double perSecond, Duration atMost) throws InterruptedException {
        RateLimiter limiter = limiterAt(perSecond);
        long until = System.nanoTime() + atMost.toNanos();
        while (true) {
            long left = Math.max(0, until - System.nanoTime());
            if (limiter.tryAcquire(mappings, Math.min(left, DEAF.toNanos()), TimeUnit.NANOSECONDS)) {
                return true;
            }
            if (left == 0) {
                return false;
            }
            TimeUnit.NANOSECONDS.sleep(Math.min(left, DEAF.toNanos()));
        }
    }

    private synchronized RateLimiter limiterAt(double perSecond) {
        if (rate != perSecond) {
            rate = perSecond;
            limiter.setRate(perSecond);
        }
        return limiter;
    }
}
