package io.usermap.spark;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.github.luben.zstd.ZstdInputStream;
import io.usermap.sandbox.Sandbox;
import io.usermap.sandbox.SandboxOptions;
import java.io.Closeable;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.apache.logging.log4j.Level;
import org.apache.logging.log4j.LogManager;
import org.apache.logging.log4j.core.LoggerContext;
import org.apache.logging.log4j.core.appender.FileAppender;
import org.apache.logging.log4j.core.config.Configuration;
import org.apache.logging.log4j.core.layout.PatternLayout;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * A key that is given by reference shows nowhere: not in logs at DEBUG, plans, event logs, receipts or exceptions.
 *
 * <p>Beside the key, each run carries a marker in an option that is no secret. The marker must be found in the same places:
 * a search that finds nothing because it looks at nothing would fail.
 */
class SecretsIT {
    private static final String KEY = "k3y\"$&+/%41=\\E{}[](.*)<~>'-that-must-not-show-7391";
    private static final String SECRET_KEY = "s3cret-that-must-not-show-7391";
    private static final String MARKER = "marker-that-must-show-7391";

    @TempDir
    Path folder;

    @Test
    @SuppressWarnings("try") // the log is there to be closed
    void aKeyByReferenceShowsNowhereThoughAMarkerBesideItDoes() throws Exception {
        Path keyFile = Files.writeString(folder.resolve("api-key"), KEY + "\n");
        Path secretFile = Files.writeString(folder.resolve("secret-key"), SECRET_KEY + "\n");
        Path executorLogging = Files.writeString(folder.resolve("log4j2.properties"), """
                rootLogger.level = debug
                rootLogger.appenderRef.console.ref = console
                appender.console.type = Console
                appender.console.name = console
                appender.console.target = SYSTEM_ERR
                appender.console.layout.type = PatternLayout
                appender.console.layout.pattern = %d %p %c: %m%n%ex
                """);
        Path events = Files.createDirectories(folder.resolve("events"));
        Path driverLog = folder.resolve("driver.log");
        Path receipts = folder.resolve(MARKER);
        List<String> plans = new ArrayList<>();
        String failure;

        try (Sandbox sandbox = Sandbox.start(SandboxOptions.builder()
                        .eventsPerSecond(500)
                        .window(Duration.ofSeconds(1))
                        .build());
                Closeable ignored = loggingTo(driverLog);
                SparkSession spark = LocalCluster.of(1)
                        .appName(MARKER)
                        .config("spark.eventLog.enabled", "true")
                        .config("spark.eventLog.dir", events.toUri().toString())
                        .config("spark.executor.extraJavaOptions", "-Dlog4j2.configurationFile=" + executorLogging)
                        .getOrCreate()) {
            Map<String, String> options = new HashMap<>(Map.of(
                    "endpoint",
                    sandbox.endpoint().toString(),
                    "apiKey",
                    "file:" + keyFile,
                    "eventsPerSecond",
                    "500",
                    "windowSeconds",
                    "1",
                    "receiptsPath",
                    receipts.toUri().toString()));
            Dataset<Row> rows = spark.range(100)
                    .selectExpr("concat('user-', lpad(id, 4, '0')) AS user_id", "'global-user' AS global_user_id");
            spark.listenerManager().register(new PlanCollector(plans));
            rows.write()
                    .format("amplitude-usermap")
                    .mode("append")
                    .options(options)
                    .save();
            assertThat(sandbox.mappings()).hasSize(100);

            Map<String, String> reading = new HashMap<>(options);
            reading.put("secretKey", "file:" + secretFile);
            reading.put("lookupsPerSecond", "100");
            assertThat(UserMapLookup.on(reading)
                            .lookup(rows, "user_id")
                            .where("size(mapped_to) = 1")
                            .count())
                    .as("looked up by an executor that has the jar from Spark")
                    .isEqualTo(100);
            assertThat(spark.read()
                            .format("amplitude-usermap")
                            .options(reading)
                            .option("userIds", "[\"user-0007\"]")
                            .load()
                            .collectAsList())
                    .hasSize(1);
            assertThat(sandbox.counts().lookups()).isBetween(2L, 3L);

            options.put("endpoint", "http://127.0.0.1:1");
            options.put("maxAttempts", "1");
            options.put("receiptsPath", receipts.resolve("second").toUri().toString());
            failure = trace(catchThrowable(() -> rows.write()
                    .format("amplitude-usermap")
                    .mode("append")
                    .options(options)
                    .save()));
        }

        String driver = Files.readString(driverLog);
        String executors = contents(Path.of(System.getenv("SPARK_HOME"), "work"), false);
        String eventLog = contents(events, true);
        String planned = String.join("\n", plans);

        Map<String, String> places = Map.of(
                "driver's log", driver,
                "executors' logs", executors,
                "event log", eventLog,
                "plans", planned,
                "exception", failure,
                "receipts", contents(receipts, false));
        assertThat(List.of(driver, executors, eventLog, planned).stream().map(text -> text.contains(MARKER)))
                .as("the marker is found in the driver's log, the executors' logs, the event log, the plans")
                .containsExactly(true, true, true, true);
        assertThat(driver.contains(" DEBUG ") && executors.contains(" DEBUG "))
                .as("logs at DEBUG")
                .isTrue();
        assertThat(failure.contains("the connection was refused"))
                .as("the exception is the service's")
                .isTrue();
        for (String key : List.of(KEY, SECRET_KEY, KEY + ":" + SECRET_KEY)) {
            List<String> forms = forms(key);
            places.forEach((place, text) -> assertThat(forms.stream().anyMatch(text::contains))
                    .as("a key is in the " + place)
                    .isFalse());
        }
    }

    /** The key as it is, and as it would stand in JSON, in a form, in a header of Basic authentication and in HTML. */
    private static List<String> forms(String key) throws IOException {
        String json = new ObjectMapper().writeValueAsString(key);
        return List.of(
                key,
                json.substring(1, json.length() - 1),
                URLEncoder.encode(key, StandardCharsets.UTF_8),
                Base64.getEncoder()
                        .encodeToString(key.getBytes(StandardCharsets.UTF_8))
                        .substring(0, 40),
                key.replace("&", "&amp;")
                        .replace("<", "&lt;")
                        .replace(">", "&gt;")
                        .replace("\"", "&quot;"));
    }

    /** Writes all that the driver logs, at DEBUG, to {@code file} until it is closed. */
    private static Closeable loggingTo(Path file) {
        LoggerContext context = (LoggerContext) LogManager.getContext(false);
        Configuration configuration = context.getConfiguration();
        FileAppender appender = FileAppender.newBuilder()
                .setName("to-file")
                .withFileName(file.toString())
                .setLayout(PatternLayout.newBuilder()
                        .withPattern("%d %p %c: %m%n%ex")
                        .build())
                .build();
        appender.start();
        Level before = configuration.getRootLogger().getLevel();
        configuration
                .getRootLogger()
                .getAppenders()
                .keySet()
                .forEach(name -> configuration.getRootLogger().removeAppender(name));
        configuration.getRootLogger().addAppender(appender, Level.DEBUG, null);
        configuration.getRootLogger().setLevel(Level.DEBUG);
        context.updateLoggers();
        return () -> {
            configuration.getRootLogger().setLevel(before);
            configuration.getRootLogger().removeAppender("to-file");
            context.updateLoggers();
            appender.stop();
            context.reconfigure();
        };
    }

    private static String trace(Throwable thrown) {
        StringWriter text = new StringWriter();
        thrown.printStackTrace(new PrintWriter(text));
        return text.toString();
    }

    /** The text of all files below {@code folder}, decompressed where Spark compresses them. */
    private static String contents(Path folder, boolean mayBeCompressed) {
        try (Stream<Path> files = Files.walk(folder)) {
            StringBuilder text = new StringBuilder();
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                byte[] bytes = Files.readAllBytes(file);
                boolean zstd = mayBeCompressed && file.toString().contains(".zstd");
                try (InputStream in = new java.io.ByteArrayInputStream(bytes);
                        InputStream plain = zstd ? new ZstdInputStream(in) : in) {
                    text.append(new String(plain.readAllBytes(), StandardCharsets.UTF_8));
                }
            }
            return text.toString();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
