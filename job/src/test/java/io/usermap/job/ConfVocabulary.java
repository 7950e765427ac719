package io.usermap.job;

import io.usermap.client.InvalidSettingsException;
import io.usermap.sandbox.SandboxCommand;
import io.usermap.spark.UserMapOptions;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import picocli.CommandLine;
import picocli.CommandLine.ParameterException;

/**
 * What users may write, asked of the declarations themselves: options, keys, commands with their flags, classes.
 *
 * <p>Every method returns the problems it finds, as users would read them; none is good.
 */
final class ConfVocabulary {
    private static final Pattern REFERENCE = Pattern.compile("env:(\\w+)");

    private ConfVocabulary() {}

    /** What is wrong with options of the data source, and with their values. */
    static List<String> problemsOfOptions(Map<String, String> options) {
        try {
            UserMapOptions.of(options);
            return List.of();
        } catch (InvalidSettingsException e) {
            return e.problems();
        }
    }

    /** What is wrong with the configuration that {@code texts} make; every variable that they refer to counts as set. */
    static List<String> problemsOfKeys(Map<String, String> texts) {
        Map<String, String> environment = new HashMap<>();
        for (String text : texts.values()) {
            Matcher reference = REFERENCE.matcher(text);
            if (reference.matches()) {
                environment.put(reference.group(1), "a key");
            }
        }
        try {
            Configuration.of(texts, Set.of(Configuration.Need.SOURCE, Configuration.Need.API_KEY), environment);
            return List.of();
        } catch (InvalidSettingsException e) {
            return e.problems();
        }
    }

    /** What is wrong with a command and its flags, and with the keys that {@code --set} names. */
    static List<String> problemsOfCommand(List<String> arguments) {
        PrintStream nowhere = new PrintStream(new ByteArrayOutputStream(), true, StandardCharsets.UTF_8);
        CommandLine.ParseResult parsed;
        try {
            parsed = Commands.parser(nowhere, nowhere).parseArgs(arguments.toArray(String[]::new));
        } catch (ParameterException e) {
            return List.of(String.valueOf(e.getMessage()));
        }
        List<String> problems = new ArrayList<>();
        if (arguments.get(0).equals("sandbox")) {
            arguments.stream()
                    .filter(argument -> argument.startsWith("--"))
                    .filter(flag -> !sandboxUsage().contains(flag + " "))
                    .forEach(flag -> problems.add("The sandbox has no flag " + flag + "."));
        }
        if (parsed.hasSubcommand()) {
            CommandLine.Model.OptionSpec set = parsed.subcommand().commandSpec().findOption("--set");
            if (set != null && set.getValue() instanceof List<?> given && !given.isEmpty()) {
                Map<String, String> texts = new LinkedHashMap<>();
                for (Object setting : given) {
                    String[] parts = setting.toString().split("=", 2);
                    texts.put(parts[0], parts[parts.length - 1]);
                }
                problemsOfKeys(texts).stream()
                        .filter(problem -> !problem.contains("a source: none") && !problem.contains("no API key"))
                        .forEach(problems::add);
            }
        }
        return problems;
    }

    private static String sandboxUsage() {
        ByteArrayOutputStream usage = new ByteArrayOutputStream();
        PrintStream out = new PrintStream(usage, true, StandardCharsets.UTF_8);
        SandboxCommand.run(new String[] {"--help"}, out, out);
        return usage.toString(StandardCharsets.UTF_8);
    }

    /** The problem, if there is no public class {@code name} with a {@code main}. */
    static List<String> problemsOfMainClass(String name) {
        try {
            Class.forName(name).getMethod("main", String[].class);
            return List.of();
        } catch (ClassNotFoundException | NoSuchMethodException e) {
            return List.of("There is no main class " + name + ".");
        }
    }
}
