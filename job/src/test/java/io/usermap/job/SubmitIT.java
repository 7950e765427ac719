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
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The job's one jar under Spark's own submit, with nothing but Spark's jars beside it. */
class SubmitIT {
    @TempDir
    private Path folder;

    private record Result(int code, String output) {}

    @BeforeEach
    void writeSource() throws IOException {
        Files.writeString(folder.resolve("source.csv"), "user_id,global_user_id\nann@x.com,person-1\n");
    }

    @Test
    void sendsTheMappingsAndEndsWith0() throws Exception {
        try (Sandbox sandbox = Sandbox.start(SandboxOptions.builder().build())) {
            Result result = submit(sandbox);

            assertThat(result.code()).as(result.output()).isZero();
            assertThat(sandbox.mappings())
                    .containsEntry("ann@x.com", "person-1")
                    .hasSize(1);
        }
    }

    @Test
    void endsWithTheExitCodeOfTheCommandWhenItFails() throws Exception {
        try (Sandbox sandbox = Sandbox.start(SandboxOptions.builder().build())) {
            Result result = submit(sandbox, "--set", "guards.min-source-rows=5");

            assertThat(result.code()).as(result.output()).isEqualTo(4);
            assertThat(result.output()).contains("guards.min-source-rows");
            assertThat(sandbox.requests()).isEmpty();
        }
    }

    @Test
    void endsWith130WhenItIsAskedToEnd() throws Exception {
        try (Sandbox sandbox = Sandbox.start(SandboxOptions.builder().build())) {
            sandbox.addFaults("{\"faults\": [{\"path\": \"map\", \"delay_answer\": \"2s\"}]}");
            Files.writeString(
                    folder.resolve("source.csv"),
                    "user_id,global_user_id\nann@x.com,person-1\nbob@x.com,person-1\ncid@x.com,person-1\n");
            Process process = start(sandbox, "--set", "write.max-batch-rows=1", "--set", "write.writers=1");
            Waiting.until(
                    "the first request is there",
                    Duration.ofMinutes(2),
                    () -> !process.isAlive() || !sandbox.requests().isEmpty());
            JobProcess.signal(process.toHandle(), "TERM");

            Result result = ended(process);
            assertThat(result.code()).as(result.output()).isEqualTo(130);
            assertThat(result.output()).contains("apply was interrupted. 1 of its 3 mappings are acknowledged.");
            assertThat(sandbox.mappings()).hasSize(1);
        }
    }

    private Result submit(Sandbox sandbox, String... more) throws IOException, InterruptedException {
        return ended(start(sandbox, more));
    }

    private Process start(Sandbox sandbox, String... more) throws IOException {
        List<String> line = new ArrayList<>(List.of(JobProcess.java(), "-Xmx1g"));
        line.addAll(List.of(JobProcess.QUICK.split(" ")));
        line.addAll(List.of(System.getProperty("usermap.spark.jvm.flags").split(" ")));
        line.addAll(List.of(
                "-cp",
                Files.readString(Checkout.root().resolve("job/target/spark.classpath"))
                        .strip(),
                "org.apache.spark.deploy.SparkSubmit",
                "--master",
                "local[2]",
                "--conf",
                "spark.sql.shuffle.partitions=2",
                "--class",
                "io.usermap.job.Main",
                jar().toString(),
                "apply",
                "--set",
                "source.path=" + folder.resolve("source.csv"),
                "--set",
                "ledger.path=" + folder.resolve("ledger"),
                "--set",
                "target.endpoint=" + sandbox.endpoint(),
                "--set",
                "target.api-key=k-1234567"));
        line.addAll(List.of(more));
        return new ProcessBuilder(line)
                .redirectErrorStream(true)
                .redirectOutput(output().toFile())
                .start();
    }

    private Result ended(Process process) throws IOException, InterruptedException {
        assertThat(process.waitFor(3, TimeUnit.MINUTES)).as("ends in time").isTrue();
        return new Result(process.exitValue(), Files.readString(output()));
    }

    private Path output() {
        return folder.resolve("output.txt");
    }

    static Path jar() {
        return Checkout.root().resolve("job/target/usermap-job-" + System.getProperty("usermap.version") + ".jar");
    }
}
