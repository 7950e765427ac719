package io.usermap.client;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;

/**
 * What a competent engineer would build without a coordinator, under the same traffic as the real one.
 *
 * <p>Each task sends its batches one after the other, asks a limiter before each, and after a 429 waits for the longer of
 * {@code Retry-After} and an exponential backoff with full jitter (1 s doubled up to 60 s) before it asks again. A batch
 * is a task's part of one window, so that all of them together fit into it.
 */
final class Rival {
    /** Which limiter, and how many share one. */
    enum Kind {
        /** Guava's {@code RateLimiter} in each task, at the rate divided by the tasks. */
        PER_TASK,
        /** Guava's {@code RateLimiter} in each executor, at the rate divided by the executors. */
        PER_EXECUTOR,
        /** One in each executor whose rate is halved by a 429, once in 10 s, and grows by 1 % of its first with a success. */
        AIMD,
        /** A bucket on the driver that all ask, with one window in store. */
        DRIVER_BUCKET_OF_A_WINDOW,
        /** A bucket on the driver that all ask, with two seconds in store. */
        DRIVER_BUCKET_OF_TWO_SECONDS,
        /** The same, at a rate that fills a window together with what is in store: 1,400 in 30 s and 100. */
        DRIVER_BUCKET_WITH_RESERVE;

        boolean storesTwoSeconds() {
            return this == DRIVER_BUCKET_OF_TWO_SECONDS || this == DRIVER_BUCKET_WITH_RESERVE;
        }
    }

    /** Says how long a batch waits. */
    private interface Limiter {
        /** Nanoseconds until {@code mappings} may leave; they are booked. */
        long reserve(int mappings);

        default void accepted() {}

        default void refused() {}
    }

    private static final class Guava implements Limiter {
        private final SimulatedProcess process;
        private final double perSecond;

        Guava(VirtualTime time, double perSecond) {
            this.process = new SimulatedProcess(time);
            this.perSecond = perSecond;
        }

        @Override
        public long reserve(int mappings) {
            return process.tryAcquire(mappings, perSecond, Long.MAX_VALUE);
        }
    }

    private static final class Aimd implements Limiter {
        private final VirtualTime time;
        private final SimulatedProcess process;
        private final double first;
        private double perSecond;
        private long nextCut;

        Aimd(VirtualTime time, double perSecond) {
            this.time = time;
            this.process = new SimulatedProcess(time);
            this.first = perSecond;
            this.perSecond = perSecond;
        }

        @Override
        public long reserve(int mappings) {
            return process.tryAcquire(mappings, perSecond, Long.MAX_VALUE);
        }

        @Override
        public void accepted() {
            perSecond += first * 0.01;
        }

        @Override
        public void refused() {
            if (time.now() >= nextCut) {
                nextCut = time.now() + VirtualTime.nanos(10);
                perSecond = Math.max(first / 20, perSecond / 2);
            }
        }
    }

    private static final class Bucket implements Limiter {
        private final VirtualTime time;
        private final double perSecond;
        private final double capacity;
        private double tokens;
        private long asOf;

        Bucket(VirtualTime time, double perSecond, double capacity) {
            this.time = time;
            this.perSecond = perSecond;
            this.capacity = capacity;
            this.tokens = capacity;
        }

        @Override
        public long reserve(int mappings) {
            tokens = Math.min(capacity, tokens + (time.now() - asOf) / 1e9 * perSecond);
            asOf = time.now();
            tokens -= mappings;
            return tokens >= 0 ? 0 : VirtualTime.nanos(-tokens / perSecond);
        }
    }

    private final class Task {
        private final Limiter limiter;
        private long left;
        private long acknowledged;
        private int refusals;

        Task(Limiter limiter, long rows) {
            this.limiter = limiter;
            this.left = rows;
        }

        void next() {
            if (left == 0) {
                working--;
                finishedAt = working == 0 ? time.seconds() : finishedAt;
                return;
            }
            int batch = (int) Math.min(batchRows, left);
            long wait = limiter.reserve(batch);
            time.at(
                    time.now() + wait,
                    () -> exchange(batch, taken -> {
                        if (taken) {
                            refusals = 0;
                            left -= batch;
                            acknowledged += batch;
                            limiter.accepted();
                            next();
                        } else {
                            limiter.refused();
                            double backoff = Math.min(60, 1 << Math.min(6, refusals++)) * random.nextDouble();
                            time.after(Math.max(retryAfterSeconds, backoff), this::next);
                        }
                    }));
        }
    }

    private interface Response {
        void is(boolean taken);
    }

    private final VirtualTime time;
    private final SimulatedService service;
    private final Traffic traffic;
    private final Random random;
    private final double retryAfterSeconds;
    private final List<Task> tasks = new ArrayList<>();
    private int batchRows;
    private int working;
    private double finishedAt = Double.NaN;

    Rival(SimulatedService service, Traffic traffic, long seed, double retryAfterSeconds) {
        this.time = service.time;
        this.service = service;
        this.traffic = traffic;
        this.random = new Random(seed);
        this.retryAfterSeconds = retryAfterSeconds;
    }

    /** Starts one task for each partition, four on an executor. */
    Rival write(Kind kind, long... rowsOfPartitions) {
        int count = rowsOfPartitions.length;
        int window = traffic.rules.mappingsPerWindow();
        double rate = window * 1e9 / traffic.rules.window().toNanos();
        int executors = (count + traffic.writersPerExecutor - 1) / traffic.writersPerExecutor;
        batchRows = Math.max(1, Math.min(traffic.batchRows, window / count));
        if (kind.storesTwoSeconds()) {
            batchRows = (int) Math.min(batchRows, 2 * rate);
        }
        working = count;
        Map<Integer, Limiter> shared = new HashMap<>();
        for (int partition = 0; partition < count; partition++) {
            int group = switch (kind) {
                case PER_TASK -> partition;
                case PER_EXECUTOR, AIMD -> partition / traffic.writersPerExecutor;
                case DRIVER_BUCKET_OF_A_WINDOW, DRIVER_BUCKET_OF_TWO_SECONDS, DRIVER_BUCKET_WITH_RESERVE -> 0;
            };
            Limiter limiter = shared.computeIfAbsent(group, id -> switch (kind) {
                case PER_TASK -> new Guava(time, rate / count);
                case PER_EXECUTOR -> new Guava(time, rate / executors);
                case AIMD -> new Aimd(time, rate / executors);
                case DRIVER_BUCKET_OF_A_WINDOW -> new Bucket(time, rate, window);
                case DRIVER_BUCKET_OF_TWO_SECONDS -> new Bucket(time, rate, 2 * rate);
                case DRIVER_BUCKET_WITH_RESERVE -> new Bucket(time, rate * 14 / 15, 2 * rate);
            });
            Task task = new Task(limiter, rowsOfPartitions[partition]);
            tasks.add(task);
            time.after(random.nextDouble() * 0.05, task::next);
        }
        return this;
    }

    /** What each writer got through. */
    List<Long> acknowledged() {
        return tasks.stream().map(task -> task.acknowledged).toList();
    }

    /** When the last partition was done; not a number before. */
    double finishedAt() {
        return finishedAt;
    }

    /** One request; without time-outs, which none of the settings of the comparison reaches. */
    private void exchange(int mappings, Response response) {
        double slow = traffic.slowDown.factor(time.seconds());
        double total = slow
                * (traffic.leastRoundTrip + random.nextDouble() * (traffic.mostRoundTrip - traffic.leastRoundTrip));
        double there = total * (0.3 + 0.4 * random.nextDouble());
        double back = total - there;
        if (random.nextDouble() < traffic.spikes) {
            if (random.nextBoolean()) {
                there += traffic.spikeSeconds;
            } else {
                back += traffic.spikeSeconds;
            }
        }
        double answered = back;
        time.after(there, () -> {
            boolean taken = service.takes(mappings);
            time.after(answered, () -> response.is(taken));
        });
    }
}
