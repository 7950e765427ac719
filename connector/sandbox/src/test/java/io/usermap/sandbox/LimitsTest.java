package io.usermap.sandbox;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.concurrent.TimeUnit;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Requests that are too much: each is refused or cut off within bounds, and the next one is served. */
@Timeout(value = 30, unit = TimeUnit.SECONDS)
class LimitsTest {
    private static final int TOO_MUCH = 16_000_000;

    private final HttpClient http = HttpClient.newHttpClient();
    private Sandbox sandbox;

    @BeforeEach
    void start() throws IOException {
        sandbox = Sandbox.start(SandboxOptions.builder().build());
    }

    /** Whatever came before, an ordinary request is served. */
    @AfterEach
    void servesOn() throws IOException, InterruptedException {
        assertThat(post("api_key=k&mapping=" + encoded("{\"user_id\":\"ann@x\",\"global_user_id\":\"bob@x\"}"))
                        .statusCode())
                .isEqualTo(200);
        assertThat(sandbox.mappings()).hasSize(1);
        sandbox.close();
    }

    private static String encoded(String text) {
        return URLEncoder.encode(text, java.nio.charset.StandardCharsets.UTF_8);
    }

    private HttpResponse<String> post(String form) throws IOException, InterruptedException {
        return post(form.getBytes(US_ASCII), "Accept", "*/*");
    }

    private HttpResponse<String> post(byte[] body, String header, String value)
            throws IOException, InterruptedException {
        return http.send(
                HttpRequest.newBuilder(URI.create(sandbox.endpoint() + "/usermap"))
                        .header("Content-Type", "application/x-www-form-urlencoded")
                        .header(header, value)
                        .POST(BodyPublishers.ofByteArray(body))
                        .build(),
                BodyHandlers.ofString());
    }

    /** Sends {@code head} and then {@code filling} over and over; returns how much went out before the sandbox hung up. */
    private long poured(String head, String filling) throws IOException {
        byte[] bytes = filling.repeat(Math.max(1, 8_192 / filling.length())).getBytes(US_ASCII);
        long sent = 0;
        try (Socket socket =
                new Socket(InetAddress.getLoopbackAddress(), sandbox.endpoint().getPort())) {
            OutputStream out = socket.getOutputStream();
            out.write(head.getBytes(US_ASCII));
            while (sent < TOO_MUCH) {
                out.write(bytes);
                sent += bytes.length;
            }
            // What was written may still be on its way to a connection that is closed.
            socket.setSoTimeout(2_000);
            return socket.getInputStream().read() < 0 ? sent : -sent;
        } catch (SocketTimeoutException e) {
            return Long.MAX_VALUE;
        } catch (IOException e) {
            return sent;
        }
    }

    @Test
    void headersThatNeverEndAreCutOff() throws IOException {
        assertThat(poured("POST /usermap HTTP/1.1\r\nHost: x\r\n", "X-Filling: " + "x".repeat(80) + "\r\n"))
                .isLessThan(TOO_MUCH);
    }

    @Test
    void aRequestLineThatNeverEndsIsCutOff() throws IOException {
        assertThat(poured("GET /usermap?", "mapping=x&")).isLessThan(TOO_MUCH);
    }

    @Test
    void aBodyThatNeverEndsIsCutOff() throws IOException {
        String chunk = "1000\r\n" + "x".repeat(0x1000) + "\r\n";
        String head = String.join(
                "\r\n",
                "POST /usermap HTTP/1.1",
                "Host: x",
                "Transfer-Encoding: chunked",
                "Content-Type: application/x-www-form-urlencoded",
                "",
                "");
        assertThat(poured(head, chunk)).isLessThan(TOO_MUCH);
    }

    @Test
    void jsonThatIsDeepIsRefused() throws IOException, InterruptedException {
        HttpResponse<String> refused = post("api_key=k&mapping=" + "[".repeat(900_000));

        assertThat(refused.statusCode()).isEqualTo(400);
        assertThat(refused.body()).contains("mapping is not valid JSON");
        assertThat(post("api_key=k&mapping=" + encoded("{\"a\":".repeat(70_000)))
                        .statusCode())
                .isEqualTo(400);
    }

    @Test
    void fieldsBeyondNumberAreRefused() throws IOException, InterruptedException {
        assertThat(post("a=&".repeat(330_000)).statusCode()).isEqualTo(400);
    }

    @Test
    void nothingIsDecompressed() throws IOException, InterruptedException {
        ByteArrayOutputStream bomb = new ByteArrayOutputStream();
        try (GZIPOutputStream gzip = new GZIPOutputStream(bomb)) {
            gzip.write(new byte[100_000_000]);
        }
        assertThat(bomb.size()).isLessThan(1_000_000);
        assertThat(post(bomb.toByteArray(), "Content-Encoding", "gzip").statusCode())
                .isEqualTo(400);
    }
}
