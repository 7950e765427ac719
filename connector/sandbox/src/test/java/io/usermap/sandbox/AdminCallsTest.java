package io.usermap.sandbox;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(20)
class AdminCallsTest {
    /** An id that colours a terminal, begins a line, closes a tag, and turns the direction of writing. */
    private static final String HOSTILE =
            "\u001b[31m\u009b2J\r\nGET /../<script>alert(1)</script>\"'&\u202e\ud83d\ude00";

    private final AtomicLong clock = new AtomicLong();

    private Sandbox sandbox;
    private Caller caller;

    @BeforeEach
    void start() throws IOException {
        sandbox = Sandbox.start(SandboxOptions.builder().build(), clock::get);
        caller = new Caller(sandbox.endpoint());
    }

    @AfterEach
    void stop() {
        sandbox.close();
    }

    @Test
    void tellsWhatArrivedWithoutKeysAndIds() throws IOException {
        clock.set(5);
        sandbox.addFaults("{\"faults\": [{\"name\": \"busy\", \"requests\": 2, \"status\": 503}]}");
        caller.post(
                "[{\"user_id\":\"ann@one\",\"global_user_id\":\"ann@all\"},{\"user_id\":\"ann@two\",\"unmap\":true}]");
        caller.post(Caller.maps(3, "bob"));
        caller.lookUp("ann@one");

        HttpResponse<String> answer = get("/_sandbox/requests");
        JsonNode requests = json(answer).path("requests");

        assertThat(requests).hasSize(3);
        assertThat(requests.get(0).path("number").longValue()).isOne();
        assertThat(requests.get(0).path("arrived_nanos").longValue()).isEqualTo(5);
        assertThat(requests.get(0).path("arrived_at").textValue())
                .startsWith("20")
                .endsWith("Z");
        assertThat(requests.get(0).path("status").intValue()).isEqualTo(200);
        assertThat(requests.get(0).path("stored").booleanValue()).isTrue();
        assertThat(requests.get(0).path("maps").intValue()).isOne();
        assertThat(requests.get(0).path("unmaps").intValue()).isOne();
        assertThat(requests.get(0).path("bytes").intValue()).isBetween(100, 250);
        assertThat(requests.get(0).path("key").textValue()).isEqualTo("15e2b0d3c33891eb");
        assertThat(requests.get(1).path("status").intValue()).isEqualTo(503);
        assertThat(requests.get(1).path("stored").booleanValue()).isFalse();
        assertThat(requests.get(1).path("rows").intValue()).isEqualTo(3);
        assertThat(requests.get(1).path("faults").get(0).textValue()).isEqualTo("busy");
        assertThat(requests.get(2).path("path").textValue()).isEqualTo("/api/2/usermap");
        assertThat(requests.get(2).path("method").textValue()).isEqualTo("GET");
        assertThat(answer.body()).doesNotContain("ann", "bob", "123456789", "secret");
    }

    @Test
    void tellsIdsWhenAsked() throws IOException {
        caller.post(
                "[{\"user_id\":\"ann@one\",\"global_user_id\":\"ann@all\"},{\"user_id\":\"ann@two\",\"unmap\":true}]");
        caller.lookUp("ann@one");

        JsonNode requests = json(get("/_sandbox/requests?ids=true")).path("requests");

        assertThat(requests.get(0).path("mappings"))
                .hasToString("[{\"user_id\":\"ann@one\",\"global_user_id\":\"ann@all\"},"
                        + "{\"user_id\":\"ann@two\",\"unmap\":true}]");
        assertThat(requests.get(1).path("user_ids")).hasToString("[\"ann@one\"]");
    }

    @Test
    void picksRequests() throws IOException {
        caller.post(Caller.maps(1500, "ann"));
        caller.post(Caller.maps(1, "bob"));
        caller.post(Caller.maps(1, "cem"));

        assertThat(numbers("?status=429")).isEqualTo("2 3");
        assertThat(numbers("?after=1&limit=1")).isEqualTo("2");
        assertThat(numbers("?after=3")).isEmpty();
        caller.send("/_sandbox/requests", request -> request.DELETE());
        assertThat(numbers("")).isEmpty();
        assertThat(sandbox.counts().requests()).isEqualTo(3);
    }

    @Test
    void tellsHowMuchItHasSeen() throws IOException {
        caller.post(Caller.maps(1000, "ann"));
        caller.post(Caller.maps(501, "bob"));
        clock.set(Duration.ofSeconds(30).toNanos());
        caller.post("{\"user_id\":\"ann-0\",\"unmap\":true}");
        caller.post("[]");
        caller.lookUp("ann-1");

        assertThat(json(get("/_sandbox/figures")))
                .isEqualTo(JsonMapper.builder().build().readTree("""
                        {"requests": 5, "events_received": 1502, "mapped": 1000, "unmapped": 1, "throttled": 1,
                         "refused": 1, "dropped": 0, "lookups": 1, "mappings": 999, "in_window": 1,
                         "most_in_window": 1000, "limit": 1500, "window_ms": 30000}"""));
    }

    @Test
    void tellsTheMappings() throws IOException {
        caller.post(Caller.maps(2, "ann+x"));

        assertThat(get("/_sandbox/mappings").body()).isEqualTo("{\"ann+x-0\":\"everybody\",\"ann+x-1\":\"everybody\"}");
        assertThat(get("/_sandbox/mappings?" + Caller.form("user_id", "ann+x-1"))
                        .body())
                .isEqualTo("{\"ann+x-1\":\"everybody\"}");
        assertThat(get("/_sandbox/mappings?user_id=nobody").body()).isEqualTo("{}");
    }

    @Test
    void answersInPrintableAscii() throws IOException {
        String mapping = JsonMapper.builder()
                .build()
                .createObjectNode()
                .put("user_id", HOSTILE)
                .put("global_user_id", "ann@all")
                .toString();
        caller.post(mapping);

        for (String path : new String[] {"/_sandbox/mappings", "/_sandbox/requests?ids=true"}) {
            assertThat(get(path).body()).matches("[\\x20-\\x7e]+").contains("\\u001B[31m\\u009B2J\\r\\nGET");
        }
        assertThat(json(get("/_sandbox/mappings")).fieldNames().next()).isEqualTo(HOSTILE);
    }

    @Test
    void putsFaultsInForceAndRemovesThem() throws IOException {
        HttpResponse<String> added = post("{\"switches\": {\"remaps\": \"refuse\", \"retry_after\": 3}, \"faults\": ["
                + "{\"name\": \"busy\", \"path\": \"map\", \"times\": 1, \"status\": 503},"
                + " {\"name\": \"hung\", \"key\": \"hush-key\", \"ids\": [\"hush-id\"], \"drop\": \"answer\"}]}");

        assertThat(added.statusCode()).isEqualTo(200);
        assertThat(caller.post(Caller.maps(1, "ann")).statusCode()).isEqualTo(503);
        assertThat(caller.post(Caller.maps(1, "ann")).statusCode()).isEqualTo(200);
        HttpResponse<String> told = get("/_sandbox/faults");
        assertThat(json(told)).isEqualTo(JsonMapper.builder().build().readTree("""
                        {"switches": {"window_model": "exact", "throttled_calls": "free", "refused_calls": "free",
                                      "retry_after": "3", "remaps": "refuse", "chains": "store", "self_maps": "store"},
                         "faults": [
                           {"name": "busy", "path": "map", "status": 503, "befallen": 1, "spent": true},
                           {"name": "hung", "drop": "answer", "befallen": 0, "spent": false}]}"""));
        assertThat(json(delete("/_sandbox/faults/busy")).path("faults")).hasSize(1);
        assertThat(delete("/_sandbox/faults/busy").statusCode()).isEqualTo(404);
        assertThat(json(delete("/_sandbox/faults")).path("faults")).isEmpty();
        assertThat(json(get("/_sandbox/faults")).path("switches").path("remaps").textValue())
                .isEqualTo("refuse");
    }

    @Test
    void refusesAScriptThatIsWrongAndKeepsWhatIsInForce() throws IOException {
        post("{\"faults\": [{\"name\": \"busy\", \"requests\": 9, \"status\": 503}]}");

        HttpResponse<String> wrong = post("{\"faults\": [{\"status\": 500},\n{\"staus\": 503}]}");
        HttpResponse<String> twice =
                post("{\"switches\": {\"remaps\": \"refuse\"}, \"faults\": [{\"name\": \"busy\", \"status\": 500}]}");

        assertThat(wrong.statusCode()).isEqualTo(400);
        assertThat(wrong.body())
                .isEqualTo("Cannot read the fault script: line 2, column 2: there is no key 'staus' in a fault."
                        + " Use 'status'.");
        assertThat(twice.statusCode()).isEqualTo(400);
        assertThat(twice.body()).startsWith("Cannot add fault 'busy': there is one in force of that name.");
        assertThat(post(" ".repeat(FaultScript.MAX_LENGTH + 1)).statusCode()).isEqualTo(413);
        JsonNode inForce = json(get("/_sandbox/faults"));
        assertThat(inForce.path("faults")).hasSize(1);
        assertThat(inForce.path("switches").path("remaps").textValue()).isEqualTo("store");
    }

    @Test
    void staysOutOfLogCountsAndFaults() throws IOException {
        post("{\"faults\": [{\"status\": 503}]}");
        get("/");
        get("/_sandbox/requests");

        assertThat(get("/_sandbox/figures").statusCode()).isEqualTo(200);
        assertThat(sandbox.requests()).isEmpty();
        assertThat(sandbox.counts().requests()).isZero();
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "GET | /_sandbox/nothing | 404 | Nothing here. Use /_sandbox/figures, /_sandbox/requests,"
                        + " /_sandbox/mappings or /_sandbox/faults.",
                "POST | /_sandbox/figures | 405 | Method not allowed. Use GET.",
                "PUT | /_sandbox/faults | 405 | Method not allowed. Use GET, POST, DELETE.",
                "GET | /_sandbox/faults/x | 405 | Method not allowed. Use DELETE.",
                "GET | /_sandbox/requests?since=3 | 400 | there is a parameter other than after, ids, limit, status",
                "GET | /_sandbox/requests?after=-1 | 400 | Parameter 'after' is no whole number.",
                "GET | /_sandbox/requests?after=1&after=2 | 400 | after is given 2 times",
                "POST | / | 405 | Method not allowed. Use GET, HEAD.",
            })
    void refusesOtherCalls(String method, String path, int status, String reason) {
        HttpResponse<String> answer = caller.send(path, request -> request.method(method, BodyPublishers.noBody()));

        assertThat(answer.body()).isEqualTo(reason);
        assertThat(answer.statusCode()).isEqualTo(status);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "Host: evil.example",
                "Host: 127.0.0.1.evil.example:80",
                "Host: localhost\r\nOrigin: https://evil.example",
                "Host: localhost\r\nOrigin: null",
            })
    void refusesPagesOfOtherSites(String headers) throws IOException {
        assertThat(raw("GET /_sandbox/mappings HTTP/1.1\r\n" + headers + "\r\nConnection: close\r\n\r\n"))
                .startsWith("HTTP/1.1 403 ");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "Host: localhost:8080",
                "Host: [::1]:8080\r\nOrigin: http://localhost:3000",
                "Host: 127.0.0.1",
            })
    void admitsPagesOfLoopback(String headers) throws IOException {
        assertThat(raw("GET /_sandbox/mappings HTTP/1.1\r\n" + headers + "\r\nConnection: close\r\n\r\n"))
                .startsWith("HTTP/1.1 200 ");
    }

    private String numbers(String query) throws IOException {
        StringBuilder numbers = new StringBuilder();
        for (JsonNode request : json(get("/_sandbox/requests" + query)).path("requests")) {
            numbers.append(' ').append(request.path("number"));
        }
        return numbers.toString().strip();
    }

    private HttpResponse<String> get(String path) {
        return caller.send(path, request -> request.GET());
    }

    private HttpResponse<String> delete(String path) {
        return caller.send(path, request -> request.DELETE());
    }

    private HttpResponse<String> post(String script) {
        return caller.send("/_sandbox/faults", request -> request.POST(BodyPublishers.ofString(script)));
    }

    private static JsonNode json(HttpResponse<String> answer) throws IOException {
        assertThat(answer.statusCode()).as(answer.body()).isEqualTo(200);
        assertThat(answer.headers().firstValue("Content-Type")).hasValue("application/json");
        // Read anew, so that numbers are of one kind.
        return JsonMapper.builder().build().readTree(answer.body());
    }

    private String raw(String request) throws IOException {
        try (Socket socket = new Socket(
                        InetAddress.getLoopbackAddress(), sandbox.endpoint().getPort());
                OutputStream out = socket.getOutputStream();
                InputStream in = socket.getInputStream()) {
            out.write(request.getBytes(StandardCharsets.US_ASCII));
            out.flush();
            return new String(in.readAllBytes(), StandardCharsets.US_ASCII);
        }
    }
}
