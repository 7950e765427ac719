package io.usermap.spark;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.usermap.sandbox.Sandbox;
import io.usermap.sandbox.SandboxOptions;
import io.usermap.spark.HostileRows.Hostile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * A hundred thousand rows of hostile text, through the data source to the service: each is accepted or rejected with a
 * reason, as it must be, and what the service stored is what the receipts say. Run a seed again with
 * {@code -Dusermap.seed=N}.
 */
class HostileRowsIT extends SparkCase {
    private static final int ROWS = 100_000;
    private static final int LARGE = 12;
    private static final ObjectMapper JSON = new ObjectMapper();

    @TempDir
    private Path folder;

    @Test
    @Tag(ONE_SPARK)
    void everyRowIsAcceptedOrRejectedWithAReason() throws IOException {
        long seed = Long.getLong("usermap.seed", System.nanoTime());
        System.out.println("HostileRowsIT: seed " + seed);
        List<Hostile> rows = new HostileRows(seed).next(ROWS, LARGE);
        Path receipts = folder.resolve("receipts");
        try (Sandbox service = Sandbox.start(SandboxOptions.builder()
                .eventsPerSecond(200_000)
                .window(Duration.ofSeconds(1))
                .keys(Set.of("key-of-tests"))
                .build())) {
            Map<String, String> options = options(
                    "endpoint",
                    service.endpoint().toString(),
                    "eventsPerSecond",
                    "200000",
                    "receiptsPath",
                    receipts.toString(),
                    "onRejected",
                    "record",
                    "onConflict",
                    "reject");
            write(HostileRows.frame(spark, rows), options);

            Map<String, String> accepted = new HashMap<>();
            Map<String, Long> fates = new TreeMap<>();
            long unmapped = 0;
            for (JsonNode receipt : receipts(receipts)) {
                String outcome = receipt.path("outcome").asText();
                String reason = receipt.path("reason").asText("");
                String fate = outcome.equals("accepted") ? outcome : reason;
                assertThat(fate).as("an outcome of seed %s", seed).isNotEmpty();
                fates.merge(fate, 1L, Long::sum);
                if (fate.equals("accepted") && receipt.path("unmap").asBoolean()) {
                    unmapped++;
                } else if (fate.equals("accepted")) {
                    String before = accepted.put(
                            receipt.path("user_id").textValue(),
                            receipt.path("global_user_id").textValue());
                    assertThat(before)
                            .as("the user's other receipt, seed %s", seed)
                            .isNull();
                }
            }
            assertThat(fates.values().stream().mapToLong(Long::longValue).sum())
                    .as("a receipt for each row of seed %s: %s", seed, fates)
                    .isEqualTo(ROWS);
            assertThat(accepted.equals(service.mappings()))
                    .as("the service stored what the receipts say, seed %s", seed)
                    .isTrue();
            assertThat(service.counts().mapped()).isEqualTo(accepted.size());
            assertThat(service.counts().unmapped()).isEqualTo(unmapped);
            assertThat(service.counts().refused() + service.counts().throttled())
                    .as("requests that were refused, seed %s", seed)
                    .isZero();
            for (Hostile row : rows) {
                if (row.fate().equals(java.util.Optional.of("accepted")) && !Boolean.TRUE.equals(row.unmap())) {
                    assertThat(accepted.get(new String(row.user(), UTF_8)))
                            .as("an id arrives as it is, seed %s", seed)
                            .isEqualTo(new String(row.global(), UTF_8));
                }
            }
            assertThatNoFateIsRarerThanPlanned(rows, fates, seed);
            service.clearRequests();
            write(HostileRows.frame(spark, rows), options);
            assertThat(service.requests())
                    .as("what the receipts acknowledge, seed %s", seed)
                    .isEmpty();
        }
    }

    /** Rows without a planned fate may add to any; of too many equal short users some count as repeated. */
    private static void assertThatNoFateIsRarerThanPlanned(List<Hostile> rows, Map<String, Long> fates, long seed) {
        Map<String, Long> planned = new TreeMap<>();
        rows.forEach(row -> row.fate().ifPresent(fate -> planned.merge(fate, 1L, Long::sum)));
        assertThat(planned).hasSize(10);
        planned.forEach((fate, count) -> assertThat(fates.getOrDefault(fate, 0L))
                .as("rows with %s, seed %s", fate, seed)
                .isBetween(count, count + rows.size() / 8L));
    }

    private static List<JsonNode> receipts(Path folder) throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            List<Path> found =
                    files.filter(file -> file.toString().endsWith(".jsonl")).toList();
            assertThat(found)
                    .allSatisfy(
                            file -> assertThat(file.getFileName().toString()).matches("[A-Za-z0-9.-]+"));
            return found.stream()
                    .flatMap(file -> {
                        try {
                            return Files.readAllLines(file).stream();
                        } catch (IOException e) {
                            throw new java.io.UncheckedIOException(e);
                        }
                    })
                    .map(line -> {
                        try {
                            return JSON.readTree(line);
                        } catch (IOException e) {
                            throw new java.io.UncheckedIOException(e);
                        }
                    })
                    .toList();
        }
    }
}
