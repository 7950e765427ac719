package io.usermap.sandbox;

import static io.usermap.sandbox.SandboxRequest.Mapping.map;
import static io.usermap.sandbox.SandboxRequest.Mapping.unmap;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Over real HTTP, with a clock that stands still until a test moves it. */
class SandboxTest {
    private static final String ANN = "{\"user_id\":\"ann+one@example.com\",\"global_user_id\":\"ann@example.com\"}";

    private final AtomicLong clock = new AtomicLong();

    private Sandbox sandbox;
    private Caller caller;

    @BeforeEach
    void start() throws IOException {
        start(SandboxOptions.builder());
    }

    @AfterEach
    void stop() {
        sandbox.close();
    }

    @Test
    void mapsOneIdByForm() {
        assertSuccess(caller.post(ANN));

        assertThat(sandbox.mappings()).isEqualTo(Map.of("ann+one@example.com", "ann@example.com"));
    }

    @Test
    void mapsOneIdByRawJsonInAFormBody() {
        assertSuccess(caller.postForm(
                "api_key=1&mapping=[{\"user_id\":\"63629@hmail.com\", \"global_user_id\": \"mike@hooli.com\"}]"));

        assertThat(sandbox.mappings()).isEqualTo(Map.of("63629@hmail.com", "mike@hooli.com"));
    }

    @Test
    void mapsTwoIdsByQueryString() {
        String query = Caller.form("mapping", Caller.maps(2, "ann"), "api_key", "123456789");

        assertSuccess(caller.send("/usermap?" + query, request -> request.POST(BodyPublishers.noBody())));

        assertThat(sandbox.mappings()).isEqualTo(Map.of("ann-0", "everybody", "ann-1", "everybody"));
    }

    @Test
    void takesAGetToo() {
        String query = Caller.form("mapping", ANN, "api_key", "123456789");

        assertSuccess(caller.send("/usermap?" + query, request -> request.GET()));

        assertThat(sandbox.mappings()).hasSize(1);
    }

    @Test
    void unmapsTwoIds() {
        assertSuccess(caller.post(Caller.maps(3, "ann")));
        assertSuccess(caller.post("[{\"user_id\":\"ann-0\",\"unmap\":true},{\"user_id\":\"ann-2\",\"unmap\":true}]"));

        assertThat(sandbox.mappings()).isEqualTo(Map.of("ann-1", "everybody"));
        assertThat(sandbox.counts()).isEqualTo(new Sandbox.Counts(2, 5, 3, 2, 0, 0, 0, 0));
        assertThat(sandbox.counts().accepted()).isEqualTo(5);
    }

    @Test
    void unmapsAnIdThatIsNotMapped() {
        assertSuccess(caller.post("{\"user_id\":\"nobody@here\",\"unmap\":true}"));
    }

    @Test
    void storesNothingOfABatchWithABrokenMapping() {
        HttpResponse<String> response = caller.post("[" + ANN + ",{\"user_id\":null,\"unmap\":true}]");

        assertRefused(response, 400, "mapping[1].user_id is null");
        assertThat(sandbox.mappings()).isEmpty();
        assertThat(sandbox.counts()).isEqualTo(new Sandbox.Counts(1, 0, 0, 0, 0, 1, 0, 0));
    }

    @Test
    void refusesWhenTheWindowIsFull() {
        assertSuccess(caller.post(Caller.maps(1000, "ann")));
        assertSuccess(caller.post(Caller.maps(500, "bob")));

        HttpResponse<String> response = caller.post(ANN);

        assertRefused(response, 429, "throttled");
        assertThat(response.headers().firstValue("Retry-After")).isEmpty();
        assertThat(sandbox.mappings()).hasSize(1500);
        assertThat(sandbox.counts().throttled()).isOne();
        assertThat(sandbox.mostInWindow()).isEqualTo(1500);
    }

    @Test
    void servesAgainExactlyOneWindowLater() {
        assertSuccess(caller.post(Caller.maps(1500, "ann")));
        clock.set(Duration.ofSeconds(30).toNanos() - 1);
        assertRefused(caller.post(ANN), 429, "throttled");
        clock.incrementAndGet();

        assertSuccess(caller.post(Caller.maps(1500, "bob")));
        assertThat(sandbox.mostInWindow()).isEqualTo(1500);
    }

    @Test
    void neverServesABatchLargerThanTheWindow() {
        assertRefused(caller.post(Caller.maps(1501, "ann")), 429, "throttled");
    }

    @Test
    void countsThrottledCallsWhenToldTo() throws IOException {
        start(SandboxOptions.builder().faults("{\"switches\": {\"throttled_calls\": \"counted\"}}"));
        assertSuccess(caller.post(Caller.maps(1500, "ann")));
        clock.set(Duration.ofSeconds(10).toNanos());
        assertRefused(caller.post(Caller.maps(1500, "bob")), 429, "throttled");
        clock.set(Duration.ofSeconds(30).toNanos());
        assertRefused(caller.post(Caller.maps(1, "cem")), 429, "throttled");
        clock.set(Duration.ofSeconds(60).toNanos());

        assertSuccess(caller.post(Caller.maps(1500, "ann")));
        assertThat(sandbox.mostInWindow()).isEqualTo(1500);
    }

    @Test
    void brokenCallsDoNotCount() {
        assertRefused(caller.post("[]"), 400, "mapping is an empty array");
        assertRefused(caller.post(Caller.maps(1499, "ann").replace("]", ",7]")), 400, "mapping[1499] is not an object");

        assertSuccess(caller.post(Caller.maps(1500, "ann")));
    }

    @Test
    void refusesARemapWhenToldTo() throws IOException {
        start(SandboxOptions.builder().faults("{\"switches\": {\"remaps\": \"refuse\"}}"));
        assertSuccess(caller.post(ANN));

        HttpResponse<String> response = caller.post(ANN.replace("\"ann@example.com", "\"ann@elsewhere"));

        assertRefused(response, 400, "mapping[0] maps an id that is mapped to another one");
        assertThat(sandbox.mappings()).containsEntry("ann+one@example.com", "ann@example.com");
        assertThat(sandbox.mostInWindow()).isOne();
    }

    @Test
    void refusesABodyOfMoreThanAMillionBytes() {
        String form = Caller.form("api_key", "1", "mapping", ANN) + "&padding=";

        assertSuccess(caller.postForm(form + "x".repeat(Received.MAX_BODY_BYTES - form.length())));
        assertRefused(
                caller.postForm(form + "x".repeat(Received.MAX_BODY_BYTES - form.length() + 1)),
                413,
                "the body is larger than 1000000 bytes");
    }

    @Test
    void refusesAKeyThatItWasNotGiven() throws IOException {
        start(SandboxOptions.builder().keys(Set.of("right")));

        assertRefused(caller.post(ANN), 401, "api_key is not accepted");
        assertSuccess(caller.postForm(Caller.form("api_key", "right", "mapping", ANN)));
    }

    @Test
    void refusesABodyThatIsNoForm() {
        HttpResponse<String> response = caller.send(
                "/usermap",
                request -> request.header("Content-Type", "application/json")
                        .POST(BodyPublishers.ofString("{\"api_key\":\"1\"}")));

        assertRefused(response, 400, "the body is not application/x-www-form-urlencoded");
    }

    @Test
    void namesItsPathsAndMethods() {
        HttpResponse<String> put =
                caller.send("/usermap", request -> request.PUT(BodyPublishers.ofString("mapping=" + ANN)));

        assertRefused(put, 405, "Method not allowed. Use GET, POST.");
        assertThat(put.headers().firstValue("Allow")).hasValue("GET, POST");
        assertRefused(
                caller.send("/api/2/userunmap", request -> request.GET()),
                404,
                "Nothing here. Use /usermap or /api/2/usermap.");
    }

    @Test
    void logsWhatItReceived() {
        clock.set(7);
        caller.post("[" + ANN + ",{\"user_id\":\" ann-2\",\"unmap\":true}]");
        clock.set(9);
        caller.lookUp("ann-2", "ann-3");
        caller.post("[]");

        List<SandboxRequest> requests = sandbox.requests();

        assertThat(requests).hasSize(3);
        assertThat(requests.get(0).mappings())
                .containsExactly(map("ann+one@example.com", "ann@example.com"), unmap("ann-2"));
        assertThat(requests.get(0).maps()).isOne();
        assertThat(requests.get(0).unmaps()).isOne();
        assertThat(requests.get(0).method()).isEqualTo("POST");
        assertThat(requests.get(0).path()).isEqualTo("/usermap");
        assertThat(requests.get(1).lookedUp()).containsExactly("ann-2", "ann-3");
        assertThat(requests).extracting(SandboxRequest::status).containsExactly(200, 200, 400);
        assertThat(requests).extracting(SandboxRequest::arrivedNanos).containsExactly(7L, 9L, 9L);
        sandbox.clearRequests();
        assertThat(sandbox.requests()).isEmpty();
        assertThat(sandbox.counts()).isEqualTo(new Sandbox.Counts(3, 2, 1, 1, 0, 1, 0, 1));
    }

    @Test
    void logsTheBeginningOfALongPath() {
        caller.send("/" + "y".repeat(5000), request -> request.GET());

        assertThat(sandbox.requests()).extracting(SandboxRequest::path).containsExactly("/" + "y".repeat(199));
    }

    @Test
    void ordersArrivalsAsItStampsThem() throws IOException {
        sandbox.close();
        sandbox = Sandbox.start(SandboxOptions.builder().build());
        caller = new Caller(sandbox.endpoint());

        Set<Integer> statuses = IntStream.range(0, 200)
                .parallel()
                .mapToObj(i -> caller.post(Caller.maps(10, "ann-" + i)).statusCode())
                .collect(Collectors.toSet());

        assertThat(statuses).containsExactlyInAnyOrder(200, 429);
        assertThat(sandbox.requests()).extracting(SandboxRequest::arrivedNanos).isSorted();
        assertThat(sandbox.requests()).extracting(SandboxRequest::status).isSorted();
        assertThat(sandbox.counts()).isEqualTo(new Sandbox.Counts(200, 2000, 1500, 0, 50, 0, 0, 0));
        assertThat(sandbox.mostInWindow()).isEqualTo(1500);
    }

    private void start(SandboxOptions.Builder options) throws IOException {
        if (sandbox != null) {
            sandbox.close();
        }
        sandbox = Sandbox.start(options.build(), clock::get);
        caller = new Caller(sandbox.endpoint());
    }

    private static void assertSuccess(HttpResponse<String> response) {
        assertThat(response.body()).isEqualTo("success");
        assertThat(response.statusCode()).isEqualTo(200);
        assertThat(response.headers().firstValue("Content-Type")).hasValue("text/html;charset=utf-8");
    }

    private static void assertRefused(HttpResponse<String> response, int status, String reason) {
        assertThat(response.body()).isEqualTo(reason);
        assertThat(response.statusCode()).isEqualTo(status);
    }
}
