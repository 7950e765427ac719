package io.usermap.client;

import io.usermap.client.Reply.Effect;
import java.io.IOException;
import java.net.ConnectException;
import java.net.ProxySelector;
import java.net.http.HttpClient;
import java.net.http.HttpConnectTimeoutException;
import java.net.http.HttpHeaders;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandler;
import java.net.http.HttpResponse.ResponseInfo;
import java.nio.channels.UnresolvedAddressException;
import java.security.GeneralSecurityException;
import java.time.Duration;
import java.time.Instant;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.time.format.DateTimeParseException;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicReference;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLPeerUnverifiedException;
import org.jspecify.annotations.Nullable;

/**
 * Sends mappings over HTTP/1.1 and says what came back.
 *
 * <p>Runs where the rows are: on executors, and on the driver for {@code DELETE}. One request per call: no redirect is
 * followed and nothing is sent a second time here, because each sending needs a permit of its own. The JVM's proxy
 * settings ({@code https.proxyHost} and so on) and trust store ({@code javax.net.ssl.trustStore}) are in force.
 * Thread-safe.
 */
public final class UserMapClient {
    /** More of a response than this is never read: a success is seven bytes. */
    private static final int MOST_RESPONSE_BYTES = 64 * 1024;

    /** A service that asks for more has a wrong clock, or means never. */
    private static final Duration LONGEST_RETRY_AFTER = Duration.ofDays(1);

    private static final Map<Duration, HttpClient> CLIENTS = new ConcurrentHashMap<>();

    private final HttpClient http;
    private final HttpRequest.Builder template;
    private final Duration requestTimeout;

    private UserMapClient(HttpClient http, Endpoints endpoints, Duration requestTimeout) {
        this.http = http;
        this.requestTimeout = requestTimeout;
        this.template = HttpRequest.newBuilder(endpoints.writeUrl())
                .version(HttpClient.Version.HTTP_1_1)
                .header("Content-Type", "application/x-www-form-urlencoded");
    }

    /**
     * A client for {@code endpoints}.
     *
     * @param connectTimeout the longest wait for a connection
     * @param requestTimeout the longest wait for the whole response, connecting included
     */
    public static UserMapClient of(Endpoints endpoints, Duration connectTimeout, Duration requestTimeout) {
        return new UserMapClient(connection(connectTimeout), endpoints, requestTimeout);
    }

    /** This JVM's HTTP client with that time-out: its threads and connections are shared by all writers. */
    static HttpClient connection(Duration connectTimeout) {
        return CLIENTS.computeIfAbsent(connectTimeout, UserMapClient::newConnection);
    }

    private static HttpClient newConnection(Duration connectTimeout) {
        HttpClient.Builder builder = HttpClient.newBuilder()
                .version(HttpClient.Version.HTTP_1_1)
                .followRedirects(HttpClient.Redirect.NEVER)
                .connectTimeout(connectTimeout);
        Optional.ofNullable(ProxySelector.getDefault()).ifPresent(builder::proxy);
        return builder.build();
    }

    /**
     * Sends rows {@code from} to before {@code to} of {@code batch}; the batch stays as it is until the reply is there.
     *
     * <p>Does not block. The future never completes exceptionally: what goes wrong is a {@link Reply}.
     */
    public CompletableFuture<Reply> send(Batch batch, int from, int to) {
        HttpRequest request = template.copy().POST(batch.body(from, to)).build();
        AtomicReference<@Nullable ResponseInfo> seen = new AtomicReference<>();
        BodyHandler<Void> handler = info -> {
            seen.set(info);
            return new LimitedBody<>(MOST_RESPONSE_BYTES, bytes -> null);
        };
        CompletableFuture<HttpResponse<Void>> exchange = http.sendAsync(request, handler);
        return exchange.copy()
                .orTimeout(requestTimeout.toNanos(), TimeUnit.NANOSECONDS)
                .handle((response, failure) -> {
                    // Closes the connection of a request that took too long; a finished one is not touched.
                    exchange.cancel(true);
                    // A status is an answer, even if the body behind it never ends.
                    ResponseInfo info = seen.get();
                    return info != null ? Reply.of(info.statusCode(), retryAfter(info.headers())) : unanswered(failure);
                });
    }

    /** How long the service asks to wait, as seconds or as a date, at most a day; zero if it does not say. */
    static Duration retryAfter(HttpHeaders headers) {
        // By the service's own clock, where it tells it: this one's may have been set.
        Instant now =
                headers.firstValue("Date").flatMap(UserMapClient::parseDate).orElseGet(Instant::now);
        return headers.firstValue("Retry-After")
                .map(String::strip)
                .map(text -> parseRetryAfter(text, now))
                .filter(wait -> !wait.isNegative())
                .map(wait -> wait.compareTo(LONGEST_RETRY_AFTER) > 0 ? LONGEST_RETRY_AFTER : wait)
                .orElse(Duration.ZERO);
    }

    private static Duration parseRetryAfter(String text, Instant now) {
        return text.matches("[0-9]{1,9}")
                ? Duration.ofSeconds(Long.parseLong(text))
                : parseDate(text).map(until -> Duration.between(now, until)).orElse(Duration.ZERO);
    }

    private static Optional<Instant> parseDate(String text) {
        try {
            return Optional.of(ZonedDateTime.parse(text.strip(), DateTimeFormatter.RFC_1123_DATE_TIME)
                    .toInstant());
        } catch (DateTimeParseException e) {
            return Optional.empty();
        }
    }

    /** What a failure without any answer means. */
    static Reply unanswered(@Nullable Throwable failure) {
        Throwable cause =
                failure instanceof CompletionException && failure.getCause() != null ? failure.getCause() : failure;
        if (cause instanceof HttpConnectTimeoutException) {
            return new Reply.Unavailable(0, Effect.NOT_SENT, "no connection within connectTimeout");
        }
        if (cause instanceof ConnectException || cause instanceof UnresolvedAddressException) {
            boolean unresolved = cause instanceof UnresolvedAddressException
                    || cause.getCause() instanceof UnresolvedAddressException;
            return new Reply.Unavailable(
                    0, Effect.NOT_SENT, unresolved ? "the host name cannot be resolved" : "the connection was refused");
        }
        if (cause instanceof SSLException && isDistrust(cause)) {
            return new Reply.Fatal(
                    0,
                    "no trusted TLS connection can be made. Check the endpoint and the JVM's trust store"
                            + " (javax.net.ssl.trustStore).");
        }
        if (cause instanceof TimeoutException) {
            return new Reply.Unavailable(0, Effect.UNKNOWN, "no answer within requestTimeout");
        }
        if (cause instanceof IOException) {
            return new Reply.Unavailable(0, Effect.UNKNOWN, "the connection broke");
        }
        return new Reply.Fatal(0, "the request could not be made: " + cause + ". Report this as a defect.");
    }

    /**
     * Whether the service's certificate is not trusted, or its port speaks no TLS, which the JDK tells by its text only;
     * other failures of TLS may pass, such as a connection cut off.
     */
    private static boolean isDistrust(Throwable failure) {
        for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
            boolean plain = String.valueOf(cause.getMessage()).contains("SSL message");
            if (plain || cause instanceof GeneralSecurityException || cause instanceof SSLPeerUnverifiedException) {
                return true;
            }
        }
        return false;
    }
}
