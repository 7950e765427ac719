package io.usermap.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.usermap.client.UserLinks.LinkedUser;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
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
        return LookupClient.of(
                server.endpoints(),
                Secret.of("key"),
                Secret.of("s3cret"),
                encoding,
                10_000,
                3,
                Duration.ofSeconds(5),
                requestTimeout,
                new RetrySchedule(Duration.ofMillis(1), Duration.ofMillis(5), 3));
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
                .hasMessageStartingWith("Cannot look mappings up: the service does not know the API key (401).");
        assertThat(server.received).hasSize(1);
    }

    @Test
    void aRefusalIsNotTriedAgain() {
        server.otherwise(ScriptedServer.status(403));

        assertThatThrownBy(() -> lookup("ada-1"))
                .isInstanceOf(ServiceException.class)
                .hasMessage("Cannot look mappings up: the service refused the request (403)."
                        + " Check the secret key, and try another lookupEncoding.");
        assertThat(server.received).hasSize(1);
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
