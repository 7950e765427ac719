package io.usermap.job;

import java.io.Serial;
import java.lang.reflect.Constructor;
import java.lang.reflect.InvocationTargetException;
import org.apache.spark.SparkUserAppException;

/** Why a command ended with an exit code other than 0, in a process that is not ours to end. */
final class RunFailedException extends RuntimeException {
    @Serial
    private static final long serialVersionUID = 1L;

    private RunFailedException(String command, int exitCode) {
        super("usermap " + command + " ended with exit code " + exitCode
                + ". The messages above say why; report.json of its run has the detail.");
    }

    /** What leaves {@code main}: Spark's submit and YARN's application master know it, and end with its exit code. */
    static SparkUserAppException leaving(String command, int exitCode) {
        return leaving(SparkUserAppException.class, command, exitCode);
    }

    /**
     * An exception of {@code type} with this one as its cause, or as suppressed where it takes none.
     *
     * <p>Spark 3.5 makes it of the exit code alone, 4.2 of the code and a cause; one compiled call fits one of them only.
     */
    static <T extends Exception> T leaving(Class<T> type, String command, int exitCode) {
        RunFailedException reason = new RunFailedException(command, exitCode);
        try {
            for (Constructor<?> constructor : type.getConstructors()) {
                Class<?>[] takes = constructor.getParameterTypes();
                if (takes.length == 2 && takes[0] == int.class && takes[1] == Throwable.class) {
                    return type.cast(constructor.newInstance(exitCode, reason));
                }
            }
            T leaving = type.getConstructor(int.class).newInstance(exitCode);
            leaving.addSuppressed(reason);
            return leaving;
        } catch (NoSuchMethodException
                | InstantiationException
                | IllegalAccessException
                | InvocationTargetException e) {
            reason.addSuppressed(e);
            throw reason;
        }
    }
}
