package io.usermap.job;

import java.io.Serial;
import org.jspecify.annotations.Nullable;

/** A command cannot go on, for a reason that a person can act on: its message says what, with which fact, and what next. */
final class StoppedException extends RuntimeException {
    @Serial
    private static final long serialVersionUID = 1L;

    private final Outcome outcome;
    private final int exitCode;

    private StoppedException(Outcome outcome, int exitCode, String message, @Nullable Throwable cause) {
        super(message, cause);
        this.outcome = outcome;
        this.exitCode = exitCode;
    }

    /** Something outside this program is not as it should be. */
    static StoppedException failed(String message) {
        return new StoppedException(Outcome.FAILED, ExitCode.ERROR, message, null);
    }

    /** As {@link #failed(String)}, with what Spark or the filesystem said for {@code --stacktrace}. */
    static StoppedException failed(String message, Throwable cause) {
        return new StoppedException(Outcome.FAILED, ExitCode.ERROR, message, cause);
    }

    /** Somebody asked for an early end. */
    static StoppedException interrupted(String message) {
        return new StoppedException(Outcome.INTERRUPTED, ExitCode.INTERRUPTED, message, null);
    }

    /** A saved plan no longer fits the state. */
    static StoppedException stale(String message) {
        return new StoppedException(Outcome.STALE, ExitCode.STALE, message, null);
    }

    Outcome outcome() {
        return outcome;
    }

    int exitCode() {
        return exitCode;
    }
}
