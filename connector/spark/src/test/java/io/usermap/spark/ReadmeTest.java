package io.usermap.spark;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import javax.tools.Diagnostic;
import javax.tools.DiagnosticCollector;
import javax.tools.JavaCompiler;
import javax.tools.JavaFileObject;
import javax.tools.StandardJavaFileManager;
import javax.tools.ToolProvider;
import org.apache.spark.sql.catalyst.plans.logical.InsertIntoStatement;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.execution.SparkSqlParser;
import org.apache.spark.sql.execution.command.SetCommand;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What README says of the data source is what the data source has. */
class ReadmeTest {
    private static final String BEGIN = "<!-- options -->\n";
    private static final String END = "<!-- /options -->";

    @TempDir
    private Path folder;

    private static Path readme() {
        for (Path folder = Path.of("").toAbsolutePath(); folder != null; folder = folder.getParent()) {
            if (Files.exists(folder.resolve("LICENSE"))) {
                return folder.resolve("README.md");
            }
        }
        throw new IllegalStateException("the tests do not run inside the repository");
    }

    private static String block(String language) throws IOException {
        Matcher matcher =
                Pattern.compile("(?ms)^```" + language + "\\n(.*?)^```$").matcher(Files.readString(readme()));
        assertThat(matcher.find()).as("README has a snippet in %s", language).isTrue();
        return matcher.group(1);
    }

    @Test
    void theTableOfOptionsIsThatOfTheDeclarations() throws IOException {
        String text = Files.readString(readme());
        int begin = text.indexOf(BEGIN) + BEGIN.length();
        int end = text.indexOf(END);
        if (Boolean.getBoolean("usermap.regenerate")) {
            Files.writeString(
                    readme(), text.substring(0, begin) + UserMapOptions.referenceTable() + text.substring(end));
            return;
        }

        assertThat(text.substring(begin, end))
                .as("README's table of options is not that of the declarations; run this test with"
                        + " -Dusermap.regenerate=true")
                .isEqualTo(UserMapOptions.referenceTable());
    }

    @Test
    void theSnippetsOfAllLanguagesSetTheSameOptionsAndTheyExist() throws IOException {
        Map<String, String> options = options(block("java"));

        assertThat(UserMapOptions.of(options).apiKeyText()).contains("env:AMPLITUDE_API_KEY");
        assertThat(options(block("scala"))).isEqualTo(options);
        assertThat(options(block("python"))).isEqualTo(options);
        for (String language : List.of("java", "scala", "python")) {
            assertThat(block(language)).contains(".format(\"" + UserMapSource.NAME + "\")", ".mode(\"append\")");
        }
    }

    private static Map<String, String> options(String snippet) {
        Map<String, String> options = new HashMap<>();
        Matcher option =
                Pattern.compile("\\.option\\(\"(\\w+)\", \"([^\"]*)\"\\)").matcher(snippet);
        while (option.find()) {
            options.put(option.group(1), option.group(2));
        }
        assertThat(snippet.split("\\.option", -1))
                .as("options are written one by one")
                .hasSize(options.size() + 1);
        return options;
    }

    @Test
    void theJavaSnippetCompiles() throws IOException {
        String source = """
                import org.apache.spark.sql.Dataset;
                import org.apache.spark.sql.Row;
                import org.apache.spark.sql.SparkSession;

                class Snippet {
                    void run(SparkSession spark) throws Exception {
                %s    }
                }
                """.formatted(block("java"));
        Path file = Files.writeString(folder.resolve("Snippet.java"), source);
        JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
        DiagnosticCollector<JavaFileObject> told = new DiagnosticCollector<>();
        try (StandardJavaFileManager files = compiler.getStandardFileManager(told, null, null)) {
            List<String> flags =
                    List.of("-d", folder.toString(), "-classpath", System.getProperty("java.class.path"), "-proc:none");
            compiler.getTask(null, files, told, flags, null, files.getJavaFileObjects(file))
                    .call();
        }

        assertThat(told.getDiagnostics())
                .filteredOn(line -> line.getKind() == Diagnostic.Kind.ERROR)
                .isEmpty();
    }

    @Test
    void theStatementsOfSqlParseAndConfigureTheCatalogWithOptionsThatExist() throws IOException {
        String prefix = "spark.sql.catalog.amplitude";
        Map<String, String> configured = new HashMap<>();
        List<String> statements = Stream.of(block("sql").split(";\\s*", -1))
                .filter(statement -> !statement.isBlank())
                .toList();
        for (String statement : statements) {
            LogicalPlan plan = new SparkSqlParser().parsePlan(statement);
            if (plan instanceof SetCommand) {
                String[] setting = statement.substring("SET ".length()).split(" = ", 2);
                configured.put(setting[0], setting[1]);
            } else {
                assertThat(plan).isInstanceOf(InsertIntoStatement.class);
                assertThat(statement).startsWith("INSERT INTO amplitude.usermap BY NAME");
            }
        }
        Map<String, String> options = new HashMap<>();
        configured.forEach((key, value) -> options.put(key.replace(prefix + ".", ""), value));

        assertThat(options.remove(prefix)).isEqualTo(UserMapCatalog.class.getName());
        assertThat(UserMapOptions.of(options).apiKeyText()).contains("env:AMPLITUDE_API_KEY");
        assertThat(statements).hasSize(configured.size() + 1);
    }
}
