package io.usermap.sandbox;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PipedInputStream;
import java.io.PipedOutputStream;
import java.io.PrintStream;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SandboxCommandTest {
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private final ByteArrayOutputStream err = new ByteArrayOutputStream();

    @Test
    @Timeout(20)
    void servesUntilItIsInterrupted(@TempDir Path folder) throws Exception {
        PipedInputStream lines = new PipedInputStream();
        PrintStream toLines = new PrintStream(new PipedOutputStream(lines), false, StandardCharsets.UTF_8);
        String[] args = {"--port", "0", "--path", folder.toString(), "--key", "123456789", "--events-per-second=1"};
        FutureTask<Integer> command = new FutureTask<>(() -> SandboxCommand.run(args, toLines, print(err)));
        Thread thread = new Thread(command);
        thread.start();
        BufferedReader reader = new BufferedReader(new InputStreamReader(lines, StandardCharsets.UTF_8));

        String first = reader.readLine();

        assertThat(first).matches("listening on http://127\\.0\\.0\\.1:\\d+");
        Caller caller = new Caller(URI.create(first.substring("listening on ".length())));
        assertThat(caller.post(Caller.maps(30, "ann")).body()).isEqualTo("success");
        assertThat(caller.post(Caller.maps(1, "bob")).body()).isEqualTo("throttled");
        thread.interrupt();
        assertThat(command.get(10, TimeUnit.SECONDS)).isZero();
        assertThat(err.toString(StandardCharsets.UTF_8))
                .isEqualToNormalizingNewlines(
                        "At most 30 mappings in any 30000 ms; mappings are kept in " + folder + ".\n");
    }

    @Test
    void endsWithSixWhenAFaultScriptIsWrong(@TempDir Path folder) throws IOException {
        Path script = Files.writeString(folder.resolve("faults.json"), "{\"faults\": [\n  {\"staus\": 503}]}");

        assertThat(run("--faults", script.toString())).isEqualTo(6);
        assertThat(err.toString(StandardCharsets.UTF_8))
                .isEqualToNormalizingNewlines("Cannot read " + script
                        + ": line 2, column 4: there is no key 'staus' in a fault. Use 'status'.\n");
        assertThat(out.size()).isZero();
    }

    @Test
    void readsAFaultScript(@TempDir Path folder) throws IOException {
        String text = "{\"faults\": [{\"status\": 503}]}";
        Path script = Files.writeString(folder.resolve("faults.json"), text);

        assertThat(SandboxFlags.parse(List.of("--faults", script.toString())))
                .isEqualTo(new SandboxFlags.Serve(
                        SandboxOptions.builder().faults(text).build()));
        try (Sandbox sandbox =
                Sandbox.start(SandboxOptions.builder().faults(text).build())) {
            assertThat(new Caller(sandbox.endpoint()).post("[]").statusCode()).isEqualTo(503);
        }
    }

    @Test
    void refusesAFaultScriptThatCannotBeRead(@TempDir Path folder) throws IOException {
        Path latin = Files.write(folder.resolve("latin.json"), new byte[] {'{', (byte) 0xe4, '}'});
        Path large = Files.writeString(folder.resolve("large.json"), " ".repeat(FaultScript.MAX_LENGTH + 1));

        assertThat(run("--faults", latin.toString())).isEqualTo(6);
        assertThat(run("--faults", large.toString())).isEqualTo(6);
        assertThat(run("--faults", folder.toString())).isEqualTo(6);
        assertThat(err.toString(StandardCharsets.UTF_8).lines())
                .containsExactly(
                        "Cannot parse flag '--faults': '" + latin + "' is not UTF-8. Save it so.",
                        "Cannot parse flag '--faults': '" + large + "' is larger than 1000000 bytes. Shorten it.",
                        "Cannot parse flag '--faults': '" + folder
                                + "' cannot be read. Use the name of a file with a fault script.");
    }

    @Test
    void endsWithOneWhenThePortIsTaken() throws IOException {
        try (Sandbox sandbox = Sandbox.start(SandboxOptions.builder().build())) {
            int port = sandbox.endpoint().getPort();

            assertThat(run("--port", String.valueOf(port))).isOne();
            assertThat(err.toString(StandardCharsets.UTF_8))
                    .startsWith("Cannot listen on 127.0.0.1:" + port + ": ")
                    .endsWith(". Choose another port, or 0 for a free one." + System.lineSeparator());
        }
    }

    @Test
    void printsItsUsageAndItsVersion() {
        assertThat(run("--port", "80", "--help")).isZero();
        assertThat(run("--version")).isZero();

        assertThat(out.toString(StandardCharsets.UTF_8))
                .contains("--port N", "--path DIR", "--events-per-second N", "--window D", "--key KEY", "--faults FILE")
                .matches("(?s).*usermap-sandbox \\d+\\.\\d+\\.\\d+\\R");
        assertThat(err.size()).isZero();
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "--window 3x | Cannot parse flag '--window': '3x' is not a duration. Use ms, s or m, for example 30s.",
                "--window 0ms | Cannot parse flag '--window': '0ms' is not a window. Use more than 0ms, at most 1440m.",
                "--window 1ms | Cannot set 'window': 'PT0.001S' is out of range. Use one that allows at least one mapping.",
                "--port 65536 | Cannot parse flag '--port': '65536' is not a port. Use 0 to 65535.",
                "--port=-1 | Cannot parse flag '--port': '-1' is not a port. Use 0 to 65535.",
                "--events-per-second 0 | Cannot parse flag '--events-per-second': '0' is not a number of mappings."
                        + " Use 1 to 1000000.",
                "--port | Cannot use flag '--port' without a value. Add one after it.",
                "--key= | Cannot use flag '--key' without a value. Add one after it.",
                "--port 1 --port 2 | Cannot use flag '--port' twice. Leave one of them out.",
                "--faults gone.json | Cannot parse flag '--faults': 'gone.json' is not there."
                        + " Use the name of a file with a fault script.",
                "--prot 1 | Cannot use '--prot': there is no such flag. Use --port, --path, --events-per-second,"
                        + " --window, --key, --faults, --help, --version.",
                "8080 | Cannot use '8080': there is no such flag. Use --port, --path, --events-per-second,"
                        + " --window, --key, --faults, --help, --version.",
            })
    void endsWithSixWhenAFlagIsWrong(String args, String message) {
        assertThat(run(args.split(" "))).isEqualTo(6);
        assertThat(err.toString(StandardCharsets.UTF_8)).isEqualToNormalizingNewlines(message + "\n");
        assertThat(out.size()).isZero();
    }

    @Test
    void readsEveryFlag() {
        SandboxFlags flags = SandboxFlags.parse(List.of(
                "--port=8080",
                "--path",
                "state",
                "--events-per-second",
                "100",
                "--window",
                "2m",
                "--key",
                "a",
                "--key=b"));

        assertThat(flags)
                .isEqualTo(new SandboxFlags.Serve(SandboxOptions.builder()
                        .port(8080)
                        .path(Path.of("state"))
                        .eventsPerSecond(100)
                        .window(Duration.ofMinutes(2))
                        .keys(Set.of("a", "b"))
                        .build()));
    }

    private int run(String... args) {
        return SandboxCommand.run(args, print(out), print(err));
    }

    private static PrintStream print(ByteArrayOutputStream bytes) {
        return new PrintStream(bytes, true, StandardCharsets.UTF_8);
    }
}
