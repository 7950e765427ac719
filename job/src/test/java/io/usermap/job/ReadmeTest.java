package io.usermap.job;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.usermap.client.Setting;
import io.usermap.job.ConfPython.Call;
import io.usermap.sandbox.Sandbox;
import io.usermap.sandbox.SandboxOptions;
import java.io.IOException;
import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What README and the other documents say of the job is what the job has. */
class ReadmeTest {
    private static final String README = "README.md";
    private static final String OPERATING = "job/docs/operating.md";
    private static final String VERIFY = "job/docs/verify.md";
    private static final String SHAPES = "job/docs/shapes.md";
    private static final String CONTRIBUTING = ".github/CONTRIBUTING.md";
    private static final String CHANGELOG = "connector/docs/CHANGELOG.md";

    private static final Pattern COMMAND =
            Pattern.compile("(?m)^(?:job/bin/usermap|.*--class (\\S+) \\S+\\.jar) (.+)$");
    private static final Pattern CODE = Pattern.compile("`([^`\\n]+)`");
    private static final Pattern KEY = Pattern.compile(
            "(source|target|sandbox|allowance|write|lookup|plan|election|guards|verify|ledger|report)\\.[a-z-]+");
    private static final Pattern LINK = Pattern.compile("]\\((?!https?:)([^)#]+)");

    @TempDir
    private Path folder;

    private static String keysTable() {
        StringBuilder table = new StringBuilder("| key | type | default | meaning |\n| --- | --- | --- | --- |\n");
        for (Setting<?> setting : Keys.DECLARED) {
            table.append("| `%s` | %s | %s | %s |\n"
                    .formatted(
                            setting.key(),
                            setting.type().name().replace("|", "\\|"),
                            setting.defaultText().map(text -> "`" + text + "`").orElse(""),
                            setting.doc()));
        }
        return table.toString();
    }

    @Test
    void theTableOfKeysIsThatOfTheDeclarations() throws IOException {
        Path readme = ReadmeFiles.inRepository(Path.of(README));
        if (Boolean.getBoolean("usermap.regenerate")) {
            Files.writeString(readme, ReadmeFiles.withSection(Files.readString(readme), "keys", keysTable()));
        }

        assertThat(ReadmeFiles.section(Files.readString(readme), "keys"))
                .as("README's table of keys is not that of the declarations; run this test with"
                        + " -Dusermap.regenerate=true")
                .isEqualTo(keysTable());
    }

    @ParameterizedTest
    @ValueSource(strings = {README, OPERATING, VERIFY, CONTRIBUTING})
    void everyCommandCanBeGiven(String document) {
        List<String> problems = new ArrayList<>();
        for (String block : ReadmeFiles.blocks(ReadmeFiles.text(document), "bash")) {
            for (MatchResult command :
                    COMMAND.matcher(block.replace("\\\n", " ")).results().toList()) {
                Optional.ofNullable(command.group(1))
                        .map(ConfVocabulary::problemsOfMainClass)
                        .ifPresent(problems::addAll);
                String line = command.group(2).replaceFirst("\\s+#.*$", "").strip();
                problems.addAll(ConfVocabulary.problemsOfCommand(List.of(line.split(" +"))));
            }
        }
        assertThat(problems).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {README, OPERATING, VERIFY, SHAPES, CHANGELOG})
    void everyKeyInTheTextIsDeclared(String document) {
        Set<String> known = new TreeSet<>(Set.of("source.options"));
        Keys.DECLARED.forEach(setting -> known.add(setting.key()));
        List<String> named = CODE.matcher(ReadmeFiles.text(document))
                .results()
                .map(code -> code.group(1).replaceFirst("[ =].*$", ""))
                .filter(code -> KEY.matcher(code).matches() && !code.endsWith(".json"))
                .toList();

        assertThat(named).isNotEmpty().isSubsetOf(known);
    }

    @ParameterizedTest
    @ValueSource(strings = {README, OPERATING, SHAPES, CONTRIBUTING, CHANGELOG})
    void everyLinkLeadsToAFile(String document) {
        Path base = ReadmeFiles.inRepository(Path.of(document));
        List<String> broken = LINK.matcher(ReadmeFiles.text(document))
                .results()
                .map(link -> link.group(1))
                .filter(link -> !Files.exists(base.resolveSibling(link)))
                .toList();

        assertThat(broken).isEmpty();
    }

    @Test
    void theTestsThatContributorsAreToldToRunExist() throws IOException {
        List<String> named = Pattern.compile("-D(?:it\\.)?test='?(\\w+)")
                .matcher(ReadmeFiles.text(CONTRIBUTING))
                .results()
                .map(test -> test.group(1))
                .filter(test -> !test.equals("none"))
                .toList();
        Set<String> existing = new TreeSet<>();
        for (String module : List.of("connector", "job")) {
            try (Stream<Path> files = Files.walk(ReadmeFiles.inRepository(Path.of(module)))) {
                files.map(file -> file.getFileName().toString().replaceFirst("\\.java$", ""))
                        .forEach(existing::add);
            }
        }

        assertThat(named).isNotEmpty().isSubsetOf(existing);
    }

    @Test
    void theHoconSnippetHoldsDeclaredKeys() throws IOException {
        for (String block : ReadmeFiles.blocks(ReadmeFiles.text(README), "hocon")) {
            Path file = Files.writeString(folder.resolve("snippet.conf"), block + "target.endpoint = sandbox\n");
            assertThat(ConfVocabulary.problemsOfKeys(ConfigText.read(List.of(file), List.of())))
                    .isEmpty();
        }
    }

    @Test
    void theExitCodesAreThoseOfTheProgram() throws IllegalAccessException {
        Set<Integer> codes = new TreeSet<>(Set.of(130));
        for (Field field : ExitCode.class.getDeclaredFields()) {
            if (Modifier.isStatic(field.getModifiers()) && field.getType() == int.class) {
                codes.add(field.getInt(null));
            }
        }
        Set<Integer> told = new TreeSet<>();
        Pattern.compile("(?m)^\\| (\\d+) \\|")
                .matcher(ReadmeFiles.text(README))
                .results()
                .forEach(row -> told.add(Integer.parseInt(row.group(1))));

        assertThat(told).isEqualTo(codes);
    }

    @Test
    void theReportHasTheFieldsOfTheProgram() throws IOException {
        ObjectMapper json = new ObjectMapper();
        Report.Header header = new Report.Header("apply", "", Outcome.DONE, 0, Instant.EPOCH);
        Report report = Report.of(header, Optional.empty(), Optional.empty(), Optional.empty(), List.of());
        String told = ReadmeFiles.blocks(ReadmeFiles.text(README), "json").get(0);

        assertThat(fields("", json.readTree(told))).isEqualTo(fields("", json.readTree(Json.document(report))));
    }

    private static List<String> fields(String prefix, JsonNode node) {
        List<String> names = new ArrayList<>();
        node.fields().forEachRemaining(field -> {
            names.add(prefix + field.getKey());
            if (!field.getKey().endsWith("_by_reason")) {
                names.addAll(fields(prefix + field.getKey() + ".", field.getValue()));
            }
        });
        return names;
    }

    @Test
    void theFiguresAreThoseOfTheArithmetic() {
        String readme = ReadmeFiles.text(README);
        Configuration defaults = Configuration.of(Map.of("target.endpoint", "sandbox"), Set.of(), Map.of());
        String mappings = Phrases.count(QuickstartSample.mappings());
        long rows = QuickstartSample.rows(QuickstartSample.csv()).size();

        assertThat(readme)
                .contains("mapped            " + mappings)
                .contains("`unchanged " + mappings + "`")
                .contains("source rows       " + Phrases.count(rows));
        assertThat(Plan.leastTime(QuickstartSample.mappings(), defaults.allowance()))
                .isEqualTo(Duration.ofSeconds(62));
        assertThat(readme).contains("5.6 hours at 50 a second, 5.7 with the guard");
        assertThat(1_000_000 / 50 / 360).isBetween(55, 56);
        assertThat(Plan.leastTime(1_000_000, defaults.allowance()))
                .isBetween(Duration.ofMinutes(5 * 60 + 39), Duration.ofMinutes(5 * 60 + 45));
    }

    @Test
    void thePythonSnippetRunsAndNamesOptionsThatExist() throws IOException, InterruptedException {
        for (String block : ReadmeFiles.blocks(ReadmeFiles.text(README), "python")) {
            Path file = Files.writeString(folder.resolve("snippet.py"), block);
            Map<String, String> options = new LinkedHashMap<>();
            for (Call call : ConfPython.calls(file, List.of("pyspark"))) {
                if (call.chain().endsWith(".option")) {
                    options.put(call.text(0), call.text(1));
                }
            }
            assertThat(options).isNotEmpty();
            assertThat(ConfVocabulary.problemsOfOptions(options)).isEmpty();
        }
    }

    @Test
    void theCurlCommandsWorkAgainstTheSandbox() throws IOException, InterruptedException {
        String readme = ReadmeFiles.text(README);
        List<String> answers = new ArrayList<>();
        try (Sandbox sandbox = Sandbox.start(SandboxOptions.builder().build())) {
            for (String block : ReadmeFiles.blocks(readme, "bash")) {
                for (String command : block.split("\n\n", -1)) {
                    if (command.startsWith("curl")) {
                        answers.add(output(command.replace(
                                "http://127.0.0.1:8080", sandbox.endpoint().toString())));
                    }
                }
            }
            assertThat(sandbox.mappings()).isEmpty();
        }

        ObjectMapper json = new ObjectMapper();
        String told = ReadmeFiles.blocks(readme, "json").get(1);
        assertThat(answers).hasSize(4);
        assertThat(List.of(answers.get(0), answers.get(1), answers.get(3))).containsOnly("success");
        assertThat(json.readTree(answers.get(2))).isEqualTo(json.readTree(told));
    }

    private static String output(String command) throws IOException, InterruptedException {
        Process shell = new ProcessBuilder("bash", "-c", command)
                .redirectErrorStream(true)
                .start();
        String output = new String(shell.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(shell.waitFor(1, TimeUnit.MINUTES)).isTrue();
        assertThat(shell.exitValue()).as(output).isZero();
        return output.strip();
    }

    @Test
    void theOperatingGuideNamesEveryGuardAndEveryFileOfTheLedger() {
        assertThat(ReadmeFiles.text(OPERATING))
                .contains(Guards.NAMES.stream().map(name -> "`" + name + "`").toList());
        List<String> files = Stream.concat(
                        constants(LedgerRun.class), Stream.concat(constants(Ledger.class), constants(State.class)))
                .filter(name -> name.endsWith(".json") || name.equals("heartbeat") || name.startsWith("manifest"))
                .toList();
        assertThat(files).hasSizeGreaterThan(4);
        assertThat(ReadmeFiles.text(OPERATING)).contains(files);
    }

    private static Stream<String> constants(Class<?> type) {
        return Arrays.stream(type.getDeclaredFields())
                .filter(field -> Modifier.isStatic(field.getModifiers()) && field.getType() == String.class)
                .map(field -> {
                    field.setAccessible(true);
                    try {
                        return String.valueOf(field.get(null));
                    } catch (IllegalAccessException e) {
                        throw new AssertionError(e);
                    }
                });
    }
}
