package io.usermap.sandbox;

import com.sun.net.httpserver.Headers;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpHandler;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;

/**
 * HTTP in, HTTP out: reads a request within bounds, hands it to the path's reader and the {@link Organisation}, and writes
 * the answer.
 *
 * <p>Runs on the server's pool, one thread per request; the only state is the organisation, which has its own lock.
 */
final class SandboxHandler implements HttpHandler {
    static final String USERMAP = "/usermap";
    static final String LOOKUP = "/api/2/usermap";

    /** "Max size of 1MB": counted on the encoded body, in units of a thousand; which of these is meant is unknown. */
    static final int MAX_BODY_BYTES = 1_000_000;

    /** So much of a body that is too large is still taken in, so that its sender gets to read the answer. */
    private static final int MAX_DISCARDED_BYTES = 1_000_000;

    private final SandboxOptions options;
    private final Organisation organisation;

    SandboxHandler(SandboxOptions options, Organisation organisation) {
        this.options = options;
        this.organisation = organisation;
    }

    @Override
    public void handle(HttpExchange exchange) throws IOException {
        try (exchange) {
            send(exchange, answer(exchange));
        }
    }

    private Reply answer(HttpExchange exchange) throws IOException {
        String method = exchange.getRequestMethod();
        String path = exchange.getRequestURI().getPath();
        try {
            return switch (path) {
                case USERMAP -> change(exchange, method, path);
                case LOOKUP -> lookup(exchange, method, path);
                default ->
                    throw new RefusedException(Reply.text(404, "Nothing here. Use " + USERMAP + " or " + LOOKUP + "."));
            };
        } catch (RefusedException e) {
            return organisation.refuse(method, path, e.reply());
        }
    }

    private Reply change(HttpExchange exchange, String method, String path) throws IOException, RefusedException {
        requireMethod(method, Set.of("POST", "GET"), "GET, POST");
        byte[] body = body(exchange);
        if (body.length > 0) {
            requireForm(exchange);
        }
        FormFields fields = FormFields.of(query(exchange), body);
        return organisation.change(method, path, MappingCall.read(fields, options));
    }

    private Reply lookup(HttpExchange exchange, String method, String path) throws IOException, RefusedException {
        requireMethod(method, Set.of("GET"), "GET");
        LookupCall.checkKeys(Optional.ofNullable(exchange.getRequestHeaders().getFirst("Authorization")), options);
        return organisation.lookup(method, path, LookupCall.read(query(exchange), body(exchange)));
    }

    private static void requireMethod(String method, Set<String> allowed, String words) throws RefusedException {
        if (!allowed.contains(method)) {
            throw new RefusedException(
                    Reply.text(405, "Method not allowed. Use " + words + ".").with("Allow", words));
        }
    }

    private static void requireForm(HttpExchange exchange) throws RefusedException {
        String type = exchange.getRequestHeaders().getFirst("Content-Type");
        if (type != null && !type.toLowerCase(Locale.ROOT).startsWith("application/x-www-form-urlencoded")) {
            throw RefusedException.badRequest("the body is not application/x-www-form-urlencoded");
        }
    }

    private static byte[] body(HttpExchange exchange) throws IOException, RefusedException {
        InputStream in = exchange.getRequestBody();
        byte[] body = in.readNBytes(MAX_BODY_BYTES + 1);
        if (body.length > MAX_BODY_BYTES) {
            discard(in);
            throw new RefusedException(Reply.text(413, "the body is larger than " + MAX_BODY_BYTES + " bytes"));
        }
        return body;
    }

    private static void discard(InputStream in) throws IOException {
        byte[] block = new byte[8192];
        int left = MAX_DISCARDED_BYTES;
        for (int read = in.read(block); read >= 0 && left > 0; read = in.read(block)) {
            left -= read;
        }
    }

    /** The bytes of the query as they came: the server has made a character of each. */
    private static byte[] query(HttpExchange exchange) {
        String query = exchange.getRequestURI().getRawQuery();
        return query == null ? new byte[0] : query.getBytes(StandardCharsets.ISO_8859_1);
    }

    private static void send(HttpExchange exchange, Reply reply) throws IOException {
        Headers headers = exchange.getResponseHeaders();
        reply.headers().forEach(headers::set);
        byte[] body = reply.bytes();
        boolean bodiless = exchange.getRequestMethod().equals("HEAD") || body.length == 0;
        exchange.sendResponseHeaders(reply.status(), bodiless ? -1 : body.length);
        if (!bodiless) {
            exchange.getResponseBody().write(body);
        }
    }
}
