package io.usermap.sandbox;

/**
 * How the service may count mappings against the limit.
 *
 * <p>Pure: time comes in as nanoseconds of any monotonic clock, in non-decreasing order. Not thread-safe: its owner calls
 * it under a lock. Only {@link ExactWindow} is what the documentation says; the others are what gateways commonly do.
 */
interface Window {

    /** Whether {@code mappings} more at {@code nowNanos} keep within the limit. Counts nothing. */
    boolean hasRoom(int mappings, long nowNanos);

    /** Counts {@code mappings} at {@code nowNanos}, whether or not there is room for them. */
    void count(int mappings, long nowNanos);

    /** The window that {@code switches} ask for, empty: {@code limit} mappings in {@code windowNanos}. */
    static Window of(Switches switches, int limit, long windowNanos) {
        return switch (switches.windowModel()) {
            case EXACT -> new ExactWindow(limit, windowNanos);
            case TWO_BUCKETS -> new TwoBuckets(limit, windowNanos);
            case SECOND_BUCKETS -> new SecondBuckets(limit, windowNanos);
            case TOKEN_BUCKET ->
                new TokenBucket(limit, windowNanos, switches.tokenCapacity().orElse(limit));
        };
    }

    /**
     * Two counters, cut at whole windows of the clock; the older one is weighted by how much of it the window still covers.
     *
     * <p>With 1,500 in 30 s and 1,500 of them at 29 s: at 31 s, 1,450 of them are taken to be in the window; at 45 s, 750.
     */
    final class TwoBuckets implements Window {
        private final int limit;
        private final long windowNanos;
        private long bucket;
        private long previous;
        private long current;

        TwoBuckets(int limit, long windowNanos) {
            this.limit = limit;
            this.windowNanos = windowNanos;
        }

        @Override
        public boolean hasRoom(int mappings, long nowNanos) {
            moveTo(nowNanos);
            double covered = 1 - (double) Math.floorMod(nowNanos, windowNanos) / windowNanos;
            return previous * covered + current + mappings <= limit;
        }

        @Override
        public void count(int mappings, long nowNanos) {
            moveTo(nowNanos);
            current += mappings;
        }

        private void moveTo(long nowNanos) {
            long now = Math.floorDiv(nowNanos, windowNanos);
            if (now != bucket) {
                previous = now == bucket + 1 ? current : 0;
                current = 0;
                bucket = now;
            }
        }
    }

    /**
     * A log that knows whole seconds only, or thirtieths of a window of another length.
     *
     * <p>With 1,500 in 30 s and 1,500 of them at 0.9 s: they are there from second 0 to second 30, so there is room at 31 s
     * and none at 30.999 s, where an exact window has had room since 30.9 s.
     */
    final class SecondBuckets implements Window {
        private static final int BUCKETS = 30;

        private final int limit;
        private final long bucketNanos;
        private final long[] counts = new long[BUCKETS + 1];
        private long newest;
        private long sum;

        SecondBuckets(int limit, long windowNanos) {
            this.limit = limit;
            this.bucketNanos = (windowNanos + BUCKETS - 1) / BUCKETS;
        }

        @Override
        public boolean hasRoom(int mappings, long nowNanos) {
            moveTo(nowNanos);
            return sum + mappings <= limit;
        }

        @Override
        public void count(int mappings, long nowNanos) {
            moveTo(nowNanos);
            counts[slot(newest)] += mappings;
            sum += mappings;
        }

        private void moveTo(long nowNanos) {
            long now = Math.floorDiv(nowNanos, bucketNanos);
            for (long left = Math.min(now - newest, counts.length); left > 0; left--) {
                int slot = slot(now - left + 1);
                sum -= counts[slot];
                counts[slot] = 0;
            }
            newest = now;
        }

        private int slot(long bucket) {
            return Math.floorMod(bucket, counts.length);
        }
    }

    /**
     * Tokens that come back at limit / window, up to a capacity; a mapping takes one.
     *
     * <p>At 50 a second with a capacity of 50, a batch of 51 is never served. Counted refusals run up a debt of at most the
     * capacity.
     */
    final class TokenBucket implements Window {
        private final double tokensPerNano;
        private final int capacity;
        private double tokens;
        private long lastNanos;
        private boolean started;

        TokenBucket(int limit, long windowNanos, int capacity) {
            this.tokensPerNano = (double) limit / windowNanos;
            this.capacity = capacity;
            this.tokens = capacity;
        }

        @Override
        public boolean hasRoom(int mappings, long nowNanos) {
            moveTo(nowNanos);
            return tokens >= mappings;
        }

        @Override
        public void count(int mappings, long nowNanos) {
            moveTo(nowNanos);
            tokens = Math.max(-capacity, tokens - mappings);
        }

        private void moveTo(long nowNanos) {
            if (started) {
                tokens = Math.min(capacity, tokens + (nowNanos - lastNanos) * tokensPerNano);
            }
            started = true;
            lastNanos = nowNanos;
        }
    }
}
