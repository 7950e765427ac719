package io.usermap.job;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.usermap.client.IdRules;
import io.usermap.client.RejectReason;
import io.usermap.job.ConfPython.Call;
import io.usermap.spark.UserMapCatalog;
import io.usermap.spark.UserMapSource;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.spark.sql.connector.catalog.Identifier;
import org.apache.spark.sql.util.CaseInsensitiveStringMap;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/**
 * The notebook, executed with stand-ins for {@code spark}: every option, column, command, flag, key and class that it names
 * exists.
 */
class NotebookTest {
    private static final String NOTEBOOK = "notebooks/01_quickstart.py";
    private static List<Call> calls = List.of();

    @BeforeAll
    static void execute() throws IOException, InterruptedException {
        calls = ConfPython.calls(ReadmeFiles.inRepository(Path.of(NOTEBOOK)), List.of("pyspark"));
    }

    /** The writes of the notebook: the options of each, read from the calls between {@code format} and {@code save}. */
    private static List<Map<String, String>> writes() {
        List<Map<String, String>> writes = new ArrayList<>();
        Map<String, String> options = new LinkedHashMap<>();
        for (Call call : calls) {
            if (call.chain().endsWith(".format")) {
                options = new LinkedHashMap<>();
                assertThat(call.text(0)).isEqualTo(new UserMapSource().shortName());
            } else if (call.chain().endsWith(".option")) {
                options.put(call.text(0), call.text(1));
            } else if (call.chain().endsWith(".save")) {
                writes.add(options);
            }
        }
        return writes;
    }

    @Test
    void isInDatabricksSourceFormat() {
        String text = ReadmeFiles.text(NOTEBOOK);
        String[] cells = text.split("(?m)^# COMMAND ----------$", -1);

        assertThat(text).startsWith("# Databricks notebook source\n");
        assertThat(cells)
                .hasSizeGreaterThan(5)
                .allSatisfy(cell -> assertThat(cell).isNotBlank());
        for (String cell : cells) {
            String content = cell.replace("# Databricks notebook source", "").strip();
            boolean markdown = content.startsWith("# MAGIC %md");
            assertThat(content.lines().allMatch(line -> line.startsWith("# MAGIC")))
                    .as("a cell is Markdown throughout, or Python throughout: %s", content)
                    .isEqualTo(markdown);
        }
    }

    @Test
    void namesOptionsThatExistWithValuesThatTheyTake() {
        assertThat(writes())
                .hasSize(2)
                .allSatisfy(options ->
                        assertThat(ConfVocabulary.problemsOfOptions(options)).isEmpty());
        assertThat(calls).extracting(Call::chain).noneMatch(chain -> chain.endsWith(".options"));
    }

    @Test
    void refersToTheKeyAndDoesNotHoldIt() {
        assertThat(writes())
                .allSatisfy(options -> assertThat(options.get("apiKey")).startsWith("env:"));
    }

    @Test
    void writesTheColumnsOfAMapping() throws Exception {
        List<String> schemas = calls.stream()
                .filter(call -> call.chain().endsWith(".createDataFrame"))
                .map(call -> call.text(1))
                .toList();

        assertThat(schemas)
                .containsExactly(
                        "user_id string, global_user_id string",
                        "user_id string, global_user_id string, unmap boolean");
        UserMapCatalog catalog = new UserMapCatalog();
        catalog.initialize("amplitude", CaseInsensitiveStringMap.empty());
        List<String> columns = Arrays.stream(catalog.loadTable(Identifier.of(new String[0], "usermap"))
                        .columns())
                .map(column -> column.name() + " " + column.dataType().sql())
                .toList();
        assertThat(columns).containsExactly("user_id STRING", "global_user_id STRING", "unmap BOOLEAN");
    }

    @Test
    void promisesTheCountsThatItsRowsHave() {
        IdRules rules = new IdRules(IdRules.DEFAULT_MIN_ID_LENGTH);
        List<RejectReason> problems = new ArrayList<>();
        JsonNode rows = calls.stream()
                .filter(call -> call.chain().endsWith(".createDataFrame"))
                .findFirst()
                .orElseThrow()
                .arguments()
                .get(0);
        rows.forEach(row -> rules.problemOfRow(row.get(0).asText(), row.get(1).asText(), false)
                .ifPresent(problems::add));

        assertThat(rows).hasSize(5);
        assertThat(problems).containsExactly(RejectReason.PLACEHOLDER);
        assertThat(ReadmeFiles.text(NOTEBOOK)).contains("Four rows `accepted`, one `rejected` as a `placeholder`");
    }

    @Test
    void readsTheReceiptsByTheColumnsThatTheyHave() {
        Call grouping = calls.stream()
                .filter(call -> call.chain().endsWith(".groupBy"))
                .findFirst()
                .orElseThrow();

        assertThat(grouping.arguments()).extracting(JsonNode::asText).containsExactly("outcome", "reason");
    }

    @Test
    void runsTheJobWithACommandThatItHas() {
        Call main = calls.stream()
                .filter(call -> call.chain().endsWith(".main"))
                .findFirst()
                .orElseThrow();
        List<String> arguments = calls.stream()
                .filter(call -> call.chain().endsWith(".__setitem__"))
                .map(call -> call.text(1))
                .toList();

        assertThat(main.chain()).startsWith("spark._jvm.");
        String mainClass = main.chain().substring("spark._jvm.".length()).replaceFirst("\\.main$", "");
        assertThat(ConfVocabulary.problemsOfMainClass(mainClass)).isEmpty();
        assertThat(arguments).startsWith("plan");
        assertThat(ConfVocabulary.problemsOfCommand(arguments)).isEmpty();
        assertThat(Set.copyOf(arguments)).contains("source.table=main.identity.clusters");
    }
}
