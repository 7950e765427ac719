package io.usermap.job;

import io.usermap.job.Execution.Ending;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.function.Function;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ParentCommand;

/** The commands that work on the ledger and talk to no service. */
final class LedgerCommands {
    private LedgerCommands() {}

    /** What they have in common. */
    abstract static class OnLedger implements Callable<Integer> {
        @ParentCommand
        private @Nullable Commands parent;

        @Mixin
        Flags flags = new Flags();

        private final String name;
        private final Instant startedAt = Instant.now();

        OnLedger(String name) {
            this.name = name;
        }

        /** Does the work; whatever it throws is told. */
        abstract Ending run(JobSession session, Ledger ledger, Configuration configuration, Console console)
                throws Exception;

        @Override
        public Integer call() {
            Console console = Commands.of(parent).console(flags);
            Execution execution = new Execution(name, flags, console);
            Ending ending = execution.onLedger(
                    (session, ledger, configuration) -> run(session, ledger, configuration, console));
            return execution.reported(ending, () -> execution.copy(report(ending, console)));
        }

        /** The document that {@code --report} asks for. */
        String report(Ending ending, Console console) {
            return Json.document(Report.of(name, ending, startedAt));
        }

        Instant startedAt() {
            return startedAt;
        }
    }

    /** {@code usermap undo}. */
    @Command(
            name = "undo",
            description = "Plans what reverses a run, and saves it; sends nothing.",
            footer = {
                "",
                "What the run changed goes back to what was in force before it. Users who have moved since are left out",
                "and counted, and so are those whose return would make a chain. 'usermap apply' with the printed id",
                "carries it out. Mend the source as well: the next plan is made from it and would do the same again."
            },
            mixinStandardHelpOptions = true,
            versionProvider = Main.Version.class,
            exitCodeListHeading = "Exit codes:%n",
            exitCodeList = {"0:planned, or nothing to undo", "1:error", "4:a guard would stop it", "6:configuration"})
    static final class UndoCommand extends OnLedger {
        @Parameters(
                arity = "1",
                paramLabel = "RUN",
                description = "The run to reverse: its id, or the path of its folder.")
        private String run = "";

        @Option(names = "--format", paramLabel = "text|json", description = "Form of the plan on standard output.")
        private Flags.LogFormat format = Flags.LogFormat.TEXT;

        /** What it has come to: where it is saved, and the report by how the command ends. */
        private record Planned(LedgerRun run, Function<Ending, Report> report) {}

        private @Nullable Planned planned;

        UndoCommand() {
            super("undo");
        }

        @Override
        Ending run(JobSession session, Ledger ledger, Configuration configuration, Console console) {
            ledger.requireNothingLost();
            LedgerRun undone = ledger.named(run);
            if (undone.hasBegunToSend() && !undone.isFinished()) {
                throw StoppedException.failed("Cannot undo run " + undone.id()
                        + ": it has not come to its end. Run 'usermap apply' first, which finishes it.");
            }
            if (undone.savedPlan().isEmpty()) {
                throw StoppedException.failed(
                        "Cannot undo run " + undone.id()
                                + ": its plan was not saved to its end, so it has sent nothing. 'usermap runs' lists the others.");
            }
            SparkSession spark = session.spark();
            State state = ledger.state(spark);
            State.Version version = state.current();
            Undo undo = Undo.of(
                    LedgerRun.rows(spark, undone.planAddress()),
                    Receipts.kept(spark, () -> Receipts.of(spark, undone).acknowledged()),
                    state.rows(version));
            LedgerRun begun = ledger.begin(Instant.now());
            String what =
                    "undoes " + Phrases.count(undo.acknowledged()) + " changes of run " + undone.id() + "; left out: "
                            + Phrases.count(undo.moved()) + " that have moved since, " + Phrases.count(undo.chained())
                            + " whose return would make a chain";
            Plan plan = new Planning(spark, configuration, ledger, console)
                    .save(begun, undo.rows(), version, Plan.UNDO, what);
            List<Guards.Tripped> tripped = Guards.tripped(plan, configuration, java.util.Set.of());
            if (format == Flags.LogFormat.JSON) {
                console.result(Guards.document(plan, tripped));
            } else {
                console.summary(Summary.ofPlan(plan, tripped, List.of()));
            }
            tripped.forEach(guard -> console.error(guard.message()));
            Ending ending = !tripped.isEmpty()
                    ? new Ending(Outcome.GUARD, ExitCode.GUARD)
                    : plan.writes() == 0 ? Ending.NOTHING_TO_DO : Ending.DONE;
            planned = new Planned(
                    begun,
                    ended -> Report.of(
                            new Report.Header("undo", begun.id(), ended.outcome(), ended.exitCode(), startedAt()),
                            Optional.of(configuration),
                            Optional.of(plan),
                            Optional.empty(),
                            tripped.stream().map(Guards.Tripped::name).toList()));
            return ending;
        }

        @Override
        String report(Ending ending, Console console) {
            if (planned == null) {
                return super.report(ending, console);
            }
            Report report = planned.report().apply(ending);
            planned.run().save(report);
            String saved = "report: " + planned.run().reportAddress();
            if (format == Flags.LogFormat.JSON) {
                console.event(saved);
            } else {
                console.summary(saved);
            }
            return Json.document(report);
        }
    }

    /** {@code usermap export}. */
    @Command(
            name = "export",
            description = "Writes every mapping that the ledger knows to be in force.",
            footer = {
                "",
                "Ids are written as they are, so that a file of CSV can be a source of pairs again. Some may begin with",
                "=, +, - or @, which spreadsheets take for formulas: import the columns as text there."
            },
            mixinStandardHelpOptions = true,
            versionProvider = Main.Version.class)
    static final class ExportCommand extends OnLedger {
        @Option(
                names = "--format",
                paramLabel = "csv|parquet|json",
                description = "csv when unset; json is one object a line.")
        private Export.Format format = Export.Format.CSV;

        @Option(
                names = "--output",
                paramLabel = "PATH",
                description = "File, or for parquet folder, on any Hadoop filesystem; standard output when unset.")
        private @Nullable String output;

        ExportCommand() {
            super("export");
        }

        @Override
        Ending run(JobSession session, Ledger ledger, Configuration configuration, Console console) throws Exception {
            ledger.requireNothingLost();
            Export export = new Export(format, Optional.ofNullable(output), console);
            export.requireRoom(session.hadoop());
            export.write(ledger.inForce(session.spark()));
            return Ending.DONE;
        }
    }

    /** {@code usermap explain}. */
    @Command(
            name = "explain",
            description = "Tells all that is known of one user: rows, cluster, rule, runs.",
            footer = {
                "",
                "Looks into the state, the plans and receipts of the runs that are kept, and the source if one is set.",
                "Shows ids as they are."
            },
            mixinStandardHelpOptions = true,
            versionProvider = Main.Version.class)
    static final class ExplainCommand extends OnLedger {
        @Parameters(arity = "1", paramLabel = "ID", description = "User id; after -- if it begins with a dash.")
        private String id = "";

        @Option(names = "--format", paramLabel = "text|json", description = "Form on standard output.")
        private Flags.LogFormat format = Flags.LogFormat.TEXT;

        ExplainCommand() {
            super("explain");
        }

        @Override
        Ending run(JobSession session, Ledger ledger, Configuration configuration, Console console) {
            ledger.requireNothingLost();
            Explanation found =
                    withSource(Explanation.of(session.spark(), ledger, id), session, configuration, console);
            if (format == Flags.LogFormat.JSON) {
                console.result(Json.document(found).strip());
            } else {
                found.sentences(configuration.value(Keys.KEEP_RUNS), (int) ledger.runs().stream()
                                .filter(LedgerRun::isFinished)
                                .count())
                        .forEach(console::result);
            }
            return Ending.DONE;
        }

        private static Explanation withSource(
                Explanation known, JobSession session, Configuration configuration, Console console) {
            if (!configuration.hasSource()) {
                return known;
            }
            try {
                Dataset<Row> source = Source.load(session.spark(), configuration);
                return known.with(source, Shape.of(source.schema(), configuration), configuration.idRules());
            } catch (StoppedException e) {
                // What the ledger knows can be told without it.
                console.event(String.valueOf(e.getMessage()));
                return known;
            }
        }
    }

    /** {@code usermap forget}. */
    @Command(
            name = "forget",
            description = "Removes one user from state, plans, receipts and reports.",
            footer = {
                "",
                "Mappings to the user go too. The service is told nothing: unmap first what must not stay there. Take the",
                "user out of the source as well, or the next run maps it again. Saved plans have to be made again."
            },
            mixinStandardHelpOptions = true,
            versionProvider = Main.Version.class)
    static final class ForgetCommand extends OnLedger {
        @Parameters(arity = "1", paramLabel = "ID", description = "User id; after -- if it begins with a dash.")
        private String id = "";

        ForgetCommand() {
            super("forget");
        }

        @Override
        Ending run(JobSession session, Ledger ledger, Configuration configuration, Console console) {
            String claimed = "forget-" + ledger.begin(Instant.now()).id();
            try (Claim claim = Claim.take(
                    ledger.claims(),
                    claimed,
                    configuration.value(Keys.LOCK_TERM),
                    duration -> Thread.sleep(duration.toMillis()),
                    console::event)) {
                ledger.requireNothingLost();
                ledger.unfinished().ifPresent(unfinished -> {
                    throw StoppedException.failed("Cannot forget: run " + unfinished.id()
                            + " has not come to its end. Run 'usermap apply' first, which finishes it.");
                });
                claim.requireHeld();
                Forgetting.Removed removed = new Forgetting(session.spark(), ledger, id).forget(claimed);
                console.summary("removed: " + Phrases.count(removed.mappings()) + " of the acknowledged mappings, "
                        + Phrases.count(removed.planRows()) + " rows of plans, " + Phrases.count(removed.receipts())
                        + " receipts");
                if (removed.all() == 0) {
                    console.summary("nothing to do: no mapping in force, no plan and no receipt holds the id");
                    return Ending.NOTHING_TO_DO;
                }
                return Ending.DONE;
            }
        }
    }

    /** {@code usermap runs}. */
    @Command(
            name = "runs",
            description = "Lists the runs that the ledger keeps, the newest first.",
            mixinStandardHelpOptions = true,
            versionProvider = Main.Version.class)
    static final class RunsCommand extends OnLedger {
        @Option(names = "--format", paramLabel = "text|json", description = "A table, or one JSON object a line.")
        private Flags.LogFormat format = Flags.LogFormat.TEXT;

        RunsCommand() {
            super("runs");
        }

        @Override
        Ending run(JobSession session, Ledger ledger, Configuration configuration, Console console) {
            List<RunHistory.Line> lines = new RunHistory(ledger).lines();
            if (format == Flags.LogFormat.JSON) {
                lines.forEach(line -> console.result(Json.line(line)));
            } else {
                console.result(RunHistory.table(lines));
            }
            return Ending.DONE;
        }
    }

    /** {@code usermap report}. */
    @Command(
            name = "report",
            description = "Shows the report of a run; makes it from plan and receipts where it is missing.",
            mixinStandardHelpOptions = true,
            versionProvider = Main.Version.class)
    static final class ReportCommand extends OnLedger {
        @Parameters(arity = "1", paramLabel = "RUN", description = "Run id, or the path of a run's folder.")
        private String run = "";

        private @Nullable String shown;

        ReportCommand() {
            super("report");
        }

        @Override
        Ending run(JobSession session, Ledger ledger, Configuration configuration, Console console) {
            String found = new RunHistory(ledger).report(session, ledger.named(run));
            console.result(found.strip());
            shown = found;
            return Ending.DONE;
        }

        /** The run's own. */
        @Override
        String report(Ending ending, Console console) {
            return shown == null ? super.report(ending, console) : shown;
        }
    }
}
