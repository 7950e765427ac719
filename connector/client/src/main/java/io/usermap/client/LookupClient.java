package io.usermap.client;

import com.google.common.util.concurrent.RateLimiter;
import io.usermap.client.Reply.Effect;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandler;
import java.net.http.HttpResponse.ResponseInfo;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Deque;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Reads direct mappings back, 100 ids a request, under a rate of its own.
 *
 * <p>The service cannot list what it holds and its limit for reads is unknown, so rate and concurrency are the caller's;
 * how the ids travel is too ({@link LookupEncoding}). Answers are taken as {@link Reply} tells them apart: trouble is asked
 * again, a 429 stops all requests of this client for the longer of what it asks and the schedule's cap, however often, and
 * a request that is refused or whose answer is too large is halved until an id stands alone, of which nothing is known then
 * ({@link UserLinks#told}). Where nothing was taken before, a request for somebody else tells an id at fault from a key at
 * fault. Who waits does so in {@link #lookup}, by interruptible waits; thread-safe.
 */
public final class LookupClient implements AutoCloseable {
    /** The most ids that one request may ask for (documentation). */
    public static final int IDS_PER_REQUEST = 100;

    private static final Logger LOG = LoggerFactory.getLogger(LookupClient.class);

    /** A hundred users with a thousand links each are 6 MB. */
    private static final int MOST_RESPONSE_BYTES = 8 * 1024 * 1024;

    /** A wrong key or encoding is refused like an id at fault, and so is then the look-up of somebody like this. */
    private static final List<String> ANYBODY = List.of("usermap-anybody-0123456789");

    /** Guava's waits ignore interrupts, so they are kept this short. */
    private static final Duration DEAF = Duration.ofMillis(20);

    private static final int CHECK_EVERY_MILLIS = 100;

    private final HttpClient http;
    private final LookupFormat format;
    private final LookupRules rules;
    private final Runnable check;
    private @Nullable RateLimiter rate;
    private final ExecutorService workers;
    private final AtomicLong notBeforeNanos;
    private volatile boolean accepted;
    private final AtomicLong requests = new AtomicLong();
    private final AtomicLong throttled = new AtomicLong();

    private LookupClient(HttpClient http, LookupFormat format, LookupRules rules, Runnable check) {
        this.http = http;
        this.format = format;
        this.rules = rules;
        this.check = check;
        this.notBeforeNanos =
                new AtomicLong(System.nanoTime() + rules.firstAfter().toNanos());
        this.workers = Executors.newFixedThreadPool(rules.concurrency(), work -> {
            Thread thread = new Thread(work, "usermap-lookup");
            thread.setDaemon(true);
            return thread;
        });
    }

    /**
     * A client for the look-up endpoint.
     *
     * @param check is called ten times a second by whoever waits for an answer, and throws to end the wait
     */
    public static LookupClient of(
            Endpoints endpoints, Secret apiKey, Secret secretKey, LookupRules rules, Runnable check) {
        return new LookupClient(
                UserMapClient.connection(rules.connectTimeout()),
                LookupFormat.of(endpoints.lookupUrl(), apiKey, secretKey, rules.encoding()),
                rules,
                check);
    }

    /**
     * The direct links of {@code userIds}, in their order; an id that the service does not know has none.
     *
     * @throws ServiceException if the service refuses all, or does not answer however often it is asked
     */
    public List<UserLinks> lookup(List<String> userIds) {
        List<UserLinks> links = new ArrayList<>(userIds.size());
        lookup(userIds.iterator()).forEachRemaining(links::add);
        return links;
    }

    /**
     * The same for any number of ids, which are taken as they are needed: in memory are those of the requests under way and
     * of one more. The iterator is for one thread; it throws {@link ServiceException} as above.
     */
    public Iterator<UserLinks> lookup(Iterator<String> userIds) {
        return new Answers(userIds);
    }

    /** Requests sent so far, those without an answer included. */
    public long requests() {
        return requests.get();
    }

    /** Answers 429 so far. */
    public long throttled() {
        return throttled.get();
    }

    /** The links of ids in their order, with requests under way ahead of whoever takes them. */
    private final class Answers implements Iterator<UserLinks> {
        private final Iterator<String> userIds;
        private final Deque<Future<List<UserLinks>>> underWay = new ArrayDeque<>();
        private Iterator<UserLinks> links = Collections.emptyIterator();

        Answers(Iterator<String> userIds) {
            this.userIds = userIds;
        }

        @Override
        public boolean hasNext() {
            while (!links.hasNext()) {
                send();
                Future<List<UserLinks>> request = underWay.poll();
                if (request == null) {
                    return false;
                }
                links = await(request).iterator();
            }
            return true;
        }

        @Override
        public UserLinks next() {
            if (!hasNext()) {
                throw new NoSuchElementException();
            }
            return links.next();
        }

        private void send() {
            while (underWay.size() < rules.concurrency() && userIds.hasNext()) {
                List<String> some = new ArrayList<>(IDS_PER_REQUEST);
                while (some.size() < IDS_PER_REQUEST && userIds.hasNext()) {
                    some.add(userIds.next());
                }
                try {
                    underWay.add(workers.submit(() -> request(some)));
                } catch (RejectedExecutionException e) {
                    throw closed();
                }
            }
        }

        private List<UserLinks> await(Future<List<UserLinks>> request) {
            boolean answered = false;
            try {
                List<UserLinks> told = null;
                while (told == null) {
                    check.run();
                    told = poll(request);
                }
                answered = true;
                return told;
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new ServiceException("The look-up was interrupted. Run it again.", 0, true);
            } catch (CancellationException e) {
                throw request.isCancelled() ? closed() : e;
            } catch (ExecutionException e) {
                if (e.getCause() instanceof InterruptedException) {
                    throw closed();
                }
                throw e.getCause() instanceof RuntimeException cause ? cause : new CompletionException(e.getCause());
            } finally {
                if (!answered) {
                    request.cancel(true);
                    underWay.forEach(other -> other.cancel(true));
                }
            }
        }

        private static @Nullable List<UserLinks> poll(Future<List<UserLinks>> request)
                throws InterruptedException, ExecutionException {
            try {
                return request.get(CHECK_EVERY_MILLIS, TimeUnit.MILLISECONDS);
            } catch (TimeoutException e) {
                return null;
            }
        }
    }

    private static ServiceException closed() {
        return new ServiceException("Cannot look mappings up: the client was closed. Open another.", 0, true);
    }

    private List<UserLinks> request(List<String> userIds) throws InterruptedException {
        Answer answer = answer(userIds);
        if (!(answer.reply() instanceof Reply.Refused refused)) {
            accepted = true;
            return format.links(userIds, answer.body());
        }
        requireAcceptance(refused);
        if (userIds.size() == 1) {
            return List.of(UserLinks.untold(userIds.get(0)));
        }
        int half = userIds.size() / 2;
        List<UserLinks> links = new ArrayList<>(request(userIds.subList(0, half)));
        links.addAll(request(userIds.subList(half, userIds.size())));
        return links;
    }

    /** Throws if nothing was ever taken, and {@link #ANYBODY} is not taken either. */
    private void requireAcceptance(Reply.Refused refused) throws InterruptedException {
        if (!accepted && answer(ANYBODY).reply() instanceof Reply.Refused) {
            throw refused(refused);
        }
        accepted = true;
    }

    private static ServiceException refused(Reply.Refused refused) {
        return new ServiceException(
                "Cannot look mappings up: the service refused the request (" + refused.status()
                        + "). Check the secret key, and try another encoding (lookupEncoding or lookup.encoding).",
                refused.status(),
                false);
    }

    /** An answer that was accepted or refused, however often it takes. */
    private Answer answer(List<String> userIds) throws InterruptedException {
        int attempts = 0;
        while (true) {
            awaitTurn();
            Answer answer = exchange(userIds);
            if (answer.reply() instanceof Reply.Throttled told) {
                pauseAll(told.retryAfter());
            } else if (answer.reply() instanceof Reply.Fatal fatal) {
                throw new ServiceException("Cannot look mappings up: " + cause(fatal), fatal.status(), false);
            } else if (answer.reply() instanceof Reply.Unavailable unavailable) {
                attempts++;
                if (!rules.retries().allowsAfter(attempts)) {
                    throw new ServiceException(
                            "Cannot look mappings up after " + attempts + " attempts: " + unavailable.cause()
                                    + ". Check the look-up endpoint, or try later.",
                            unavailable.status(),
                            true);
                }
                TimeUnit.NANOSECONDS.sleep(rules.retries()
                        .waitAfter(attempts, ThreadLocalRandom.current())
                        .toNanos());
            } else {
                return answer;
            }
        }
    }

    private static String cause(Reply.Fatal fatal) {
        return fatal.status() == 401
                ? "the service does not know the API key or the secret key (401). Check both, and the region."
                : fatal.cause();
    }

    private void awaitTurn() throws InterruptedException {
        while (true) {
            long left = notBeforeNanos.get() - System.nanoTime();
            if (left > 0) {
                TimeUnit.NANOSECONDS.sleep(left);
            } else if (rate().tryAcquire(DEAF)) {
                if (notBeforeNanos.get() - System.nanoTime() <= 0) {
                    return;
                }
            } else {
                TimeUnit.NANOSECONDS.sleep(DEAF.toNanos());
            }
        }
    }

    /** Made when it is first asked: Guava's saves up what nobody takes, a second's worth of it. */
    private synchronized RateLimiter rate() {
        RateLimiter limiter = rate == null ? RateLimiter.create(rules.perSecond()) : rate;
        rate = limiter;
        return limiter;
    }

    private void pauseAll(Duration retryAfter) {
        Duration most = rules.retries().most();
        Duration pause = retryAfter.compareTo(most) > 0 ? retryAfter : most;
        long until = System.nanoTime() + pause.toNanos();
        notBeforeNanos.accumulateAndGet(until, (known, told) -> told - known > 0 ? told : known);
        if (throttled.getAndIncrement() == 0) {
            LOG.warn(
                    "The service throttles look-ups (429): they pause for {} s, now and whenever it says so. Lower"
                            + " lookupsPerSecond or lookup.per-second.",
                    pause.toSeconds());
        }
    }

    private record Answer(Reply reply, String body) {}

    private Answer exchange(List<String> userIds) throws InterruptedException {
        HttpRequest request = format.request(userIds);
        AtomicReference<@Nullable ResponseInfo> seen = new AtomicReference<>();
        BodyHandler<byte[]> handler = info -> {
            seen.set(info);
            return new LimitedBody<>(MOST_RESPONSE_BYTES, bytes -> bytes);
        };
        requests.incrementAndGet();
        var exchange = http.sendAsync(request, handler);
        try {
            HttpResponse<byte[]> response = exchange.get(rules.requestTimeout().toNanos(), TimeUnit.NANOSECONDS);
            return response.body().length < MOST_RESPONSE_BYTES || response.statusCode() / 100 != 2
                    ? new Answer(
                            reply(response.statusCode(), UserMapClient.retryAfter(response.headers())),
                            new String(response.body(), StandardCharsets.UTF_8))
                    : new Answer(new Reply.Refused(413), "");
        } catch (ExecutionException e) {
            return new Answer(bodiless(seen.get(), UserMapClient.unanswered(e.getCause())), "");
        } catch (TimeoutException e) {
            return new Answer(
                    bodiless(seen.get(), new Reply.Unavailable(0, Effect.UNKNOWN, "no answer within requestTimeout")),
                    "");
        } finally {
            exchange.cancel(true);
        }
    }

    /** A status that says no is an answer, even if the body behind it never ends; one that says yes needs its body. */
    private static Reply bodiless(@Nullable ResponseInfo seen, Reply otherwise) {
        return seen == null || seen.statusCode() / 100 == 2
                ? otherwise
                : reply(seen.statusCode(), UserMapClient.retryAfter(seen.headers()));
    }

    private static Reply reply(int status, Duration retryAfter) {
        // An address that is too long is halved like a body that is.
        return status == 414 || status == 431 ? new Reply.Refused(status) : Reply.of(status, retryAfter);
    }

    /** Ends the client's threads; look-ups in progress fail. */
    @Override
    public void close() {
        for (Runnable unstarted : workers.shutdownNow()) {
            if (unstarted instanceof Future<?> request) {
                // Whoever waits for it would wait for ever.
                request.cancel(false);
            }
        }
    }
}
