package io.usermap.sandbox;

import com.sun.net.httpserver.HttpExchange;
import io.usermap.sandbox.SandboxRequest.Mapping;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;

/**
 * A request of the API, read whole and judged by itself, before window, mappings and faults have a say.
 *
 * @param method the HTTP method, cut to a length fit for a log
 * @param path the path without its query, cut likewise
 * @param bytes the size of query and body, as encoded; of a body that is too large, what was read of it
 * @param keyFingerprint tells the API key apart from others without giving it away, if the request carries one
 * @param call what it asks for
 */
record Received(String method, String path, long bytes, Optional<String> keyFingerprint, Call call) {
    /** "Max size of 1MB": counted on the encoded body, in units of a thousand; which of these is meant is unknown. */
    static final int MAX_BODY_BYTES = 1_000_000;

    /** So much of a body that is too large is still taken in, so that its sender gets to read the answer. */
    private static final int MAX_DISCARDED_BYTES = 1_000_000;

    private static final int MAX_METHOD_LENGTH = 20;
    private static final int MAX_PATH_LENGTH = 200;

    /** What a request asks for. */
    sealed interface Call {
        /** To carry out a batch. */
        record Change(List<Mapping> batch) implements Call {}

        /** To tell the links of ids. */
        record Lookup(List<String> ids) implements Call {}

        /** Nothing that can be done; the answer says why. */
        record Broken(Reply reply) implements Call {}
    }

    /** The ids in it: user ids, global user ids, looked-up ids. */
    Stream<String> ids() {
        if (call instanceof Call.Change change) {
            return change.batch().stream()
                    .flatMap(mapping -> Stream.concat(Stream.of(mapping.userId()), mapping.globalUserId().stream()));
        }
        return call instanceof Call.Lookup lookup ? lookup.ids().stream() : Stream.empty();
    }

    List<Mapping> mappings() {
        return call instanceof Call.Change change ? change.batch() : List.of();
    }

    List<String> lookedUp() {
        return call instanceof Call.Lookup lookup ? lookup.ids() : List.of();
    }

    /**
     * Reads a request; what is wrong with it becomes a {@link Call.Broken}.
     *
     * @throws IOException if the connection breaks before the request is there
     */
    static Received read(HttpExchange exchange, SandboxOptions options) throws IOException {
        String method = exchange.getRequestMethod();
        String path = exchange.getRequestURI().getPath();
        byte[] query = query(exchange);
        byte[] body = exchange.getRequestBody().readNBytes(MAX_BODY_BYTES + 1);
        Optional<String> key = Optional.empty();
        Call call;
        try {
            if (body.length > MAX_BODY_BYTES) {
                discard(exchange.getRequestBody());
                throw new RefusedException(Reply.text(413, "the body is larger than " + MAX_BODY_BYTES + " bytes"));
            }
            switch (path) {
                case SandboxHandler.USERMAP -> {
                    requireMethod(method, Set.of("POST", "GET"), "GET, POST");
                    if (body.length > 0) {
                        requireForm(exchange);
                    }
                    FormFields fields = FormFields.of(query, body);
                    key = fields.all("api_key").stream().findFirst();
                    call = new Call.Change(MappingCall.read(fields, options));
                }
                case SandboxHandler.LOOKUP -> {
                    requireMethod(method, Set.of("GET"), "GET");
                    String authorization = exchange.getRequestHeaders().getFirst("Authorization");
                    LookupCall.Credentials credentials = LookupCall.credentials(Optional.ofNullable(authorization));
                    key = Optional.of(credentials.apiKey());
                    credentials.check(options);
                    call = new Call.Lookup(LookupCall.read(query, body));
                }
                default ->
                    throw new RefusedException(Reply.text(
                            404, "Nothing here. Use " + SandboxHandler.USERMAP + " or " + SandboxHandler.LOOKUP + "."));
            }
        } catch (RefusedException e) {
            call = new Call.Broken(e.reply());
        }
        return new Received(
                cut(method, MAX_METHOD_LENGTH),
                cut(path, MAX_PATH_LENGTH),
                (long) query.length + body.length,
                key.filter(text -> !text.isEmpty()).map(Received::fingerprint),
                call);
    }

    /** Sixteen hexadecimal digits that tell keys apart without giving one away. */
    static String fingerprint(String key) {
        try {
            byte[] hash = MessageDigest.getInstance("SHA-256").digest(key.getBytes(StandardCharsets.UTF_8));
            return HexFormat.of().formatHex(hash, 0, 8);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("Every Java platform has SHA-256.", e);
        }
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

    private static String cut(String text, int length) {
        return text.length() <= length ? text : text.substring(0, length);
    }
}
