package io.usermap.client;

import java.util.ArrayDeque;
import java.util.Deque;

/** How a service may count an allowance; written without a look at the coordinator. */
interface ServerModel {

    /** Whether a request that arrives now is taken; otherwise it is answered 429. */
    boolean takes(long now, int mappings);

    /** As documented: never more than the limit in any window. */
    static ServerModel exact(int limit, double windowSeconds, boolean countsRefused) {
        return slidingLog(limit, VirtualTime.nanos(windowSeconds), 1, countsRefused);
    }

    /** A log that knows whole seconds only, so that its window is up to a second longer. */
    static ServerModel wholeSeconds(int limit, double windowSeconds, boolean countsRefused) {
        return slidingLog(limit, VirtualTime.nanos(windowSeconds), 1_000_000_000L, countsRefused);
    }

    private static ServerModel slidingLog(int limit, long window, long granularity, boolean countsRefused) {
        return new ServerModel() {
            private final Deque<long[]> log = new ArrayDeque<>();
            private long sum;

            @Override
            public boolean takes(long now, int mappings) {
                long tick = now / granularity * granularity;
                long oldest = tick - window - (granularity == 1 ? 0 : 1);
                while (!log.isEmpty() && log.peekFirst()[0] <= oldest) {
                    sum -= log.removeFirst()[1];
                }
                boolean taken = sum + mappings <= limit;
                if (taken || countsRefused) {
                    log.addLast(new long[] {tick, mappings});
                    sum += mappings;
                }
                return taken;
            }
        };
    }

    /** Two counters, the older one weighted by how much of it the window still covers, as many gateways do. */
    static ServerModel twoBuckets(int limit, double windowSeconds, boolean countsRefused) {
        return new ServerModel() {
            private long bucket = -1;
            private double current;
            private double previous;

            @Override
            public boolean takes(long now, int mappings) {
                double position = (now / 1e9 + 7.3) / windowSeconds;
                long index = (long) position;
                if (index != bucket) {
                    previous = index == bucket + 1 ? current : 0;
                    current = 0;
                    bucket = index;
                }
                boolean taken = previous * (1 - (position - index)) + current + mappings <= limit;
                if (taken || countsRefused) {
                    current += mappings;
                }
                return taken;
            }
        };
    }

    /** Tokens that come back at an even rate, up to a capacity. */
    static ServerModel tokenBucket(int limit, double windowSeconds, int capacity, boolean countsRefused) {
        return new ServerModel() {
            private double tokens = capacity;
            private long last;

            @Override
            public boolean takes(long now, int mappings) {
                tokens = Math.min(capacity, tokens + (now - last) / 1e9 * limit / windowSeconds);
                last = now;
                boolean taken = tokens >= mappings;
                if (taken) {
                    tokens -= mappings;
                } else if (countsRefused) {
                    tokens = Math.max(-capacity, tokens - mappings);
                }
                return taken;
            }
        };
    }
}
