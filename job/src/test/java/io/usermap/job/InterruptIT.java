package io.usermap.job;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.usermap.sandbox.Sandbox;
import io.usermap.sandbox.SandboxOptions;
import io.usermap.sandbox.SandboxRequest;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;

/** Real processes of the launcher and real signals: who is asked to end ends in order, and who was paused sends nothing. */
class InterruptIT {
    @RegisterExtension
    static final LocalSpark LOCAL = new LocalSpark();

    @TempDir
    private Path folder;

    /** A window that outlasts a restart, so that it would be exceeded by whoever forgot it. */
    @Test
    @Execution(ExecutionMode.CONCURRENT)
    void signalsEndRunsInOrderAndTheNextOneSendsTheRestWithinTheWindow() throws Exception {
        try (Scene scene = new Scene(folder, 350, 10, Duration.ofSeconds(15), "ledger.lock-term=30s")) {
            // So that the signal meets a request that the service has stored and not answered.
            scene.sandbox.addFaults("{\"faults\": [{\"path\": \"map\", \"delay_answer\": \"1500ms\"}]}");
            long before = endsBy("TERM", scene, "first", 0);
            long mapped = endsBy("INT", scene, "second", before);

            CommandRunner third = scene.applyHere();
            assertThat(third.err())
                    .contains(" was interrupted: " + mapped
                            + " of its 350 mappings are acknowledged; sending the other " + (350 - mapped));
            assertThat(scene.sandbox.mappings()).hasSize(350);
            assertThat(scene.sandbox.counts().mapped()).as("none sent twice").isEqualTo(350);
            assertThat(scene.sandbox.counts().throttled())
                    .as("429s across the restarts")
                    .isZero();
        }
    }

    /** Sends {@code signal} once more than {@code before} are mapped, and returns how many are at the end. */
    private static long endsBy(String signal, Scene scene, String name, long before) throws Exception {
        Running running = scene.apply(name);
        running.until(() -> scene.sandbox.counts().mapped() > before);
        running.signal(signal);

        assertThat(running.end()).as(running.err()).isEqualTo(130);
        long mapped = scene.sandbox.counts().mapped();
        assertThat(mapped).isLessThan(scene.rows);
        assertThat(running.report().path("outcome").asText()).isEqualTo("interrupted");
        assertThat(running.report().path("exit_code").asInt()).isEqualTo(130);
        assertThat(running.report().path("counts").path("accepted").asLong()).isEqualTo(mapped - before);
        assertThat(running.err().lines().toList())
                .last()
                .asString()
                .isEqualTo("apply was interrupted. " + mapped + " of its " + scene.rows
                        + " mappings are acknowledged. Run 'usermap apply' again: it sends the rest.");
        return mapped;
    }

    @Test
    @Execution(ExecutionMode.CONCURRENT)
    void ofTwoAtOnceOneSendsAndNoMoreOnceAnotherTookOverFromIt() throws Exception {
        try (Scene scene = new Scene(folder, 800, 100, Duration.ofSeconds(2), "ledger.lock-term=10s")) {
            Running one = scene.apply("one");
            Running other = scene.apply("other");
            Waiting.until(
                    "one of the two has given way",
                    Duration.ofMinutes(3),
                    () -> !one.process.isAlive() || !other.process.isAlive());
            Running first = one.process.isAlive() ? one : other;
            Running loser = first == one ? other : one;
            assertThat(loser.end()).as(loser.err()).isEqualTo(1);
            assertThat(loser.err()).contains("is at work in it right now.");

            first.until(() -> scene.sandbox.counts().mapped() >= 200);
            first.signal("STOP");
            // What had left before the signal arrives.
            first.until(scene::isQuiet);
            assertThat(scene.sandbox.counts().mapped())
                    .as("none sent twice by two at once, and some left")
                    .isEqualTo(scene.sandbox.mappings().size())
                    .isLessThan(800);
            CommandRunner second = scene.applyHere();
            assertThat(scene.sandbox.mappings()).hasSize(800);
            long requests = scene.sandbox.requests().size();
            Path heartbeat = second.ledger()
                    .resolve("runs/" + second.report().path("run").asText())
                    .resolve("heartbeat");
            String last = Files.readString(heartbeat);
            first.signal("CONT");

            assertThat(first.end()).as(first.err()).isEqualTo(1);
            assertThat(scene.sandbox.requests())
                    .as("requests of the one that woke up")
                    .hasSize((int) requests);
            assertThat(heartbeat)
                    .as("the sign of life of the run that is at its end")
                    .hasContent(last);
            assertThat(first.err())
                    .contains("Cannot use the ledger: another run took it over, because this one showed no sign of life"
                            + " for a term.");
            assertThat(second.report().path("outcome").asText()).isEqualTo("done");
            assertThat(scene.sandbox.counts().throttled()).isZero();
        }
    }

    /**
     * Two steps a remap; the service stores the unmap of the second user long after the run that sent it was ended, by a
     * second signal while the first one still waits for the answer.
     */
    @Test
    @Execution(ExecutionMode.CONCURRENT)
    void anUnmapOfARunThatWasEndedAtOnceComesBeforeTheMapOfTheOneThatResumesIt() throws Exception {
        try (Scene scene = new Scene(
                folder,
                2,
                50,
                Duration.ofSeconds(1),
                "ledger.lock-term=4s",
                "plan.remap=unmap-first",
                "write.writers=1",
                "write.max-batch-rows=1",
                "write.request-timeout=16s")) {
            scene.applyHere();
            scene.want("person-2");
            scene.sandbox.clearRequests();
            scene.sandbox.addFaults("{\"faults\": [{\"name\": \"late\", \"path\": \"map\", \"requests\": 2,"
                    + " \"delay_request\": \"15s\"}]}");
            Running ended = scene.apply("ended");
            ended.until(() -> scene.sandbox.requests().size() == 1);
            Waiting.pass(Duration.ofSeconds(1));
            ended.signal("TERM");
            ended.until(() -> ended.err().contains("(once more ends it at once)"));
            ended.signal("TERM");
            assertThat(ended.end()).isEqualTo(130);
            assertThat(ended.err()).as("no end in order").doesNotContain("apply was interrupted.");

            scene.applyHere();

            List<SandboxRequest> ofSecond = scene.sandbox.requests().stream()
                    .filter(request -> request.mappings().stream()
                            .anyMatch(mapping -> mapping.userId().equals("user-0001")))
                    .toList();
            assertThat(ofSecond.stream()
                            .map(request -> request.unmaps() + " " + request.maps() + " " + request.faults()))
                    .as("unmaps and maps in the order in which they were stored")
                    .contains("1 0 [late]")
                    .endsWith("0 1 []");
            // On a slow machine the late one has come by then, waited for or not.
            SandboxRequest unmap = ofSecond.stream()
                    .filter(request -> request.unmaps() == 1 && request.faults().isEmpty())
                    .findFirst()
                    .orElseThrow();
            SandboxRequest map = ofSecond.get(ofSecond.size() - 1);
            assertThat(Duration.ofNanos(map.arrivedNanos() - unmap.arrivedNanos()))
                    .as("for as long as an unmap may be on its way")
                    .isGreaterThanOrEqualTo(Duration.ofSeconds(16));
            assertThat(scene.sandbox.mappings()).containsOnlyKeys("user-0000", "user-0001");
            assertThat(scene.sandbox.mappings().values()).containsOnly("person-2");
        }
    }

    /** A source, a ledger and a sandbox, and what is launched between them. */
    private static final class Scene implements AutoCloseable {
        private final Path folder;
        private final int rows;
        private final List<String> settings;
        private final Sandbox sandbox;
        private final List<Running> launched = new ArrayList<>();

        Scene(Path folder, int rows, int perSecond, Duration window, String... more) throws IOException {
            this.folder = folder;
            this.rows = rows;
            this.sandbox = Sandbox.start(SandboxOptions.builder()
                    .eventsPerSecond(perSecond)
                    .window(window)
                    .build());
            this.settings = new ArrayList<>(List.of(
                    "source.path=" + folder.resolve("source.csv"),
                    "ledger.path=" + folder.resolve("ledger"),
                    "guards.max-cluster-size=100000",
                    "guards.max-remap-share=1",
                    "allowance.events-per-second=" + perSecond,
                    "allowance.window=" + window.toSeconds() + "s",
                    "write.request-timeout=5s",
                    "target.endpoint=" + sandbox.endpoint(),
                    "target.api-key=k-1234567"));
            settings.addAll(List.of(more));
            want("person-1");
        }

        /** From now on the source says that all users are this person. */
        private void want(String person) throws IOException {
            Files.write(
                    folder.resolve("source.csv"),
                    Stream.concat(
                                    Stream.of("user_id,global_user_id"),
                                    IntStream.range(0, rows).mapToObj(i -> "user-%04d,%s".formatted(i, person)))
                            .toList());
        }

        /** Applies in this process, which has to succeed: a start of Spark less. */
        private CommandRunner applyHere() {
            CommandRunner usermap = new CommandRunner(folder);
            settings.forEach(setting -> usermap.set(
                    setting.substring(0, setting.indexOf('=')), setting.substring(setting.indexOf('=') + 1)));
            assertThat(usermap.run("apply")).as(usermap.err()).isZero();
            return usermap;
        }

        /** Whether no request has come for a second. */
        private boolean isQuiet() {
            int before = sandbox.requests().size();
            LockSupport.parkNanos(TimeUnit.SECONDS.toNanos(1));
            return sandbox.requests().size() == before;
        }

        private Running apply(String name) throws IOException {
            Running running = new Running(folder, name, settings);
            launched.add(running);
            return running;
        }

        @Override
        public void close() {
            launched.forEach(running -> running.process.destroyForcibly());
            sandbox.close();
        }
    }

    /** A launcher at work. */
    private static final class Running {
        private final Path err;
        private final Path report;
        private final Process process;

        Running(Path folder, String name, List<String> settings) throws IOException {
            err = folder.resolve(name + ".err");
            report = folder.resolve(name + ".json");
            // A shell that runs the tests in the background makes all below it deaf to INT.
            List<String> line = new ArrayList<>(List.of(
                    "env",
                    "--default-signal=INT",
                    Checkout.root().resolve("job/bin/usermap").toString(),
                    "apply",
                    "--driver-memory",
                    "700m",
                    "--master",
                    "local[2]",
                    "--report",
                    report.toString()));
            settings.forEach(setting -> line.addAll(List.of("--set", setting)));
            LocalSpark.CHEAP.forEach((key, value) -> line.addAll(List.of("--set", key + "=" + value)));
            ProcessBuilder builder = new ProcessBuilder(line)
                    .redirectOutput(folder.resolve(name + ".out").toFile())
                    .redirectError(err.toFile());
            builder.environment().put("JDK_JAVA_OPTIONS", JobProcess.QUICK);
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

        String err() {
            try {
                return Files.readString(err);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }

        JsonNode report() throws IOException {
            return new ObjectMapper().readTree(report.toFile());
        }
    }
}
