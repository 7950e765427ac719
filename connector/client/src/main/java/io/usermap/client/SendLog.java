package io.usermap.client;

import java.time.Instant;

/**
 * Where a sender writes what became of each row; called by the sender's own thread only.
 *
 * <p>An implementation that keeps receipts may fail; its exception ends the sending.
 */
public interface SendLog {

    /**
     * How a request went.
     *
     * @param id names the request
     * @param at when its response arrived
     * @param attempt which sending of the rows it was, from 1
     */
    record Exchange(String id, Instant at, int attempt) {}

    /** The service acknowledged rows {@code from} to before {@code to} of {@code batch}. */
    void accepted(Batch batch, int from, int to, Exchange exchange);

    /** The service refused row {@code row} of {@code batch}, which stood alone in its request. */
    void refused(Batch batch, int row, Exchange exchange);
}
