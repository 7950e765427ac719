package io.usermap.client;

import java.io.Serializable;

/**
 * What one attempt of a writer has done so far.
 *
 * @param mapped maps that the service acknowledged
 * @param unmapped unmaps that the service acknowledged
 * @param rejected rows that were not sent, or were refused
 * @param skipped rows that needed no sending: equal duplicates, and what a receipt acknowledges
 * @param requests requests that were sent
 * @param bytes encoded bytes of these requests
 * @param resent mappings that were sent again, after no answer, a refusal or a 429
 * @param throttled answers 429
 * @param waitedNanos time spent waiting for the allowance
 */
public record Tally(
        long mapped,
        long unmapped,
        long rejected,
        long skipped,
        long requests,
        long bytes,
        long resent,
        long throttled,
        long waitedNanos)
        implements Serializable {

    /** Nothing done. */
    public static final Tally NONE = new Tally(0, 0, 0, 0, 0, 0, 0, 0, 0);

    /** The sum of this and {@code other}. */
    public Tally plus(Tally other) {
        return new Tally(
                mapped + other.mapped,
                unmapped + other.unmapped,
                rejected + other.rejected,
                skipped + other.skipped,
                requests + other.requests,
                bytes + other.bytes,
                resent + other.resent,
                throttled + other.throttled,
                waitedNanos + other.waitedNanos);
    }

    /** Mappings that the service acknowledged. */
    public long accepted() {
        return mapped + unmapped;
    }

    /** The figures in the order of the components, for a message of plain numbers. */
    public long[] figures() {
        return new long[] {
            mapped, unmapped, rejected, skipped, requests, bytes, resent, throttled, waitedNanos,
        };
    }

    /** The tally whose {@link #figures()} stand in {@code numbers} from {@code start} on. */
    public static Tally of(long[] numbers, int start) {
        return new Tally(
                numbers[start],
                numbers[start + 1],
                numbers[start + 2],
                numbers[start + 3],
                numbers[start + 4],
                numbers[start + 5],
                numbers[start + 6],
                numbers[start + 7],
                numbers[start + 8]);
    }
}
