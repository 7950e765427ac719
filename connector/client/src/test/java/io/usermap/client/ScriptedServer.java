package io.usermap.client;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/** A server on loopback that answers as it is told, request by request, and keeps what it received. */
final class ScriptedServer implements AutoCloseable {

    /** How one request is answered. */
    interface Answer {
        void to(HttpExchange exchange, byte[] body) throws IOException;
    }

    /** What arrived. */
    record Received(String method, URI uri, String contentType, String authorization, String text) {
        byte[] body() {
            return text.getBytes(StandardCharsets.UTF_8);
        }
    }

    final List<Received> received = new CopyOnWriteArrayList<>();

    static {
        // Read once by the server's class: without it, small answers stall for 40 ms.
        System.setProperty("sun.net.httpserver.nodelay", "true");
    }

    private final Queue<Answer> script = new ConcurrentLinkedQueue<>();
    private final CountDownLatch closing = new CountDownLatch(1);
    private final HttpServer server;
    private final ExecutorService threads = Executors.newCachedThreadPool();
    private volatile Answer usual = status(200);

    ScriptedServer() {
        try {
            server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        server.setExecutor(threads);
        server.createContext("/", this::handle);
        server.start();
    }

    private void handle(HttpExchange exchange) throws IOException {
        byte[] body = exchange.getRequestBody().readAllBytes();
        received.add(new Received(
                exchange.getRequestMethod(),
                exchange.getRequestURI(),
                header(exchange, "Content-Type"),
                header(exchange, "Authorization"),
                new String(body, StandardCharsets.UTF_8)));
        Answer next = script.poll();
        (next == null ? usual : next).to(exchange, body);
    }

    private static String header(HttpExchange exchange, String name) {
        String value = exchange.getRequestHeaders().getFirst(name);
        return value == null ? "" : value;
    }

    /** The next request that no other answer is waiting for is answered so. */
    ScriptedServer then(Answer answer) {
        script.add(answer);
        return this;
    }

    /** Every request without an answer of its own is answered so; a plain 200 unless told. */
    ScriptedServer otherwise(Answer answer) {
        usual = answer;
        return this;
    }

    URI base() {
        return URI.create("http://127.0.0.1:" + server.getAddress().getPort());
    }

    Endpoints endpoints() {
        return new Endpoints(base(), base());
    }

    static Answer status(int status) {
        return text(status, "success");
    }

    static Answer text(int status, String text) {
        return (exchange, body) -> {
            byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
            exchange.sendResponseHeaders(status, bytes.length == 0 ? -1 : bytes.length);
            exchange.getResponseBody().write(bytes);
            exchange.close();
        };
    }

    static Answer throttled(String retryAfter) {
        return (exchange, body) -> {
            exchange.getResponseHeaders().set("Retry-After", retryAfter);
            status(429).to(exchange, body);
        };
    }

    /** The connection is cut without an answer. */
    static Answer dropped() {
        return (exchange, body) -> {
            // The server itself hangs up when a handler fails before it answered.
            throw new IOException("dropped as told");
        };
    }

    /** A status and a body that never ends, until the server closes. */
    Answer endless(int status) {
        return (exchange, body) -> {
            exchange.sendResponseHeaders(status, 1_000);
            exchange.getResponseBody().write('s');
            exchange.getResponseBody().flush();
            untilClosed();
        };
    }

    /** No answer at all, until the server closes. */
    Answer silence() {
        return (exchange, body) -> untilClosed();
    }

    private void untilClosed() throws IOException {
        try {
            closing.await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        throw new IOException("the server closes");
    }

    @Override
    public void close() {
        closing.countDown();
        server.stop(0);
        threads.shutdownNow();
    }
}
