package io.usermap.sandbox;

import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.BindException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.LongSupplier;

/**
 * The User Mapping API on loopback, for tests and trials without an account.
 *
 * <p>Enforces the documented limits: 2,000 mappings and 1 MB a request, and so many mappings in any window, counted exactly
 * over arrivals. Points that the documentation leaves open are options ({@link SandboxOptions}). Everything that arrived can
 * be asked for, so that a test asserts what the other side received and not what was called:
 *
 * <pre>{@code
 * try (Sandbox sandbox = Sandbox.start(SandboxOptions.builder().build())) {
 *     send(sandbox.endpoint(), "ann@shop", "ann@global");
 *     assertThat(sandbox.mappings()).containsEntry("ann@shop", "ann@global");
 *     assertThat(sandbox.counts().throttled()).isZero();
 * }
 * }</pre>
 *
 * <p>With a folder the mappings outlive the process; the window, the log and the counts start empty every time.
 *
 * <p>Safe for use by several threads. Serves up to 32 requests at once on daemon threads, and listens on 127.0.0.1 only.
 * Starting it sets the system property {@code sun.net.httpserver.nodelay}, without which the JDK's server stalls for 40 ms
 * on large bodies; it has no effect in a JVM that has started a server before.
 */
public final class Sandbox implements AutoCloseable {
    private static final byte[] LOOPBACK = {127, 0, 0, 1};
    private static final int THREADS = 32;
    private static final int BACKLOG = 128;

    private final HttpServer server;
    private final ExecutorService threads;
    private final Organisation organisation;

    private Sandbox(HttpServer server, ExecutorService threads, Organisation organisation) {
        this.server = server;
        this.threads = threads;
        this.organisation = organisation;
    }

    /**
     * What has happened since the start.
     *
     * @param requests requests of every kind
     * @param mapped mappings accepted with 200 that set a global user id, those without effect included
     * @param unmapped mappings accepted with 200 that remove one, those without effect included
     * @param throttled requests answered with 429
     * @param refused requests answered with any other error
     * @param lookups look-ups answered with 200
     */
    public record Counts(long requests, long mapped, long unmapped, long throttled, long refused, long lookups) {

        /** Mappings accepted with 200, of both kinds. */
        public long accepted() {
            return mapped + unmapped;
        }
    }

    /**
     * Reads the state, if there is a folder for it, and begins to listen.
     *
     * @throws IOException if the port is taken, or if the folder cannot be used; the message says what to do
     */
    public static Sandbox start(SandboxOptions options) throws IOException {
        return start(options, System::nanoTime);
    }

    /** As the public one, with the window counted by {@code nanoClock}. */
    static Sandbox start(SandboxOptions options, LongSupplier nanoClock) throws IOException {
        System.getProperties().putIfAbsent("sun.net.httpserver.nodelay", "true");
        Organisation organisation = Organisation.open(options, nanoClock);
        try {
            HttpServer server = listen(options.port());
            ExecutorService threads = daemonThreads();
            server.setExecutor(threads);
            server.createContext("/", new SandboxHandler(options, organisation));
            server.start();
            return new Sandbox(server, threads, organisation);
        } catch (IOException | RuntimeException e) {
            organisation.close();
            throw e;
        }
    }

    /** The base URL: {@code http://127.0.0.1:PORT}, without a path. */
    public URI endpoint() {
        return URI.create("http://127.0.0.1:" + server.getAddress().getPort());
    }

    /** A copy of the mappings in force, from user id to global user id. */
    public Map<String, String> mappings() {
        return organisation.mappings();
    }

    /**
     * A copy of the request log, in the order of arrival: the latest 20,000 requests, fewer if they hold more than 500,000
     * ids together. {@link #counts()} and {@link #mostInWindow()} are not bounded.
     */
    public List<SandboxRequest> requests() {
        return organisation.requests();
    }

    /** Empties the request log. The counts, the window and the mappings stay. */
    public void clearRequests() {
        organisation.clearRequests();
    }

    /** How many requests and mappings there were since the start. */
    public Counts counts() {
        return organisation.counts();
    }

    /** The most mappings that were accepted in any window since the start. */
    public int mostInWindow() {
        return organisation.mostInWindow();
    }

    /** Stops listening, breaks open connections, and closes the journal. Does nothing the second time. */
    @Override
    public void close() {
        server.stop(0);
        threads.shutdownNow();
        organisation.close();
    }

    private static HttpServer listen(int port) throws IOException {
        try {
            return HttpServer.create(new InetSocketAddress(InetAddress.getByAddress(LOOPBACK), port), BACKLOG);
        } catch (BindException e) {
            throw new IOException(
                    "Cannot listen on 127.0.0.1:" + port + ": " + e.getMessage()
                            + ". Choose another port, or 0 for a free one.",
                    e);
        }
    }

    private static ExecutorService daemonThreads() {
        AtomicInteger number = new AtomicInteger();
        return Executors.newFixedThreadPool(THREADS, task -> {
            Thread thread = new Thread(task, "usermap-sandbox-" + number.incrementAndGet());
            thread.setDaemon(true);
            return thread;
        });
    }
}
