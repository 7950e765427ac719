package io.usermap.client;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.usermap.client.Reply.Effect;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(value = 30, unit = TimeUnit.SECONDS)
class UserMapClientTest {
    private static final Duration ENOUGH = Duration.ofSeconds(20);
    private static final Duration BRIEF = Duration.ofMillis(300);

    private final ScriptedServer server = new ScriptedServer();

    @AfterEach
    void close() {
        server.close();
    }

    private static Reply send(String endpoint, Duration timeout) {
        Batch batch = new Batch(Secret.of("key"), new IdRules(5), 10, 1_000_000);
        batch.offer(Mapping.map("ada+1", "person-1"));
        batch.offer(Mapping.unmap("ada-2"));
        URI base = URI.create(endpoint);
        return UserMapClient.of(new Endpoints(base, base), ENOUGH, timeout)
                .send(batch, 0, 2)
                .join();
    }

    private Reply send(Duration timeout) {
        return send(server.base().toString(), timeout);
    }

    /** A port that nobody listens on. */
    private static int freePort() throws IOException {
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return socket.getLocalPort();
        }
    }

    @Test
    void postsAFormToThePathOfTheApi() {
        assertThat(send(ENOUGH)).isEqualTo(new Reply.Accepted(200));

        assertThat(server.received).singleElement().satisfies(request -> {
            assertThat(request.method()).isEqualTo("POST");
            assertThat(request.uri()).hasToString("/usermap");
            assertThat(request.contentType()).isEqualTo("application/x-www-form-urlencoded");
            assertThat(Bodies.form(request.body())).containsEntry("api_key", "key");
            assertThat(Bodies.mappings(request.body()))
                    .containsExactly(Mapping.map("ada+1", "person-1"), Mapping.unmap("ada-2"));
        });
    }

    @Test
    void readsHowLongToWaitFromA429() {
        server.then(ScriptedServer.throttled("12"));

        assertThat(send(ENOUGH)).isEqualTo(new Reply.Throttled(Duration.ofSeconds(12)));
    }

    @Test
    void anAnswerWithoutBodyIsAnAnswer() {
        server.then(ScriptedServer.text(204, ""));

        assertThat(send(ENOUGH)).isEqualTo(new Reply.Accepted(204));
    }

    @Test
    void moreBodyThanAnybodyNeedsIsNotReadAndIsNoFailure() {
        server.then(ScriptedServer.text(200, "x".repeat(3_000_000)));

        assertThat(send(ENOUGH)).isEqualTo(new Reply.Accepted(200));
    }

    @Test
    void followsNoRedirect() {
        server.then((exchange, body) -> {
            exchange.getResponseHeaders().set("Location", server.base() + "/elsewhere");
            ScriptedServer.status(307).to(exchange, body);
        });

        assertThat(send(ENOUGH))
                .isEqualTo(new Reply.Fatal(
                        307, "the endpoint redirects elsewhere (307). Set the endpoint to where it redirects."));
        assertThat(server.received).hasSize(1);
    }

    @Test
    void aRequestWithoutAnswerMayHaveTakenEffect() {
        server.then(server.silence());

        assertThat(send(BRIEF)).isEqualTo(new Reply.Unavailable(0, Effect.UNKNOWN, "no answer within requestTimeout"));
    }

    @Test
    void aStatusCountsEvenIfItsBodyNeverEnds() {
        server.then(server.endless(200));
        assertThat(send(BRIEF)).isEqualTo(new Reply.Accepted(200));

        server.then(server.endless(503));
        assertThat(send(BRIEF)).isEqualTo(new Reply.Unavailable(503, Effect.ANSWERED, "the service answered 503"));
    }

    @Test
    void aDroppedConnectionMayHaveTakenEffectAndIsNotTriedAgainHere() {
        server.then(ScriptedServer.dropped());

        assertThat(send(ENOUGH)).isEqualTo(new Reply.Unavailable(0, Effect.UNKNOWN, "the connection broke"));
        assertThat(server.received).hasSize(1);
    }

    @Test
    void aRefusedConnectionHadNoEffect() throws IOException {
        assertThat(send("http://127.0.0.1:" + freePort(), ENOUGH))
                .isEqualTo(new Reply.Unavailable(0, Effect.NOT_SENT, "the connection was refused"));
    }

    @Test
    void anUnknownHostHadNoEffect() {
        assertThat(send("http://nowhere.invalid", ENOUGH))
                .isEqualTo(new Reply.Unavailable(0, Effect.NOT_SENT, "the host name cannot be resolved"));
    }

    @Test
    void tlsToAPlainPortEndsTheRun() throws IOException {
        assertThat(sendTo(UserMapClientTest::answerPlainly))
                .isEqualTo(new Reply.Fatal(
                        0,
                        "no trusted TLS connection can be made. Check the endpoint and the JVM's trust store"
                                + " (javax.net.ssl.trustStore)."));
    }

    /** Closing with unread bytes would reset the connection, and the answer might be lost. */
    private static void answerPlainly(Socket socket) throws IOException {
        socket.setSoTimeout(5_000);
        InputStream in = socket.getInputStream();
        assertThat(in.read(new byte[16_384])).as("the client's hello").isPositive();
        socket.getOutputStream().write("HTTP/1.1 400 Bad\r\n\r\n".getBytes(UTF_8));
        in.transferTo(OutputStream.nullOutputStream());
    }

    @Test
    void aTlsConnectionThatIsCutDuringItsHandshakeIsTroubleOfTheNetwork() throws IOException {
        assertThat(sendTo(Socket::shutdownOutput))
                .isEqualTo(new Reply.Unavailable(0, Effect.UNKNOWN, "the connection broke"));
        assertThat(sendTo(socket -> socket.setSoLinger(true, 0)))
                .isEqualTo(new Reply.Unavailable(0, Effect.UNKNOWN, "the connection broke"));
    }

    private interface Handshake {
        void after(Socket hello) throws IOException;
    }

    /** Speaks TLS to a port that reads the first bytes, does what it is told, and hangs up. */
    private static Reply sendTo(Handshake handshake) throws IOException {
        try (ServerSocket listener = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            CompletableFuture<Void> other = CompletableFuture.runAsync(() -> {
                try (Socket socket = listener.accept()) {
                    assertThat(socket.getInputStream().read(new byte[16])).isPositive();
                    handshake.after(socket);
                } catch (IOException e) {
                    throw new UncheckedIOException(e);
                }
            });
            Reply reply = send("https://127.0.0.1:" + listener.getLocalPort(), ENOUGH);
            other.join();
            return reply;
        }
    }
}
