package io.usermap.client;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import com.sun.net.httpserver.HttpsConfigurator;
import com.sun.net.httpserver.HttpsServer;
import io.usermap.client.Reply.Effect;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Path;
import java.security.KeyStore;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.zip.GZIPOutputStream;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

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
        Reply broken = new Reply.Unavailable(0, Effect.UNKNOWN, "the connection broke");
        Reply reply = sendTo(UserMapClientTest::answerPlainly);
        // The JDK's client now and then tells of the end of such a connection only, and then the request is sent again.
        for (int more = 0; more < 3 && reply.equals(broken); more++) {
            reply = sendTo(UserMapClientTest::answerPlainly);
        }

        assertThat(reply)
                .isEqualTo(new Reply.Fatal(
                        0,
                        "no trusted TLS connection can be made. Check the endpoint and the JVM's trust store"
                                + " (javax.net.ssl.trustStore)."));
    }

    @Test
    void aCertificateThatNobodyTrustsEndsTheRunBeforeAnythingIsSent(@TempDir Path folder) throws Exception {
        SSLContext own = selfSigned(folder.resolve("keys.p12"));
        HttpsServer https = HttpsServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        AtomicInteger received = new AtomicInteger();
        https.setHttpsConfigurator(new HttpsConfigurator(own));
        https.createContext("/", exchange -> {
            received.incrementAndGet();
            ScriptedServer.status(200).to(exchange, new byte[0]);
        });
        https.start();
        String base = "https://127.0.0.1:" + https.getAddress().getPort();
        try {
            HttpClient trusting = HttpClient.newBuilder().sslContext(own).build();
            HttpRequest request = HttpRequest.newBuilder(URI.create(base)).build();
            assertThat(trusting.send(request, BodyHandlers.ofString()).statusCode())
                    .as("whoever trusts it is served")
                    .isEqualTo(200);

            assertThat(send(base, ENOUGH))
                    .isEqualTo(new Reply.Fatal(
                            0,
                            "no trusted TLS connection can be made. Check the endpoint and the JVM's trust store"
                                    + " (javax.net.ssl.trustStore)."));
            assertThat(received).hasValue(1);
        } finally {
            https.stop(0);
        }
    }

    /** A key for 127.0.0.1 whose certificate is signed by itself, made by the JDK's own tool. */
    private static SSLContext selfSigned(Path file) throws Exception {
        Process tool = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "keytool")
                                .toString(),
                        "-genkeypair",
                        "-alias",
                        "service",
                        "-keyalg",
                        "EC",
                        "-dname",
                        "CN=127.0.0.1",
                        "-ext",
                        "san=ip:127.0.0.1",
                        "-storetype",
                        "PKCS12",
                        "-storepass",
                        "changeit",
                        "-keystore",
                        file.toString())
                .redirectErrorStream(true)
                .start();
        String told = new String(tool.getInputStream().readAllBytes(), UTF_8);
        assertThat(tool.waitFor()).as(told).isZero();
        KeyStore keys = KeyStore.getInstance(file.toFile(), "changeit".toCharArray());
        KeyManagerFactory owner = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
        owner.init(keys, "changeit".toCharArray());
        KeyStore trusted = KeyStore.getInstance("PKCS12");
        trusted.load(null, null);
        trusted.setCertificateEntry("service", keys.getCertificate("service"));
        TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        trust.init(trusted);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(owner.getKeyManagers(), trust.getTrustManagers(), null);
        return context;
    }

    @Test
    void aCompressedBombIsNotDecompressed() throws IOException {
        ByteArrayOutputStream zeros = new ByteArrayOutputStream();
        try (GZIPOutputStream gzip = new GZIPOutputStream(zeros)) {
            gzip.write(new byte[50_000_000]);
        }
        server.then((exchange, body) -> {
            exchange.getResponseHeaders().set("Content-Encoding", "gzip");
            exchange.sendResponseHeaders(200, zeros.size());
            exchange.getResponseBody().write(zeros.toByteArray());
            exchange.close();
        });

        assertThat(send(ENOUGH)).isEqualTo(new Reply.Accepted(200));
    }

    @Test
    void headersThatNeverEndHoldNobodyUpForLongerThanTheTimeOut() throws Exception {
        try (ServerSocket listener = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            CompletableFuture<Socket> connection = new CompletableFuture<>();
            CompletableFuture<Void> other = CompletableFuture.runAsync(
                    () -> writeHeadersTo(listener, connection),
                    work -> new Thread(work, "headers-that-never-end").start());

            assertThat(send("http://127.0.0.1:" + listener.getLocalPort(), Duration.ofSeconds(1)))
                    .isInstanceOfSatisfying(
                            Reply.Unavailable.class,
                            reply -> assertThat(reply.effect()).isEqualTo(Effect.UNKNOWN));

            // Beyond its own limit of headers the JDK gives up reading, and may leave the connection open.
            connection.get(10, TimeUnit.SECONDS).close();
            other.get(10, TimeUnit.SECONDS);
        }
    }

    private static void writeHeadersTo(ServerSocket listener, CompletableFuture<Socket> connection) {
        byte[] line = ("X-Filling: " + "x".repeat(1_000) + "\r\n").getBytes(UTF_8);
        try (Socket socket = listener.accept()) {
            connection.complete(socket);
            socket.getOutputStream().write("HTTP/1.1 200 OK\r\n".getBytes(UTF_8));
            while (!socket.isClosed()) {
                socket.getOutputStream().write(line);
            }
        } catch (IOException e) {
            // One of both has hung up, which ends this.
            connection.completeExceptionally(e);
        }
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
