package io.usermap.job;

import io.usermap.client.Setting;
import java.io.PrintStream;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** The flags that every command takes. */
final class Flags {

    /** How events and errors are written. */
    enum LogFormat {
        /** For people. */
        TEXT,
        /** One JSON object a line. */
        JSON
    }

    @Option(
            names = "--config",
            paramLabel = "FILE",
            description = "Configuration in HOCON; may be given again, later ones win.")
    private List<Path> config = new ArrayList<>();

    @Option(
            names = "--set",
            paramLabel = "KEY=VALUE",
            description = "One key; the text after the first = is the value, without quoting.")
    private List<String> set = new ArrayList<>();

    @Option(names = "--report", paramLabel = "FILE", description = "Write a copy of report.json.")
    private @Nullable Path report;

    @Option(names = "--quiet", description = "Errors only.")
    private boolean quiet;

    @Option(names = "--log-format", paramLabel = "text|json", description = "Form of progress and errors.")
    private LogFormat logFormat = LogFormat.TEXT;

    @Option(names = "--stacktrace", description = "Show where in the program an error came from.")
    private boolean stacktrace;

    @Option(names = "--master", paramLabel = "MASTER", description = "Spark's master; local[*] when unset.")
    private @Nullable String master;

    @Option(
            names = "--driver-memory",
            paramLabel = "SIZE",
            description = "Heap of the driver, read by the launcher; 2g when unset.")
    private @Nullable String driverMemory;

    List<Path> config() {
        return config;
    }

    /** What {@code --set} and {@code --master} say. */
    List<String> set() {
        List<String> all = new ArrayList<>(set);
        if (master != null) {
            all.add("spark.master=" + master);
        }
        return all;
    }

    /** Sets {@code key} as {@code --set} does, and over it. */
    void set(Setting<?> key, String value) {
        set.add(key.key() + "=" + value);
    }

    Optional<Path> report() {
        return Optional.ofNullable(report);
    }

    boolean stacktrace() {
        return stacktrace;
    }

    /** The heap that the launcher was asked for; nothing here can change it any more. */
    Optional<String> driverMemory() {
        return Optional.ofNullable(driverMemory);
    }

    Console console(PrintStream out, PrintStream err) {
        boolean terminal = Boolean.getBoolean("usermap.terminal");
        return new Console(out, err, quiet, logFormat == LogFormat.JSON, terminal);
    }
}
