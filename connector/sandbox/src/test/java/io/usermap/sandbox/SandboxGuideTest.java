package io.usermap.sandbox;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.lang.reflect.Field;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What {@code connector/docs/sandbox.md} says is what the sandbox does: its scripts are read and its calls are made. */
@Timeout(30)
class SandboxGuideTest {
    private static final JsonMapper JSON = JsonMapper.builder().build();
    private static final String GUIDE = text("connector/docs/sandbox.md");

    @TempDir
    private Path folder;

    @Test
    void itsScriptIsInOrder() {
        FaultScript script = FaultScript.parse("the guide", block("json", 0));

        assertThat(script.faults()).hasSize(7);
        assertThat(script.switches().apply(Switches.DEFAULTS)).isNotEqualTo(Switches.DEFAULTS);
    }

    @Test
    void theScriptInReadmeIsInOrder() {
        List<String> scripts = blocks(text("README.md"), "json").stream()
                .filter(block -> block.contains("\"faults\""))
                .toList();

        assertThat(scripts).hasSize(1);
        assertThat(FaultScript.parse("README", scripts.get(0)).faults()).hasSize(4);
    }

    @Test
    void itsTablesNameEveryKey() throws ReflectiveOperationException {
        Set<String> told = new TreeSet<>();
        Pattern.compile("(?m)^\\| (`[^|]*) \\|")
                .matcher(GUIDE)
                .results()
                .flatMap(row -> Stream.of(row.group(1).replace("`", "").split(", ")))
                .forEach(told::add);
        Set<String> known = new TreeSet<>(keys("FAULT_KEYS"));
        known.addAll(keys("SWITCH_KEYS"));

        assertThat(told).isEqualTo(known);
    }

    @Test
    void itsCallsWork() throws IOException, InterruptedException {
        Files.writeString(folder.resolve("faults.json"), block("json", 0));
        List<String> answers = new ArrayList<>();
        try (Sandbox sandbox = Sandbox.start(SandboxOptions.builder().build())) {
            Caller caller = new Caller(sandbox.endpoint());
            caller.post("{\"user_id\":\"ann+shop@example.com\",\"global_user_id\":\"ann@example.com\"}");
            for (String command : block("bash", 1, 6).split("\n", -1)) {
                if (!command.isBlank()) {
                    answers.add(output(command.replace(
                            "http://127.0.0.1:8080", sandbox.endpoint().toString())));
                }
            }
        }

        assertThat(answers).hasSize(12);
        assertThat(names(answers.get(0))).containsExactly("busy");
        assertThat(names(answers.get(1))).hasSize(8).isEqualTo(names(answers.get(2)));
        assertThat(names(answers.get(3))).hasSize(7).doesNotContain("busy");
        assertThat(names(answers.get(4))).isEmpty();
        assertThat(JSON.readTree(answers.get(7)).path("requests")).hasSize(1);
        assertThat(fields(JSON.readTree(answers.get(9)))).isEqualTo(fields(JSON.readTree(block("json", 2))));
        assertThat(JSON.readTree(answers.get(10))).isEqualTo(JSON.readTree(block("json", 3)));
        assertThat(JSON.readTree(answers.get(11))).isEqualTo(JSON.readTree(block("json", 3)));
        JsonNode logged = JSON.readTree(answers.get(7)).path("requests").get(0);
        List<String> toldFields =
                fields(JSON.readTree(block("json", 1)).path("requests").get(0));
        assertThat(fields(logged)).startsWith(toldFields.toArray(String[]::new)).endsWith("mappings", "user_ids");
    }

    private static List<String> names(String answer) throws IOException {
        List<String> names = new ArrayList<>();
        JSON.readTree(answer)
                .path("faults")
                .forEach(fault -> names.add(fault.path("name").textValue()));
        return names;
    }

    private static List<String> fields(JsonNode object) {
        List<String> names = new ArrayList<>();
        object.fieldNames().forEachRemaining(names::add);
        return names;
    }

    private static Collection<String> keys(String constant) throws ReflectiveOperationException {
        Field field = FaultScript.class.getDeclaredField(constant);
        field.setAccessible(true);
        List<String> keys = new ArrayList<>();
        ((List<?>) field.get(null)).forEach(key -> keys.add((String) key));
        return keys;
    }

    private static String block(String language, int index) {
        return blocks(GUIDE, language).get(index);
    }

    private static String block(String language, int from, int to) {
        return String.join("\n", blocks(GUIDE, language).subList(from, to));
    }

    private static List<String> blocks(String text, String language) {
        return Pattern.compile("(?ms)^```" + language + "\\n(.*?)^```$")
                .matcher(text)
                .results()
                .map(block -> block.group(1))
                .toList();
    }

    private String output(String command) throws IOException, InterruptedException {
        Process shell = new ProcessBuilder("bash", "-c", command)
                .directory(folder.toFile())
                .redirectErrorStream(true)
                .start();
        String output = new String(shell.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(shell.waitFor(10, TimeUnit.SECONDS)).isTrue();
        assertThat(shell.exitValue()).as(output).isZero();
        return output;
    }

    private static String text(String path) {
        for (Path folder = Path.of("").toAbsolutePath(); folder != null; folder = folder.getParent()) {
            Path file = folder.resolve(path);
            if (Files.exists(file)) {
                try {
                    return Files.readString(file);
                } catch (IOException e) {
                    throw new IllegalStateException(e);
                }
            }
        }
        throw new IllegalStateException("the tests do not run inside the repository");
    }
}
