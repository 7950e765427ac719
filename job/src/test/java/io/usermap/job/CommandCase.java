package io.usermap.job;

import static org.assertj.core.api.Assertions.assertThat;

import io.usermap.sandbox.Sandbox;
import io.usermap.sandbox.SandboxOptions;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.apache.spark.SparkEnv;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/** A case for whole command lines against a sandbox over HTTP, in a session that is not theirs. */
abstract class CommandCase {
    static final String KEY = "k-0123456789abcdef";

    @RegisterExtension
    static final LocalSpark LOCAL = new LocalSpark();

    @TempDir
    Path folder = Path.of("unset");

    final Sandbox sandbox;
    CommandRunner usermap = new CommandRunner(Path.of("unset"));

    private final Duration window;

    /** With a window of a second, so that nobody waits for the next one. */
    CommandCase() {
        this(Duration.ofSeconds(1));
    }

    CommandCase(Duration window) {
        this.window = window;
        this.sandbox = start(window);
    }

    private static Sandbox start(Duration window) {
        try {
            return Sandbox.start(SandboxOptions.builder()
                    .eventsPerSecond(5000)
                    .window(window)
                    .keys(Set.of(KEY))
                    .build());
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }

    @BeforeEach
    void aimAtTheSandbox() {
        usermap = new CommandRunner(folder)
                .set("target.endpoint", sandbox.endpoint().toString())
                .set("target.api-key", KEY)
                .set("allowance.window", window.toSeconds() + "s");
    }

    @AfterEach
    void closeTheSandbox() {
        sandbox.close();
        assertThat(SparkEnv.get()).as("a session that is not ours goes on").isNotNull();
    }

    /** Makes the source these pairs. */
    final CommandRunner pairs(String... rows) throws IOException {
        return usermap.source(Stream.concat(Stream.of("user_id,global_user_id"), Stream.of(rows))
                .toArray(String[]::new));
    }

    /** Applies, which has to succeed; returns the run. */
    final String apply(String... flags) throws IOException {
        List<String> words = new ArrayList<>(List.of("apply"));
        words.addAll(List.of(flags));
        assertThat(usermap.run(words.toArray(String[]::new))).as(usermap.err()).isZero();
        return usermap.report().path("run").asText();
    }

    /** Names of the state's manifests. */
    final List<String> versions() throws IOException {
        try (Stream<Path> files = Files.list(usermap.ledger().resolve("state"))) {
            return files.map(file -> file.getFileName().toString())
                    .filter(name -> name.startsWith("manifest-"))
                    .sorted()
                    .toList();
        }
    }
}
