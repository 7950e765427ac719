package io.usermap.client;

import io.usermap.client.Allowance.Outcome;
import io.usermap.client.AllowanceAnswer.Denied;
import io.usermap.client.AllowanceAnswer.Grant;
import io.usermap.client.AllowanceAnswer.Later;
import io.usermap.client.Backlog.Part;
import io.usermap.client.Reply.Effect;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Sends one batch after the other, in slices that the allowance grants, until each row is accepted or refused.
 *
 * <p>One event loop on the caller's thread takes grants and replies as they come, so that everything is decided, and
 * every receipt written, by one thread. A second thread does nothing but wait for the coordinator; the HTTP client's
 * threads report each permit the moment its response arrives.
 *
 * <p>The next batch is taken while the last requests of the one before are in flight, if there may be more of them: a
 * sender of many small requests that waited for the last of each batch would lose a round trip a batch, 1 % of the
 * allowance with batches of 2,000. Two batches are the most; what is to be repeated of the first goes before the second.
 *
 * <p>What happens to a reply: accepted rows are done. A refused request is halved until the rows at fault stand alone, at
 * about 2 log2(n) requests for one row among n. Rows without a usable answer are sent again after a wait with jitter: a
 * mapping is idempotent. A 429 is for the coordinator to act on; the rows ask again. A fatal answer stops the write.
 */
public final class BatchSender implements AutoCloseable {
    private static final long LONGEST_NAP_NANOS = Duration.ofMillis(500).toNanos();

    /** How the sending of a batch ended. */
    public sealed interface Result {}

    /** Every row of every batch was accepted or refused; the batches may be used again. */
    public record Resolved() implements Result {}

    /** Rows of the batch that was taken last are in flight, so it must be left alone; the one before is resolved. */
    public record UnderWay() implements Result {}

    /**
     * The write is stopped; rows that the log does not know were not acknowledged.
     *
     * @param reason in words, with the next step
     * @param failure what this sender stopped it for; empty if somebody else did
     */
    public record Stopped(String reason, Optional<ServiceException> failure) implements Result {}

    /** Tells the sender that nobody waits for it any more. */
    public interface Cancellation {
        /**
         * Throws if the work was cancelled; returns soon otherwise. Called in the thread that waits, twice a second at least.
         */
        void check();
    }

    private sealed interface Event {}

    private record Answered(Part part, AllowanceAnswer answer, long askedAt) implements Event {}

    private record Replied(Part part, Reply reply, String request, Instant at) implements Event {}

    private record Broken(RuntimeException cause) implements Event {}

    private final String name;
    private final UserMapClient client;
    private final AllowanceLine line;
    private final Pacer pacer;
    private final RetrySchedule retries;
    private final SendTally tally;
    private final Cancellation cancellation;
    private final ExecutorService asker;
    private final BlockingQueue<Event> events = new LinkedBlockingQueue<>();
    private final Backlog backlog = new Backlog();

    private volatile boolean closed;
    private boolean asking;
    private int inFlight;
    private int mostInFlight = 1;
    private final Refusals refusals = new Refusals();
    private long requests;
    private @Nullable Stopped stopped;

    /**
     * A sender for one writer.
     *
     * @param name names the writer in request ids and thread names; contains no id of a user
     */
    public BatchSender(
            String name,
            UserMapClient client,
            AllowanceLine line,
            Pacer pacer,
            RetrySchedule retries,
            SendTally tally,
            Cancellation cancellation) {
        this.name = name;
        this.client = client;
        this.line = line;
        this.pacer = pacer;
        this.retries = retries;
        this.tally = tally;
        this.cancellation = cancellation;
        this.asker = Executors.newSingleThreadExecutor(work -> {
            Thread thread = new Thread(work, "usermap-asks-" + name);
            thread.setDaemon(true);
            return thread;
        });
    }

    /**
     * Blocks until this writer is the live attempt of its partition, or the write is stopped.
     *
     * <p>Only then do receipts tell all that other attempts had acknowledged: whoever skips by receipts opens them after
     * this, and before the first batch.
     *
     * @return {@link Resolved}, or {@link Stopped}
     * @throws InterruptedException if the thread is interrupted
     */
    public Result enter() throws InterruptedException {
        long notBefore = System.nanoTime();
        while (true) {
            cancellation.check();
            long wait = notBefore - System.nanoTime();
            if (wait > 0) {
                TimeUnit.NANOSECONDS.sleep(Math.min(wait, LONGEST_NAP_NANOS));
                continue;
            }
            AllowanceAnswer answer = line.ask(name + "-" + ++requests, 0);
            if (answer instanceof Later later) {
                notBefore = after(later.after());
            } else if (answer instanceof Denied denied) {
                stopped = new Stopped(denied.reason(), Optional.empty());
                return stopped;
            } else {
                return new Resolved();
            }
        }
    }

    /**
     * Takes {@code batch} and blocks until another may be taken: all its rows have left, there is room for one more
     * request, and the batch before is resolved.
     *
     * <p>Where one request at a time is granted, that is when each row has an outcome. Replies that come after the return
     * are logged by the next call.
     *
     * @throws InterruptedException if the thread is interrupted; requests in flight still report their permits
     */
    public Result send(Batch batch, SendLog log) throws InterruptedException {
        backlog.take(batch, log, System.nanoTime());
        return untilLeft(1);
    }

    /**
     * Blocks until each row of what was taken has an outcome, or the write is stopped.
     *
     * @throws InterruptedException if the thread is interrupted; requests in flight still report their permits
     */
    public Result finish() throws InterruptedException {
        return untilLeft(0);
    }

    /** Blocks until nothing waits for its turn and at most {@code batches} are not resolved, or the write is stopped. */
    private Result untilLeft(int batches) throws InterruptedException {
        while (true) {
            cancellation.check();
            long now = System.nanoTime();
            long nap = LONGEST_NAP_NANOS;
            boolean room = !asking && inFlight < mostInFlight;
            Optional<Part> next = backlog.next();
            if (stopped != null && !asking && inFlight == 0) {
                backlog.clear();
                return stopped;
            } else if (stopped == null && room && next.isPresent()) {
                if (next.get().notBefore() <= now) {
                    askFor(next.get());
                } else {
                    nap = Math.min(nap, next.get().notBefore() - now);
                }
            } else if (stopped == null && room && backlog.batches() <= batches) {
                return backlog.batches() == 0 ? new Resolved() : new UnderWay();
            }
            Event event = events.poll(nap, TimeUnit.NANOSECONDS);
            if (event instanceof Answered answered) {
                onAnswer(answered);
            } else if (event instanceof Replied replied) {
                onReply(replied);
            } else if (event instanceof Broken broken) {
                throw broken.cause();
            }
        }
    }

    private void askFor(Part part) {
        backlog.remove(part);
        asking = true;
        String request = name + "-" + ++requests;
        asker.execute(() -> {
            long askedAt = System.nanoTime();
            try {
                events.add(new Answered(part, line.ask(request, part.size()), askedAt));
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                events.add(new Broken(new IllegalStateException("The wait for the allowance was interrupted.", e)));
            } catch (Throwable e) { // Spark throws checked exceptions that its methods do not declare
                events.add(new Broken(new IllegalStateException("The coordinator of the allowance is lost.", e)));
            }
            if (closed) {
                giveBackGrants();
            }
        });
    }

    private void onAnswer(Answered answered) throws InterruptedException {
        asking = false;
        Part part = answered.part();
        tally.waited(System.nanoTime() - answered.askedAt());
        if (answered.answer() instanceof Denied denied) {
            stopped = stopped == null ? new Stopped(denied.reason(), Optional.empty()) : stopped;
        } else if (answered.answer() instanceof Later later) {
            backlog.putFirst(part.notBefore(after(later.after())));
        } else if (answered.answer() instanceof Grant grant) {
            mostInFlight = grant.requestsInFlight();
            if (grant.everAccepted()) {
                refusals.accepted();
            }
            if (stopped == null && mayLeave(answered, grant)) {
                int to = part.from() + Math.min(part.size(), grant.mappings());
                if (to < part.to()) {
                    backlog.putFirst(part.rows(to, part.to()));
                }
                dispatch(part.rows(part.from(), to), grant);
            } else {
                giveBack(answered);
                backlog.putFirst(part);
            }
        }
    }

    private boolean mayLeave(Answered answered, Grant grant) throws InterruptedException {
        Duration left = timeToSend(answered, grant);
        try {
            // Asked twice, because a process that was stopped while it waited for the pacer goes on much later.
            return !left.isNegative()
                    && pacer.tryAcquire(grant.mappings(), grant.mappingsPerSecond(), left)
                    && !timeToSend(answered, grant).isNegative();
        } catch (InterruptedException e) {
            giveBack(answered);
            throw e;
        }
    }

    /** How long {@code grant} may still be used; negative if it is too old. */
    private static Duration timeToSend(Answered answered, Grant grant) {
        return grant.sendWithin()
                .minus(Duration.ofNanos(System.nanoTime() - answered.askedAt()))
                .plus(grant.waited());
    }

    private void dispatch(Part part, Grant grant) {
        Batch batch = part.load().batch;
        inFlight++;
        long sentAt = System.nanoTime();
        tally.sent(batch.encodedBytes(part.from(), part.to()), part.sent() > 0 ? part.size() : 0);
        var unused = client.send(batch, part.from(), part.to())
                .thenAccept(reply -> report(part, grant, reply, System.nanoTime() - sentAt))
                .exceptionally(failure -> {
                    events.add(new Broken(new IllegalStateException("A reply could not be reported.", failure)));
                    return null;
                });
    }

    /** Runs in a thread of the HTTP client, so that the permit is reported even while the sender is busy or gone. */
    private void report(Part part, Grant grant, Reply reply, long roundTripNanos) {
        Duration retryAfter = Duration.ZERO;
        if (reply instanceof Reply.Fatal fatal) {
            // Before the permit is reported: nobody else may get it for the same answer.
            line.stop("Cannot write mappings: " + fatal.cause());
        } else if (reply instanceof Reply.Accepted) {
            tally.accepted(part.load().batch, part.from(), part.to());
        } else if (reply instanceof Reply.Throttled throttled) {
            tally.throttled();
            retryAfter = throttled.retryAfter();
        }
        line.done(grant.permit(), outcome(reply), retryAfter, Duration.ofNanos(roundTripNanos), tally.snapshot());
        events.add(new Replied(part, reply, grant.request(), Instant.now()));
    }

    private static Outcome outcome(Reply reply) {
        if (reply instanceof Reply.Accepted) {
            return Outcome.OK;
        } else if (reply instanceof Reply.Throttled) {
            return Outcome.THROTTLED;
        } else if (reply instanceof Reply.Unavailable unavailable) {
            return switch (unavailable.effect()) {
                case NOT_SENT -> Outcome.UNSENT;
                case ANSWERED -> Outcome.FAILED;
                case UNKNOWN -> Outcome.TIMEOUT;
            };
        }
        return Outcome.FAILED;
    }

    private void onReply(Replied replied) {
        inFlight--;
        Part part = replied.part();
        SendLog.Exchange exchange = new SendLog.Exchange(replied.request(), replied.at(), part.sent() + 1);
        if (replied.reply() instanceof Reply.Accepted) {
            refusals.accepted();
            part.load().log.accepted(part.load().batch, part.from(), part.to(), exchange);
            backlog.resolved(part);
        } else if (replied.reply() instanceof Reply.Throttled) {
            backlog.putFirst(part.sentOnce().notBefore(System.nanoTime()));
        } else if (replied.reply() instanceof Reply.Refused refused) {
            onRefused(part, refused, exchange);
        } else if (replied.reply() instanceof Reply.Unavailable unavailable) {
            onUnavailable(part, unavailable);
        } else if (replied.reply() instanceof Reply.Fatal fatal) {
            stop("Cannot write mappings: " + fatal.cause(), fatal.status(), false);
        }
    }

    private void onRefused(Part part, Reply.Refused refused, SendLog.Exchange exchange) {
        if (part.size() > 1) {
            int middle = part.from() + part.size() / 2;
            Part again = part.sentOnce().notBefore(System.nanoTime());
            backlog.putFirst(again.rows(middle, part.to()));
            backlog.putFirst(again.rows(part.from(), middle));
            return;
        }
        tally.rejected();
        part.load().log.refused(part.load().batch, part.from(), exchange);
        backlog.resolved(part);
        refusals.refusedAlone();
        if (refusals.wantsARowFromElsewhere()) {
            backlog.rowFromElsewhereFirst(part.load());
        }
        if (refusals.areOfEverything()) {
            stop(
                    "Cannot write mappings: the service refused each of " + refusals.alone() + " rows alone ("
                            + refused.status()
                            + ") and accepted none. Check the API key, the endpoint and minIdLength.",
                    refused.status(),
                    false);
        }
    }

    private void onUnavailable(Part part, Reply.Unavailable unavailable) {
        int failed = part.failed() + 1;
        if (retries.allowsAfter(failed)) {
            Duration wait = retries.waitAfter(failed, ThreadLocalRandom.current());
            Part again = unavailable.effect() == Effect.NOT_SENT ? part : part.sentOnce();
            backlog.putFirst(again.failedOnce().notBefore(after(wait)));
            return;
        }
        if (stopped != null) {
            // Others may do without this one: another attempt has its partition, or will.
            return;
        }
        stop(
                "Cannot write mappings after " + failed + " attempts: " + unavailable.cause()
                        + ". Check that the endpoint can be reached from the executors, then run again.",
                unavailable.status(),
                true);
    }

    private void stop(String reason, int status, boolean retryable) {
        if (stopped == null || stopped.failure().isEmpty()) {
            line.stop(reason);
            stopped = new Stopped(reason, Optional.of(new ServiceException(reason, status, retryable)));
        }
    }

    private static long after(Duration wait) {
        return System.nanoTime() + wait.toNanos();
    }

    /**
     * After a cancellation: logs the replies of requests in flight, for at most {@code atMost}, and sends nothing more.
     *
     * <p>Blocks even if the thread is interrupted; the interruption is kept.
     */
    public void drain(Duration atMost) {
        stopped = stopped == null ? new Stopped("the task was cancelled", Optional.empty()) : stopped;
        long until = System.nanoTime() + atMost.toNanos();
        boolean interrupted = Thread.interrupted();
        while (inFlight > 0 && System.nanoTime() < until) {
            try {
                Event event = events.poll(until - System.nanoTime(), TimeUnit.NANOSECONDS);
                if (event instanceof Replied replied) {
                    onReply(replied);
                } else if (event instanceof Answered answered) {
                    giveBack(answered);
                }
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    /** Whether requests are small and many: by the rules, or since the service answered 429. */
    public boolean isSmooth() {
        return mostInFlight > 1;
    }

    private void giveBackGrants() {
        for (Event event = events.poll(); event != null; event = events.poll()) {
            if (event instanceof Answered answered) {
                giveBack(answered);
            }
        }
    }

    private void giveBack(Answered answered) {
        if (answered.answer() instanceof Grant grant) {
            line.done(grant.permit(), Outcome.UNSENT, Duration.ZERO, Duration.ZERO, tally.snapshot());
        }
    }

    /** Ends the waiting thread; grants that were not used, and one that arrives afterwards, are given back. */
    @Override
    public void close() {
        closed = true;
        asker.shutdown();
        giveBackGrants();
    }
}
