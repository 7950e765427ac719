package io.usermap.sandbox;

import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.json.JsonWriteFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.sun.net.httpserver.Headers;
import com.sun.net.httpserver.HttpExchange;
import io.usermap.sandbox.Organisation.Overview;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Predicate;
import java.util.regex.Pattern;

/**
 * The calls below {@code /_sandbox/} and the live page: what the sandbox has seen, and what it shall do wrong.
 *
 * <p>They are no part of the API: they are in no log and no count, and no fault befalls them. They answer in ASCII, so that
 * ids with terminal escapes do no harm on a terminal, and they show no key. A browser reaches them only from a page of
 * loopback: others are refused by {@code Host} and {@code Origin}. Stateless; safe for use by several threads.
 */
final class AdminCalls {
    private static final String ROOT = "/_sandbox/";
    private static final String PATHS = "/_sandbox/figures, /_sandbox/requests, /_sandbox/mappings or /_sandbox/faults";
    private static final int MAX_LISTED = 1000;
    private static final Pattern LOOPBACK =
            Pattern.compile("(https?://)?(127\\.0\\.0\\.1|localhost|\\[::1])(:\\d{1,5})?", Pattern.CASE_INSENSITIVE);
    private static final JsonMapper ASCII =
            JsonMapper.builder().enable(JsonWriteFeature.ESCAPE_NON_ASCII).build();

    private final Organisation organisation;
    private final Faults faults;

    AdminCalls(Organisation organisation, Faults faults) {
        this.organisation = organisation;
        this.faults = faults;
    }

    /** Whether {@code path} is one of these calls, or looks like one. */
    static boolean isFor(String path) {
        return path.equals("/") || path.startsWith(ROOT);
    }

    /** Answers one call. */
    void handle(HttpExchange exchange) throws IOException {
        Reply reply;
        try {
            requireLoopback(exchange.getRequestHeaders());
            String path = exchange.getRequestURI().getPath();
            if (path.equals(ROOT + "mappings")) {
                requireMethod(exchange, "GET");
                sendMappings(exchange);
                return;
            }
            reply = answer(exchange, path);
        } catch (RefusedException e) {
            reply = e.reply();
        }
        byte[] body = reply.bytes();
        Headers headers = exchange.getResponseHeaders();
        reply.headers().forEach(headers::set);
        boolean bodiless = exchange.getRequestMethod().equals("HEAD") || body.length == 0;
        exchange.sendResponseHeaders(reply.status(), bodiless ? -1 : body.length);
        if (!bodiless) {
            exchange.getResponseBody().write(body);
        }
    }

    private Reply answer(HttpExchange exchange, String path) throws IOException, RefusedException {
        String method = exchange.getRequestMethod();
        switch (path) {
            case "/" -> {
                requireMethod(exchange, "GET", "HEAD");
                return Reply.page(LivePage.of(organisation, faults));
            }
            case ROOT + "figures" -> {
                requireMethod(exchange, "GET");
                return json(figures());
            }
            case ROOT + "requests" -> {
                requireMethod(exchange, "GET", "DELETE");
                if (method.equals("DELETE")) {
                    organisation.clearRequests();
                    return json(ASCII.createObjectNode());
                }
                return json(requests(parameters(exchange, Set.of("ids", "limit", "after", "status"))));
            }
            case ROOT + "faults" -> {
                requireMethod(exchange, "GET", "POST", "DELETE");
                if (method.equals("POST")) {
                    add(exchange);
                } else if (method.equals("DELETE")) {
                    faults.clear();
                }
                return json(script());
            }
            default -> {
                if (path.startsWith(ROOT + "faults/")) {
                    requireMethod(exchange, "DELETE");
                    if (!faults.remove(path.substring((ROOT + "faults/").length()))) {
                        throw new RefusedException(Reply.text(404, "No fault of that name is in force."));
                    }
                    return json(script());
                }
                throw new RefusedException(Reply.text(404, "Nothing here. Use " + PATHS + "."));
            }
        }
    }

    private void add(HttpExchange exchange) throws IOException, RefusedException {
        byte[] body = exchange.getRequestBody().readNBytes(FaultScript.MAX_LENGTH + 1);
        if (body.length > FaultScript.MAX_LENGTH) {
            throw new RefusedException(
                    Reply.text(413, "Cannot read the fault script: it is larger than 1000000 bytes. Split it."));
        }
        try {
            Sandbox.addFaults(
                    FaultScript.parse(FaultScript.UNNAMED, new String(body, StandardCharsets.UTF_8)),
                    organisation,
                    faults);
        } catch (IllegalArgumentException e) {
            throw RefusedException.badRequest(String.valueOf(e.getMessage()));
        }
    }

    private ObjectNode figures() {
        Overview now = organisation.overview(1, 0);
        Sandbox.Counts counts = now.counts();
        return ASCII.createObjectNode()
                .put("requests", counts.requests())
                .put("events_received", counts.received())
                .put("mapped", counts.mapped())
                .put("unmapped", counts.unmapped())
                .put("throttled", counts.throttled())
                .put("refused", counts.refused())
                .put("dropped", counts.dropped())
                .put("lookups", counts.lookups())
                .put("mappings", now.mappings())
                .put("in_window", now.inWindow())
                .put("most_in_window", now.mostInWindow())
                .put("limit", now.limit())
                .put("window_ms", now.windowNanos() / 1_000_000);
    }

    private ObjectNode requests(Map<String, String> parameters) throws RefusedException {
        boolean withIds = parameters.getOrDefault("ids", "false").equals("true");
        long after = whole(parameters, "after", 0);
        long status = whole(parameters, "status", -1);
        long limit = whole(parameters, "limit", MAX_LISTED);
        Predicate<SandboxRequest> wanted =
                request -> request.number() > after && (status < 0 || request.status() == status);
        List<SandboxRequest> found =
                organisation.requests().stream().filter(wanted).limit(limit).toList();
        ObjectNode answer = ASCII.createObjectNode();
        found.forEach(
                request -> write(request, withIds, answer.withArray("/requests").addObject()));
        if (found.isEmpty()) {
            answer.putArray("requests");
        }
        return answer;
    }

    private static void write(SandboxRequest request, boolean withIds, ObjectNode written) {
        written.put("number", request.number())
                .put("arrived_at", request.arrivedAt().toString())
                .put("arrived_nanos", request.arrivedNanos());
        request.took().ifPresent(took -> written.put("took_ms", took.toNanos() / 1e6));
        written.put("method", request.method())
                .put("path", request.path())
                .put("status", request.status())
                .put("stored", request.stored());
        request.faults().forEach(written.putArray("faults")::add);
        request.keyFingerprint().ifPresent(key -> written.put("key", key));
        written.put("bytes", request.bytes())
                .put("rows", request.rows())
                .put("maps", request.maps())
                .put("unmaps", request.unmaps());
        if (withIds) {
            var mappings = written.putArray("mappings");
            for (SandboxRequest.Mapping mapping : request.mappings()) {
                ObjectNode one = mappings.addObject().put("user_id", mapping.userId());
                mapping.globalUserId()
                        .ifPresentOrElse(target -> one.put("global_user_id", target), () -> one.put("unmap", true));
            }
            request.lookedUp().forEach(written.putArray("user_ids")::add);
        }
    }

    /** What is in force; keys and ids of the faults stay out of it. */
    private ObjectNode script() {
        Switches switches = organisation.switches();
        ObjectNode answer = ASCII.createObjectNode();
        ObjectNode settled = answer.putObject("switches").put("window_model", word(switches.windowModel()));
        switches.tokenCapacity().ifPresent(capacity -> settled.put("token_capacity", capacity));
        settled.put("throttled_calls", word(switches.throttledCalls()))
                .put("refused_calls", word(switches.refusedCalls()));
        switches.retryAfter().ifPresent(value -> settled.put("retry_after", value));
        settled.put("remaps", word(switches.remaps()))
                .put("chains", word(switches.chains()))
                .put("self_maps", word(switches.selfMaps()));
        var listed = answer.putArray("faults");
        long now = organisation.nanos();
        for (Faults.Active active : faults.inForce()) {
            Fault fault = active.fault();
            ObjectNode one = listed.addObject().put("name", fault.name());
            fault.when().target().ifPresent(path -> one.put("path", word(path)));
            fault.status().ifPresent(status -> one.put("status", status));
            fault.drop().ifPresent(drop -> one.put("drop", word(drop)));
            one.put("befallen", active.befallen()).put("spent", active.isSpent(now));
        }
        return answer;
    }

    private void sendMappings(HttpExchange exchange) throws IOException, RefusedException {
        Optional<String> id =
                Optional.ofNullable(parameters(exchange, Set.of("user_id")).get("user_id"));
        Map<String, String> mappings = id.isEmpty()
                ? organisation.mappings()
                : organisation
                        .mappedTo(id.get())
                        .map(target -> Map.of(id.get(), target))
                        .orElse(Map.of());
        exchange.getResponseHeaders().set("Content-Type", "application/json");
        exchange.sendResponseHeaders(200, 0);
        // Piece by piece: the whole of it may be larger than a text can be.
        try (OutputStream out = exchange.getResponseBody();
                JsonGenerator json = ASCII.createGenerator(out)) {
            json.writeStartObject();
            for (Map.Entry<String, String> mapping : mappings.entrySet()) {
                json.writeStringField(mapping.getKey(), mapping.getValue());
            }
            json.writeEndObject();
        }
    }

    private static Map<String, String> parameters(HttpExchange exchange, Set<String> known) throws RefusedException {
        String query = exchange.getRequestURI().getRawQuery();
        return query == null
                ? Map.of()
                : FormFields.of(query.getBytes(StandardCharsets.ISO_8859_1)).singles(known);
    }

    private static long whole(Map<String, String> parameters, String name, long byDefault) throws RefusedException {
        String text = parameters.get(name);
        if (text == null) {
            return byDefault;
        }
        if (!text.matches("\\d{1,18}")) {
            throw RefusedException.badRequest("Parameter '" + name + "' is no whole number.");
        }
        return Long.parseLong(text);
    }

    private static void requireMethod(HttpExchange exchange, String... allowed) throws RefusedException {
        if (!List.of(allowed).contains(exchange.getRequestMethod())) {
            String words = String.join(", ", allowed);
            throw new RefusedException(
                    Reply.text(405, "Method not allowed. Use " + words + ".").with("Allow", words));
        }
    }

    /** A page of another site must neither read what is here nor set faults, by whatever name it reaches loopback. */
    private static void requireLoopback(Headers headers) throws RefusedException {
        for (String name : List.of("Host", "Origin")) {
            String value = headers.getFirst(name);
            if (value != null && !LOOPBACK.matcher(value).matches()) {
                throw new RefusedException(Reply.text(403, "Only pages of loopback may ask. Use http://127.0.0.1."));
            }
        }
    }

    private static Reply json(ObjectNode answer) throws IOException {
        return Reply.json(ASCII.writeValueAsString(answer)).with("Cache-Control", "no-store");
    }

    private static String word(Enum<?> constant) {
        return constant.name().toLowerCase(Locale.ROOT);
    }
}
