package io.usermap.job;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.typesafe.config.Config;
import com.typesafe.config.ConfigException;
import com.typesafe.config.ConfigFactory;
import com.typesafe.config.ConfigParseOptions;
import com.typesafe.config.ConfigUtil;
import com.typesafe.config.ConfigValue;
import io.usermap.client.InvalidSettingsException;
import io.usermap.client.ValueType;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * The configuration as text: files in HOCON, later ones over earlier ones, and {@code --set} over all of them.
 *
 * <p>Substitutions such as {@code ${?AMPLITUDE_API_KEY}} are resolved over all files together, from the environment last.
 * Errors name file and line and never the text that stands there, which may be a key.
 */
final class ConfigText {
    private static final ObjectMapper JSON = new ObjectMapper();

    /** A list of words: a JSON array of strings, which is what HOCON's lists become, or one word alone. */
    static final ValueType<List<String>> LIST = new ValueType<>("list", ConfigText::list);

    private ConfigText() {}

    private static List<String> list(String text) {
        List<String> words;
        try {
            words = text.strip().startsWith("[")
                    ? List.of(JSON.readValue(text, String[].class))
                    : List.of(text.strip());
        } catch (JsonProcessingException | NullPointerException e) {
            throw new IllegalArgumentException("is not a list. Write [\"one\", \"other\"].", e);
        }
        if (words.isEmpty() || words.stream().anyMatch(String::isBlank)) {
            throw new IllegalArgumentException("names nothing. Write [\"one\", \"other\"].");
        }
        return words;
    }

    /**
     * Reads files and settings into one flat map from key to text; lists become JSON.
     *
     * @throws InvalidSettingsException with every file that cannot be read and every setting without {@code =}
     */
    static Map<String, String> read(List<Path> files, List<String> settings) {
        List<String> problems = new ArrayList<>();
        Config merged = ConfigFactory.empty();
        for (Path file : files) {
            try {
                merged = parse(file).withFallback(merged);
            } catch (InvalidSettingsException e) {
                problems.addAll(e.problems());
            }
        }
        Map<String, String> texts = new TreeMap<>();
        try {
            merged.resolve().entrySet().forEach(entry -> texts.put(path(entry.getKey()), text(entry.getValue())));
        } catch (ConfigException.UnresolvedSubstitution e) {
            problems.add("Cannot resolve the configuration: " + origin(e)
                    + " refers to a variable that is not set. Set it, or write ${?NAME} if it may be missing.");
        }
        texts.putAll(literal(settings, problems));
        if (!problems.isEmpty()) {
            throw new InvalidSettingsException(problems);
        }
        return texts;
    }

    private static Config parse(Path file) {
        if (!Files.isRegularFile(file)) {
            throw new InvalidSettingsException("Cannot read the configuration " + file
                    + ": there is no such file. Paths are relative to the working directory.");
        }
        try {
            return ConfigFactory.parseFile(
                    file.toFile(), ConfigParseOptions.defaults().setAllowMissing(false));
        } catch (ConfigException e) {
            throw new InvalidSettingsException("Cannot read the configuration " + file + ": " + origin(e)
                    + " is not HOCON. Put values with special characters into double quotes.");
        }
    }

    private static Map<String, String> literal(List<String> settings, List<String> problems) {
        Map<String, String> texts = new LinkedHashMap<>();
        for (String setting : settings) {
            int equals = setting.indexOf('=');
            if (equals < 1) {
                problems.add("Cannot use --set without a value. Write --set key=value.");
            } else {
                texts.put(setting.substring(0, equals).strip(), setting.substring(equals + 1));
            }
        }
        return texts;
    }

    private static String path(String hocon) {
        return String.join(".", ConfigUtil.splitPath(hocon));
    }

    private static String text(ConfigValue value) {
        Object unwrapped = value.unwrapped();
        if (unwrapped instanceof List<?> list) {
            try {
                return JSON.writeValueAsString(list);
            } catch (JsonProcessingException e) {
                throw new AssertionError("lists of HOCON hold what JSON holds", e);
            }
        }
        return String.valueOf(unwrapped);
    }

    private static String origin(ConfigException e) {
        int line = e.origin() == null ? -1 : e.origin().lineNumber();
        return line > 0 ? "line " + line : "the text";
    }
}
