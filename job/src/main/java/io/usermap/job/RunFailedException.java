package io.usermap.job;

import java.io.Serial;
import org.apache.spark.SparkUserAppException;

/**
 * A command ended with an exit code other than 0, in a process that is not ours to end.
 *
 * <p>Spark's submit and YARN's application master recognise the type and end with its exit code.
 */
final class RunFailedException extends SparkUserAppException {
    @Serial
    private static final long serialVersionUID = 1L;

    private final String command;

    RunFailedException(String command, int exitCode) {
        super(exitCode);
        this.command = command;
    }

    @Override
    public String getMessage() {
        return "usermap " + command + " ended with exit code " + exitCode()
                + ". The messages above say why; report.json of its run has the detail.";
    }

    @Override
    public String toString() {
        return getClass().getName() + ": " + getMessage();
    }
}
