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
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.LongSupplier;

/**
 * The User Mapping API on loopback, for tests and trials without an account.
 *
 * <p>Enforces the documented limits: 2,000 mappings and 1 MB a request, and so many mappings in any window, counted exactly
 * over arrivals. Faults and the points that the documentation leaves open are set by a script ({@link #addFaults}). Everything
 * that arrived can be asked for, so that a test asserts what the other side received and not what was called:
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
 * <p>Safe for use by several threads. Serves up to 256 requests at once on daemon threads, those that a fault
 * holds included, and listens on 127.0.0.1 only.
 * Starting it sets two system properties of the JDK's server: {@code sun.net.httpserver.nodelay}, without which it stalls for
 * 40 ms on large bodies, and {@code sun.net.httpserver.maxReqTime}, without which a request that never ends holds a thread for
 * ever; after 60 s its connection is closed. They have no effect in a JVM that has started a server before.
 */
public final class Sandbox implements AutoCloseable {
    private static final byte[] LOOPBACK = {127, 0, 0, 1};
    private static final String MAX_REQUEST_SECONDS = "60";
    private static final int THREADS = 256;
    private static final int IDLE_SECONDS = 10;
    private static final int BACKLOG = 128;

    private final HttpServer server;
    private final ExecutorService threads;
    private final Organisation organisation;
    private final Faults faults;

    private Sandbox(HttpServer server, ExecutorService threads, Organisation organisation, Faults faults) {
        this.server = server;
        this.threads = threads;
        this.organisation = organisation;
        this.faults = faults;
    }

    /**
     * What has happened since the start.
     *
     * @param requests requests of every kind
     * @param received mappings of well-formed batches that arrived, whatever the answer
     * @param mapped mappings carried out that set a global user id, those without effect included
     * @param unmapped mappings carried out that remove one, those without effect included
     * @param throttled requests answered with 429
     * @param refused requests answered with any other error
     * @param dropped requests whose connection a fault dropped
     * @param lookups look-ups answered with 200
     */
    public record Counts(
            long requests,
            long received,
            long mapped,
            long unmapped,
            long throttled,
            long refused,
            long dropped,
            long lookups) {

        /** Mappings carried out, of both kinds. */
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
        System.getProperties().putIfAbsent("sun.net.httpserver.maxReqTime", MAX_REQUEST_SECONDS);
        Organisation organisation = Organisation.open(options, nanoClock);
        try {
            Faults faults = new Faults();
            options.faults()
                    .ifPresent(
                            script -> addFaults(FaultScript.parse(FaultScript.UNNAMED, script), organisation, faults));
            HttpServer server = listen(options.port());
            ExecutorService threads = daemonThreads();
            server.setExecutor(threads);
            server.createContext("/", new SandboxHandler(options, organisation, faults));
            server.start();
            return new Sandbox(server, threads, organisation, faults);
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

    /**
     * Puts faults in force, after those that are, and changes switches: the API gives way as the script says.
     *
     * <p>Times and numbers in it count from now. The format is JSON, described in {@code connector/docs/sandbox.md}:
     *
     * <pre>{@code
     * sandbox.addFaults("""
     *         {"faults": [{"name": "down", "path": "map", "requests": "3-5", "status": 503, "retry_after": 2}]}""");
     * }</pre>
     *
     * @throws IllegalArgumentException if the script is wrong, naming line and column, or if a name is in use; nothing of
     *     it is in force then
     */
    public void addFaults(String script) {
        addFaults(FaultScript.parse(FaultScript.UNNAMED, script), organisation, faults);
    }

    /** Removes every fault and lets go the requests and answers that they hold. The switches stay. */
    public void clearFaults() {
        faults.clear();
    }

    static void addFaults(FaultScript script, Organisation organisation, Faults faults) {
        faults.add(script.faults(), organisation.nanos());
        organisation.settle(script.switches());
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
        ThreadPoolExecutor threads = new ThreadPoolExecutor(
                THREADS, THREADS, IDLE_SECONDS, TimeUnit.SECONDS, new LinkedBlockingQueue<>(), task -> {
                    Thread thread = new Thread(task, "usermap-sandbox-" + number.incrementAndGet());
                    thread.setDaemon(true);
                    return thread;
                });
        threads.allowCoreThreadTimeOut(true);
        return threads;
    }
}
