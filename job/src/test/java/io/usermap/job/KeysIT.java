package io.usermap.job;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.usermap.client.SecretStore;
import io.usermap.sandbox.Sandbox;
import io.usermap.sandbox.SandboxOptions;
import java.io.IOException;
import java.net.URL;
import java.net.URLClassLoader;
import java.net.URLEncoder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Where the job's keys come from, and that they go nowhere but to the service, whatever characters are in them. */
class KeysIT {
    private static final String KEY = "k3y\"$&+/%41=\\E{}[](.*)<~>'7391";
    private static final String MARKER = "marker7391";

    @TempDir
    private Path folder;

    private final Sandbox sandbox = start();
    private final ClassLoader loader = Thread.currentThread().getContextClassLoader();

    private static Sandbox start() {
        try {
            return Sandbox.start(SandboxOptions.builder()
                    .eventsPerSecond(5000)
                    .window(Duration.ofSeconds(1))
                    .keys(Set.of(KEY))
                    .secretKey(KEY + "s")
                    .build());
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }

    @AfterEach
    void closeTheSandbox() {
        Thread.currentThread().setContextClassLoader(loader);
        sandbox.close();
    }

    /** A platform's store, as a jar brings it. */
    public static final class Vault implements SecretStore {
        @Override
        public Optional<String> secret(String scope, String key) {
            return switch (scope + " " + key) {
                case "prod api" -> Optional.of(KEY);
                case "prod amplitude/secret" -> Optional.of(KEY + "s");
                default -> Optional.empty();
            };
        }
    }

    private void bringTheVault() throws IOException {
        Path services = Files.createDirectories(folder.resolve("jar/META-INF/services"));
        Files.writeString(services.resolve(SecretStore.class.getName()), Vault.class.getName());
        URL[] jar = {folder.resolve("jar/").toUri().toURL()};
        Thread.currentThread().setContextClassLoader(new URLClassLoader(jar, loader));
    }

    @Test
    void aPlatformsSecretsReachTheServiceAndNothingElse() throws IOException {
        CommandRunner usermap = new CommandRunner(folder)
                .set("target.endpoint", sandbox.endpoint().toString())
                .set("target.api-key", "secret:prod/api")
                .set("target.secret-key", "secret:prod/amplitude/secret")
                .source("user_id,global_user_id", "ann@x.com,person-1");
        assertThat(usermap.run("apply")).isEqualTo(ExitCode.CONFIGURATION);
        assertThat(usermap.err())
                .contains(
                        "Cannot read a key: there is no secret 'api' in a scope 'prod' here. Use env:NAME or file:PATH"
                                + " where the platform has no scopes. It is named by 'target.api-key'.")
                .as("apply does without it")
                .doesNotContain("target.secret-key");
        assertThat(usermap.run("lookup", "ann@x.com")).isEqualTo(ExitCode.CONFIGURATION);
        assertThat(usermap.err()).contains("It is named by 'target.api-key'.", "It is named by 'target.secret-key'.");
        assertThat(sandbox.requests()).isEmpty();

        bringTheVault();
        assertThat(usermap.run("apply", "--stacktrace")).as(usermap.err()).isZero();
        showsNoKey("apply", usermap.out() + usermap.err());
        assertThat(usermap.run("lookup", "ann@x.com")).as(usermap.err()).isZero();
        showsNoKey("lookup", usermap.out() + usermap.err());
        assertThat(usermap.out()).contains("maps to \"person-1\"");
        assertThat(sandbox.mappings()).containsEntry("ann@x.com", "person-1");
        showsNoKey("ledger", contents(folder));

        usermap.set("target.api-key", "secret:prod");
        assertThat(usermap.run("apply")).isEqualTo(ExitCode.CONFIGURATION);
        assertThat(usermap.err())
                .contains("the reference is not whole. Write env:NAME, file:PATH or secret:scope/key.");
    }

    @Test
    void aKeyOnTheCommandLineStaysOutOfEventLogAndLedger() throws IOException, InterruptedException {
        Path events = Files.createDirectories(folder.resolve("events"));
        Files.writeString(folder.resolve("source.csv"), "user_id,global_user_id\nann@x.com,person-1\n");
        Path told = folder.resolve("told.txt");
        List<String> words = new ArrayList<>(List.of(
                Checkout.root().resolve("job/bin/usermap").toString(),
                "apply",
                "--master",
                "local[1]",
                "--stacktrace",
                "--set",
                "target.api-key=" + KEY,
                "--set",
                "target.endpoint=" + sandbox.endpoint(),
                "--set",
                "source.path=source.csv",
                "--set",
                "source.sql=SELECT *, '" + MARKER + "' AS note FROM source",
                "--set",
                "ledger.path=ledger",
                "--set",
                "spark.eventLog.enabled=true",
                "--set",
                "spark.eventLog.compress=false",
                "--set",
                "spark.eventLog.dir=" + events.toUri()));
        LocalSpark.CHEAP.forEach((key, value) -> words.addAll(List.of("--set", key + "=" + value)));
        ProcessBuilder builder = new ProcessBuilder(words)
                .directory(folder.toFile())
                .redirectErrorStream(true)
                .redirectOutput(told.toFile());
        builder.environment().put("JDK_JAVA_OPTIONS", JobProcess.QUICK);
        Process process = builder.start();
        assertThat(process.waitFor(3, TimeUnit.MINUTES)).as("ends in time").isTrue();

        assertThat(process.exitValue()).as(Files.readString(told)).isZero();
        assertThat(sandbox.mappings()).containsEntry("ann@x.com", "person-1");
        String log = contents(events);
        assertThat(log.lines().filter(line -> line.contains("sun.java.command")))
                .as("the command line is in the event log")
                .isNotEmpty()
                .allMatch(line -> line.contains(MARKER) && line.contains("target.api-key=***"));
        showsNoKey("event log", log);
        showsNoKey("screen", Files.readString(told));
        showsNoKey("ledger", contents(folder.resolve("ledger")));
    }

    private static void showsNoKey(String place, String text) throws IOException {
        String json = new ObjectMapper().writeValueAsString(KEY);
        List<String> forms = List.of(
                KEY,
                json.substring(1, json.length() - 1),
                URLEncoder.encode(KEY, UTF_8),
                Base64.getEncoder().encodeToString(KEY.getBytes(UTF_8)).substring(0, 40),
                KEY.replace("&", "&amp;")
                        .replace("<", "&lt;")
                        .replace(">", "&gt;")
                        .replace("\"", "&quot;"));
        assertThat(text).as(place).isNotEmpty();
        assertThat(forms.stream().anyMatch(text::contains))
                .as("the key is shown by the " + place)
                .isFalse();
    }

    private static String contents(Path folder) throws IOException {
        StringBuilder text = new StringBuilder();
        try (Stream<Path> files = Files.walk(folder)) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                text.append(new String(Files.readAllBytes(file), UTF_8));
            }
        }
        return text.toString();
    }
}
