package io.usermap.client;

import java.util.concurrent.atomic.LongAdder;

/** Counts what one writer does; several threads add, anybody may look. */
public final class SendTally {
    private final LongAdder mapped = new LongAdder();
    private final LongAdder unmapped = new LongAdder();
    private final LongAdder rejected = new LongAdder();
    private final LongAdder skipped = new LongAdder();
    private final LongAdder requests = new LongAdder();
    private final LongAdder bytes = new LongAdder();
    private final LongAdder resent = new LongAdder();
    private final LongAdder throttled = new LongAdder();
    private final LongAdder waitedNanos = new LongAdder();

    /** What was counted so far. */
    public Tally snapshot() {
        return new Tally(
                mapped.sum(),
                unmapped.sum(),
                rejected.sum(),
                skipped.sum(),
                requests.sum(),
                bytes.sum(),
                resent.sum(),
                throttled.sum(),
                waitedNanos.sum());
    }

    /** A row was not sent, or was refused. */
    public void rejected() {
        rejected.increment();
    }

    /** A row needed no sending. */
    public void skipped() {
        skipped.increment();
    }

    void accepted(Batch batch, int from, int to) {
        int unmaps = 0;
        for (int row = from; row < to; row++) {
            if (batch.mapping(row) instanceof Mapping.Unmap) {
                unmaps++;
            }
        }
        unmapped.add(unmaps);
        mapped.add(to - from - unmaps);
    }

    void sent(int encodedBytes, int again) {
        requests.increment();
        bytes.add(encodedBytes);
        resent.add(again);
    }

    void throttled() {
        throttled.increment();
    }

    void waited(long nanos) {
        waitedNanos.add(nanos);
    }
}
