package io.usermap.job;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.time.Duration;
import java.util.Arrays;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executor;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import javax.net.ssl.SSLSocket;

/**
 * The way to a sandbox, which breaks when a given request comes: its connection is cut, and for a while new ones fail.
 *
 * <p>Passes bytes on otherwise. Safe for use by several threads. The JVM has to trust and to resolve what its
 * {@link Whereabouts} say.
 */
final class Front implements AutoCloseable {
    private static final byte[] POST = "POST ".getBytes(StandardCharsets.US_ASCII);

    private static final Executor THREADS = Executors.newCachedThreadPool(work -> {
        Thread thread = new Thread(work, "usermap-front");
        thread.setDaemon(true);
        return thread;
    });

    /** What becomes of new connections. */
    enum Breakage {
        /** Nobody listens. */
        REFUSED("http"),
        /** The host's name is not known. */
        UNRESOLVED("http"),
        /** The connection is closed in the middle of the TLS handshake. */
        CUT_OFF("https"),
        /** The certificate is one that nobody trusts. */
        UNTRUSTED("https");

        private final String scheme;

        Breakage(String scheme) {
            this.scheme = scheme;
        }

        private boolean isTls() {
            return scheme.equals("https");
        }
    }

    private final InetSocketAddress behind;
    private final Breakage breakage;
    private final int atRequest;
    private final Duration lasts;
    private final Whereabouts whereabouts;
    private final String host;
    private final int port;
    private final AtomicInteger posts = new AtomicInteger();
    private final Set<Socket> connections = ConcurrentHashMap.newKeySet();
    private ServerSocket server;
    private boolean broken;
    private boolean closed;

    /**
     * A way to {@code behind}.
     *
     * @param atRequest the request at which it breaks, from 1; it does not arrive
     * @param lasts how long it stays broken
     */
    Front(URI behind, Breakage breakage, int atRequest, Duration lasts, Whereabouts whereabouts) throws IOException {
        this.behind = new InetSocketAddress(behind.getHost(), behind.getPort());
        this.breakage = breakage;
        this.atRequest = atRequest;
        this.lasts = lasts;
        this.whereabouts = whereabouts;
        this.server = listen(0);
        this.port = server.getLocalPort();
        this.host = breakage == Breakage.UNRESOLVED ? "front-" + port + ".test" : "127.0.0.1";
        if (breakage == Breakage.UNRESOLVED) {
            whereabouts.add(host);
        }
        accept(server);
    }

    String endpoint() {
        return breakage.scheme + "://" + host + ":" + port;
    }

    private static ServerSocket listen(int port) throws IOException {
        return new ServerSocket(port, 50, InetAddress.getLoopbackAddress());
    }

    private void accept(ServerSocket at) {
        THREADS.execute(() -> {
            try {
                while (true) {
                    Socket client = at.accept();
                    THREADS.execute(() -> serve(client));
                }
            } catch (IOException e) {
                // It was closed.
            }
        });
    }

    private void serve(Socket accepted) {
        boolean now = isBroken();
        try (Socket client = opened(accepted, now);
                Socket sandbox = new Socket(behind.getAddress(), behind.getPort())) {
            connections.add(client);
            THREADS.execute(() -> pass(sandbox, client, false));
            pass(client, sandbox, true);
            connections.remove(client);
        } catch (IOException | GeneralSecurityException e) {
            close(accepted);
        }
    }

    private Socket opened(Socket accepted, boolean now) throws IOException, GeneralSecurityException {
        if (!breakage.isTls()) {
            return accepted;
        }
        if (now && breakage == Breakage.CUT_OFF) {
            // After the client's hello has come.
            int first = accepted.getInputStream().read();
            throw new IOException("cut off after byte " + first);
        }
        SSLSocket secure = (SSLSocket) whereabouts
                .secured(!now)
                .getSocketFactory()
                .createSocket(accepted, accepted.getInetAddress().getHostAddress(), accepted.getPort(), true);
        secure.setUseClientMode(false);
        secure.startHandshake();
        return secure;
    }

    private void pass(Socket from, Socket to, boolean requests) {
        byte[] block = new byte[64 * 1024];
        try {
            InputStream in = from.getInputStream();
            OutputStream out = to.getOutputStream();
            for (int read = in.read(block); read >= 0; read = in.read(block)) {
                boolean begins = read >= POST.length && Arrays.equals(POST, 0, POST.length, block, 0, POST.length);
                if (requests && begins && posts.incrementAndGet() == atRequest) {
                    breakDown();
                    return;
                }
                out.write(block, 0, read);
                out.flush();
            }
        } catch (IOException e) {
            // Either side has hung up.
        } finally {
            close(from);
            close(to);
        }
    }

    private synchronized boolean isBroken() {
        return broken;
    }

    private synchronized void breakDown() throws IOException {
        broken = true;
        if (breakage == Breakage.REFUSED) {
            server.close();
        }
        if (breakage == Breakage.UNRESOLVED) {
            whereabouts.remove(host);
        }
        connections.forEach(Front::close);
        CompletableFuture.delayedExecutor(lasts.toMillis(), TimeUnit.MILLISECONDS)
                .execute(this::mendNow);
    }

    /** As if the time were over. */
    synchronized void mendNow() {
        if (closed || !broken) {
            return;
        }
        broken = false;
        try {
            if (breakage == Breakage.REFUSED) {
                server = listen(port);
                accept(server);
            }
            if (breakage == Breakage.UNRESOLVED) {
                whereabouts.add(host);
            }
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }

    private static void close(Socket socket) {
        try {
            socket.close();
        } catch (IOException e) {
            // It is of no use any more.
        }
    }

    @Override
    public synchronized void close() throws IOException {
        closed = true;
        server.close();
        connections.forEach(Front::close);
    }
}
