package io.usermap.job;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

class ConsoleTest {
    private final ByteArrayOutputStream err = new ByteArrayOutputStream();

    private Console console(boolean json) {
        return new Console(
                new PrintStream(OutputStream.nullOutputStream(), false, StandardCharsets.UTF_8),
                new PrintStream(err, false, StandardCharsets.UTF_8),
                false,
                json,
                false);
    }

    @Test
    void whatMovesACursorIsShownAndDoesNothing() {
        console(false).error("Cannot read the source: The value '\u001b]0;x\u0007a\u202eb' cannot be cast.\nCheck it.");

        assertThat(err.toString(StandardCharsets.UTF_8))
                .isEqualToNormalizingNewlines(
                        "Cannot read the source: The value '\\u{1b}]0;x\\u{7}a\\u{202e}b' cannot be cast.\nCheck it.\n");
    }

    @Test
    void anObjectIsOneLine() {
        console(true).error("a\u001b\nb");

        assertThat(err.toString(StandardCharsets.UTF_8).lines())
                .containsExactly("{\"kind\":\"error\",\"message\":\"a\\u001B\\nb\"}");
    }
}
