package io.usermap.sandbox;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The jar in a process of its own, with nothing else on its class path. */
@Timeout(60)
class SandboxJarIT {
    private static final String JAR = System.getProperty("sandbox.jar", "target/usermap-sandbox-0.1.0.jar");

    private final List<Process> started = new ArrayList<>();

    @TempDir
    private Path folder;

    @AfterEach
    void endProcesses() {
        started.forEach(Process::destroyForcibly);
    }

    @Test
    void losesNothingThatItAnsweredWhenItIsKilled() throws Exception {
        Process first = startSandbox();
        assertThat(callerOf(first).post(Caller.maps(1500, "ann")).body()).isEqualTo("success");

        first.destroyForcibly().waitFor(10, TimeUnit.SECONDS);
        Process second = startSandbox();

        assertThat(callerOf(second).lookUp("ann-1499").body())
                .startsWith("{\"ann-1499\":{\"mapped_from\":[],\"mapped_to\":[{\"amplitude_id\":")
                .endsWith(",\"user_id\":\"everybody\"}]}}");
    }

    @Test
    void keepsASecondProcessOutOfItsFolderUntilItIsTerminated() throws Exception {
        Process first = startSandbox();
        callerOf(first);

        Process second = startSandbox();
        assertThat(second.waitFor(20, TimeUnit.SECONDS)).isTrue();
        assertThat(second.exitValue()).isOne();
        assertThat(second.errorReader().readLine())
                .isEqualTo("Cannot keep mappings in " + folder
                        + ": another sandbox uses this folder. Stop it or choose another folder.");

        first.destroy();
        assertThat(first.waitFor(10, TimeUnit.SECONDS)).isTrue();
        callerOf(startSandbox());
    }

    @Test
    void failsAsItsScriptSays() throws Exception {
        Path script = Files.writeString(
                folder.resolve("faults.json"),
                "{\"faults\": [{\"requests\": 1, \"status\": 503, \"body\": \"not yet\"}]}");
        Caller caller = callerOf(startSandbox("--faults", script.toString()));

        assertThat(caller.post(Caller.maps(1, "ann")).body()).isEqualTo("not yet");
        assertThat(caller.post(Caller.maps(1, "ann")).body()).isEqualTo("success");
    }

    private Process startSandbox(String... flags) throws IOException {
        String java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
        List<String> command = new ArrayList<>(List.of(java, "-jar", JAR, "--path", folder.toString()));
        command.addAll(List.of(flags));
        Process process = new ProcessBuilder(command).start();
        started.add(process);
        return process;
    }

    private static Caller callerOf(Process sandbox) throws IOException {
        BufferedReader out = sandbox.inputReader();
        String first = out.readLine();
        assertThat(first).startsWith("listening on ");
        return new Caller(URI.create(first.substring("listening on ".length())));
    }
}
