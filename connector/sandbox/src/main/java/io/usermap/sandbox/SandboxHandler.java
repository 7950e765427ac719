package io.usermap.sandbox;

import com.sun.net.httpserver.Headers;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpHandler;
import io.usermap.sandbox.Fault.Drop;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Optional;

/**
 * HTTP in, HTTP out: reads a request within bounds, has it decided by the {@link Organisation}, and writes the answer as the
 * {@link Faults} have it.
 *
 * <p>Runs on the server's pool, one thread per request, which a fault may hold; the only state is the organisation's and the
 * faults'.
 */
final class SandboxHandler implements HttpHandler {
    static final String USERMAP = "/usermap";
    static final String LOOKUP = "/api/2/usermap";

    /** What an endless body goes on with: blanks, as a JSON reader would still wait for its end. */
    private static final byte[] FILLING = " ".repeat(8192).getBytes(StandardCharsets.US_ASCII);

    private final SandboxOptions options;
    private final Organisation organisation;
    private final Faults faults;
    private final AdminCalls admin;

    SandboxHandler(SandboxOptions options, Organisation organisation, Faults faults) {
        this.options = options;
        this.organisation = organisation;
        this.faults = faults;
        this.admin = new AdminCalls(organisation, faults);
    }

    @Override
    public void handle(HttpExchange exchange) throws IOException {
        // Closing an exchange that has not begun to answer drops its connection.
        try (exchange) {
            if (AdminCalls.isFor(exchange.getRequestURI().getPath())) {
                admin.handle(exchange);
                return;
            }
            Received request = Received.read(exchange, options);
            long startNanos = System.nanoTime();
            Faults.Fate fate = faults.befall(request, organisation.nanos());
            fate.holdRequest();
            Organisation.Decision decision = organisation.serve(request, fate);
            try {
                fate.holdAnswer();
                if (decision.reply().isPresent()) {
                    send(exchange, decision.reply().get(), fate);
                }
            } finally {
                organisation.finish(decision.entry(), Duration.ofNanos(System.nanoTime() - startNanos));
            }
        }
    }

    private static void send(HttpExchange exchange, Reply reply, Faults.Fate fate) throws IOException {
        Headers headers = exchange.getResponseHeaders();
        reply.headers().forEach(headers::set);
        byte[] body = reply.bytes();
        boolean bodiless = exchange.getRequestMethod().equals("HEAD") || reply.status() == 204 || reply.status() == 304;
        if (bodiless || (body.length == 0 && !fate.body().endless())) {
            exchange.sendResponseHeaders(reply.status(), -1);
            return;
        }
        exchange.sendResponseHeaders(reply.status(), fate.body().endless() ? 0 : body.length);
        OutputStream out = exchange.getResponseBody();
        int length = fate.drop().equals(Optional.of(Drop.BODY)) ? body.length / 2 : body.length;
        if (fate.body().byteDelay().isZero()) {
            out.write(body, 0, length);
        } else {
            writeSlowly(out, body, length, fate);
        }
        if (fate.body().endless()) {
            writeOn(out, fate);
        }
    }

    private static void writeSlowly(OutputStream out, byte[] body, int length, Faults.Fate fate) throws IOException {
        for (int i = 0; i < length; i++) {
            fate.holdByte();
            out.write(body[i]);
            out.flush();
        }
    }

    /** Writes until the other side hangs up, the fault is removed, or the sandbox is closed. */
    private static void writeOn(OutputStream out, Faults.Fate fate) throws IOException {
        int atOnce = fate.body().byteDelay().isZero() ? FILLING.length : 1;
        while (fate.holdByte()) {
            out.write(FILLING, 0, atOnce);
            out.flush();
        }
    }
}
