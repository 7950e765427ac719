package io.usermap.client;

import java.util.Arrays;

/** Every request as it reached the service, and the oracle: what the fullest window held, recomputed from that alone. */
final class ArrivalLog {
    private long[] times = new long[1 << 12];
    private int[] mappings = new int[1 << 12];
    private int size;

    void add(long at, int count) {
        if (size > 0 && at < times[size - 1]) {
            throw new IllegalArgumentException("arrivals come in the order of time");
        }
        if (size == times.length) {
            times = Arrays.copyOf(times, 2 * size);
            mappings = Arrays.copyOf(mappings, 2 * size);
        }
        times[size] = at;
        mappings[size++] = count;
    }

    int requests() {
        return size;
    }

    long mappingsBefore(double seconds) {
        long sum = 0;
        for (int i = 0; i < size && times[i] < VirtualTime.nanos(seconds); i++) {
            sum += mappings[i];
        }
        return sum;
    }

    /** The most mappings that arrived in any half-open window of that length. */
    long mostInAnyWindow(double windowSeconds) {
        long window = VirtualTime.nanos(windowSeconds);
        long most = 0;
        long sum = 0;
        int oldest = 0;
        for (int i = 0; i < size; i++) {
            sum += mappings[i];
            while (times[oldest] <= times[i] - window) {
                sum -= mappings[oldest++];
            }
            most = Math.max(most, sum);
        }
        return most;
    }

    /** Mappings a second from {@code warm} on, from the first arrival to the last, the first not counted. */
    double rate(double warm) {
        int first = 0;
        while (first < size && times[first] < VirtualTime.nanos(warm)) {
            first++;
        }
        long sum = 0;
        for (int i = first + 1; i < size; i++) {
            sum += mappings[i];
        }
        return first + 1 < size ? sum * 1e9 / (times[size - 1] - times[first]) : 0;
    }
}
