package io.usermap.job;

import io.usermap.sandbox.SandboxCommand;
import java.io.PrintStream;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ParentCommand;
import picocli.CommandLine.Unmatched;

/** The command line: each command's flags, in the words that scripts use, and the call that each of them makes. */
@Command(
        name = "usermap",
        description = "Brings identity-resolution output to Amplitude's User Mapping API, as few mappings as possible.",
        mixinStandardHelpOptions = true,
        versionProvider = Main.Version.class,
        subcommands = {
            Commands.PlanCommand.class,
            Commands.ApplyCommand.class,
            VerifyCommand.class,
            LedgerCommands.UndoCommand.class,
            Commands.LookupCommand.class,
            LedgerCommands.ExportCommand.class,
            LedgerCommands.ExplainCommand.class,
            LedgerCommands.ForgetCommand.class,
            LedgerCommands.RunsCommand.class,
            LedgerCommands.ReportCommand.class,
            Commands.ServeSandbox.class
        })
final class Commands implements Callable<Integer> {
    private final PrintStream out;
    private final PrintStream err;

    Commands(PrintStream out, PrintStream err) {
        this.out = out;
        this.err = err;
    }

    @Override
    public Integer call() {
        err.println("Cannot run usermap: it was given no command. Use plan or apply; --help lists all.");
        return ExitCode.CONFIGURATION;
    }

    Console console(Flags flags) {
        return flags.console(out, err);
    }

    /** {@code usermap plan}. */
    @Command(
            name = "plan",
            description = "Shows what would change and saves it; sends nothing.",
            mixinStandardHelpOptions = true,
            versionProvider = Main.Version.class,
            exitCodeListHeading = "Exit codes:%n",
            exitCodeList = {
                "0:planned",
                "1:error",
                "2:changes are pending (--detailed-exitcode)",
                "4:a guard would stop it",
                "6:configuration",
                "130:interrupted"
            })
    static final class PlanCommand implements Callable<Integer> {
        @ParentCommand
        private @Nullable Commands parent;

        @Mixin
        private Flags flags = new Flags();

        @Option(names = "--detailed-exitcode", description = "Exit with 2 if something would change.")
        private boolean detailedExitCode;

        @Option(names = "--format", paramLabel = "text|json", description = "Form of the plan on standard output.")
        private Flags.LogFormat format = Flags.LogFormat.TEXT;

        @Mixin
        private Limits limits = new Limits();

        @Override
        public Integer call() {
            Console console = of(parent).console(flags);
            limits.addTo(flags);
            return new Job("plan", flags, console)
                    .plan(detailedExitCode, format == Flags.LogFormat.JSON, limits.allowed());
        }
    }

    /** {@code usermap apply}. */
    @Command(
            name = "apply",
            description = "Carries out a saved plan, or plans and applies; finishes an interrupted run first.",
            mixinStandardHelpOptions = true,
            versionProvider = Main.Version.class,
            exitCodeListHeading = "Exit codes:%n",
            exitCodeList = {
                "0:done, or nothing to do",
                "1:error; apply again to resume",
                "3:done, but too many rows were rejected",
                "4:a guard stopped it",
                "5:the plan is stale",
                "6:configuration or credentials",
                "130:interrupted; apply again to resume"
            })
    static final class ApplyCommand implements Callable<Integer> {
        @ParentCommand
        private @Nullable Commands parent;

        @Mixin
        private Flags flags = new Flags();

        @Parameters(arity = "0..1", paramLabel = "PLAN", description = "A run id or the path of a saved plan.")
        private @Nullable String plan;

        @Option(names = "--dry-run", description = "Plan, judge and tell, but send nothing.")
        private boolean dryRun;

        @Mixin
        private Limits limits = new Limits();

        @Override
        public Integer call() {
            limits.addTo(flags);
            return new Job("apply", flags, of(parent).console(flags)).apply(Optional.ofNullable(plan), dryRun, limits);
        }
    }

    /** How much a run may do, and which guards it may pass by. */
    static final class Limits {
        @Option(
                names = "--max-writes",
                paramLabel = "N",
                description = "Most mappings to send; the next run sends the rest. As 'plan.max-writes'.")
        private @Nullable String maxWrites;

        @Option(
                names = "--max-duration",
                paramLabel = "D",
                description = "Longest time to send under the allowance, such as 2h. As 'plan.max-duration'.")
        private @Nullable String maxDuration;

        @Option(names = "--allow", paramLabel = "GUARD", description = "Lift a guard for this run; may be given again.")
        private List<String> allow = new ArrayList<>();

        boolean areSet() {
            return maxWrites != null || maxDuration != null;
        }

        private void addTo(Flags flags) {
            if (maxWrites != null) {
                flags.set(Keys.MAX_WRITES, maxWrites);
            }
            if (maxDuration != null) {
                flags.set(Keys.MAX_DURATION, maxDuration);
            }
        }

        List<String> allowed() {
            return List.copyOf(allow);
        }
    }

    /** {@code usermap lookup}. */
    @Command(
            name = "lookup",
            description = "Tells the mappings of given ids, as the service has them.",
            mixinStandardHelpOptions = true,
            versionProvider = Main.Version.class)
    static final class LookupCommand implements Callable<Integer> {
        @ParentCommand
        private @Nullable Commands parent;

        @Mixin
        private Flags flags = new Flags();

        @Parameters(arity = "1..*", paramLabel = "ID", description = "User ids; after -- if one begins with a dash.")
        private List<String> ids = new ArrayList<>();

        @Override
        public Integer call() {
            return new Lookup(flags, of(parent).console(flags)).tell(ids);
        }
    }

    /** {@code usermap sandbox}; its flags are the sandbox's own. */
    @Command(name = "sandbox", description = "Serves the API on localhost, for any client; --help tells its flags.")
    static final class ServeSandbox implements Callable<Integer> {
        @ParentCommand
        private @Nullable Commands parent;

        @Unmatched
        private List<String> given = new ArrayList<>();

        @Override
        public Integer call() {
            Commands commands = of(parent);
            return SandboxCommand.run(given.toArray(String[]::new), commands.out, commands.err);
        }
    }

    /** The parent, which picocli has set. */
    static Commands of(@Nullable Commands parent) {
        if (parent == null) {
            throw new IllegalStateException("picocli sets the parent before it calls a command");
        }
        return parent;
    }

    /** A parser for these commands. */
    static CommandLine parser(PrintStream out, PrintStream err) {
        CommandLine parser = new CommandLine(new Commands(out, err))
                .setOut(new java.io.PrintWriter(out, true, java.nio.charset.StandardCharsets.UTF_8))
                .setErr(new java.io.PrintWriter(err, true, java.nio.charset.StandardCharsets.UTF_8))
                .setCaseInsensitiveEnumValuesAllowed(true)
                // Ids may begin with an @.
                .setExpandAtFiles(false)
                .setUsageHelpWidth(110);
        parser.setParameterExceptionHandler((problem, args) -> {
            err.println("Cannot read the command line: " + Source.firstLine(problem) + " See 'usermap "
                    + (problem.getCommandLine().getParent() == null
                            ? ""
                            : problem.getCommandLine().getCommandName() + " ")
                    + "--help'.");
            return ExitCode.CONFIGURATION;
        });
        return parser;
    }
}
