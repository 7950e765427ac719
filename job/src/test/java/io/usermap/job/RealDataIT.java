package io.usermap.job;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import io.usermap.sandbox.SandboxRequest;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Stream;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.junit.jupiter.api.Test;

/**
 * Clusters of people that nobody here has made up, from the source to what the service says of them. The data is public and
 * not copied into the project: it is read from {@code ../shared/data} beside the checkout, where that folder exists.
 */
class RealDataIT extends CommandCase {
    private static final Path DATA = Checkout.root().resolveSibling("shared").resolve("data");

    RealDataIT() {
        super(Duration.ofSeconds(30));
    }

    private static Path data(String name) {
        Path file = DATA.resolve(name);
        assumeThat(file)
                .as("no public data at " + file + ", nothing to test with")
                .exists();
        return file;
    }

    @Test
    void everybodyOfAThousandIsReadBackWithinTheirCluster() throws IOException {
        Path file = data("fake_1000.csv");
        usermap.set("source.path", file.toString())
                .set("source.sql", "SELECT concat('person-', unique_id) AS unique_id, cluster FROM source")
                .set("target.secret-key", "s-0123456789")
                .set("lookup.per-second", "100");

        apply();
        assertThat(usermap.count("map")).isEqualTo(749);
        assertThat(usermap.count("accepted")).isEqualTo(749);
        assertThat(sandbox.mappings()).hasSize(749);

        Dataset<Row> people = LOCAL.spark().read().option("header", "true").csv(file.toString());
        Map<String, String> clusters = new HashMap<>();
        people.selectExpr("concat('person-', unique_id)", "cluster")
                .collectAsList()
                .forEach(row -> clusters.put(row.getString(0), row.getString(1)));
        sandbox.clearRequests();
        List<String> words = new ArrayList<>(List.of("lookup"));
        words.addAll(clusters.keySet());
        assertThat(usermap.run(words.toArray(String[]::new))).as(usermap.err()).isZero();
        assertThat(sandbox.requests())
                .as("a hundred ids a GET")
                .hasSize(10)
                .allMatch(request -> request.method().equals("GET"))
                .flatExtracting(SandboxRequest::lookedUp)
                .containsExactlyInAnyOrderElementsOf(clusters.keySet())
                .hasSize(1000);
        String about = "";
        int links = 0;
        for (String line : usermap.out().replace("\"", "").lines().toList()) {
            if (!line.startsWith("  ")) {
                about = line;
            } else if (!line.equals("  has no mappings")) {
                String other = line.replaceFirst("  mapp?s?(ed)? (to|from) (\\S+) .*", "$3");
                assertThat(clusters.get(other))
                        .as("a link of the cluster")
                        .isEqualTo(Objects.requireNonNull(clusters.get(about)));
                links += line.startsWith("  maps to ") ? 1 : 0;
            }
        }
        assertThat(links).isEqualTo(749);
    }

    @Test
    void fiftyThousandTakeAsFewRequestsAsTheyFillAndNoneIsThrottled() throws IOException {
        usermap.set(
                "source.path",
                data("historical_figures_with_errors_50k.parquet").toString());

        apply();

        assertThat(Stream.of("source_rows", "map", "accepted", "rejected", "throttled", "resent")
                        .map(this::count))
                .containsExactly(50_578L, 45_422L, 45_422L, 0L, 0L, 0L);
        assertThat(sandbox.mappings()).hasSize(45_422);
        assertThat(sandbox.requests())
                .as("2,000 mappings a request, and one that is not full for each of two writers")
                .hasSizeBetween(23, 24)
                .hasSize((int) count("requests"))
                .allMatch(request -> request.status() == 200);
    }

    private long count(String name) {
        try {
            return usermap.count(name);
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }
}
