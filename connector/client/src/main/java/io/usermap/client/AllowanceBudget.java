package io.usermap.client;

import io.usermap.client.AllowanceRules.Pacing;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * How much of the allowance may be used, and how evenly, after what the service said so far.
 *
 * <p>An answer 429 although the log is exact means that somebody else uses the allowance, or that the service counts
 * differently. Everybody stops for a window. The first time, sending turns smooth, which a service with an approximate
 * window takes; every later time, at most once a window, the budget shrinks to 80 %. It grows back by 0.5 % of the
 * allowance a window. Two applications that do not know of each other come to equal parts so, because the larger is refused
 * more often: deeper cuts make the balance a matter of few events, shallower ones cost more refusals. Not thread-safe.
 */
final class AllowanceBudget {
    private static final int SLICES_PER_SECOND = 4;
    private static final int LEAST_SMOOTH_REQUESTS = 4;
    private static final int MOST_SMOOTH_REQUESTS = 32;
    private static final int LEAST_BUDGET = 25;
    private static final double CUT = 0.8;
    private static final double RECOVERY = 0.005;

    private final AllowanceRules rules;
    private final long windowNanos;
    private double budget;
    private boolean smooth;
    private long sliceAt = Long.MIN_VALUE;
    private long frozenUntil = Long.MIN_VALUE;
    private @Nullable Long lastCut;
    private long recoveredAt;
    private double roundTripNanos = Duration.ofMillis(300).toNanos();

    AllowanceBudget(AllowanceRules rules, long now) {
        this.rules = rules;
        this.windowNanos = rules.window().toNanos();
        this.budget = rules.mappingsPerWindow();
        this.smooth = rules.pacing() == Pacing.SMOOTH;
        this.recoveredAt = now;
    }

    /** What the service has said so far, for {@code other} figures. */
    AllowanceBudget carriedOver(AllowanceRules other) {
        AllowanceBudget next = new AllowanceBudget(other, recoveredAt);
        next.budget = Math.max(
                Math.min(LEAST_BUDGET, other.mappingsPerWindow()),
                budget / rules.mappingsPerWindow() * other.mappingsPerWindow());
        next.smooth |= lastCut != null;
        next.sliceAt = sliceAt;
        next.frozenUntil = frozenUntil;
        next.lastCut = lastCut;
        next.roundTripNanos = roundTripNanos;
        return next;
    }

    /** The service answered 429. */
    void throttled(Duration retryAfter, long now) {
        frozenUntil = Math.max(frozenUntil, now + Math.max(windowNanos, retryAfter.toNanos()));
        boolean newEpisode = lastCut == null || now >= lastCut + windowNanos;
        if (!newEpisode) {
            return;
        }
        lastCut = now;
        recoveredAt = now;
        if (smooth) {
            budget = Math.max(Math.min(LEAST_BUDGET, rules.mappingsPerWindow()), budget * CUT);
        }
        smooth = true;
    }

    /** Grows the budget by what is due. */
    void recover(long now) {
        long windows = (now - recoveredAt) / windowNanos;
        if (windows > 0) {
            recoveredAt += windows * windowNanos;
            budget = Math.min(rules.mappingsPerWindow(), budget + windows * RECOVERY * rules.mappingsPerWindow());
        }
    }

    /** A response took so long. */
    void roundTrip(Duration taken) {
        roundTripNanos += 0.2 * (taken.toNanos() - roundTripNanos);
    }

    /** A slice of {@code mappings} was granted: the next one is due when these have been used up at the even rate. */
    void sliceGranted(int mappings, long now) {
        sliceAt = Math.max(sliceAt, now) + (long) (mappings / ratePerSecond() * 1e9);
    }

    /** The earliest instant at which anything may be granted: now, or when a freeze or the spacing ends. */
    long blockedUntil(long now) {
        return Math.max(now, Math.max(frozenUntil, smooth ? sliceAt : now));
    }

    /** How long from {@code now} everybody stops after a 429; 0 if nobody does. */
    long stopNanos(long now) {
        return Math.max(0, Math.max(frozenUntil, now) - now);
    }

    /** Mappings that one window holds at present. */
    int mappings() {
        return (int) budget;
    }

    boolean smooth() {
        return smooth;
    }

    /** Mappings in one slice: a quarter of a second of the allowance, 12 at the defaults. */
    int slice() {
        return Math.max(1, (int) (ratePerSecond() / SLICES_PER_SECOND));
    }

    /**
     * The smallest slice worth a request while more is wanted: a third of a slice.
     *
     * <p>Were it the whole, what the last slices of batches leave of the window, 4 of 12, would lie idle: 0.2 % of the
     * allowance.
     */
    int leastSlice() {
        return Math.max(1, slice() / 3);
    }

    /** The rate for a sender's own limiter: far enough above the real one never to wait in the ordinary course. */
    double limiterRate() {
        return smooth ? 2 * ratePerSecond() : Math.max(rules.mappingsPerWindow(), 2 * ratePerSecond());
    }

    /** How many requests one writer may have in flight: enough to fill the round trip with slices. */
    int requestsPerWriter() {
        if (!smooth) {
            return 1;
        }
        int needed = (int) Math.ceil(roundTripNanos / 1e9 * SLICES_PER_SECOND) + 1;
        return Math.max(LEAST_SMOOTH_REQUESTS, Math.min(MOST_SMOOTH_REQUESTS, needed));
    }

    private double ratePerSecond() {
        return mappings() * 1e9 / rules.coolDown().toNanos();
    }
}
