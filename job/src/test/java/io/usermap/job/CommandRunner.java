package io.usermap.job;

import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/** The real command line in this process: settings that every call has, what it printed, and its report. */
final class CommandRunner {
    private static final ObjectMapper JSON = new ObjectMapper().enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS);

    private final Path folder;
    private final List<String> settings = new ArrayList<>();
    private String out = "";
    private String err = "";

    CommandRunner(Path folder) {
        this.folder = folder;
        set("ledger.path", ledger().toString());
        set("ledger.lock-term", "5s");
        set("allowance.events-per-second", "5000");
        set("allowance.window", "1s");
        set("write.writers", "2");
        // Of milliseconds; the first over TLS took more than half a second on a machine that had other things to do.
        set("write.connect-timeout", "2s");
        set("write.request-timeout", "2s");
    }

    Path ledger() {
        return folder.resolve("ledger");
    }

    CommandRunner set(String key, String value) {
        settings.add("--set");
        settings.add(key + "=" + value);
        return this;
    }

    /** A source of CSV, whose first line is the header. */
    CommandRunner source(String... lines) throws IOException {
        Path file = folder.resolve("source.csv");
        Files.write(file, List.of(lines));
        return set("source.path", file.toString());
    }

    /** Runs a command and returns its exit code; its own {@code --set} stand over the settings of every call. */
    int run(String... words) {
        ByteArrayOutputStream outBytes = new ByteArrayOutputStream();
        ByteArrayOutputStream errBytes = new ByteArrayOutputStream();
        int code = Main.run(
                line(words).toArray(String[]::new),
                new PrintStream(outBytes, true, StandardCharsets.UTF_8),
                new PrintStream(errBytes, true, StandardCharsets.UTF_8));
        out = outBytes.toString(StandardCharsets.UTF_8);
        err = errBytes.toString(StandardCharsets.UTF_8);
        return code;
    }

    /** What every call has, each {@code key=value}; of one key, the last stands. */
    List<String> settings() {
        return settings.stream().filter(word -> !word.equals("--set")).toList();
    }

    /** The whole command line of a command. */
    List<String> line(String... words) {
        List<String> line = new ArrayList<>(List.of(words).subList(0, 1));
        line.addAll(settings);
        line.add("--report");
        line.add(folder.resolve("report.json").toString());
        line.addAll(List.of(words).subList(1, words.length));
        return line;
    }

    /** What the last command wrote to standard output. */
    String out() {
        return out;
    }

    /** What the last command wrote to standard output, which has to be one document of JSON and nothing else. */
    JsonNode json() throws IOException {
        return JSON.readTree(out);
    }

    /** What the last command wrote to standard error. */
    String err() {
        return err;
    }

    /** The report of the last command. */
    JsonNode report() throws IOException {
        return JSON.readTree(folder.resolve("report.json").toFile());
    }

    long count(String name) throws IOException {
        return report().path("counts").path(name).asLong();
    }

    /** Folders of runs, the oldest first. */
    List<Path> runs() throws IOException {
        try (Stream<Path> found = Files.list(ledger().resolve("runs"))) {
            return found.sorted().toList();
        }
    }
}
