package io.usermap.job;

import static org.assertj.core.api.Assertions.assertThat;

import io.usermap.sandbox.Sandbox;
import io.usermap.sandbox.SandboxOptions;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code job/bin/usermap} as a process of its own, from another working directory. */
class LauncherIT {
    private static final Path LAUNCHER = Checkout.root().resolve("job/bin/usermap");

    @TempDir
    private Path folder;

    private record Result(int code, String out, String err) {}

    private Result run(String... words) throws IOException, InterruptedException {
        List<String> line = new ArrayList<>(List.of(LAUNCHER.toString()));
        line.addAll(List.of(words));
        Path out = folder.resolve("out.txt");
        Path err = folder.resolve("err.txt");
        ProcessBuilder builder = new ProcessBuilder(line)
                .directory(folder.toFile())
                .redirectOutput(out.toFile())
                .redirectError(err.toFile());
        builder.environment().put("JDK_JAVA_OPTIONS", JobProcess.QUICK);
        Process process = builder.start();
        assertThat(process.waitFor(3, TimeUnit.MINUTES)).as("ends in time").isTrue();
        return new Result(process.exitValue(), Files.readString(out), withoutNotes(Files.readString(err)));
    }

    /** What Java says of flags in its environment. */
    private static String withoutNotes(String err) {
        return err.replaceAll("(?m)^NOTE: Picked up JDK_JAVA_OPTIONS: .*\\R", "");
    }

    @Test
    void appliesWithACleanStandardOutput() throws IOException, InterruptedException {
        try (Sandbox sandbox = Sandbox.start(SandboxOptions.builder().build())) {
            Files.writeString(folder.resolve("source.csv"), "user_id,global_user_id\nann@x.com,person-1\n");
            Files.writeString(
                    folder.resolve("usermap.conf"),
                    "source.path = source.csv\nledger.path = ledger\ntarget.api-key = k-1234567\ntarget.endpoint = \""
                            + sandbox.endpoint() + "\"\n");

            Result result = run("apply", "--config", "usermap.conf", "--driver-memory", "1g", "--master", "local[2]");

            assertThat(result.code()).as(result.err()).isZero();
            assertThat(sandbox.mappings())
                    .containsEntry("ann@x.com", "person-1")
                    .hasSize(1);
            assertThat(result.out()).startsWith("apply ").contains("report: ");
            // A slow machine has time for a line of progress.
            assertThat(result.err().lines().filter(line -> !line.startsWith("apply: ")))
                    .containsExactly(
                            "source: pairs: user_id maps to global_user_id",
                            "source: not so? 'source.shape', 'source.id-column', 'source.global-id-column',"
                                    + " 'source.unmap-column' say otherwise");
            assertThat(folder.resolve("ledger/ledger.json")).exists();
        }
    }

    @Test
    void passesExitCodesAndArgumentsOn() throws IOException, InterruptedException {
        Result unknown = run("plan", "--set", "source.sql=SELECT 'a b' AS \"x\"", "--set", "nosuch.key= y");

        assertThat(unknown.code()).isEqualTo(6);
        assertThat(unknown.err()).contains("Cannot use configuration key 'nosuch.key'");
        assertThat(unknown.out()).isEmpty();
    }

    @Test
    void refusesASizeThatIsNone() throws IOException, InterruptedException {
        Result result = run("plan", "--driver-memory", "lots");

        assertThat(result.code()).isEqualTo(6);
        assertThat(result.err())
                .isEqualToIgnoringNewLines(
                        "Cannot use --driver-memory 'lots': it is not a size. Write a number and k, m or"
                                + " g, for example 4g.");
    }
}
