package io.usermap.job;

import java.io.IOException;
import java.io.InputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import org.apache.spark.SparkUserAppException;
import picocli.CommandLine;

/**
 * The entry of the launcher, of {@code spark-submit}, and of JAR tasks.
 *
 * <p>Under the launcher the process ends with the command's exit code. Elsewhere the process is not ours: success returns
 * from {@link #main}, and a failure leaves it as {@link SparkUserAppException}, which {@code spark-submit} turns into the same
 * exit code. The detail is in {@code report.json}.
 */
public final class Main {
    /** Set to true by the launcher, whose process this is. */
    static final String LAUNCHER = "usermap.launcher";

    private Main() {}

    /**
     * Runs one command.
     *
     * @param args the command and its flags
     * @throws SparkUserAppException (a checked exception of Spark) if the exit code is not 0 and the process is not the launcher's
     */
    public static void main(String[] args) throws SparkUserAppException {
        PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        PrintStream err = new PrintStream(System.err, true, StandardCharsets.UTF_8);
        int code = run(args, out, err);
        if (Boolean.getBoolean(LAUNCHER)) {
            System.exit(code);
        }
        if (code != ExitCode.DONE) {
            throw RunFailedException.leaving(args.length == 0 ? "usermap" : args[0], code);
        }
    }

    /**
     * Runs one command in this process and returns its exit code; never ends the process.
     *
     * @param args the command and its flags
     * @param out takes results
     * @param err takes progress and errors
     */
    public static int run(String[] args, PrintStream out, PrintStream err) {
        return Commands.parser(out, err).execute(args);
    }

    /** What {@code --version} says, filled in by the build. */
    static final class Version implements CommandLine.IVersionProvider {
        @Override
        public String[] getVersion() throws IOException {
            try (InputStream in = Main.class.getResourceAsStream("version.txt")) {
                String version = in == null ? "unknown" : new String(in.readAllBytes(), StandardCharsets.UTF_8);
                return new String[] {"usermap " + version.strip()};
            }
        }
    }
}
