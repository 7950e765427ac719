package io.usermap.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.usermap.client.UserLinks.LinkedUser;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.Base64;
import java.util.Iterator;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(value = 30, unit = TimeUnit.SECONDS)
class LookupClientTest {
    private final ScriptedServer server = new ScriptedServer().otherwise(ScriptedServer.text(200, "{}"));

    @AfterEach
    void close() {
        server.close();
    }

    private LookupClient client(LookupEncoding encoding, Duration requestTimeout) {
        return client(new LookupRules(
                encoding,
                10_000,
                Duration.ZERO,
                3,
                Duration.ofSeconds(5),
                requestTimeout,
                new RetrySchedule(Duration.ofMillis(1), Duration.ofMillis(5), 3)));
    }

    private LookupClient client(LookupRules rules) {
        return LookupClient.of(server.endpoints(), Secret.of("key"), Secret.of("s3cret"), rules, () -> {});
    }

    private static LookupRules rules(double perSecond, int concurrency, Duration pause) {
        return new LookupRules(
                LookupEncoding.FORM,
                perSecond,
                Duration.ZERO,
                concurrency,
                Duration.ofSeconds(5),
                Duration.ofSeconds(20),
                new RetrySchedule(Duration.ofMillis(1), pause, 3));
    }

    private static List<String> users(int count) {
        return IntStream.range(0, count).mapToObj(i -> "user-" + i).toList();
    }

    private List<UserLinks> lookup(LookupEncoding encoding, List<String> ids) {
        try (LookupClient client = client(encoding, Duration.ofSeconds(20))) {
            return client.lookup(ids);
        }
    }

    private List<UserLinks> lookup(String... ids) {
        return lookup(LookupEncoding.FORM, List.of(ids));
    }

    /** The ids of a request, whichever way they came. */
    private static List<String> ids(ScriptedServer.Received request) {
        if (request.contentType().startsWith("application/json")) {
            var array = Bodies.tree(new String(request.body(), StandardCharsets.UTF_8))
                    .path("user_ids");
            return IntStream.range(0, array.size())
                    .mapToObj(i -> array.get(i).textValue())
                    .toList();
        }
        String form = request.body().length > 0
                ? new String(request.body(), StandardCharsets.US_ASCII)
                : request.uri().getRawQuery();
        return Arrays.stream(form.split("&"))
                .map(field ->
                        Bodies.form(field.getBytes(StandardCharsets.US_ASCII)).getOrDefault("user_ids", "?"))
                .toList();
    }

    @ParameterizedTest
    @EnumSource(LookupEncoding.class)
    void hostileIdsArriveAsTheyAre(LookupEncoding encoding) {
        List<String> ids = List.of("ada+1@example.com", "a&b=c", "\u65E5\u672C\u8A9E", "\uD83D\uDE80 \"q\"", "100%");

        lookup(encoding, ids);

        assertThat(server.received).singleElement().satisfies(request -> {
            assertThat(request.method()).isEqualTo("GET");
            assertThat(request.uri().getPath()).isEqualTo("/api/2/usermap");
            assertThat(ids(request)).isEqualTo(ids);
            assertThat(request.authorization())
                    .isEqualTo("Basic "
                            + Base64.getEncoder().encodeToString("key:s3cret".getBytes(StandardCharsets.UTF_8)));
        });
    }

    @Test
    void anIdThatTheServiceDoesNotKnowHasNoLinks() {
        server.then(ScriptedServer.text(
                200,
                "{\"ada-1\":{\"mapped_from\":[{\"amplitude_id\":7,\"user_id\":\"ada-2\"}],"
                        + "\"mapped_to\":[{\"amplitude_id\":12345678901,\"user_id\":\"person-1\"}]}}"));

        assertThat(lookup("nobody", "ada-1"))
                .containsExactly(
                        new UserLinks("nobody", List.of(), List.of()),
                        new UserLinks(
                                "ada-1",
                                List.of(new LinkedUser(12_345_678_901L, "person-1")),
                                List.of(new LinkedUser(7, "ada-2"))));
    }

    @Test
    void asksFor100AtATimeAndKeepsTheOrder() {
        List<String> ids = IntStream.range(0, 250).mapToObj(i -> "user-" + i).toList();

        assertThat(lookup(LookupEncoding.FORM, ids))
                .extracting(UserLinks::userId)
                .isEqualTo(ids);
        assertThat(server.received).extracting(request -> ids(request).size()).containsExactlyInAnyOrder(100, 100, 50);
    }

    @Test
    void asksNothingForNoIds() {
        assertThat(lookup()).isEmpty();
        assertThat(server.received).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"<html>", "success", "{\"ada-1\":"})
    void anAnswerThatIsNotJsonIsAnErrorOfItsOwn(String text) {
        server.then(ScriptedServer.text(200, text));

        assertThatThrownBy(() -> lookup("ada-1"))
                .isInstanceOf(ServiceException.class)
                .hasMessage("Cannot read the answer to a look-up: it is not JSON. Check the look-up endpoint.");
    }

    @ParameterizedTest
    @ValueSource(strings = {"[]", "null", "\"x\"", ""})
    void jsonThatIsNoObjectIsAnErrorOfItsOwn(String text) {
        server.then(ScriptedServer.text(200, text));

        assertThatThrownBy(() -> lookup("ada-1"))
                .isInstanceOf(ServiceException.class)
                .hasMessage("Cannot read the answer to a look-up: it is not an object by user id."
                        + " Check the look-up endpoint.");
    }

    @Test
    void asksAgainAfterTroubleAndThrottling() {
        server.then(ScriptedServer.status(503))
                .then(ScriptedServer.throttled("0"))
                .then(ScriptedServer.text(
                        200, "{\"ada-1\":{\"mapped_to\":[{\"amplitude_id\":1,\"user_id\":\"p-1\"}]}}"));

        assertThat(lookup("ada-1").get(0).mappedTo()).containsExactly(new LinkedUser(1, "p-1"));
        assertThat(server.received).hasSize(3);
    }

    @Test
    void givesUpAfterItsAttempts() {
        server.otherwise(ScriptedServer.status(500));

        assertThatThrownBy(() -> lookup("ada-1"))
                .isInstanceOf(ServiceException.class)
                .hasMessage("Cannot look mappings up after 3 attempts: the service answered 500."
                        + " Check the look-up endpoint, or try later.");
        assertThat(server.received).hasSize(3);
    }

    @Test
    void aWrongKeyIsNotTriedAgain() {
        server.otherwise(ScriptedServer.status(401));

        assertThatThrownBy(() -> lookup("ada-1"))
                .isInstanceOf(ServiceException.class)
                .hasMessage("Cannot look mappings up: the service does not know the API key or the secret key (401)."
                        + " Check both, and the region.");
        assertThat(server.received).hasSize(1);
    }

    @Test
    void whereEverybodyIsRefusedItIsTheKeyOrTheEncoding() {
        server.otherwise(ScriptedServer.status(403));

        assertThatThrownBy(() -> lookup("ada-1"))
                .isInstanceOf(ServiceException.class)
                .hasMessage("Cannot look mappings up: the service refused the request (403)."
                        + " Check the secret key, and try another encoding (lookupEncoding or lookup.encoding).");
        assertThat(server.received).as("the user and anybody else").hasSize(2);
    }

    @Test
    void ofAnIdThatIsRefusedAndTheOnlyOneNothingIsKnown() {
        server.otherwise(refusing(400, "user-17"));

        assertThat(lookup("user-17")).containsExactly(UserLinks.untold("user-17"));
    }

    @Test
    void onceSomebodyWasTakenNobodyElseIsAskedFor() {
        server.otherwise(refusing(400, "user-17"));

        try (LookupClient client = client(LookupEncoding.FORM, Duration.ofSeconds(20))) {
            assertThat(client.lookup(List.of("user-1"))).allMatch(UserLinks::told);
            assertThat(client.lookup(List.of("user-17"))).containsExactly(UserLinks.untold("user-17"));
        }
        assertThat(server.received).hasSize(2);
    }

    /** Refuses requests with {@code status} that ask for one of {@code poison}, and takes the others. */
    private static ScriptedServer.Answer refusing(int status, String... poison) {
        return (exchange, body) -> {
            String asked = "&" + new String(body, StandardCharsets.US_ASCII) + "&";
            boolean refused = Arrays.stream(poison).anyMatch(id -> asked.contains("&user_ids=" + id + "&"));
            String found = "{\"user-1\":{\"mapped_to\":[{\"amplitude_id\":1,\"user_id\":\"p-1\"}]}}";
            String answer = asked.contains("&user_ids=user-1&") ? found : "{}";
            ScriptedServer.text(refused ? status : 200, answer).to(exchange, body);
        };
    }

    @ParameterizedTest
    @ValueSource(ints = {400, 403, 413, 414})
    void ofAnIdThatIsRefusedNothingIsKnownAndItsNeighboursAreTold(int status) {
        server.otherwise(refusing(status, "user-17"));

        List<UserLinks> links = lookup(LookupEncoding.FORM, users(100));

        assertThat(links).extracting(UserLinks::userId).isEqualTo(users(100));
        assertThat(links).filteredOn(user -> !user.told()).containsExactly(UserLinks.untold("user-17"));
        assertThat(links.get(1).mappedTo()).containsExactly(new LinkedUser(1, "p-1"));
        assertThat(server.received)
                .as("some 2 log2 100, and one that asks for anybody")
                .hasSizeLessThanOrEqualTo(16);
    }

    @Test
    void aServiceThatRefusesEverythingIsNotAskedForEverySingleId() {
        server.otherwise(ScriptedServer.status(403));

        try (LookupClient client = client(rules(10_000, 1, Duration.ofMillis(5)))) {
            assertThatThrownBy(() -> client.lookup(users(1_000)))
                    .isInstanceOf(ServiceException.class)
                    .hasMessageStartingWith("Cannot look mappings up: the service refused the request (403).");
        }
        assertThat(server.received).hasSize(2);
    }

    @Test
    void anAnswerThatIsTooLargeIsAskedForInHalves() {
        String large = "{\"x\":\"" + "x".repeat(9 * 1024 * 1024) + "\"}";
        server.otherwise((exchange, body) -> {
            boolean two = new String(body, StandardCharsets.US_ASCII).contains("&");
            ScriptedServer.text(200, two ? large : "{}").to(exchange, body);
        });

        assertThat(lookup("ada-1", "ada-2"))
                .containsExactly(
                        new UserLinks("ada-1", List.of(), List.of()), new UserLinks("ada-2", List.of(), List.of()));
        assertThat(server.received).hasSize(4);
    }

    @Test
    void aStatusThatSaysNoIsAnAnswerEvenIfItsBodyNeverEnds() {
        server.then(server.endless(503)).then(server.endless(401));

        try (LookupClient client = client(LookupEncoding.FORM, Duration.ofMillis(200))) {
            assertThatThrownBy(() -> client.lookup(List.of("ada-1")))
                    .hasMessageStartingWith("Cannot look mappings up: the service does not know the API key or");
        }
        assertThat(server.received).hasSize(2);
    }

    @Test
    void anAnswerWhoseBodyNeverEndsIsTrouble() {
        server.then(server.endless(200));

        try (LookupClient client = client(LookupEncoding.FORM, Duration.ofMillis(200))) {
            assertThat(client.lookup(List.of("ada-1"))).containsExactly(new UserLinks("ada-1", List.of(), List.of()));
        }
        assertThat(server.received).hasSize(2);
    }

    @Test
    void aRedirectIsNotFollowed() {
        server.otherwise(ScriptedServer.status(307));

        assertThatThrownBy(() -> lookup("ada-1"))
                .isInstanceOf(ServiceException.class)
                .hasMessage("Cannot look mappings up: the endpoint redirects elsewhere (307). Set the endpoint to"
                        + " where it redirects.");
        assertThat(server.received).hasSize(1);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{\"message\":\"try later\"}",
                "{\"ada-1\":7}",
                "{\"ada-1\":{\"mapped_to\":\"p-1\"}}",
                "{\"ada-1\":{\"mapped_from\":{}}}"
            })
    void anAnswerOfAnotherFormTellsNothing(String text) {
        server.then(ScriptedServer.text(200, text));

        assertThat(lookup("ada-1")).containsExactly(UserLinks.untold("ada-1"));
    }

    @Test
    void throttlingPausesEveryRequestAndIsOutlivedHoweverOftenItComes() {
        Queue<Long> arrivals = new ConcurrentLinkedQueue<>();
        AtomicInteger number = new AtomicInteger();
        server.otherwise((exchange, body) -> {
            arrivals.add(System.nanoTime());
            (number.incrementAndGet() <= 4 ? ScriptedServer.status(429) : ScriptedServer.text(200, "{}"))
                    .to(exchange, body);
        });

        try (LookupClient client = client(rules(10_000, 1, Duration.ofMillis(150)))) {
            assertThat(client.lookup(users(150))).hasSize(150);
            assertThat(client.throttled()).isEqualTo(4);
            assertThat(client.requests()).isEqualTo(6);
        }
        List<Long> at = List.copyOf(arrivals);
        for (int i = 1; i <= 4; i++) {
            assertThat(at.get(i) - at.get(i - 1)).isGreaterThanOrEqualTo(150_000_000L);
        }
    }

    @Test
    void throttlingPausesTheOthersToo() {
        Queue<Long> arrivals = new ConcurrentLinkedQueue<>();
        AtomicInteger number = new AtomicInteger();
        server.otherwise((exchange, body) -> {
            arrivals.add(System.nanoTime());
            (number.incrementAndGet() == 1 ? ScriptedServer.status(429) : ScriptedServer.text(200, "{}"))
                    .to(exchange, body);
        });

        // One request each second, so the second is yet to leave when the first is throttled, whichever comes first.
        try (LookupClient client = client(rules(1, 3, Duration.ofMillis(1500)))) {
            assertThat(client.lookup(users(200))).hasSize(200);
        }
        List<Long> at = List.copyOf(arrivals);
        assertThat(at.get(1) - at.get(0)).as("the second request").isGreaterThanOrEqualTo(1_499_000_000L);
    }

    @Test
    void theReadersOfOneRateShareIt() {
        LookupRules all = rules(40, 4, Duration.ofMillis(5));
        assertThat(all.part(1, 2))
                .isEqualTo(new LookupRules(
                        LookupEncoding.FORM,
                        20,
                        Duration.ofMillis(25),
                        2,
                        Duration.ofSeconds(5),
                        Duration.ofSeconds(20),
                        all.retries()));
        assertThat(all.part(0, 10).concurrency()).isEqualTo(1);
        assertThat(rules(0.1, 1, Duration.ZERO).leastTime(1_000)).isEqualTo(Duration.ofSeconds(90));
        assertThat(rules(0.1, 1, Duration.ZERO).leastTime(1_000, 6))
                .as("up to 15 requests, if five of the six last ones hold a single id")
                .isEqualTo(Duration.ofSeconds(140));
        assertThat(rules(0.1, 1, Duration.ZERO).leastTime(3, 6)).as("one each").isEqualTo(Duration.ofSeconds(20));
        assertThat(rules(0.1, 1, Duration.ZERO).leastTime(0, 6)).isEqualTo(Duration.ZERO);

        long start = System.nanoTime();
        try (LookupClient client = client(all.part(1, 2))) {
            client.lookup(users(900));
        }
        assertThat(Duration.ofNanos(System.nanoTime() - start))
                .as("25 ms, and eight times 50 ms")
                .isBetween(Duration.ofMillis(400), Duration.ofSeconds(3));
        assertThat(server.received).hasSize(9);
    }

    @Test
    void idsAreTakenAsTheyAreNeeded() {
        AtomicInteger taken = new AtomicInteger();
        Iterator<String> endless = IntStream.generate(taken::incrementAndGet)
                .mapToObj(i -> "user-" + i)
                .iterator();

        try (LookupClient client = client(LookupEncoding.FORM, Duration.ofSeconds(20))) {
            assertThat(client.lookup(endless).next().userId()).isEqualTo("user-1");
        }
        assertThat(taken.get()).as("three requests at a time").isLessThanOrEqualTo(300);
    }

    @Test
    void whoeverIsInterruptedWhileTheRateIsWaitedForAsksNoMore() throws Exception {
        try (LookupClient client = client(rules(0.01, 1, Duration.ofMillis(5)))) {
            client.lookup(List.of("ada-1"));
            CompletableFuture<Throwable> ended = new CompletableFuture<>();
            Thread waiting = new Thread(() -> {
                try {
                    client.lookup(users(300));
                } catch (RuntimeException e) {
                    ended.complete(e);
                }
            });
            waiting.start();
            waitUntil(() -> threadsThatAsk(Thread.State.TIMED_WAITING) > 0);
            waiting.interrupt();

            assertThat(ended.get(5, TimeUnit.SECONDS))
                    .isInstanceOf(ServiceException.class)
                    .hasMessage("The look-up was interrupted. Run it again.");
        }
        // The rate would let the next request go in 100 s.
        waitUntil(() -> threadsThatAsk(Thread.State.values()) == 0);
        assertThat(threadsThatAsk(Thread.State.values()))
                .as("threads that wait for the rate")
                .isZero();
        assertThat(server.received).hasSize(1);
    }

    private static void waitUntil(BooleanSupplier condition) {
        long until = System.nanoTime() + TimeUnit.SECONDS.toNanos(5);
        while (!condition.getAsBoolean() && System.nanoTime() < until) {
            LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(20));
        }
    }

    private static long threadsThatAsk(Thread.State... states) {
        return Thread.getAllStackTraces().keySet().stream()
                .filter(thread -> thread.getName().equals("usermap-lookup"))
                .filter(thread -> List.of(states).contains(thread.getState()))
                .count();
    }

    @Test
    void whoeverWaitsMayEndTheWait() {
        server.otherwise(server.silence());
        AtomicInteger checks = new AtomicInteger();
        LookupRules rules = rules(10_000, 3, Duration.ofMillis(5));
        try (LookupClient client =
                LookupClient.of(server.endpoints(), Secret.of("key"), Secret.of("s3cret"), rules, () -> {
                    if (checks.incrementAndGet() > 2) {
                        throw new CancellationException("enough");
                    }
                })) {
            assertThatThrownBy(() -> client.lookup(users(10)))
                    .isInstanceOf(CancellationException.class)
                    .hasMessage("enough");
        }
    }

    @Test
    void silenceEndsWithTheTimeOut() {
        server.otherwise(server.silence());

        try (LookupClient client = client(LookupEncoding.FORM, Duration.ofMillis(100))) {
            assertThatThrownBy(() -> client.lookup(List.of("ada-1")))
                    .isInstanceOf(ServiceException.class)
                    .hasMessage("Cannot look mappings up after 3 attempts: no answer within requestTimeout."
                            + " Check the look-up endpoint, or try later.");
        }
    }

    @Test
    void aLinkToNobodyIsNoLink() {
        server.then(ScriptedServer.text(
                200,
                "{\"ada-1\":{\"mapped_to\":[{\"amplitude_id\":1,\"user_id\":null},{\"amplitude_id\":2},"
                        + "{\"amplitude_id\":3,\"user_id\":\"p-1\"}]}}"));

        assertThat(lookup("ada-1").get(0).mappedTo()).containsExactly(new LinkedUser(3, "p-1"));
    }

    @Test
    void whoeverWaitsIsToldThatTheClientWasClosed() throws Exception {
        CountDownLatch busy = new CountDownLatch(3);
        server.otherwise((exchange, body) -> {
            busy.countDown();
            server.silence().to(exchange, body);
        });
        LookupClient client = client(LookupEncoding.FORM, Duration.ofSeconds(20));
        List<String> ids = IntStream.range(0, 1_000).mapToObj(i -> "user-" + i).toList();
        CompletableFuture<List<UserLinks>> waiting = CompletableFuture.supplyAsync(() -> client.lookup(ids));
        assertThat(busy.await(10, TimeUnit.SECONDS)).isTrue();
        client.close();

        assertThatThrownBy(() -> waiting.get(10, TimeUnit.SECONDS))
                .hasRootCauseInstanceOf(ServiceException.class)
                .hasRootCauseMessage("Cannot look mappings up: the client was closed. Open another.");
        assertThatThrownBy(() -> client.lookup(ids))
                .isInstanceOf(ServiceException.class)
                .hasMessage("Cannot look mappings up: the client was closed. Open another.");
    }
}
