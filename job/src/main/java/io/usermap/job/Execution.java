package io.usermap.job;

import io.usermap.client.InvalidSettingsException;
import io.usermap.client.ServiceException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.util.Set;

/**
 * What every command has in common that works on the ledger: flags in, errors told in words, exit code out.
 *
 * @param command the command's name, for messages
 * @param flags what the user gave
 * @param console where it speaks
 */
record Execution(String command, Flags flags, Console console) {

    /** How a command ended. */
    record Ending(Outcome outcome, int exitCode) {
        static final Ending DONE = new Ending(Outcome.DONE, ExitCode.DONE);
        static final Ending INTERRUPTED = new Ending(Outcome.INTERRUPTED, ExitCode.INTERRUPTED);
        static final Ending NOTHING_TO_DO = new Ending(Outcome.NOTHING_TO_DO, ExitCode.DONE);
    }

    /** The command itself. */
    interface Body {
        Ending run() throws Exception;
    }

    /** A command that reads or mends the ledger and talks to no service. */
    interface LedgerBody {
        Ending run(JobSession session, Ledger ledger, Configuration configuration) throws Exception;
    }

    /**
     * As {@link #ending(Body)} for a command that can be interrupted: an end that {@code interruption} explains is no
     * failure.
     */
    Ending ending(Body body, Interruption interruption) {
        return ending(() -> {
            try {
                return body.run();
            } catch (Throwable e) { // Spark throws checked exceptions that its methods do not declare
                // A command that has come to its own end by then says so itself.
                Throwable failure = e instanceof StoppedException ? e.getCause() : e;
                boolean interrupted = (failure != null && interruption.explains(failure))
                        || (e instanceof StoppedException stopped && stopped.outcome() == Outcome.INTERRUPTED);
                if (!interrupted) {
                    throw e;
                }
                return Ending.INTERRUPTED;
            }
        });
    }

    /** Runs {@code body}; whatever it throws is told and becomes an ending. */
    Ending ending(Body body) {
        try {
            return body.run();
        } catch (Throwable e) { // whatever it was, the caller is owed an exit code and the user a sentence
            return failed(e);
        }
    }

    /** Runs a command on a ledger that exists already; Spark is started if the command asks. */
    Ending onLedger(LedgerBody body) {
        return ending(() -> {
            Configuration configuration = configuration(Set.of());
            try (JobSession session = JobSession.later(configuration)) {
                Ledger ledger = Ledger.existing(session.hadoop(), configuration.value(Keys.LEDGER_PATH));
                return body.run(session, ledger, configuration);
            }
        });
    }

    /** Writes a report. */
    interface Reporting {
        void write() throws IOException;
    }

    /** Reports on a command that has ended, and returns its exit code; that of an error if the report cannot be written. */
    int reported(Ending ending, Reporting reporting) {
        try {
            reporting.write();
            return ending.exitCode();
        } catch (IOException | UncheckedIOException e) {
            console.error("Cannot write the report: " + Source.firstLine(e) + " Check the ledger and --report.");
            return Math.max(ending.exitCode(), ExitCode.ERROR);
        }
    }

    /** Writes a report to where {@code --report} says, if it was given. */
    void copy(String report) throws IOException {
        if (flags.report().isPresent()) {
            Files.writeString(flags.report().get(), report);
        }
    }

    /** The configuration that the flags name, with all that {@code needs} ask for. */
    Configuration configuration(Set<Configuration.Need> needs) {
        return Configuration.read(flags.config(), flags.set(), needs);
    }

    /** Whether {@code failure} comes from something that has a sentence and an exit code of its own. */
    static boolean isKnown(Throwable failure) {
        for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
            if (cause instanceof InvalidSettingsException
                    || cause instanceof StoppedException
                    || cause instanceof ServiceException) {
                return true;
            }
        }
        return false;
    }

    /** Tells a failure and says how the command ends by it. */
    Ending failed(Throwable failure) {
        if (flags.stacktrace()) {
            failure.printStackTrace(console.err());
        }
        for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
            if (cause instanceof InvalidSettingsException invalid) {
                invalid.problems().forEach(console::error);
                return new Ending(Outcome.FAILED, ExitCode.CONFIGURATION);
            }
            if (cause instanceof StoppedException stopped) {
                console.error(String.valueOf(stopped.getMessage()));
                return new Ending(stopped.outcome(), stopped.exitCode());
            }
            if (cause instanceof ServiceException service) {
                console.error(String.valueOf(service.getMessage()));
                boolean key = service.status() == 401 || service.status() == 403;
                return new Ending(Outcome.FAILED, key ? ExitCode.CONFIGURATION : ExitCode.ERROR);
            }
        }
        console.error("Cannot " + command + ": " + Source.firstLine(failure)
                + (flags.stacktrace() ? "" : " Run it with --stacktrace to see where."));
        return new Ending(Outcome.FAILED, ExitCode.ERROR);
    }
}
