package io.usermap.sandbox;

import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
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
 * <p>A fault script is read and checked here. A value follows its flag as the next argument or after {@code =}. A flag is given once, but for {@code --key}.
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
              --faults FILE          script of faults and switches, JSON; see connector/docs/sandbox.md
              --help                 print this text
              --version              print the version

            While it runs, its address shows a live page, and below /_sandbox/ it can be asked and told:

              GET    /_sandbox/figures          counts, and how full the window is and was
              GET    /_sandbox/requests         the latest requests; ?ids=true, ?after=N, ?limit=N, ?status=N
              GET    /_sandbox/mappings         what is mapped; ?user_id=ID
              GET    /_sandbox/faults           faults and switches in force
              POST   /_sandbox/faults           puts a script of faults in force
              DELETE /_sandbox/faults[/NAME]    removes all faults, or one
              DELETE /_sandbox/requests         empties the log

            For example, the next two batches are answered with 503:

              curl -d '{"faults": [{"path": "map", "times": 2, "status": 503}]}' http://127.0.0.1:PORT/_sandbox/faults
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
                case "--path" -> options.path(path(flag, value));
                case "--events-per-second" ->
                    options.eventsPerSecond(number(flag, value, 1, 1_000_000, "a number of mappings"));
                case "--window" -> options.window(duration(flag, value));
                case "--key" -> keys.add(value);
                default -> options.faults(script(flag, value));
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

    private static Path path(String flag, String value) {
        try {
            return Path.of(value);
        } catch (InvalidPathException e) {
            throw cannotParse(
                    flag, value, "is not a path: " + e.getReason() + ". Use a name that the file system allows.");
        }
    }

    /** The text of a fault script that is in order. */
    private static String script(String flag, String value) {
        Path file = path(flag, value);
        try {
            if (Files.size(file) > FaultScript.MAX_LENGTH) {
                throw cannotParse(flag, value, "is larger than " + FaultScript.MAX_LENGTH + " bytes. Shorten it.");
            }
            String script = Files.readString(file);
            FaultScript.parse(value, script);
            return script;
        } catch (CharacterCodingException e) {
            throw cannotParse(flag, value, "is not UTF-8. Save it so.");
        } catch (IOException e) {
            String reason = Files.notExists(file) ? "is not there" : "cannot be read";
            throw cannotParse(flag, value, reason + ". Use the name of a file with a fault script.");
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
