package io.usermap.job;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.SparkEnv;
import org.apache.spark.SparkUserAppException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The command line without Spark: all of this ends before a session would start. */
class MainTest {
    @TempDir
    private Path folder;

    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private final ByteArrayOutputStream err = new ByteArrayOutputStream();

    private int run(String... args) {
        return Main.run(args, print(out), print(err));
    }

    private static PrintStream print(ByteArrayOutputStream bytes) {
        return new PrintStream(bytes, true, StandardCharsets.UTF_8);
    }

    private String out() {
        return out.toString(StandardCharsets.UTF_8);
    }

    private String err() {
        return err.toString(StandardCharsets.UTF_8);
    }

    @AfterEach
    void noSessionWasStarted() {
        assertThat(SparkEnv.get()).isNull();
    }

    @Test
    void tellsItsVersion() {
        assertThat(run("--version")).isZero();
        assertThat(out()).matches("usermap \\d+\\.\\d+\\.\\d+\\S*\\R");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "plan", "apply", "verify", "undo", "lookup", "export", "explain", "forget", "runs", "report", "sandbox"
            })
    void helpsWithEveryCommand(String command) {
        assertThat(run("--help")).isZero();
        assertThat(out()).contains("\n  " + command);

        assertThat(run(command, "--help")).isZero();
        assertThat(err()).isEmpty();
    }

    @Test
    void showsRunsAndReportsWithoutStartingSpark() throws IOException {
        String id = "20261122T041702175Z-cea1";
        LedgerRun run = Ledger.open(new Configuration(false), folder.toString(), "sandbox")
                .begin(Instant.parse("2026-11-22T04:17:02.175Z"));
        Report.Header header = new Report.Header("apply", run.id(), Outcome.DONE, 0, Instant.EPOCH);
        run.save(Report.of(header, Optional.empty(), Optional.empty(), Optional.empty(), List.of()));
        // A session of this master would fail to start.
        String[] ledger = {"--set", "ledger.path=" + folder, "--master", "nosuch://master"};

        assertThat(run(line("runs", ledger))).as(err()).isZero();
        assertThat(out()).contains(run.id()).contains("done");
        assertThat(run(line("report", ledger, run.id()))).as(err()).isZero();
        assertThat(run(line("export", ledger, "--format", "parquet"))).isEqualTo(1);
        assertThat(err()).contains("Cannot export as parquet to standard output");
        assertThat(run(line("undo", ledger, id))).isEqualTo(1);
        assertThat(err()).contains("Cannot find the run " + id);
    }

    private static String[] line(String command, String[] ledger, String... more) {
        return Stream.of(new String[] {command}, ledger, more)
                .flatMap(Stream::of)
                .toArray(String[]::new);
    }

    @Test
    void listsTheFlagsThatScriptsUse() {
        run("plan", "--help");
        assertThat(out())
                .contains("--detailed-exitcode", "--format", "--config", "--set", "--report", "--quiet")
                .contains("--max-writes", "--max-duration");
        run("apply", "--help");
        assertThat(out()).contains("[PLAN]", "--dry-run", "--allow", "--log-format", "--stacktrace", "--master");
    }

    @ParameterizedTest
    @ValueSource(strings = {"explain", "forget", "lookup"})
    void takesIdsThatBeginWithAnAtOrADash(String command) throws IOException {
        Path others = Files.writeString(folder.resolve("ids"), "bob@x.com");
        String user = "@" + others;

        assertThat(Commands.parser(print(out), print(err))
                        .parseArgs(command, "--quiet", user)
                        .subcommand()
                        .matchedPositional(0)
                        .originalStringValues())
                .containsExactly(user);
        assertThat(Commands.parser(print(out), print(err))
                        .parseArgs(command, "--quiet", "--", "--help")
                        .subcommand()
                        .matchedPositional(0)
                        .originalStringValues())
                .containsExactly("--help");
        assertThat(run(command, "--help")).isZero();
        assertThat(out()).contains("after -- if");
    }

    @Test
    void asksForACommand() {
        assertThat(run()).isEqualTo(6);
        assertThat(err())
                .isEqualToIgnoringNewLines(
                        "Cannot run usermap: it was given no command. Use plan or apply; --help lists all.");
    }

    @Test
    void refusesAFlagThatItDoesNotKnow() {
        assertThat(run("apply", "--dry-rum")).isEqualTo(6);
        assertThat(err())
                .isEqualToIgnoringNewLines(
                        "Cannot read the command line: Unknown option: '--dry-rum'. See 'usermap apply" + " --help'.");
    }

    @Test
    void refusesAGuardThatThereIsNot() {
        assertThat(run("apply", "--allow", "everything")).isEqualTo(6);
        assertThat(err()).startsWith("Cannot use guard 'everything': there is none of that name. Did you mean 'max-");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "--adopt --repair | with --adopt and --repair: one takes the service for right, the other the ledger.",
                "--sample 5 --full | with --sample and --full. Give one of them.",
                "--sample 5 --adopt | with --sample and --adopt, which looks everything up. Leave --sample out.",
                "--repair --sample 5 | with --sample and --repair, which looks everything up. Leave --sample out.",
                "20261122T041702175Z-cea1 --repair | a plan with --repair, which is about the ledger's state. Leave the"
                        + " plan out."
            })
    void refusesToVerifyInTwoWaysAtOnce(String flags, String message) {
        assertThat(run(("verify " + flags).split(" "))).isEqualTo(6);
        assertThat(err()).startsWith("Cannot verify " + message);
    }

    @Test
    void verifyNeedsBothKeysAndASampleThatIsOne() {
        assertThat(run("verify", "--sample", "0")).isEqualTo(6);
        assertThat(err())
                .contains("Cannot parse configuration key 'verify.sample': '0' is out of range. Use 1 to 10000000.")
                .contains("there is no API key")
                .contains("there is no secret key");
        assertThat(run("verify", "--adopt")).isEqualTo(6);
        assertThat(err()).contains("Cannot read a source: none is set.");
    }

    @Test
    void refusesToLimitASavedPlan() {
        assertThat(run("apply", "20261122T041702175Z-cea1", "--max-writes", "10"))
                .isEqualTo(6);
        assertThat(err())
                .isEqualToIgnoringNewLines(
                        "Cannot limit a saved plan: it is carried out as it is. Give --max-writes and"
                                + " --max-duration to 'usermap plan'.");
    }

    @Test
    void readsLimitsAsTheirKeys() {
        assertThat(run("plan", "--max-writes", "0", "--max-duration", "soon")).isEqualTo(6);
        assertThat(err())
                .contains(
                        "'plan.max-writes': '0' is out of range. Use 1 to 2147483647.",
                        "'plan.max-duration': 'soon' is not a duration.");
    }

    @Test
    void reportsAWrongConfigurationBeforeAnySessionStarts() throws IOException {
        Path report = folder.resolve("report.json");

        assertThat(run("apply", "--set", "plan.mode=mirrow", "--set", "source.path=x", "--report", report.toString()))
                .isEqualTo(6);

        assertThat(err())
                .isEqualToIgnoringNewLines("Cannot parse configuration key 'plan.mode': 'mirrow' is none of upsert |"
                        + " mirror.Cannot talk to the service: there is no API key. Set 'target.api-key' to a reference such"
                        + " as \"env:AMPLITUDE_API_KEY\".");
        assertThat(Files.readString(report)).contains("\"outcome\" : \"failed\"", "\"exit_code\" : 6");
        assertThat(out()).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"verify --adopt --repair", "apply 20261122T041702175Z-cea1 --max-writes 10"})
    void reportsFlagsThatContradictEachOther(String line) throws IOException {
        Path report = Files.writeString(folder.resolve("report.json"), "of yesterday");

        assertThat(run((line + " --report " + report).split(" "))).isEqualTo(6);

        assertThat(Files.readString(report)).contains("\"outcome\" : \"failed\"", "\"exit_code\" : 6");
    }

    @Test
    void writesErrorsAsJsonWhereAsked() {
        assertThat(run("plan", "--log-format", "json")).isEqualTo(6);
        assertThat(err())
                .isEqualToIgnoringNewLines("{\"kind\":\"error\",\"message\":\"Cannot read a source: none is set. Set"
                        + " 'source.path', 'source.table' or 'source.query'.\"}");
    }

    @Test
    void lookupNeedsBothKeys() {
        assertThat(run("lookup", "ann@example.com")).isEqualTo(6);
        assertThat(err())
                .contains(
                        "there is no API key. Set 'target.api-key'",
                        "there is no secret key. Set 'target.secret-key' to a reference such as"
                                + " \"env:AMPLITUDE_SECRET_KEY\".");
    }

    @Test
    void leavesAForeignProcessAsAnExceptionThatSparkTurnsIntoTheExitCode() {
        assertThatThrownBy(() -> Main.main(new String[] {"plan", "--quiet"}))
                .isInstanceOfSatisfying(
                        SparkUserAppException.class,
                        e -> assertThat(e.exitCode()).isEqualTo(6))
                .satisfies(e -> assertThat(e.getSuppressed()).hasSize(1))
                .hasStackTraceContaining(
                        "usermap plan ended with exit code 6. The messages above say why; report.json of its run has"
                                + " the detail.");
    }

    /** As Spark 4.2 has it. */
    public static final class OfCodeAndCause extends Exception {
        private static final long serialVersionUID = 1L;

        private final int exitCode;

        public OfCodeAndCause(int exitCode, Throwable cause) {
            super(cause);
            this.exitCode = exitCode;
        }
    }

    @Test
    void leavesLikewiseWhereSparkAsksForACause() {
        OfCodeAndCause leaving = RunFailedException.leaving(OfCodeAndCause.class, "apply", 4);

        assertThat(leaving.exitCode).isEqualTo(4);
        assertThat(leaving)
                .hasRootCauseMessage("usermap apply ended with exit code 4. The messages above say why;"
                        + " report.json of its run has the detail.");
    }

    @Test
    void tellsTheLauncherWhichMasterIsConfigured() throws IOException {
        Path file = Files.writeString(folder.resolve("a.conf"), "spark.master = \"spark://somewhere:7077\"");

        assertThat(LaunchMaster.master(new String[] {"apply", "--config", file.toString(), "--dry-run"}))
                .isEqualTo("spark://somewhere:7077");
        assertThat(LaunchMaster.master(new String[] {"apply", "--log-format", "xml"}))
                .isEmpty();
        assertThat(LaunchMaster.master(new String[] {"apply", "--set", "no.such=key"}))
                .isEmpty();
    }
}
