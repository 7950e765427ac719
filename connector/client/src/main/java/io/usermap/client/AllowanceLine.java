package io.usermap.client;

import io.usermap.client.Allowance.Outcome;
import java.time.Duration;

/**
 * One writer's line to the coordinator of the allowance, whatever carries it.
 *
 * <p>{@link #ask} blocks and is called by one thread at a time; the other methods return at once and may be called by any
 * thread. What they report reaches the coordinator in the order of the calls, sooner or later: an implementation repeats
 * it until it is acknowledged.
 */
public interface AllowanceLine {

    /**
     * Asks to send {@code wanted} mappings and waits for the answer, some seconds at most. Who wants none asks whether it
     * may send at all, as the live attempt of its partition.
     *
     * @param request names the question, so that a repetition is known as one
     */
    AllowanceAnswer ask(String request, int wanted) throws InterruptedException;

    /** Reports what became of a permit, and what the writer has done altogether. */
    void done(long permit, Outcome outcome, Duration retryAfter, Duration roundTrip, Tally tally);

    /** Asks that nothing more is sent for the whole write, by any of its writers. */
    void stop(String reason);

    /** Ends the line before its end: another attempt may send what this one has not. On a line that has ended, nothing. */
    void leave(Tally tally);

    /** Ends the line with all rows settled: another attempt has nothing to send. On a line that has ended, nothing. */
    void finish(Tally tally);
}
