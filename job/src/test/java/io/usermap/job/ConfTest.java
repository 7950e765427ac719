package io.usermap.job;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import io.usermap.job.ConfPython.Call;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The configuration files: every key, class, command and flag that they name exists, with values that it takes. */
class ConfTest {
    private static final String JAR = "usermap-job-0.1.0.jar";

    private static Map<String, String> texts(String file) {
        return ConfigText.read(List.of(ReadmeFiles.inRepository(Path.of(file))), List.of());
    }

    @ParameterizedTest
    @ValueSource(strings = {"conf/quickstart.conf", "conf/daily.conf"})
    void everyKeyIsDeclaredAndTakesItsValue(String file) {
        assertThat(ConfVocabulary.problemsOfKeys(texts(file))).isEmpty();
    }

    @Test
    void aKeyThatIsNotDeclaredWouldBeFound() {
        assertThat(ConfVocabulary.problemsOfKeys(Map.of("source.path", "x", "target.api-kei", "x")))
                .anySatisfy(problem -> assertThat(problem).contains("target.api-kei", "Did you mean 'target.api-key'"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"conf/quickstart.conf", "conf/daily.conf"})
    void everyLineIsExplained(String file) {
        assertThat(ReadmeFiles.text(file).lines().filter(line -> line.contains("=") && !line.startsWith("#")))
                .isNotEmpty()
                .allSatisfy(line -> assertThat(line).contains("  # "));
    }

    @Test
    void theQuickstartKeepsToTheDefaultLimitsAndTakesAMinute() {
        Configuration quickstart = Configuration.of(texts("conf/quickstart.conf"), Set.of(), Map.of());

        assertThat(quickstart.usesSandbox()).isTrue();
        assertThat(quickstart.value(Keys.EVENTS_PER_SECOND)).isEqualTo(50.0);
        assertThat(quickstart.value(Keys.WINDOW)).isEqualTo(Duration.ofSeconds(30));
        assertThat(quickstart.optional(Keys.SANDBOX_PATH)).contains(".usermap/sandbox");
        assertThat(quickstart.value(Keys.LEDGER_PATH)).isEqualTo(".usermap/ledger");
        assertThat(quickstart.optional(Keys.SOURCE_PATH)).contains(QuickstartSample.FILE.toString());
        assertThat(Plan.leastTime(QuickstartSample.mappings(), quickstart.allowance()))
                .isEqualTo(Duration.ofSeconds(62));
    }

    @Test
    void theBundleNamesWhatTheJobHas() {
        JsonNode job = ConfYaml.read(ReadmeFiles.text("conf/databricks/databricks.yml"))
                .at("/resources/jobs/usermap");
        JsonNode cluster = job.at("/job_clusters/0/new_cluster");
        List<String> commands = new ArrayList<>();
        for (JsonNode task : job.get("tasks")) {
            JsonNode jarTask = task.get("spark_jar_task");
            List<String> arguments = texts(jarTask.get("parameters"));
            assertThat(ConfVocabulary.problemsOfMainClass(
                            jarTask.get("main_class_name").asText()))
                    .isEmpty();
            assertThat(ConfVocabulary.problemsOfCommand(arguments)).isEmpty();
            assertThat(arguments).contains("${workspace.file_path}/daily.conf");
            assertThat(task.at("/libraries/0/jar").asText()).endsWith("/job/target/" + JAR);
            commands.add(arguments.get(0));
        }

        assertThat(commands).containsExactly("plan", "apply");
        assertThat(job.at("/tasks/1/depends_on/0/task_key").asText()).isEqualTo("plan");
        assertThat(job.get("max_concurrent_runs").asText()).isEqualTo("1");
        // The first runtime whose default is Java 17 is 16.0.
        assertThat(cluster.get("spark_version").asText()).matches("(1[6-9]|[2-9]\\d)\\..*");
        assertThat(cluster.at("/spark_env_vars/" + keyVariable()).asText()).isEqualTo("{{secrets/usermap/api-key}}");
    }

    @Test
    void aBundleThatIsNotReadInFullWouldBeFound() {
        assertThatThrownBy(() -> ConfYaml.read("bundle:\n  name: &anchor usermap\n"))
                .isInstanceOf(AssertionError.class)
                .hasMessageContaining("line 2");
    }

    @Test
    void theDagNamesWhatTheJobHasAndSendsFromOnePlaceAtATime() throws IOException, InterruptedException {
        List<Call> calls = ConfPython.calls(
                ReadmeFiles.inRepository(Path.of("conf/airflow/usermap_daily.py")),
                List.of("airflow", "airflow.providers.apache.spark.operators.spark_submit"));
        JsonNode dag = calls.stream()
                .filter(call -> call.chain().endsWith("DAG"))
                .findFirst()
                .orElseThrow()
                .named();
        List<JsonNode> tasks = calls.stream()
                .filter(call -> call.chain().endsWith("SparkSubmitOperator"))
                .map(Call::named)
                .toList();

        assertThat(dag.get("max_active_runs").asInt()).isEqualTo(1);
        assertThat(dag.get("catchup").asBoolean()).isFalse();
        assertThat(tasks).hasSize(2).allSatisfy(task -> {
            List<String> arguments = texts(task.get("application_args"));
            assertThat(ConfVocabulary.problemsOfCommand(arguments)).isEmpty();
            assertThat(arguments.get(0)).isEqualTo(task.get("task_id").asText());
            assertThat(ConfVocabulary.problemsOfMainClass(task.get("java_class").asText()))
                    .isEmpty();
            assertThat(task.get("application").asText()).endsWith(JAR);
            assertThat(task.get("pool").asText()).isEqualTo("usermap");
            assertThat(task.has("env_vars")).isFalse();
        });
        assertThat(tasks.get(1).get("retries").asInt()).isPositive();
        assertThat(ReadmeFiles.text("conf/airflow/usermap_daily.py")).contains(keyVariable());
    }

    private static List<String> texts(JsonNode array) {
        List<String> texts = new ArrayList<>();
        array.forEach(element -> texts.add(element.asText()));
        return texts;
    }

    /** The variable that {@code daily.conf} reads the key from. */
    private static String keyVariable() {
        return Optional.ofNullable(texts("conf/daily.conf").get("target.api-key"))
                .orElseThrow()
                .replaceFirst("^env:", "");
    }
}
