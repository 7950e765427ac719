package io.usermap.client;

import io.usermap.client.Allowance.Outcome;
import io.usermap.client.AllowanceAnswer.Denied;
import io.usermap.client.AllowanceAnswer.Grant;
import io.usermap.client.AllowanceAnswer.Later;
import io.usermap.client.Reply.Effect;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.Deque;
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
 * <p>What happens to a reply: accepted rows are done. A refused request is halved until the rows at fault stand alone, at
 * about 2 log2(n) requests for one row among n. Rows without a usable answer are sent again after a wait with jitter: a
 * mapping is idempotent. A 429 is for the coordinator to act on; the rows ask again. A fatal answer stops the write.
 */
public final class BatchSender implements AutoCloseable {
    /** So many rows refused alone, and none ever accepted: it is not the rows that the service refuses. */
    private static final int REFUSED_ALONE_BEFORE_GIVING_UP = 50;

    private static final long LONGEST_NAP_NANOS = Duration.ofMillis(500).toNanos();

    /** How the sending of a batch ended. */
    public sealed interface Result {}

    /** Every row was accepted or refused. */
    public record Resolved() implements Result {}

    /**
     * The write is stopped; rows that the log does not know were not acknowledged.
     *
     * @param reason in words, with the next step
     * @param failure what this sender stopped it for; empty if somebody else did
     */
    public record Stopped(String reason, Optional<ServiceException> failure) implements Result {}

    /** Tells the sender that nobody waits for it any more. */
    public interface Cancellation {
        /** Throws if the work was cancelled; returns at once otherwise. */
        void check();
    }

    /** Rows {@code from} to before {@code to} that wait for their turn. */
    private record Part(int from, int to, int sent, int failed, long notBefore) {
        int size() {
            return to - from;
        }
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
    private final Deque<Part> pending = new ArrayDeque<>();

    private volatile boolean closed;
    private boolean asking;
    private int inFlight;
    private int mostInFlight = 1;
    private int refusedAlone;
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
     * Sends {@code batch} and blocks until each of its rows has an outcome, or the write is stopped.
     *
     * @throws InterruptedException if the thread is interrupted; requests in flight still report their permits
     */
    public Result send(Batch batch, SendLog log) throws InterruptedException {
        pending.clear();
        if (batch.size() > 0) {
            pending.add(new Part(0, batch.size(), 0, 0, System.nanoTime()));
        }
        while (true) {
            cancellation.check();
            long now = System.nanoTime();
            long nap = LONGEST_NAP_NANOS;
            Part next = pending.peekFirst();
            if (stopped == null && next != null && !asking && inFlight < mostInFlight) {
                if (next.notBefore() <= now) {
                    pending.removeFirst();
                    askFor(next);
                } else {
                    nap = Math.min(nap, next.notBefore() - now);
                }
            }
            if (!asking && inFlight == 0 && (stopped != null || pending.isEmpty())) {
                return stopped == null ? new Resolved() : stopped;
            }
            Event event = events.poll(nap, TimeUnit.NANOSECONDS);
            if (event instanceof Answered answered) {
                onAnswer(batch, answered);
            } else if (event instanceof Replied replied) {
                onReply(batch, replied, log);
            } else if (event instanceof Broken broken) {
                throw broken.cause();
            }
        }
    }

    private void askFor(Part part) {
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

    private void onAnswer(Batch batch, Answered answered) throws InterruptedException {
        asking = false;
        Part part = answered.part();
        tally.waited(System.nanoTime() - answered.askedAt());
        if (answered.answer() instanceof Denied denied) {
            stopped = stopped == null ? new Stopped(denied.reason(), Optional.empty()) : stopped;
        } else if (answered.answer() instanceof Later later) {
            pending.addFirst(new Part(part.from(), part.to(), part.sent(), part.failed(), after(later.after())));
        } else if (answered.answer() instanceof Grant grant) {
            mostInFlight = grant.requestsInFlight();
            Duration left = grant.sendWithin()
                    .minus(Duration.ofNanos(System.nanoTime() - answered.askedAt()))
                    .plus(grant.waited());
            boolean usable = stopped == null
                    && !left.isNegative()
                    && pacer.tryAcquire(grant.mappings(), grant.mappingsPerSecond(), left);
            if (usable) {
                int to = part.from() + Math.min(part.size(), grant.mappings());
                if (to < part.to()) {
                    pending.addFirst(new Part(to, part.to(), part.sent(), part.failed(), part.notBefore()));
                }
                dispatch(batch, new Part(part.from(), to, part.sent(), part.failed(), part.notBefore()), grant);
            } else {
                line.done(grant.permit(), Outcome.UNSENT, Duration.ZERO, Duration.ZERO, tally.snapshot());
                pending.addFirst(part);
            }
        }
    }

    private void dispatch(Batch batch, Part part, Grant grant) {
        inFlight++;
        long sentAt = System.nanoTime();
        tally.sent(batch.encodedBytes(part.from(), part.to()), part.sent() > 0 ? part.size() : 0);
        var unused = client.send(batch, part.from(), part.to())
                .thenAccept(reply -> report(batch, part, grant, reply, System.nanoTime() - sentAt))
                .exceptionally(failure -> {
                    events.add(new Broken(new IllegalStateException("A reply could not be reported.", failure)));
                    return null;
                });
    }

    /** Runs in a thread of the HTTP client, so that the permit is reported even while the sender is busy or gone. */
    private void report(Batch batch, Part part, Grant grant, Reply reply, long roundTripNanos) {
        Duration retryAfter = Duration.ZERO;
        if (reply instanceof Reply.Fatal fatal) {
            // Before the permit is reported: nobody else may get it for the same answer.
            line.stop("Cannot write mappings: " + fatal.cause());
        } else if (reply instanceof Reply.Accepted) {
            tally.accepted(batch, part.from(), part.to());
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

    private void onReply(Batch batch, Replied replied, SendLog log) {
        inFlight--;
        Part part = replied.part();
        SendLog.Exchange exchange = new SendLog.Exchange(replied.request(), replied.at(), part.sent() + 1);
        if (replied.reply() instanceof Reply.Accepted) {
            refusedAlone = Integer.MIN_VALUE;
            log.accepted(batch, part.from(), part.to(), exchange);
        } else if (replied.reply() instanceof Reply.Throttled) {
            pending.addFirst(again(part, part.failed(), System.nanoTime()));
        } else if (replied.reply() instanceof Reply.Refused refused) {
            onRefused(batch, part, refused, exchange, log);
        } else if (replied.reply() instanceof Reply.Unavailable unavailable) {
            onUnavailable(part, unavailable);
        } else if (replied.reply() instanceof Reply.Fatal fatal) {
            stop("Cannot write mappings: " + fatal.cause(), fatal.status(), false);
        }
    }

    private void onRefused(Batch batch, Part part, Reply.Refused refused, SendLog.Exchange exchange, SendLog log) {
        if (part.size() > 1) {
            int middle = part.from() + part.size() / 2;
            long now = System.nanoTime();
            pending.addFirst(new Part(middle, part.to(), part.sent() + 1, part.failed(), now));
            pending.addFirst(new Part(part.from(), middle, part.sent() + 1, part.failed(), now));
            return;
        }
        tally.rejected();
        log.refused(batch, part.from(), exchange);
        if (++refusedAlone >= REFUSED_ALONE_BEFORE_GIVING_UP) {
            stop(
                    "Cannot write mappings: the service refused each of " + refusedAlone + " rows alone ("
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
            int sent = unavailable.effect() == Effect.NOT_SENT ? part.sent() : part.sent() + 1;
            pending.addFirst(new Part(part.from(), part.to(), sent, failed, after(wait)));
            return;
        }
        pending.addFirst(part);
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

    private static Part again(Part part, int failed, long notBefore) {
        return new Part(part.from(), part.to(), part.sent() + 1, failed, notBefore);
    }

    private static long after(Duration wait) {
        return System.nanoTime() + wait.toNanos();
    }

    /**
     * After a cancellation: logs the replies of requests in flight, for at most {@code atMost}, and sends nothing more.
     *
     * <p>Blocks even if the thread is interrupted; the interruption is kept.
     */
    public void drain(Batch batch, SendLog log, Duration atMost) {
        stopped = stopped == null ? new Stopped("the task was cancelled", Optional.empty()) : stopped;
        long until = System.nanoTime() + atMost.toNanos();
        boolean interrupted = Thread.interrupted();
        while (inFlight > 0 && System.nanoTime() < until) {
            try {
                Event event = events.poll(until - System.nanoTime(), TimeUnit.NANOSECONDS);
                if (event instanceof Replied replied) {
                    onReply(batch, replied, log);
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
