package io.usermap.sandbox;

import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Queue;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The flags of the command, parsed: what it was asked to do.
 *
 * <p>A value follows its flag as the next argument or after {@code =}. A flag is given once, but for {@code --key}.
 */
sealed interface SandboxFlags {
    String USAGE = """
            Usage: usermap sandbox [FLAG]..., or java -jar usermap-sandbox.jar [FLAG]...

            Serves the User Mapping API on 127.0.0.1. The first line on standard output is the address.

              --port N               port to listen on; 0, the default, takes a free one
              --path DIR             folder that keeps the mappings between runs; without it they are lost at the end
              --events-per-second N  mappings per second, averaged over the window; default 50
              --window D             length of the window, in ms, s or m; default 30s
              --key KEY              API key to accept, may be repeated; without it every key is accepted
              --faults FILE          fault script; not available in this version
              --help                 print this text
              --version              print the version
            """;

    /** Serve with these options. */
    record Serve(SandboxOptions options) implements SandboxFlags {}

    /** Print the usage. */
    record Help() implements SandboxFlags {}

    /** Print the version. */
    record Version() implements SandboxFlags {}

    /**
     * What {@code args} ask for. {@code --help} and {@code --version} win over everything after them.
     *
     * @throws IllegalArgumentException at the first flag that is wrong, with a message that says what to write
     */
    static SandboxFlags parse(List<String> args) {
        SandboxOptions.Builder options = SandboxOptions.builder();
        Set<String> keys = new LinkedHashSet<>();
        Set<String> given = new HashSet<>();
        Queue<String> rest = new ArrayDeque<>(args);
        for (String arg = rest.poll(); arg != null; arg = rest.poll()) {
            int equals = arg.startsWith("--") ? arg.indexOf('=') : -1;
            String flag = equals < 0 ? arg : arg.substring(0, equals);
            if (flag.equals("--help") || flag.equals("-h")) {
                return new Help();
            }
            if (flag.equals("--version")) {
                return new Version();
            }
            requireKnown(flag);
            if (!given.add(flag) && !flag.equals("--key")) {
                throw new IllegalArgumentException("Cannot use flag '" + flag + "' twice. Leave one of them out.");
            }
            String value = equals < 0 ? rest.poll() : arg.substring(equals + 1);
            if (value == null || value.isEmpty()) {
                throw new IllegalArgumentException("Cannot use flag '" + flag + "' without a value. Add one after it.");
            }
            switch (flag) {
                case "--port" -> options.port(number(flag, value, 0, 65_535, "a port"));
                case "--path" -> options.path(folder(flag, value));
                case "--events-per-second" ->
                    options.eventsPerSecond(number(flag, value, 1, 1_000_000, "a number of mappings"));
                case "--window" -> options.window(duration(flag, value));
                case "--key" -> keys.add(value);
                default ->
                    throw new IllegalArgumentException("Cannot use flag '" + flag
                            + "': fault scripts are not available in this version. Leave it out.");
            }
        }
        return new Serve(options.keys(keys).build());
    }

    private static void requireKnown(String flag) {
        List<String> known = List.of(
                "--port", "--path", "--events-per-second", "--window", "--key", "--faults", "--help", "--version");
        if (!known.contains(flag)) {
            throw new IllegalArgumentException(
                    "Cannot use '" + flag + "': there is no such flag. Use " + String.join(", ", known) + ".");
        }
    }

    private static int number(String flag, String value, int least, int most, String what) {
        if (value.matches("\\d{1,9}")) {
            int number = Integer.parseInt(value);
            if (number >= least && number <= most) {
                return number;
            }
        }
        throw cannotParse(flag, value, "is not " + what + ". Use " + least + " to " + most + ".");
    }

    private static Path folder(String flag, String value) {
        try {
            return Path.of(value);
        } catch (InvalidPathException e) {
            throw cannotParse(flag, value, "is not a path: " + e.getReason() + ". Use the name of a folder.");
        }
    }

    private static Duration duration(String flag, String value) {
        Matcher parts = Pattern.compile("(\\d{1,9})(ms|s|m)").matcher(value);
        if (!parts.matches()) {
            throw cannotParse(flag, value, "is not a duration. Use ms, s or m, for example 30s.");
        }
        long amount = Long.parseLong(parts.group(1));
        Duration duration = switch (parts.group(2)) {
            case "ms" -> Duration.ofMillis(amount);
            case "s" -> Duration.ofSeconds(amount);
            default -> Duration.ofMinutes(amount);
        };
        if (duration.isZero() || duration.compareTo(Duration.ofDays(1)) > 0) {
            throw cannotParse(flag, value, "is not a window. Use more than 0ms, at most 1440m.");
        }
        return duration;
    }

    private static IllegalArgumentException cannotParse(String flag, String value, String problem) {
        return new IllegalArgumentException("Cannot parse flag '" + flag + "': '" + value + "' " + problem);
    }
}
