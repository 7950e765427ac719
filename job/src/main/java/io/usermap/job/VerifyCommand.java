package io.usermap.job;

import java.util.Optional;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ParentCommand;

/** {@code usermap verify}: its flags, and which of them go together. */
@Command(
        name = "verify",
        description = "Reads mappings back from the service and compares them with the ledger, or with a plan.",
        footer = {
            "",
            "Looks up a random sample of the users in the ledger's state, or in a plan, and tells the interval in which the"
                    + " drift of all of them lies. A request asks for 100 users, at the rate of 'lookup.per-second', which"
                    + " is careful because the limit is unknown. What is found of each user is in the run's folder, as"
                    + " Parquet.",
            "",
            "--adopt takes the service for right: what it holds of the ids in source and ledger becomes the state. So begins"
                    + " who has mappings in the service already. --repair takes the ledger for right: it saves a plan of"
                    + " the difference, which 'usermap apply' with the printed id carries out. Both look everything up;"
                    + " neither sends anything."
        },
        mixinStandardHelpOptions = true,
        versionProvider = Main.Version.class,
        exitCodeListHeading = "Exit codes:%n",
        exitCodeList = {
            "0:done",
            "1:error",
            "3:more has drifted than 'verify.max-drift-share', or the service told nothing of most users",
            "4:a guard would stop the repair",
            "6:configuration or credentials",
            "130:interrupted; what was found so far is in the run's folder"
        })
final class VerifyCommand implements Callable<Integer> {
    @ParentCommand
    private @Nullable Commands parent;

    @Mixin
    private Flags flags = new Flags();

    @Parameters(
            arity = "0..1",
            paramLabel = "PLAN",
            description = "A run id or the path of a saved plan, to verify what it was to bring about.")
    private @Nullable String plan;

    @Option(
            names = "--sample",
            paramLabel = "N",
            description = "Users to look up, drawn at random. As 'verify.sample'; 1,000 when unset.")
    private @Nullable String sample;

    @Option(names = "--full", description = "Look up all users.")
    private boolean full;

    @Option(names = "--adopt", description = "Take what the service holds into the ledger's state.")
    private boolean adopt;

    @Option(names = "--repair", description = "Save a plan that brings the service back to the ledger's state.")
    private boolean repair;

    @Option(names = "--format", paramLabel = "text|json", description = "Form of the result on standard output.")
    private Flags.LogFormat format = Flags.LogFormat.TEXT;

    /** What becomes of the differences. */
    enum Purpose {
        /** They are told. */
        TELL,
        /** They are taken into the state. */
        ADOPT,
        /** A plan takes them back. */
        REPAIR
    }

    @Override
    public Integer call() {
        Console console = Commands.of(parent).console(flags);
        if (sample != null) {
            flags.set(Keys.VERIFY_SAMPLE, sample);
        }
        Purpose purpose = adopt ? Purpose.ADOPT : repair ? Purpose.REPAIR : Purpose.TELL;
        return new Verify(flags, console, purpose, format == Flags.LogFormat.JSON)
                .run(Optional.ofNullable(plan), full || purpose != Purpose.TELL, contradiction());
    }

    private Optional<String> contradiction() {
        String flag = adopt ? "--adopt" : "--repair";
        if (adopt && repair) {
            return Optional.of("Cannot verify with --adopt and --repair: one takes the service for right, the other the"
                    + " ledger. Give one of them.");
        } else if (sample != null && full) {
            return Optional.of("Cannot verify with --sample and --full. Give one of them.");
        } else if (sample != null && (adopt || repair)) {
            return Optional.of("Cannot verify with --sample and " + flag + ", which looks everything up. Leave --sample"
                    + " out.");
        } else if (plan != null && (adopt || repair)) {
            return Optional.of("Cannot verify a plan with " + flag
                    + ", which is about the ledger's state. Leave the plan" + " out.");
        }
        return Optional.empty();
    }
}
