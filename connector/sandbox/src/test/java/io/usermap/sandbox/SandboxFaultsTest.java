package io.usermap.sandbox;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.Socket;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What faults do, over real HTTP; the window's clock stands still until a test moves it. */
@Timeout(20)
class SandboxFaultsTest {
    private static final String ANN = "{\"user_id\":\"ann@one\",\"global_user_id\":\"ann@all\"}";
    private static final Executor NEW_THREAD = task -> new Thread(task).start();

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
    void answersAStatusInsteadOfStoring() {
        add("{'requests': 2, 'status': 503, 'body': 'back soon', 'retry_after': 7}");

        assertThat(caller.post(Caller.maps(1, "ann")).statusCode()).isEqualTo(200);
        HttpResponse<String> response = caller.post(Caller.maps(1, "bob"));

        assertThat(response.statusCode()).isEqualTo(503);
        assertThat(response.body()).isEqualTo("back soon");
        assertThat(response.headers().firstValue("Retry-After")).hasValue("7");
        assertThat(sandbox.mappings()).containsOnlyKeys("ann-0");
        assertThat(sandbox.mostInWindow()).isOne();
        assertThat(sandbox.counts()).isEqualTo(new Sandbox.Counts(2, 2, 1, 0, 0, 1, 0, 0));
    }

    @Test
    void storesBehindAnErrorWhenToldTo() {
        add("{'status': 500, 'stored': true}");

        assertThat(caller.post(ANN).statusCode()).isEqualTo(500);

        assertThat(sandbox.mappings()).containsKey("ann@one");
        assertThat(sandbox.mostInWindow()).isOne();
        assertThat(sandbox.requests()).extracting(SandboxRequest::stored).containsExactly(true);
    }

    @Test
    void aStoringFaultDoesNotHideThatTheWindowIsFull() {
        add("{'status': 500, 'stored': true, 'requests': '2-'}");
        caller.post(Caller.maps(1500, "ann"));

        assertThat(caller.post(ANN).statusCode()).isEqualTo(429);
    }

    @Test
    void liesAboutSuccess() {
        add("{'status': 200, 'body': '<html>fine</html>'}");

        HttpResponse<String> response = caller.post(ANN);

        assertThat(response.statusCode()).isEqualTo(200);
        assertThat(response.body()).isEqualTo("<html>fine</html>");
        assertThat(sandbox.mappings()).isEmpty();
    }

    @Test
    void dropsAConnectionBeforeItStores() {
        add("{'drop': 'request', 'times': 1}");

        assertThatThrownBy(() -> caller.post(ANN)).isInstanceOf(UncheckedIOException.class);

        assertThat(sandbox.mappings()).isEmpty();
        assertThat(sandbox.requests()).extracting(SandboxRequest::status).containsExactly(0);
        assertThat(sandbox.counts()).isEqualTo(new Sandbox.Counts(1, 0, 0, 0, 0, 0, 1, 0));
        assertThat(caller.post(ANN).statusCode()).isEqualTo(200);
    }

    @Test
    void losesAConnectionAfterItHasStored() {
        add("{'drop': 'answer'}");

        assertThatThrownBy(() -> caller.post(ANN)).isInstanceOf(UncheckedIOException.class);

        assertThat(sandbox.mappings()).containsKey("ann@one");
        assertThat(sandbox.counts()).isEqualTo(new Sandbox.Counts(1, 1, 1, 0, 0, 0, 1, 0));
        assertThat(sandbox.requests().get(0).faults()).containsExactly("fault-1");
    }

    @Test
    void breaksOffInTheMiddleOfABody() throws IOException {
        add("{'drop': 'body'}");

        assertThat(rawAnswer(caller.rawPost(ANN), Integer.MAX_VALUE)).endsWith("\r\n\r\nsuc");
        assertThatThrownBy(() -> caller.post(ANN)).isInstanceOf(UncheckedIOException.class);
    }

    @Test
    void holdsARequestBeforeItArrivesUntilTheFaultIsRemoved() throws Exception {
        add("{'delay_request': '60m', 'times': 1}");
        CompletableFuture<HttpResponse<String>> held =
                CompletableFuture.supplyAsync(() -> caller.post(Caller.maps(1, "late")), NEW_THREAD);
        awaitBefallen();

        assertThat(caller.post(Caller.maps(1, "ann")).statusCode()).isEqualTo(200);
        assertThat(sandbox.mappings()).containsOnlyKeys("ann-0");
        sandbox.clearFaults();

        assertThat(held.get(10, TimeUnit.SECONDS).statusCode()).isEqualTo(200);
        assertThat(sandbox.mappings().keySet()).containsExactly("ann-0", "late-0");
    }

    @Test
    void holdsAnAnswerAfterItHasStored() throws Exception {
        add("{'delay_answer': '60m'}");
        CompletableFuture<HttpResponse<String>> held =
                CompletableFuture.supplyAsync(() -> caller.post(ANN), NEW_THREAD);
        while (sandbox.requests().isEmpty()) {
            Thread.onSpinWait();
        }

        assertThat(sandbox.mappings()).containsKey("ann@one");
        assertThat(sandbox.requests().get(0).took()).isEmpty();
        assertThat(held).isNotDone();
        sandbox.clearFaults();

        assertThat(held.get(10, TimeUnit.SECONDS).body()).isEqualTo("success");
    }

    @Test
    void holdsForAsLongAsItSays() {
        add("{'delay_request': '30ms', 'delay_answer': '20ms-40ms'}");
        long start = System.nanoTime();

        caller.post(ANN);

        assertThat(System.nanoTime() - start)
                .isGreaterThan(Duration.ofMillis(50).toNanos());
        while (sandbox.requests().get(0).took().isEmpty()) {
            Thread.onSpinWait();
        }
        assertThat(sandbox.requests().get(0).took().orElseThrow()).isGreaterThan(Duration.ofMillis(50));
    }

    @Test
    void sendsABodyByteByByte() {
        add("{'byte_delay': '5ms'}");
        long start = System.nanoTime();

        assertThat(caller.post(ANN).body()).isEqualTo("success");
        assertThat(System.nanoTime() - start)
                .isGreaterThan(Duration.ofMillis(35).toNanos());
    }

    @Test
    void sendsABodyThatNeverEnds() throws IOException {
        add("{'endless_body': true}");

        assertThat(rawAnswer(caller.rawPost(ANN), 3_000_000))
                .hasSize(3_000_000)
                .contains("Transfer-encoding: chunked", "success")
                .doesNotContain("\r\n0\r\n");
        assertThat(sandbox.mappings()).hasSize(1);
    }

    @Test
    void anEndlessBodyEndsWithItsFault() throws Exception {
        add("{'endless_body': true, 'byte_delay': '1ms'}");
        CompletableFuture<HttpResponse<String>> held =
                CompletableFuture.supplyAsync(() -> caller.post(ANN), NEW_THREAD);
        while (sandbox.requests().isEmpty()) {
            Thread.onSpinWait();
        }
        sandbox.clearFaults();

        assertThat(held.get(10, TimeUnit.SECONDS).body()).startsWith("success");
    }

    @Test
    void redirects() {
        add("{'redirect': 'https://elsewhere.example/usermap', 'status': 302}");

        HttpResponse<String> response = caller.post(ANN);

        assertThat(response.statusCode()).isEqualTo(302);
        assertThat(response.headers().firstValue("Location")).hasValue("https://elsewhere.example/usermap");
        assertThat(sandbox.mappings()).isEmpty();
    }

    @Test
    void refusesAWholeBatchForOnePoisonId() {
        add("{'ids': ['ann-7'], 'status': 400, 'body': 'bad id'}", "{'id_pattern': '^bob-[0-3]$', 'status': 413}");

        assertThat(caller.post(Caller.maps(8, "ann")).statusCode()).isEqualTo(400);
        assertThat(caller.post(Caller.maps(7, "ann")).statusCode()).isEqualTo(200);
        assertThat(caller.post(Caller.maps(5, "bob")).statusCode()).isEqualTo(413);
        assertThat(sandbox.mappings()).hasSize(7);
    }

    @Test
    void refusesAKeyOnBothPaths() {
        add("{'key': 'key', 'status': 401}");

        assertThat(caller.lookUp("ann@one").statusCode()).isEqualTo(401);
        assertThat(caller.postForm(Caller.form("api_key", "key", "mapping", ANN))
                        .statusCode())
                .isEqualTo(401);
        assertThat(caller.post(ANN).statusCode()).isEqualTo(200);
        assertThat(sandbox.requests())
                .extracting(request -> request.keyFingerprint().orElseThrow())
                .containsExactly(
                        Received.fingerprint("key"), Received.fingerprint("key"), Received.fingerprint("123456789"));
    }

    @Test
    void befallsBrokenRequestsToo() {
        add("{'status': 502}");

        assertThat(caller.post("[]").statusCode()).isEqualTo(502);
    }

    @Test
    void answersABodylessStatusWithoutOne() {
        add("{'status': 204, 'body': 'not sent'}");

        HttpResponse<String> response = caller.post(ANN);

        assertThat(response.statusCode()).isEqualTo(204);
        assertThat(response.body()).isEmpty();
    }

    @Test
    void countsRefusalsWhenToldTo() {
        sandbox.addFaults("""
                {"switches": {"refused_calls": "counted", "retry_after": "11"},
                 "faults": [{"ids": ["ann-0"], "status": 400}]}""");
        caller.post(Caller.maps(1500, "ann"));

        HttpResponse<String> response = caller.post(Caller.maps(1, "bob"));

        assertThat(response.statusCode()).isEqualTo(429);
        assertThat(response.headers().firstValue("Retry-After")).hasValue("11");
        assertThat(sandbox.mostInWindow()).isZero();
    }

    @Test
    void keepsWhatIsInTheWindowWhenTheModelChanges() {
        caller.post(Caller.maps(1000, "ann"));
        sandbox.addFaults("{\"switches\": {\"window_model\": \"second_buckets\"}}");

        assertThat(caller.post(Caller.maps(501, "bob")).statusCode()).isEqualTo(429);
        assertThat(caller.post(Caller.maps(500, "bob")).statusCode()).isEqualTo(200);
        clock.set(Duration.ofSeconds(30).toNanos());
        assertThat(caller.post(ANN).statusCode()).isEqualTo(429);
        clock.set(Duration.ofSeconds(31).toNanos());
        assertThat(caller.post(ANN).statusCode()).isEqualTo(200);
    }

    @Test
    void doesNotCountWhatItOnlyPretendsToHaveServed() {
        sandbox.addFaults("""
                {"switches": {"refused_calls": "counted", "throttled_calls": "counted"},
                 "faults": [{"times": 1, "status": 200}, {"times": 1, "redirect": "/elsewhere"}]}""");
        assertThat(caller.post(Caller.maps(1500, "ann")).statusCode()).isEqualTo(200);
        assertThat(caller.post(Caller.maps(1500, "ann")).statusCode()).isEqualTo(307);

        assertThat(caller.post(Caller.maps(1500, "ann")).statusCode()).isEqualTo(200);
        assertThat(sandbox.mostInWindow()).isEqualTo(1500);
    }

    @Test
    void keepsCountedRefusalsWhenFaultsAreAdded() {
        sandbox.addFaults("""
                {"switches": {"refused_calls": "counted"}, "faults": [{"times": 1, "status": 400}]}""");
        caller.post(Caller.maps(1500, "ann"));
        add("{'name': 'never', 'requests': 99, 'status': 500}");

        assertThat(caller.post(ANN).statusCode()).isEqualTo(429);
    }

    @Test
    void keepsTheWindowAndTheFaultsExactWhenManyComeAtOnce() {
        add("{'requests': 'every 4', 'status': 503}", "{'delay_request': '0ms-3ms'}");

        List<Integer> statuses = IntStream.range(0, 200)
                .mapToObj(i -> CompletableFuture.supplyAsync(
                        () -> caller.post(Caller.maps(20, "ann-" + i)).statusCode(), NEW_THREAD))
                .toList()
                .stream()
                .map(CompletableFuture::join)
                .toList();

        assertThat(statuses.stream().collect(Collectors.groupingBy(status -> status, Collectors.counting())))
                .containsEntry(503, 50L)
                .containsEntry(200, 75L)
                .containsEntry(429, 75L);
        assertThat(sandbox.mostInWindow()).isEqualTo(1500);
        assertThat(sandbox.requests())
                .extracting(SandboxRequest::number)
                .isSorted()
                .doesNotHaveDuplicates();
    }

    @Test
    void isClosedWhileItHoldsARequest() {
        add("{'delay_request': '60m'}");
        CompletableFuture<HttpResponse<String>> held =
                CompletableFuture.supplyAsync(() -> caller.post(ANN), NEW_THREAD);
        awaitBefallen();

        sandbox.close();

        assertThatThrownBy(held::join).hasRootCauseInstanceOf(IOException.class);
        assertThat(sandbox.mappings()).isEmpty();
    }

    private void add(String... faults) {
        sandbox.addFaults(("{'faults': [" + String.join(",", faults) + "]}").replace('\'', '"'));
    }

    private void awaitBefallen() {
        HttpResponse<String> answer;
        do {
            answer = caller.send("/_sandbox/faults", request -> request.GET());
        } while (!answer.body().contains("\"befallen\":1"));
    }

    /** What comes over a plain connection, up to {@code most} bytes. */
    private String rawAnswer(String request, int most) throws IOException {
        try (Socket socket = new Socket(
                        InetAddress.getLoopbackAddress(), sandbox.endpoint().getPort());
                OutputStream out = socket.getOutputStream();
                InputStream in = socket.getInputStream()) {
            out.write(request.getBytes(StandardCharsets.UTF_8));
            out.flush();
            return new String(in.readNBytes(most), StandardCharsets.UTF_8);
        }
    }
}
