package io.usermap.job;

import io.usermap.client.InvalidSettingsException;
import java.util.Set;
import picocli.CommandLine;

/**
 * Tells the launcher which master the configuration names, because {@code spark-submit} must know it before anything else.
 *
 * <p>Prints nothing if the configuration names none or cannot be read; the command itself then tells what is wrong.
 */
final class LaunchMaster {
    private LaunchMaster() {}

    /** Takes the command line of {@link Main}; prints the master without a line end. */
    public static void main(String[] args) {
        System.out.print(master(args));
    }

    /** The master that flags and files name, or nothing. */
    static String master(String[] args) {
        Flags flags = new Flags();
        try {
            new CommandLine(flags).setUnmatchedArgumentsAllowed(true).parseArgs(args);
            return Configuration.read(flags.config(), flags.set(), Set.of())
                    .sparkOptions()
                    .getOrDefault("spark.master", "");
        } catch (InvalidSettingsException | CommandLine.ParameterException e) {
            return "";
        }
    }
}
