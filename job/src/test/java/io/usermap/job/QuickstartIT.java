package io.usermap.job;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.usermap.sandbox.Sandbox;
import io.usermap.sandbox.SandboxOptions;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.apache.spark.SparkEnv;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The quickstart from end to end, at a higher rate than the API's so that nobody waits a minute for it. */
class QuickstartIT {
    @TempDir
    private Path folder;

    @BeforeAll
    static void endTheSessionOfOthers() {
        LocalSpark.stop();
    }

    @AfterEach
    void theSessionWasStopped() {
        assertThat(SparkEnv.get()).isNull();
    }

    private JsonNode apply() throws IOException {
        Path report = folder.resolve("report.json");
        PrintStream told = new PrintStream(new ByteArrayOutputStream(), true, StandardCharsets.UTF_8);
        String[] arguments = {
            "apply",
            "--config",
            ReadmeFiles.inRepository(Path.of("conf/quickstart.conf")).toString(),
            "--set",
            "source.path=" + ReadmeFiles.inRepository(QuickstartSample.FILE),
            "--set",
            "ledger.path=" + folder.resolve("ledger"),
            "--set",
            "sandbox.path=" + folder.resolve("sandbox"),
            "--set",
            "allowance.events-per-second=5000",
            "--report",
            report.toString()
        };
        assertThat(Main.run(arguments, told, told)).isZero();
        return new ObjectMapper().readTree(Files.readString(report));
    }

    @Test
    void mapsEverybodyOnceAndThenNobody() throws IOException {
        JsonNode first = apply();

        assertThat(first.at("/outcome").asText()).isEqualTo("done");
        assertThat(first.at("/counts/map").asLong()).isEqualTo(QuickstartSample.mappings());
        assertThat(first.at("/counts/accepted").asLong()).isEqualTo(QuickstartSample.mappings());
        assertThat(first.at("/counts/throttled").asLong()).isZero();
        assertThat(first.get("rejected_by_reason"))
                .isEqualTo(new ObjectMapper().readTree("{\"conflict\":2,\"placeholder\":3,\"too_short\":1}"));
        everyMappingStaysInItsCluster();

        JsonNode second = apply();

        assertThat(second.at("/outcome").asText()).isEqualTo("nothing_to_do");
        assertThat(second.at("/counts/unchanged").asLong()).isEqualTo(QuickstartSample.mappings());
        assertThat(second.at("/counts/accepted").asLong()).isZero();
        assertThat(second.at("/counts/requests").asLong()).isZero();
    }

    private void everyMappingStaysInItsCluster() throws IOException {
        Map<String, String> clusters = QuickstartSample.rows(QuickstartSample.csv()).stream()
                .collect(Collectors.toMap(
                        QuickstartSample.Row::userId, QuickstartSample.Row::cluster, (first, second) -> "in two"));
        try (Sandbox sandbox = Sandbox.start(
                SandboxOptions.builder().path(folder.resolve("sandbox")).build())) {
            Map<String, String> mappings = sandbox.mappings();
            assertThat(mappings).hasSize((int) QuickstartSample.mappings());
            assertThat(mappings).doesNotContainKey(QuickstartSample.IN_TWO_CLUSTERS);
            Set<String> arrived = new HashSet<>(mappings.keySet());
            arrived.addAll(mappings.values());
            assertThat(arrived).containsAll(QuickstartSample.AWKWARD);
            mappings.forEach((user, global) -> assertThat(clusters.get(user)).isEqualTo(clusters.get(global)));
        }
    }
}
