package io.usermap.spark;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import io.usermap.sandbox.Sandbox;
import io.usermap.sandbox.SandboxOptions;
import io.usermap.sandbox.SandboxRequest;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Each class of answers that the reference page of the API knows, met by real writers; asserts what the service received. */
class AnswersIT extends SparkCase {
    @TempDir
    private Path folder;

    /** Four writers are four tasks at a time. */
    @BeforeAll
    static void startFourAtATime() {
        spark.stop();
        spark = SparkSession.builder()
                .master("local[4]")
                .appName("usermap tests")
                .config("spark.ui.enabled", "false")
                .config("spark.sql.shuffle.partitions", "4")
                .getOrCreate();
    }

    private void faults(String... faults) {
        sandbox.addFaults("{\"faults\": [" + String.join(", ", faults) + "]}");
    }

    /** One writer, whose batches of 50 rows are the requests, one after the other. */
    private Map<String, String> oneByOne(String... more) {
        Map<String, String> options = options(more);
        options.putAll(Map.of("writers", "1", "maxBatchRows", "50"));
        return options;
    }

    private List<Integer> statuses() {
        return sandbox.requests().stream().map(SandboxRequest::status).toList();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "\"status\": 401",
                "\"status\": 404",
                "\"redirect\": \"http://127.0.0.1:9/usermap\"",
            })
    void anAnswerThatEveryRequestWouldGetStopsAllWritersAtOnce(String answer) {
        // Only one writer is told; the others' 3,000 rows would go through in eight windows if they did not hear of it.
        faults("{\"path\": \"map\", \"requests\": 1, " + answer + "}");

        Throwable thrown = catchThrowable(() -> write(manyRows(4_000), options("writers", "4")));

        assertThat(BadInputIT.rootOf(thrown)).hasMessageStartingWith("Cannot write mappings: the ");
        System.out.println("AnswersIT: " + answer + ": " + statuses().size() + " requests of 4 writers");
        assertThat(statuses()).as("the first, and what was in flight already").hasSizeBetween(1, 7);
        assertThat(sandbox.mappings()).hasSizeLessThanOrEqualTo(PER_SECOND);
    }

    @ParameterizedTest
    @Tag(ONE_SPARK)
    @CsvSource({"400, 0", "403, 511", "413, 999"})
    void oneRowThatIsRefusedIsFoundAndItsNeighboursGoThrough(int status, int poison) throws IOException {
        String id = "user-%07d".formatted(poison);
        try (Sandbox wide = Sandbox.start(SandboxOptions.builder()
                .eventsPerSecond(50_000)
                .window(Duration.ofSeconds(1))
                .build())) {
            wide.addFaults(
                    "{\"faults\": [{\"path\": \"map\", \"ids\": [\"%s\"], \"status\": %d}]}".formatted(id, status));
            Map<String, String> options = new HashMap<>(
                    options("endpoint", wide.endpoint().toString(), "eventsPerSecond", "50000", "writers", "1"));
            options.putAll(Map.of("onRejected", "record", "receiptsPath", folder.toString()));

            write(manyRows(1_000), options);

            assertThat(wide.mappings()).hasSize(999).doesNotContainKey(id);
            assertThat(wide.counts().mapped()).as("the neighbours, each once").isEqualTo(999);
            assertThat(wide.requests())
                    .as("the whole, then two halves on each level")
                    .hasSizeBetween(19, 21);
            assertThat(spark.read()
                            .json(folder.toString())
                            .where("outcome = 'rejected'")
                            .collectAsList())
                    .singleElement()
                    .satisfies(row -> {
                        assertThat(row.<String>getAs("user_id")).isEqualTo(id);
                        assertThat(row.<String>getAs("reason")).isEqualTo("refused");
                    });
        }
    }

    @Test
    @Tag(ONE_SPARK)
    void whateverIsIn2xxIsASuccess() {
        faults(
                "{\"requests\": 1, \"status\": 200, \"body\": \"<html>{\\\"error\\\"\", \"stored\": true}",
                "{\"requests\": 2, \"status\": 204, \"stored\": true}",
                "{\"requests\": 3, \"status\": 201, \"body\": \"\", \"stored\": true}");

        write(manyRows(200), oneByOne());

        assertThat(statuses()).containsExactly(200, 204, 201, 200);
        assertThat(sandbox.counts().mapped()).isEqualTo(200);
    }

    @Test
    @Tag(ONE_SPARK)
    void whatMayNotHaveArrivedIsSentAgainAndNothingElseIs() {
        List<String> trouble = List.of(
                "\"status\": 408",
                "\"status\": 500",
                "\"status\": 502",
                "\"status\": 503",
                "\"status\": 504",
                "\"drop\": \"request\"",
                "\"drop\": \"answer\"");
        // Each batch meets another trouble, and goes through the second time.
        faults(IntStream.range(0, trouble.size())
                .mapToObj(i -> "{\"path\": \"map\", \"requests\": %d, %s}".formatted(2 * i + 1, trouble.get(i)))
                .toArray(String[]::new));

        write(manyRows(350), oneByOne());

        List<SandboxRequest> requests = sandbox.requests();
        assertThat(statuses()).containsExactly(408, 200, 500, 200, 502, 200, 503, 200, 504, 200, 0, 200, 200, 200);
        for (int i = 0; i < requests.size(); i += 2) {
            if (!requests.get(i).mappings().isEmpty()) {
                assertThat(requests.get(i + 1).mappings())
                        .as("after " + trouble.get(i / 2))
                        .isEqualTo(requests.get(i).mappings());
            }
        }
        assertThat(sandbox.mappings()).hasSize(350);
        assertThat(sandbox.counts().mapped()).as("the lost answer's rows twice").isEqualTo(400);
    }

    @Test
    @Tag(ONE_SPARK)
    void aServiceThatIsDownIsLeftTimeBetweenTheTries() {
        faults("{\"path\": \"map\", \"requests\": \"1-4\", \"status\": 503}");

        write(manyRows(50), oneByOne());

        List<SandboxRequest> requests = sandbox.requests();
        assertThat(statuses()).containsExactly(503, 503, 503, 503, 200);
        // Each wait is drawn evenly up to 0.5, 1, 2 and 4 s; that all are next to nothing happens once in 100,000
        // times.
        assertThat(Duration.ofNanos(
                        requests.get(4).arrivedNanos() - requests.get(0).arrivedNanos()))
                .isBetween(Duration.ofMillis(150), Duration.ofSeconds(12));
    }

    @Test
    @Tag(ONE_SPARK)
    void slownessIsCutByTheTimeOutAndAStatusCountsWhateverItsBody() {
        faults(
                "{\"requests\": 1, \"delay_answer\": \"30s\"}",
                "{\"requests\": 3, \"endless_body\": true}",
                "{\"requests\": 4, \"byte_delay\": \"5s\"}");
        long start = System.nanoTime();

        write(manyRows(150), oneByOne("requestTimeout", "400ms"));

        assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(Duration.ofSeconds(15));
        assertThat(sandbox.requests()).as("only silence is sent again").hasSize(4);
        assertThat(sandbox.requests().get(1).mappings())
                .isEqualTo(sandbox.requests().get(0).mappings());
        assertThat(sandbox.counts().mapped()).isEqualTo(200);
    }

    @Test
    @Tag(ONE_SPARK)
    void a429MakesEverybodyWait() {
        // The four writers' first requests are on their way before the answer is.
        faults(
                "{\"path\": \"map\", \"requests\": 4, \"status\": 429, \"retry_after\": 2, \"delay_answer\": \"400ms\"}");

        write(manyRows(900), options("writers", "4"));

        List<SandboxRequest> requests = sandbox.requests();
        SandboxRequest told = requests.stream()
                .filter(request -> request.status() == 429)
                .findFirst()
                .orElseThrow();
        long answered = told.arrivedNanos() + told.took().orElseThrow().toNanos();
        assertThat(requests.stream()
                        .map(request -> TimeUnit.NANOSECONDS.toMillis(request.arrivedNanos() - answered))
                        .filter(millis -> millis > 0))
                .as("milliseconds from the 429 to what any writer sent later")
                .isNotEmpty()
                .allMatch(millis -> millis >= 1_990);
        assertThat(sandbox.mappings()).hasSize(900);
        assertThat(sandbox.counts().mapped()).isEqualTo(900);
        assertThat(statuses().stream().filter(status -> status == 429)).hasSize(1);
    }

    @Test
    @Tag(ONE_SPARK)
    void aHostThatHasNoAddressIsNamedAsSuch() {
        Throwable thrown = catchThrowable(() -> write(
                manyRows(10),
                options("endpoint", "http://nowhere.invalid", "allowInsecureEndpoint", "true", "maxAttempts", "1")));

        assertThat(BadInputIT.rootOf(thrown))
                .hasMessageStartingWith("Cannot write mappings after 1 attempts: the host name cannot be resolved.");
    }
}
