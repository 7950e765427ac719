package io.usermap.client;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.google.common.util.concurrent.RateLimiter;
import io.usermap.client.Reply.Effect;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collections;
import java.util.List;
import java.util.Map;
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
import java.util.stream.Collectors;
import java.util.stream.StreamSupport;

/**
 * Reads direct mappings back, 100 ids a request, under a rate of its own.
 *
 * <p>The service cannot list what it holds and its limit for reads is unknown, so rate and concurrency are the caller's;
 * how the ids travel is too ({@link LookupEncoding}). Blocks in {@link #lookup}; thread-safe.
 */
public final class LookupClient implements AutoCloseable {
    /** The most ids that one request may ask for (documentation). */
    public static final int IDS_PER_REQUEST = 100;

    private static final ObjectMapper JSON = new ObjectMapper();
    private static final int MOST_RESPONSE_BYTES = 64 * 1024 * 1024;

    private final HttpClient http;
    private final URI url;
    private final String authorization;
    private final LookupEncoding encoding;
    private final RateLimiter rate;
    private final Duration requestTimeout;
    private final RetrySchedule retries;
    private final ExecutorService workers;

    private LookupClient(
            HttpClient http,
            URI url,
            String authorization,
            LookupEncoding encoding,
            double perSecond,
            int concurrency,
            Duration requestTimeout,
            RetrySchedule retries) {
        this.http = http;
        this.url = url;
        this.authorization = authorization;
        this.encoding = encoding;
        this.rate = RateLimiter.create(perSecond);
        this.requestTimeout = requestTimeout;
        this.retries = retries;
        this.workers = Executors.newFixedThreadPool(concurrency, work -> {
            Thread thread = new Thread(work, "usermap-lookup");
            thread.setDaemon(true);
            return thread;
        });
    }

    /**
     * A client for the look-up endpoint.
     *
     * @param perSecond requests a second, above 0
     * @param concurrency requests at a time, at least 1
     */
    public static LookupClient of(
            Endpoints endpoints,
            Secret apiKey,
            Secret secretKey,
            LookupEncoding encoding,
            double perSecond,
            int concurrency,
            Duration connectTimeout,
            Duration requestTimeout,
            RetrySchedule retries) {
        String credentials = apiKey.reveal() + ":" + secretKey.reveal();
        return new LookupClient(
                UserMapClient.connection(connectTimeout),
                endpoints.lookupUrl(),
                "Basic " + Base64.getEncoder().encodeToString(credentials.getBytes(StandardCharsets.UTF_8)),
                encoding,
                perSecond,
                concurrency,
                requestTimeout,
                retries);
    }

    /**
     * The direct links of {@code userIds}, in their order; an id that the service does not know has none.
     *
     * @throws ServiceException if the service refuses, or does not answer however often it is asked
     */
    public List<UserLinks> lookup(List<String> userIds) {
        List<Future<List<UserLinks>>> requests = new ArrayList<>();
        List<UserLinks> links = new ArrayList<>(userIds.size());
        try {
            for (int from = 0; from < userIds.size(); from += IDS_PER_REQUEST) {
                List<String> some = userIds.subList(from, Math.min(userIds.size(), from + IDS_PER_REQUEST));
                requests.add(workers.submit(() -> request(some)));
            }
            for (Future<List<UserLinks>> request : requests) {
                links.addAll(request.get());
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new ServiceException("The look-up was interrupted. Run it again.", 0, true);
        } catch (RejectedExecutionException | CancellationException e) {
            throw closed();
        } catch (ExecutionException e) {
            if (e.getCause() instanceof InterruptedException) {
                throw closed();
            }
            throw e.getCause() instanceof RuntimeException cause ? cause : new CompletionException(e.getCause());
        } finally {
            requests.forEach(request -> request.cancel(true));
        }
        return links;
    }

    private static ServiceException closed() {
        return new ServiceException("Cannot look mappings up: the client was closed. Open another.", 0, true);
    }

    private List<UserLinks> request(List<String> userIds) throws InterruptedException {
        for (int attempt = 1; ; attempt++) {
            rate.acquire();
            Answer answer = exchange(userIds);
            Duration wait = retries.waitAfter(attempt, ThreadLocalRandom.current());
            if (answer.reply() instanceof Reply.Accepted) {
                return parse(userIds, answer.body());
            } else if (answer.reply() instanceof Reply.Throttled throttled) {
                wait = throttled.retryAfter().compareTo(wait) > 0 ? throttled.retryAfter() : wait;
            } else if (answer.reply() instanceof Reply.Fatal fatal) {
                throw new ServiceException("Cannot look mappings up: " + fatal.cause(), fatal.status(), false);
            } else if (answer.reply() instanceof Reply.Refused refused) {
                throw new ServiceException(
                        "Cannot look mappings up: the service refused the request (" + refused.status()
                                + "). Check the secret key, and try another lookupEncoding.",
                        refused.status(),
                        false);
            }
            if (!retries.allowsAfter(attempt)) {
                throw gaveUp(attempt, answer.reply());
            }
            TimeUnit.NANOSECONDS.sleep(wait.toNanos());
        }
    }

    private static ServiceException gaveUp(int attempts, Reply last) {
        String cause = last instanceof Reply.Unavailable unavailable ? unavailable.cause() : "the service throttled it";
        int status = last instanceof Reply.Unavailable unavailable ? unavailable.status() : 429;
        return new ServiceException(
                "Cannot look mappings up after " + attempts + " attempts: " + cause
                        + ". Check the look-up endpoint, or try later.",
                status,
                true);
    }

    private record Answer(Reply reply, String body) {}

    private Answer exchange(List<String> userIds) throws InterruptedException {
        HttpRequest request = encode(userIds)
                .header("Authorization", authorization)
                .header("Accept", "application/json")
                .version(HttpClient.Version.HTTP_1_1)
                .build();
        var exchange = http.sendAsync(
                request,
                info -> new LimitedBody<>(MOST_RESPONSE_BYTES, bytes -> new String(bytes, StandardCharsets.UTF_8)));
        try {
            HttpResponse<String> response = exchange.get(requestTimeout.toNanos(), TimeUnit.NANOSECONDS);
            return new Answer(
                    Reply.of(response.statusCode(), UserMapClient.retryAfter(response.headers())), response.body());
        } catch (ExecutionException e) {
            return new Answer(UserMapClient.unanswered(e.getCause()), "");
        } catch (TimeoutException e) {
            return new Answer(new Reply.Unavailable(0, Effect.UNKNOWN, "no answer within requestTimeout"), "");
        } finally {
            exchange.cancel(true);
        }
    }

    private HttpRequest.Builder encode(List<String> userIds) {
        String form = userIds.stream()
                .map(id -> "user_ids=" + new String(FormEncoder.encoded(id), StandardCharsets.US_ASCII))
                .collect(Collectors.joining("&"));
        return switch (encoding) {
            case FORM ->
                HttpRequest.newBuilder(url)
                        .header("Content-Type", "application/x-www-form-urlencoded")
                        .method("GET", BodyPublishers.ofString(form));
            case JSON ->
                HttpRequest.newBuilder(url)
                        .header("Content-Type", "application/json")
                        .method("GET", BodyPublishers.ofByteArray(json(userIds)));
            case QUERY -> HttpRequest.newBuilder(URI.create(url + "?" + form)).GET();
        };
    }

    private static byte[] json(List<String> userIds) {
        try {
            return JSON.writeValueAsBytes(Map.of("user_ids", userIds));
        } catch (JsonProcessingException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static List<UserLinks> parse(List<String> userIds, String body) {
        JsonNode root;
        try {
            root = JSON.readTree(body);
        } catch (JsonProcessingException e) {
            throw new ServiceException(
                    "Cannot read the answer to a look-up: it is not JSON. Check the look-up endpoint.", 200, false);
        }
        if (root == null || !root.isObject()) {
            throw new ServiceException(
                    "Cannot read the answer to a look-up: it is not an object by user id. Check the look-up endpoint.",
                    200,
                    false);
        }
        return userIds.stream()
                .map(id -> {
                    JsonNode entry = root.path(id);
                    return new UserLinks(id, users(entry.path("mapped_to")), users(entry.path("mapped_from")));
                })
                .toList();
    }

    private static List<UserLinks.LinkedUser> users(JsonNode list) {
        if (!list.isArray()) {
            return Collections.emptyList();
        }
        return StreamSupport.stream(list.spliterator(), false)
                // A user without an id of its own is nobody whom a mapping could name.
                .filter(user -> user.hasNonNull("user_id"))
                .map(user -> new UserLinks.LinkedUser(
                        user.path("amplitude_id").asLong(), user.path("user_id").asText()))
                .toList();
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
