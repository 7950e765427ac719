package io.usermap.job;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.usermap.sandbox.Sandbox;
import io.usermap.sandbox.SandboxOptions;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Real processes of the launcher and real signals: who is asked to end ends in order, and who was paused sends nothing. */
class InterruptIT {
    private static final int ROWS = 800;
    private static final int PER_SECOND = 100;
    private static final Duration WINDOW = Duration.ofSeconds(2);

    @TempDir
    private Path folder;

    private Sandbox sandbox = start();

    private static Sandbox start() {
        try {
            return Sandbox.start(SandboxOptions.builder()
                    .eventsPerSecond(PER_SECOND)
                    .window(WINDOW)
                    .build());
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }

    @BeforeEach
    void writeSource() throws IOException {
        Files.write(
                folder.resolve("source.csv"),
                Stream.concat(
                                Stream.of("user_id,global_user_id"),
                                IntStream.range(0, ROWS).mapToObj("user-%04d,person-1"::formatted))
                        .toList());
    }

    @AfterEach
    void closeTheSandbox() {
        sandbox.close();
    }

    @Test
    void signalsEndRunsInOrderAndTheNextOneSendsTheRest() throws Exception {
        // So that the signal meets a request that the service has stored and not answered.
        sandbox.addFaults("{\"faults\": [{\"path\": \"map\", \"delay_answer\": \"1500ms\"}]}");
        long before = endsBy("TERM", apply("first"), 0);
        long mapped = endsBy("INT", apply("second"), before);

        Running third = apply("third");
        assertThat(third.end()).as(third.err()).isZero();
        assertThat(third.err())
                .contains(" was interrupted: " + mapped + " of its " + ROWS
                        + " mappings are acknowledged; sending the other " + (ROWS - mapped));
        assertThat(sandbox.mappings()).hasSize(ROWS);
        assertThat(sandbox.counts().mapped()).as("none sent twice").isEqualTo(ROWS);
        assertThat(sandbox.counts().throttled()).as("429s across the restarts").isZero();
    }

    /** Sends {@code signal} once more than {@code before} are mapped, and returns how many are at the end. */
    private long endsBy(String signal, Running first, long before) throws Exception {
        first.until(() -> sandbox.counts().mapped() > before);
        first.signal(signal);

        assertThat(first.end()).as(first.err()).isEqualTo(130);
        long mapped = sandbox.counts().mapped();
        assertThat(mapped).isLessThan(ROWS);
        assertThat(first.report().path("outcome").asText()).isEqualTo("interrupted");
        assertThat(first.report().path("exit_code").asInt()).isEqualTo(130);
        assertThat(first.report().path("counts").path("accepted").asLong()).isEqualTo(mapped - before);
        assertThat(first.err().lines().toList())
                .last()
                .asString()
                .isEqualTo("apply was interrupted. " + mapped + " of its " + ROWS + " mappings are acknowledged. Run"
                        + " 'usermap apply' again: it sends the rest.");
        return mapped;
    }

    @Test
    void aHolderThatWakesUpAfterAnotherTookOverSendsNothing() throws Exception {
        Running first = apply("first");
        first.until(() -> sandbox.counts().mapped() >= 2L * PER_SECOND);
        first.signal("STOP");
        // What had left before the signal arrives.
        first.until(this::isQuiet);
        Running second = apply("second");
        assertThat(second.end()).as(second.err()).isZero();
        assertThat(sandbox.mappings()).hasSize(ROWS);
        long requests = sandbox.requests().size();
        first.signal("CONT");

        assertThat(first.end()).as(first.err()).isEqualTo(1);
        assertThat(sandbox.requests()).as("requests of the one that woke up").hasSize((int) requests);
        assertThat(first.err())
                .contains("Cannot use the ledger: another run took it over, because this one showed no sign of life for"
                        + " a term.");
        assertThat(second.report().path("outcome").asText()).isEqualTo("done");
        assertThat(sandbox.counts().throttled()).isZero();
    }

    @Test
    void ofTwoAtOnceOneSends() throws Exception {
        Running first = apply("first");
        Running second = apply("second");

        List<Integer> codes = List.of(first.end(), second.end());

        assertThat(codes).as(first.err() + second.err()).containsExactlyInAnyOrder(0, 1);
        assertThat(codes.get(0) == 0 ? second.err() : first.err()).contains("is at work in it right now.");
        assertThat(sandbox.counts().mapped()).isEqualTo(ROWS);
    }

    /** Whether no request has come for a second. */
    private boolean isQuiet() {
        int before = sandbox.requests().size();
        LockSupport.parkNanos(TimeUnit.SECONDS.toNanos(1));
        return sandbox.requests().size() == before;
    }

    private Running apply(String name) throws IOException {
        return new Running(name);
    }

    /** A launcher at work. */
    private final class Running {
        private final Path err;
        private final Path report;
        private final Process process;

        Running(String name) throws IOException {
            err = folder.resolve(name + ".err");
            report = folder.resolve(name + ".json");
            // A shell that runs the tests in the background makes all below it deaf to INT.
            ProcessBuilder builder = new ProcessBuilder(
                            "env",
                            "--default-signal=INT",
                            Checkout.root().resolve("job/bin/usermap").toString(),
                            "apply",
                            "--driver-memory",
                            "700m",
                            "--master",
                            "local[2]",
                            "--report",
                            report.toString(),
                            "--set",
                            "spark.sql.shuffle.partitions=2",
                            "--set",
                            "source.path=" + folder.resolve("source.csv"),
                            "--set",
                            "ledger.path=" + folder.resolve("ledger"),
                            "--set",
                            "ledger.lock-term=4s",
                            "--set",
                            "guards.max-cluster-size=100000",
                            "--set",
                            "allowance.events-per-second=" + PER_SECOND,
                            "--set",
                            "allowance.window=" + WINDOW.toSeconds() + "s",
                            "--set",
                            "write.request-timeout=5s",
                            "--set",
                            "target.endpoint=" + sandbox.endpoint(),
                            "--set",
                            "target.api-key=k-1234567")
                    .redirectOutput(folder.resolve(name + ".out").toFile())
                    .redirectError(err.toFile());
            // Short runs: the second compiler costs more than it brings.
            builder.environment().put("JDK_JAVA_OPTIONS", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC");
            process = builder.start();
        }

        void until(BooleanSupplier happened) throws IOException {
            long end = System.nanoTime() + TimeUnit.MINUTES.toNanos(3);
            while (!happened.getAsBoolean()) {
                assertThat(System.nanoTime() < end && process.isAlive())
                        .as(err())
                        .isTrue();
                LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(50));
            }
        }

        void signal(String name) throws IOException, InterruptedException {
            Process kill = new ProcessBuilder("kill", "-" + name, "" + process.pid()).start();
            assertThat(kill.waitFor()).isZero();
        }

        int end() throws InterruptedException {
            assertThat(process.waitFor(4, TimeUnit.MINUTES)).as("ends in time").isTrue();
            return process.exitValue();
        }

        String err() throws IOException {
            return Files.readString(err);
        }

        JsonNode report() throws IOException {
            return new ObjectMapper().readTree(report.toFile());
        }
    }
}
