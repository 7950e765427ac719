package io.usermap.spark;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.URLDecoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.function.Predicate;
import java.util.regex.Pattern;

/**
 * A slow network before the sandbox: passes requests on, or holds some of them on their way until they are let go.
 *
 * <p>What is held arrives later even if its sender has died meanwhile, as bytes in a real network do. Safe for use by
 * several threads.
 */
final class Gate implements AutoCloseable {
    private static final Pattern USER_ID = Pattern.compile("\"user_id\":\"([^\"]*)\"");

    private final URI behind;
    private final HttpServer server;
    private final ExecutorService threads = Executors.newCachedThreadPool(work -> {
        Thread thread = new Thread(work, "usermap-gate");
        thread.setDaemon(true);
        return thread;
    });
    private final HttpClient client =
            HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
    private final List<List<String>> held = new ArrayList<>();
    private Predicate<String> closedTo = user -> false;
    private CountDownLatch opened = new CountDownLatch(1);

    private Gate(URI behind, HttpServer server) {
        this.behind = behind;
        this.server = server;
    }

    /** An open gate before the server at {@code behind}. */
    static Gate before(URI behind) throws IOException {
        HttpServer server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        Gate gate = new Gate(behind, server);
        server.setExecutor(gate.threads);
        server.createContext("/", gate::pass);
        server.start();
        return gate;
    }

    /** The base URL, to be used in place of the one behind. */
    URI endpoint() {
        return URI.create("http://127.0.0.1:" + server.getAddress().getPort());
    }

    /** From now on holds requests whose first user is such a one. */
    synchronized void closeTo(Predicate<String> user) {
        closedTo = user;
        opened = new CountDownLatch(1);
        held.clear();
    }

    /** The users of each request that has been held since the gate was closed. */
    synchronized List<List<String>> held() {
        return List.copyOf(held);
    }

    /** Lets everything go on. */
    synchronized void open() {
        closedTo = user -> false;
        opened.countDown();
    }

    private void pass(HttpExchange exchange) throws IOException {
        try (exchange) {
            byte[] body = exchange.getRequestBody().readAllBytes();
            waitIfClosed(users(body));
            HttpRequest request = HttpRequest.newBuilder(
                            behind.resolve(exchange.getRequestURI().getPath()))
                    .header("Content-Type", "application/x-www-form-urlencoded")
                    .POST(HttpRequest.BodyPublishers.ofByteArray(body))
                    .build();
            HttpResponse<byte[]> response = client.send(request, HttpResponse.BodyHandlers.ofByteArray());
            exchange.sendResponseHeaders(response.statusCode(), response.body().length);
            exchange.getResponseBody().write(response.body());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void waitIfClosed(List<String> users) throws InterruptedException {
        CountDownLatch opening;
        synchronized (this) {
            if (users.isEmpty() || !closedTo.test(users.get(0))) {
                return;
            }
            held.add(users);
            opening = opened;
        }
        opening.await();
    }

    private static List<String> users(byte[] body) {
        String text = URLDecoder.decode(new String(body, StandardCharsets.UTF_8), StandardCharsets.UTF_8);
        return USER_ID.matcher(text).results().map(found -> found.group(1)).toList();
    }

    @Override
    public void close() {
        open();
        server.stop(0);
        threads.shutdownNow();
    }
}
