package io.usermap.job;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.usermap.sandbox.Sandbox;
import io.usermap.sandbox.SandboxOptions;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/**
 * Hostile ids through every command: each row ends as it must, and what people and programs read of it holds nothing that
 * moves a cursor, turns the direction of writing, forges a line or breaks a format. Run a seed again with
 * {@code -Dusermap.seed=N}.
 */
class HostileRowsIT {
    private static final int ROWS = 3_000;
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String FORGED = "2026-01-01 ERROR forged";
    private static final String[] PIECES = {
        "\u0000",
        "\u0007",
        "\n" + FORGED + "\n",
        "\r",
        "\t",
        "\u001B[2J",
        "\u009B31m",
        "\u202E",
        "\u2066",
        "\u200B",
        "\u2028",
        "\u0301",
        "\uFFFD",
        "\uD83D\uDE00",
        "\"",
        "'",
        "\\",
        "\\n",
        "%00",
        "&",
        ",",
        ";",
        "{\"kind\":\"error\"}",
        "../../etc",
        "C:\\",
        "<script>alert(1)</script>",
        "</td>",
        "${env:HOME}",
        "' OR 1=1 --",
        "%s%n",
        "a",
        "Z",
        "\u65E5"
    };

    @RegisterExtension
    static final LocalSpark LOCAL = new LocalSpark();

    @TempDir
    private Path folder;

    private final long seed = Long.getLong("usermap.seed", System.nanoTime());
    private final Random random = new Random(seed);
    private Sandbox sandbox = start();
    private CommandRunner usermap = new CommandRunner(Path.of("unset"));
    private final Map<String, String> mappings = new HashMap<>();
    private final Map<String, Long> rejected = new TreeMap<>();

    private static Sandbox start() {
        try {
            return Sandbox.start(SandboxOptions.builder()
                    .eventsPerSecond(50_000)
                    .window(Duration.ofSeconds(1))
                    .build());
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }

    @BeforeEach
    void aimAtTheSandbox() {
        System.out.println("HostileRowsIT: seed " + seed);
        Path source = folder.resolve("source.parquet");
        rows(source);
        usermap = new CommandRunner(folder)
                .set("target.endpoint", sandbox.endpoint().toString())
                .set("target.api-key", "k-0123456789abcdef")
                .set("allowance.events-per-second", "50000")
                // Nothing is sent again for being slow.
                .set("write.request-timeout", "30s")
                .set("source.path", source.toString())
                .set("plan.max-rejected-share", "1")
                .set("guards.max-placeholder-share", "1")
                .set("guards.max-remap-share", "1")
                .set("target.secret-key", "s-0123456789abcdef")
                .set("lookup.per-second", "100")
                .set("report.ids", "plain");
    }

    @AfterEach
    void closeTheSandbox() {
        sandbox.close();
    }

    private String text(String first, String last) {
        StringBuilder text = new StringBuilder(first);
        for (int i = random.nextInt(6); i >= 0; i--) {
            text.append(PIECES[random.nextInt(PIECES.length)]);
        }
        return text.append(last).toString();
    }

    /** A source whose every row has a fate of its own, kept in {@link #mappings} and {@link #rejected}. */
    @SuppressWarnings("NullAway") // what is missing in a row is null
    private void rows(Path source) {
        List<Row> rows = new ArrayList<>();
        for (int i = 0; i < ROWS; i++) {
            String user = text(new String[] {"=cmd|", "@SUM(", "-2+", "u", "/"}[random.nextInt(5)] + i, ")u");
            String global = text("person" + random.nextInt(50), "-p");
            byte[] userBytes = user.getBytes(UTF_8);
            byte[] globalBytes = global.getBytes(UTF_8);
            String reason = "";
            switch (random.nextInt(9)) {
                case 0 -> {
                    reason = "invalid_text";
                    // Half of a surrogate pair, as a program writes it that does not know better.
                    byte[] half = {(byte) 0xED, (byte) 0xA0, (byte) 0x80};
                    userBytes = Arrays.copyOf(userBytes, userBytes.length + half.length);
                    System.arraycopy(half, 0, userBytes, userBytes.length - half.length, half.length);
                }
                case 1 -> {
                    reason = "surrounding_blanks";
                    userBytes = (user + "\u2003").getBytes(UTF_8);
                }
                case 2 -> {
                    reason = "missing_id";
                    globalBytes = null;
                }
                case 3 -> {
                    reason = "too_long";
                    userBytes = user.repeat(1 + 1_025 / user.codePointCount(0, user.length()))
                            .getBytes(UTF_8);
                }
                case 4 -> {
                    reason = "placeholder";
                    globalBytes = "N/A".getBytes(UTF_8);
                }
                default -> mappings.put(user, global);
            }
            if (!reason.isEmpty()) {
                rejected.merge(reason, 1L, Long::sum);
            }
            rows.add(RowFactory.create(userBytes, globalBytes));
        }
        LOCAL.spark()
                .createDataFrame(rows, new StructType().add("user_id", "binary").add("global_user_id", "binary"))
                .selectExpr("CAST(user_id AS STRING) AS user_id", "CAST(global_user_id AS STRING) AS global_user_id")
                .write()
                .parquet(source.toString());
    }

    @Test
    void hostileIdsDoNoHarmInAnyCommand() throws IOException {
        assertThat(usermap.run("plan")).as(usermap.err()).isZero();
        isHarmless("plan", usermap.out() + usermap.err());
        assertThat(usermap.run("plan", "--format", "json", "--log-format", "json"))
                .as(usermap.err())
                .isZero();
        isHarmless("plan", usermap.out());
        isJson(usermap.err());
        assertThat(usermap.json().at("/counts/map").asInt()).isEqualTo(mappings.size());

        assertThat(usermap.run("apply", "--log-format", "json"))
                .as(usermap.err())
                .isZero();
        isHarmless("apply", usermap.out());
        isJson(usermap.err());
        String applied = usermap.report().path("run").asText();
        Map<String, Long> told = new TreeMap<>();
        usermap.report()
                .path("rejected_by_reason")
                .fields()
                .forEachRemaining(
                        field -> told.put(field.getKey(), field.getValue().asLong()));
        assertThat(told).as("rejected by the plan, seed %s", seed).isEqualTo(rejected);
        assertThat(usermap.count("accepted")).isEqualTo(mappings.size());
        assertThat(usermap.count("source_rows")).isEqualTo(ROWS);
        assertThat(sandbox.mappings().equals(mappings))
                .as("what was stored, seed %s", seed)
                .isTrue();
        assertThat(sandbox.counts().refused()).as("refused rows, seed %s", seed).isZero();
        assertThat(sandbox.counts().mapped()).as("each sent once").isEqualTo(mappings.size());
        livePageIsHarmless();

        sandbox.clearRequests();
        assertThat(usermap.run("apply")).as(usermap.err()).isZero();
        assertThat(sandbox.requests())
                .as("the state knows them all, seed %s", seed)
                .isEmpty();
        isHarmless("apply", usermap.out() + usermap.err());

        explains();
        exports();
        assertThat(usermap.run("runs")).as(usermap.err()).isZero();
        isHarmless("runs", usermap.out() + usermap.err());
        String run = usermap.out().lines().skip(1).findFirst().orElseThrow().split(" ", -1)[0];
        assertThat(usermap.run("report", run)).as(usermap.err()).isZero();
        isHarmless("report", usermap.out() + usermap.err());
        ledgerIsHarmless();
        looksUp();
        verifies();
        undoes(applied);
        forgets();
    }

    private void looksUp() {
        List<String> line = new ArrayList<>(List.of("lookup", "--"));
        mappings.keySet().stream().limit(300).forEach(line::add);
        assertThat(usermap.run(line.toArray(String[]::new))).as(usermap.err()).isZero();
        isHarmless("lookup", usermap.out() + usermap.err());
        assertThat(usermap.out().lines().filter(told -> told.startsWith("  maps to \"person")))
                .as("targets in the words of the service")
                .hasSize(300);
    }

    private void verifies() throws IOException {
        assertThat(usermap.run("verify", "--full")).as(usermap.err()).isZero();
        isHarmless("verify", usermap.out() + usermap.err());
        assertThat(usermap.report().at("/verified/agreed").asInt()).isEqualTo(mappings.size());
    }

    private void undoes(String run) throws IOException {
        assertThat(usermap.run("undo", run, "--set", "guards.max-unmap-share=1", "--set", "guards.max-shrink=1"))
                .as(usermap.err())
                .isZero();
        isHarmless("undo", usermap.out() + usermap.err());
        assertThat(usermap.count("unmap")).isEqualTo(mappings.size());
    }

    private void forgets() {
        String user = mappings.keySet().iterator().next();
        assertThat(usermap.run("forget", "--", user)).as(usermap.err()).isZero();
        isHarmless("forget", usermap.out() + usermap.err());
        assertThat(usermap.out()).contains("removed: 1 of the acknowledged mappings");
    }

    private void explains() {
        String user = mappings.keySet().stream()
                .filter(id -> !id.startsWith("-"))
                .max(java.util.Comparator.comparingInt(String::length))
                .orElseThrow();
        assertThat(usermap.run("explain", user)).as(usermap.err()).isZero();
        isHarmless("explain", usermap.out() + usermap.err());
        assertThat(usermap.out()).contains("is mapped to ");
    }

    private void exports() throws IOException {
        assertThat(usermap.run("export", "--format", "json")).as(usermap.err()).isZero();
        Map<String, String> exported = new HashMap<>();
        for (String line : usermap.out().lines().toList()) {
            JsonNode row = JSON.readTree(line);
            exported.put(
                    row.path("user_id").textValue(), row.path("global_user_id").textValue());
        }
        assertThat(exported.equals(mappings)).as("exported, seed %s", seed).isTrue();

        assertThat(usermap.run("export")).as(usermap.err()).isZero();
        assertThat(usermap.err()).contains("rows hold an id that a spreadsheet would take for a formula");
        isHarmless("export", usermap.err());
        // The ids stand in the file as they are, so it is long; that its fields are well quoted is what counts.
        assertThat(usermap.out().replaceAll("\"(?:[^\"]|\"\")*\"", "q").lines().filter(FORGED::equals))
                .isEmpty();
    }

    private void ledgerIsHarmless() throws IOException {
        try (Stream<Path> files = Files.walk(usermap.ledger())) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                assertThat(usermap.ledger().relativize(file).toString())
                        .as("a path in the ledger")
                        .matches("[A-Za-z0-9._=/-]+");
                if (file.toString().endsWith(".json")) {
                    String text = Files.readString(file);
                    isHarmless(file.getFileName().toString(), text);
                    assertThat(JSON.readTree(text).isContainerNode()).isTrue();
                }
            }
        }
    }

    private void livePageIsHarmless() throws IOException {
        String page = new String(sandbox.endpoint().toURL().openStream().readAllBytes(), UTF_8);
        isHarmless("live page", page);
        assertThat(page).as("ids are shown").contains("<bdi>person");
        assertThat(page.replaceAll("<bdi>[^<]*</bdi>", ""))
                .as("what is no id, seed %s", seed)
                .doesNotContain("<bdi>")
                .doesNotContain("<script");
    }

    private static void isJson(String lines) throws IOException {
        for (String line : lines.lines().toList()) {
            JsonNode object = JSON.readTree(line);
            assertThat(object.path("kind").asText()).isIn("event", "progress");
        }
    }

    private void isHarmless(String place, String text) {
        List<String> harmful = text.codePoints()
                .filter(point -> point != '\n')
                .filter(point -> switch (Character.getType(point)) {
                    case Character.CONTROL,
                            Character.FORMAT,
                            Character.LINE_SEPARATOR,
                            Character.PARAGRAPH_SEPARATOR,
                            Character.SURROGATE -> true;
                    default -> false;
                })
                .distinct()
                .mapToObj("U+%04X"::formatted)
                .toList();
        assertThat(harmful).as("harmful characters in %s, seed %s", place, seed).isEmpty();
        assertThat(text.lines().filter(line -> line.startsWith(FORGED)))
                .as("forged lines in %s, seed %s", place, seed)
                .isEmpty();
    }
}
