package io.usermap.job;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.usermap.client.InvalidSettingsException;
import io.usermap.client.Secret;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ConfigurationTest {
    private static final Map<String, String> ENVIRONMENT = Map.of("MY_KEY", "k-123");

    @TempDir
    private Path folder;

    private static Configuration of(Map<String, String> texts, Configuration.Need... needs) {
        return Configuration.of(texts, Set.of(needs), ENVIRONMENT);
    }

    private static void assertProblems(Map<String, String> texts, Configuration.Need need, String... problems) {
        assertThatThrownBy(() -> of(texts, need))
                .isInstanceOfSatisfying(
                        InvalidSettingsException.class,
                        e -> assertThat(e.problems()).containsExactly(problems));
    }

    private Path file(String name, String text) throws IOException {
        return Files.writeString(folder.resolve(name), text);
    }

    @Test
    void reportsEveryProblemAtOnce() {
        assertThatThrownBy(() -> of(
                        Map.of(
                                "sorce.path", "x",
                                "allowance.window", "30",
                                "write.max-batch-bytes", "1MBs",
                                "verify.sample", "0"),
                        Configuration.Need.SOURCE))
                .isInstanceOfSatisfying(
                        InvalidSettingsException.class,
                        e -> assertThat(e.problems())
                                .containsExactlyInAnyOrder(
                                        "Cannot use configuration key 'sorce.path': there is none of that name. Did you mean"
                                                + " 'source.path'?",
                                        "Cannot parse configuration key 'allowance.window': '30' is not a duration. Use ms, s, m,"
                                                + " h or d, for example 30s.",
                                        "Cannot parse configuration key 'write.max-batch-bytes': '1MBs' is not a size. Use B, kB"
                                                + " or MB, at most 1000000B.",
                                        "Cannot parse configuration key 'verify.sample': '0' is out of range. Use 1 to"
                                                + " 10000000.",
                                        "Cannot read a source: none is set. Set 'source.path', 'source.table' or"
                                                + " 'source.query'."));
    }

    @Test
    void asksForTheApiKeyUnlessTheSandboxIsInside() {
        assertProblems(
                Map.of(),
                Configuration.Need.API_KEY,
                "Cannot talk to the service: there is no API key. Set 'target.api-key' to a reference such as"
                        + " \"env:AMPLITUDE_API_KEY\".");
        assertThat(of(Map.of("target.endpoint", "sandbox"), Configuration.Need.API_KEY)
                        .apiKey())
                .isEmpty();
    }

    @Test
    void readsKeysByReferenceOrAsTheyAre() {
        assertThat(of(Map.of("target.api-key", "env:MY_KEY"), Configuration.Need.API_KEY)
                        .apiKey())
                .contains(Secret.of("k-123"));
        assertThat(of(Map.of("target.api-key", "plain")).apiKey()).contains(Secret.of("plain"));
        assertProblems(
                Map.of("target.api-key", "env:OTHER"),
                Configuration.Need.API_KEY,
                "Cannot read a key: the environment variable OTHER is not set. Export it where the driver starts. It is"
                        + " named by 'target.api-key'.");
    }

    @Test
    void takesABlankKeyForNone() {
        assertProblems(
                Map.of("target.api-key", " ", "target.secret-key", ""),
                Configuration.Need.API_KEY,
                "Cannot talk to the service: there is no API key. Set 'target.api-key' to a reference such as"
                        + " \"env:AMPLITUDE_API_KEY\".");
    }

    @Test
    void doesWithoutKeysThatItsCommandDoesNotNeed() {
        assertThat(of(Map.of("target.api-key", "env:OTHER", "target.secret-key", "file:/nowhere/key")))
                .as("a plan, made where the keys are not")
                .returns(Optional.empty(), Configuration::apiKey)
                .returns(Optional.empty(), Configuration::secretKey);
        assertThat(of(Map.of("target.secret-key", "env:OTHER", "target.api-key", "k"), Configuration.Need.API_KEY)
                        .apiKey())
                .contains(Secret.of("k"));
        assertThat(of(Map.of("target.endpoint", "sandbox", "target.api-key", "env:OTHER"), Configuration.Need.API_KEY)
                        .apiKey())
                .isEmpty();
        assertThatThrownBy(() -> of(Map.of("target.api-key", "secret:prod")))
                .as("this is no key anywhere")
                .hasMessageContaining("the reference is not whole");
    }

    @Test
    void judgesWhatIsRightBesideWhatIsWrong() {
        Map<String, String> texts = Map.of(
                "target.endpoint", "http://example.com",
                "allowance.share", "0.0001",
                "plan.max-writes", "1",
                "plan.remap", "unmap-first",
                "write.writers", "many");
        assertThatThrownBy(() -> of(texts, Configuration.Need.SOURCE))
                .isInstanceOfSatisfying(
                        InvalidSettingsException.class,
                        e -> assertThat(e.problems())
                                .satisfiesExactlyInAnyOrder(
                                        problem -> assertThat(problem).contains("'write.writers'"),
                                        problem -> assertThat(problem).startsWith("Cannot read a source: none is set."),
                                        problem -> assertThat(problem)
                                                .startsWith(
                                                        "Cannot use configuration key 'target.endpoint': plain http"),
                                        problem -> assertThat(problem)
                                                .startsWith("Cannot send within an allowance of 0.15"),
                                        problem -> assertThat(problem)
                                                .isEqualTo(
                                                        "Cannot use configuration key 'plan.max-writes': 1 is too few where"
                                                                + " 'plan.remap' is unmap-first, because a remap is two mappings. Use 2"
                                                                + " or more.")));
    }

    @Test
    void refusesPlainHttpToAnotherMachine() {
        assertProblems(
                Map.of("target.endpoint", "http://example.com", "target.api-key", "k"),
                Configuration.Need.API_KEY,
                "Cannot use configuration key 'target.endpoint': plain http to example.com would send the key in clear"
                        + " text. Use https, or set 'target.allow-insecure-endpoint' to true.");
        assertThat(of(Map.of("target.endpoint", "http://127.0.0.1:8080"))
                        .endpoints()
                        .write())
                .hasPort(8080);
    }

    @Test
    void refusesTwoSources() {
        assertProblems(
                Map.of("source.path", "a", "source.table", "b"),
                Configuration.Need.SOURCE,
                "Cannot read a source: 2 of 'source.path', 'source.table' and 'source.query' are set. Keep one.");
    }

    @Test
    void refusesADatabaseWithoutAnAddressOrWithAPath() {
        assertProblems(
                Map.of("source.format", "jdbc", "source.path", "a"),
                Configuration.Need.SOURCE,
                "Cannot read a database at 'source.path'. Set 'source.options.url', and 'source.table' or"
                        + " 'source.query' to what is read from it.",
                "Cannot read a database: it has no address. Set 'source.options.url', for example"
                        + " jdbc:postgresql://host/database.");
        assertThat(of(
                                Map.of(
                                        "source.format",
                                        "JDBC",
                                        "source.options.URL",
                                        "jdbc:x",
                                        "source.options.dbtable",
                                        "t"),
                                Configuration.Need.SOURCE)
                        .sourceOptions())
                .hasSize(2);
    }

    @Test
    void refusesPrioritiesAndModesThatContradictEachOther() {
        assertProblems(
                Map.of("source.path", "a", "election.priority", "crm", "election.priority-column", "seen"),
                Configuration.Need.SOURCE,
                "Cannot elect by two priorities: 'election.priority' and 'election.priority-column' are set. Keep one.");
        assertProblems(
                Map.of("source.path", "a", "source.shape", "changes", "plan.mode", "mirror"),
                Configuration.Need.SOURCE,
                "Cannot plan changes with 'plan.mode' = mirror: users that did not change are not in the source, and"
                        + " mirror would unmap them. Set it to upsert, or read the table itself.");
    }

    @Test
    void readsListsAsJsonAndRefusesWhatIsNone() {
        assertThat(of(Map.of("source.id-types", "[\"user_id\",\"login\"]")).optional(Keys.ID_TYPES))
                .contains(List.of("user_id", "login"));
        assertThat(of(Map.of("source.id-types", "user_id")).optional(Keys.ID_TYPES))
                .contains(List.of("user_id"));
        for (String text : List.of("[\"a\"", "[null]")) {
            assertThatThrownBy(() -> of(Map.of("source.id-types", text)))
                    .isInstanceOf(InvalidSettingsException.class)
                    .hasMessage("Cannot parse configuration key 'source.id-types': '" + text
                            + "' is not a list. Write [\"one\", \"other\"].");
        }
        for (String text : List.of("[]", "[\"\"]", " ")) {
            assertThatThrownBy(() -> of(Map.of("source.id-types", text)))
                    .isInstanceOf(InvalidSettingsException.class)
                    .hasMessageEndingWith("names nothing. Write [\"one\", \"other\"].");
        }
        assertThatThrownBy(() -> of(Map.of("source.start-version", "two")))
                .isInstanceOf(InvalidSettingsException.class)
                .hasMessage("Cannot parse configuration key 'source.start-version': 'two' is not a whole number. Use a"
                        + " version or the id of a snapshot.");
    }

    @Test
    void refusesAnAllowanceOfLessThanOneMapping() {
        assertProblems(
                Map.of("allowance.events-per-second", "0.1", "allowance.window", "1s", "source.path", "a"),
                Configuration.Need.SOURCE,
                "Cannot send within an allowance of 0.1 mappings a window. Raise 'allowance.events-per-second',"
                        + " 'allowance.window' or 'allowance.share'.");
    }

    @Test
    void takesTheTextAfterTheFirstEqualsSignAsItStands() {
        Map<String, String> texts = ConfigText.read(
                List.of(), List.of("source.sql=SELECT 'a=b' AS x, \"y\" FROM source", "ledger.path=", "spark.x=[1]"));

        assertThat(texts)
                .containsEntry("source.sql", "SELECT 'a=b' AS x, \"y\" FROM source")
                .containsEntry("ledger.path", "")
                .containsEntry("spark.x", "[1]");
        assertThatThrownBy(() -> ConfigText.read(List.of(), List.of("ledger.path")))
                .isInstanceOf(InvalidSettingsException.class)
                .hasMessage("Cannot use --set without a value. Write --set key=value.");
    }

    @Test
    void laterFilesWinAndSetWinsOverAll() throws IOException {
        Path first = file("first.conf", "ledger { path = one, keep-runs = 3 }\nsource.path = a");
        Path second = file("second.conf", "ledger.path = two\nsource.options.header = false");

        Configuration read = Configuration.of(
                ConfigText.read(List.of(first, second), List.of("source.path=c")),
                Set.of(Configuration.Need.SOURCE),
                Map.of());

        assertThat(read.value(Keys.LEDGER_PATH)).isEqualTo("two");
        assertThat(read.value(Keys.KEEP_RUNS)).isEqualTo(3);
        assertThat(read.optional(Keys.SOURCE_PATH)).contains("c");
        assertThat(read.sourceOptions()).containsExactly(Map.entry("header", "false"));
    }

    @Test
    void keepsSparksKeysWholeAndListsAsJson() throws IOException {
        Path file = file("a.conf", "spark.executor.memory = 2g\nspark.list = [a, 1]\n\"spark.sql.a\" = true");

        assertThat(of(ConfigText.read(List.of(file), List.of())).sparkOptions())
                .containsOnly(
                        Map.entry("spark.executor.memory", "2g"),
                        Map.entry("spark.list", "[\"a\",1]"),
                        Map.entry("spark.sql.a", "true"));
    }

    @Test
    void namesFileAndLineOfWhatIsNoHoconAndNotTheTextItself() throws IOException {
        Path file = file("bad.conf", "ledger.path = x\ntarget.api-key = s3cr=t");

        assertThatThrownBy(() -> ConfigText.read(List.of(file, folder.resolve("none.conf")), List.of()))
                .isInstanceOfSatisfying(
                        InvalidSettingsException.class,
                        e -> assertThat(e.problems())
                                .containsExactly(
                                        "Cannot read the configuration " + file
                                                + ": line 2 is not HOCON. Put values with special characters into double quotes.",
                                        "Cannot read the configuration " + folder.resolve("none.conf")
                                                + ": there is no such file. Paths are relative to the working directory."));
    }

    @Test
    void tellsWhereAVariableIsMissing() throws IOException {
        Path file = file("a.conf", "target.api-key = ${NO_SUCH_VARIABLE_HERE}");

        assertThatThrownBy(() -> ConfigText.read(List.of(file), List.of()))
                .isInstanceOf(InvalidSettingsException.class)
                .hasMessage("Cannot resolve the configuration: line 1 refers to a variable that is not set. Set it, or"
                        + " write ${?NAME} if it may be missing.");
    }

    @Test
    void handsTheServicesSettingsOnToTheDataSource() {
        Configuration read = of(Map.of(
                "target.endpoint", "http://localhost:1",
                "allowance.window", "500ms",
                "write.max-attempts", "3",
                "target.api-key", "k-9"));

        assertThat(read.writeOptions(read.endpoints()))
                .containsEntry("endpoint", "http://localhost:1")
                .containsEntry("windowSeconds", "0.5")
                .containsEntry("maxAttempts", "3")
                .containsEntry("onConflict", "reject")
                .doesNotContainValue("k-9");
        assertThat(read.allowance().mappingsPerWindow()).isEqualTo(25);
        assertThat(read.allowance().window()).isEqualTo(Duration.ofMillis(500));
    }

    @Test
    void declaresEveryKeyOnceWithADefaultThatCanBeRead() {
        assertThat(Keys.DECLARED).extracting("key").doesNotHaveDuplicates();
        assertThat(of(Map.of()).value(Keys.EVENTS_PER_SECOND)).isEqualTo(50.0);
    }

    @Test
    void refusesTheEmbeddedSandboxWhereExecutorsCannotReachIt() {
        assertThatThrownBy(() -> Target.requireReachable(of(Map.of("target.endpoint", "sandbox")), "yarn"))
                .isInstanceOf(InvalidSettingsException.class)
                .hasMessage(
                        "Cannot use configuration key 'target.endpoint': 'sandbox' listens on this machine's loopback,"
                                + " which executors of master 'yarn' do not reach. Use a local master, or start 'usermap sandbox'"
                                + " where they do.");
    }
}
