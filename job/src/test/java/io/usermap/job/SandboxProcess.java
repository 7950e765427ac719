package io.usermap.job;

import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** A sandbox in a process of its own, with its journal in a folder; asked and told by its admin calls. */
final class SandboxProcess implements AutoCloseable {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String LISTENING = "listening on ";

    private final HttpClient http = HttpClient.newBuilder()
            .version(HttpClient.Version.HTTP_1_1)
            .connectTimeout(Duration.ofSeconds(10))
            .build();
    private final Path folder;
    private final Path log;
    private final List<String> flags;
    private Process process;
    private URI endpoint;

    private SandboxProcess(Path folder, Path log, List<String> flags, Process process, URI endpoint) {
        this.folder = folder;
        this.log = log;
        this.flags = flags;
        this.process = process;
        this.endpoint = endpoint;
    }

    /**
     * A mapping or an unmap that arrived.
     *
     * @param user the user id
     * @param target the global user; empty for an unmap
     */
    record Event(String user, Optional<String> target) {}

    /**
     * A request that arrived.
     *
     * @param took from the moment it was read until its answer was out
     * @param stored whether its mappings were carried out
     * @param acknowledged whether it was carried out and its answer, which says so, was let go
     */
    record Arrival(Instant at, Duration took, int status, boolean stored, boolean acknowledged, List<Event> events) {
        Instant answeredAt() {
            return at.plus(took);
        }
    }

    /** Figures since the start of the process. */
    record Figures(long received, long throttled, int mostInWindow, int limit) {}

    /** Starts one whose mappings are kept in {@code folder}; {@code allowance} of so many mappings in a window. */
    static SandboxProcess start(Path folder, int perSecond, Duration window) throws IOException {
        List<String> flags = List.of(
                "--path",
                folder.resolve("sandbox").toString(),
                "--events-per-second",
                "" + perSecond,
                "--window",
                window.toMillis() + "ms");
        Path log = folder.resolve("sandbox.log");
        Process process = launch(log, flags, 0);
        return new SandboxProcess(folder, log, flags, process, heardFrom(process, log));
    }

    private static Process launch(Path log, List<String> flags, int port) throws IOException {
        List<String> line = new ArrayList<>(List.of(
                JobProcess.java(),
                "-Xmx256m",
                "-XX:TieredStopAtLevel=1",
                "-XX:+UseSerialGC",
                "-jar",
                Checkout.root()
                        .resolve("connector/sandbox/target/usermap-sandbox-" + System.getProperty("usermap.version")
                                + ".jar")
                        .toString(),
                "--port",
                "" + port));
        line.addAll(flags);
        Files.deleteIfExists(log);
        return new ProcessBuilder(line)
                .redirectErrorStream(true)
                .redirectOutput(log.toFile())
                .start();
    }

    private static URI heardFrom(Process process, Path log) {
        Waiting.until("the sandbox listens, see " + log, Duration.ofSeconds(60), () -> {
            if (!process.isAlive()) {
                throw new AssertionError("The sandbox ended: " + read(log));
            }
            return read(log).contains(LISTENING) && read(log).contains("\n");
        });
        String first = read(log).lines().findFirst().orElseThrow();
        return URI.create(first.substring(LISTENING.length()).strip());
    }

    private static String read(Path log) {
        try {
            return Files.exists(log) ? Files.readString(log) : "";
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }

    URI endpoint() {
        return endpoint;
    }

    /** SIGKILL; what it had answered is in its journal. */
    void kill() throws InterruptedException {
        process.destroyForcibly().waitFor();
    }

    /** Starts it again at the same address, with what its journal holds. Its figures and its log begin anew. */
    void restart() throws IOException {
        Files.copy(log, folder.resolve("sandbox-" + System.nanoTime() + ".log"));
        process = launch(log, flags, endpoint.getPort());
        endpoint = heardFrom(process, log);
    }

    Figures figures() {
        JsonNode figures = ask("figures");
        return new Figures(
                figures.path("events_received").asLong(),
                figures.path("throttled").asLong(),
                figures.path("most_in_window").asInt(),
                figures.path("limit").asInt());
    }

    Map<String, String> mappings() {
        return JSON.convertValue(ask("mappings"), new TypeReference<HashMap<String, String>>() {});
    }

    /**
     * The batches that have arrived, oldest first; those that a fault dropped on their way did not. The answer to a request
     * that a fault named {@code lost-...} has befallen was not let go.
     */
    List<Arrival> arrivals() {
        List<Arrival> arrivals = new ArrayList<>();
        for (JsonNode request : ask("requests?ids=true&limit=20000").path("requests")) {
            int status = request.path("status").asInt();
            if (status == 0 || !request.path("path").asText().equals("/usermap")) {
                continue;
            }
            boolean lost = false;
            for (JsonNode fault : request.path("faults")) {
                lost |= fault.asText().startsWith("lost-");
            }
            List<Event> events = new ArrayList<>();
            for (JsonNode mapping : request.path("mappings")) {
                events.add(event(mapping));
            }
            // One that has no answer yet counts as held for long.
            double millis = request.path("took_ms").asDouble(3_600_000);
            arrivals.add(new Arrival(
                    Instant.parse(request.path("arrived_at").asText()),
                    Duration.ofNanos((long) (millis * 1e6)),
                    status,
                    request.path("stored").asBoolean(),
                    status / 100 == 2 && request.path("stored").asBoolean() && !lost && request.has("took_ms"),
                    events));
        }
        return arrivals;
    }

    /** Puts a script of faults in force, beside those that are. */
    void addFaults(String script) {
        call(HttpRequest.newBuilder(admin("faults")).POST(HttpRequest.BodyPublishers.ofString(script)));
    }

    void removeFaults() {
        call(HttpRequest.newBuilder(admin("faults")).DELETE());
    }

    /** A sandbox that was started again has forgotten what was in force. */
    void removeFault(String name) {
        call(HttpRequest.newBuilder(admin("faults/" + name)).DELETE(), Set.of(200, 404));
    }

    void forgetRequests() {
        call(HttpRequest.newBuilder(admin("requests")).DELETE());
    }

    /** How long its journal is now. */
    long journal() throws IOException {
        return Files.size(journalFile());
    }

    /** All that it has stored since its journal was {@code bytes} long, whether it runs or not; half a line is none. */
    List<Event> storedSince(long bytes) throws IOException {
        List<Event> stored = new ArrayList<>();
        String all = Files.readString(journalFile());
        String text = all.substring((int) bytes, all.lastIndexOf('\n') + 1);
        for (String line : text.split("\n", -1)) {
            if (!line.isEmpty()) {
                JSON.readTree(line).forEach(mapping -> stored.add(event(mapping)));
            }
        }
        return stored;
    }

    private Path journalFile() {
        return folder.resolve("sandbox/mappings.jsonl");
    }

    private static Event event(JsonNode mapping) {
        return new Event(
                mapping.path("user_id").asText(),
                Optional.ofNullable(mapping.path("global_user_id").textValue()));
    }

    private JsonNode ask(String what) {
        try {
            return JSON.readTree(call(HttpRequest.newBuilder(admin(what))));
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }

    private URI admin(String what) {
        return endpoint.resolve("/_sandbox/" + what);
    }

    private String call(HttpRequest.Builder request) {
        return call(request, Set.of(200));
    }

    private String call(HttpRequest.Builder request, Set<Integer> expected) {
        try {
            HttpResponse<String> response =
                    http.send(request.timeout(Duration.ofSeconds(60)).build(), HttpResponse.BodyHandlers.ofString());
            if (!expected.contains(response.statusCode())) {
                throw new AssertionError("The sandbox said " + response.statusCode() + ": " + response.body());
            }
            return response.body();
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException(e);
        }
    }

    @Override
    public void close() {
        process.destroyForcibly();
    }
}
