package io.usermap.sandbox;

import com.fasterxml.jackson.core.JsonLocation;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.function.Predicate;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * An object of a script, and where in the script its keys stand, so that a mistake is told with its line and column.
 *
 * <p>Every reader takes a key and returns its value, or nothing if the key is not there; a value of another kind is an
 * {@link IllegalArgumentException} whose message names the script, the position, the value and what to write.
 */
final class ScriptObject {
    private static final Pattern DURATION = Pattern.compile("(\\d{1,7})(ms|s|m)");
    private static final Duration LONGEST = Duration.ofHours(1);
    private static final int MAX_QUOTED = 40;

    /** A list of ids in a fault in the list of a script. */
    private static final int DEPTH = 4;

    private final String script;
    private final Map<String, JsonLocation> positions;
    private final String pointer;
    private final JsonNode object;

    private ScriptObject(String script, Map<String, JsonLocation> positions, String pointer, JsonNode object) {
        this.script = script;
        this.positions = positions;
        this.pointer = pointer;
        this.object = object;
        if (!object.isObject()) {
            throw wrongAt(pointer, quoted(object) + " is not an object. Write {...}.");
        }
    }

    /** The object that {@code text} is, of the script that messages call {@code script}. */
    static ScriptObject parse(String script, String text) {
        try {
            JsonNode tree = StrictJson.MAPPER.readTree(text);
            if (tree.isMissingNode()) {
                throw new IllegalArgumentException("Cannot read " + script + ": it is empty. Write {} at least.");
            }
            return new ScriptObject(script, positions(text), "", tree);
        } catch (JsonProcessingException e) {
            JsonLocation at = e.getLocation();
            String where = at == null ? "" : "line " + at.getLineNr() + ", column " + at.getColumnNr() + ": ";
            throw new IllegalArgumentException(
                    "Cannot read " + script + ": " + where + "it is not valid JSON. Mend it there or just before.");
        }
    }

    /** Where each key and each element of an array begins, by its JSON pointer; deeper than scripts go, nothing is noted. */
    private static Map<String, JsonLocation> positions(String text) {
        Map<String, JsonLocation> positions = new HashMap<>();
        int depth = 0;
        try (JsonParser parser = StrictJson.MAPPER.createParser(text)) {
            for (JsonToken token = parser.nextToken(); token != null; token = parser.nextToken()) {
                if (token.isStructEnd()) {
                    depth--;
                    continue;
                }
                if (depth <= DEPTH) {
                    positions.putIfAbsent(
                            parser.getParsingContext().pathAsPointer().toString(), parser.currentTokenLocation());
                }
                if (token.isStructStart()) {
                    depth++;
                }
            }
        } catch (IOException e) {
            throw new UncheckedIOException("a text that was just parsed", e);
        }
        return positions;
    }

    /** Refuses keys that are none of {@code known}, telling the nearest. */
    void allowOnly(String what, List<String> known) {
        for (Iterator<String> names = object.fieldNames(); names.hasNext(); ) {
            String name = names.next();
            if (!known.contains(name)) {
                String use = nearest(name, known)
                        .map(near -> "Use '" + near + "'.")
                        .orElseGet(() -> "Use " + String.join(", ", known) + ".");
                throw wrong(name, "there is no key '" + Printable.of(name, MAX_QUOTED) + "' in " + what + ". " + use);
            }
        }
    }

    boolean has(String key) {
        return object.has(key);
    }

    Optional<String> text(String key) {
        return value(key, JsonNode::isTextual, "a text").map(JsonNode::textValue);
    }

    Optional<Boolean> flag(String key) {
        return value(key, JsonNode::isBoolean, "true or false").map(JsonNode::booleanValue);
    }

    Optional<Long> whole(String key, long least, long most) {
        return value(
                        key,
                        node -> node.canConvertToLong()
                                && node.isIntegralNumber()
                                && node.longValue() >= least
                                && node.longValue() <= most,
                        "a whole number from " + least + " to " + most)
                .map(JsonNode::longValue);
    }

    Optional<Double> share(String key) {
        return value(
                        key,
                        node -> node.isNumber() && node.doubleValue() > 0 && node.doubleValue() <= 1,
                        "a number above 0 up to 1")
                .map(JsonNode::doubleValue);
    }

    /** A number or a text, as text. */
    Optional<String> numberOrText(String key) {
        return value(key, node -> node.isTextual() || node.isIntegralNumber(), "a number or a text")
                .map(JsonNode::asText);
    }

    List<String> texts(String key) {
        List<String> texts = new ArrayList<>();
        value(key, node -> node.isArray() && !node.isEmpty(), "a list of texts")
                .ifPresent(list -> list.forEach(text -> {
                    if (!text.isTextual()) {
                        throw wrongAt(pointer + "/" + key + "/" + texts.size(), quoted(text) + " is not a text.");
                    }
                    texts.add(text.textValue());
                }));
        return texts;
    }

    List<ScriptObject> objects(String key) {
        List<ScriptObject> objects = new ArrayList<>();
        value(key, JsonNode::isArray, "a list of objects")
                .ifPresent(list -> list.forEach(element -> objects.add(
                        new ScriptObject(script, positions, pointer + "/" + key + "/" + objects.size(), element))));
        return objects;
    }

    Optional<ScriptObject> object(String key) {
        return value(key, JsonNode::isObject, "an object")
                .map(value -> new ScriptObject(script, positions, pointer + "/" + key, value));
    }

    /** A constant of {@code type}, written in lower case. */
    <E extends Enum<E>> Optional<E> choice(String key, Class<E> type) {
        Map<String, E> choices = Stream.of(type.getEnumConstants())
                .collect(Collectors.toMap(
                        constant -> constant.name().toLowerCase(Locale.ROOT),
                        constant -> constant,
                        (one, other) -> one,
                        LinkedHashMap::new));
        return value(
                        key,
                        node -> node.isTextual() && choices.containsKey(node.textValue()),
                        "one of " + String.join(", ", choices.keySet()))
                .map(node -> choices.get(node.textValue()));
    }

    /** A time such as {@code 200ms}, {@code 2s} or {@code 5m}, at most an hour. */
    Optional<Duration> duration(String key) {
        return text(key).map(text -> duration(key, text, text));
    }

    /** A time, or two with a hyphen between them: {@code 50ms-2s}. */
    Optional<Fault.Delay> delay(String key) {
        return text(key).map(text -> {
            int hyphen = text.indexOf('-');
            Duration least = duration(key, text, hyphen < 0 ? text : text.substring(0, hyphen));
            Duration most = duration(key, text, text.substring(hyphen + 1));
            if (most.compareTo(least) < 0) {
                throw wrong(key, "'" + Printable.of(text, MAX_QUOTED) + "' ends before it begins.");
            }
            return new Fault.Delay(least, most);
        });
    }

    private Duration duration(String key, String whole, String text) {
        Matcher parts = DURATION.matcher(text);
        if (parts.matches()) {
            long amount = Long.parseLong(parts.group(1));
            Duration duration = switch (parts.group(2)) {
                case "ms" -> Duration.ofMillis(amount);
                case "s" -> Duration.ofSeconds(amount);
                default -> Duration.ofMinutes(amount);
            };
            if (duration.compareTo(LONGEST) <= 0) {
                return duration;
            }
        }
        throw wrong(
                key,
                "'" + Printable.of(whole, MAX_QUOTED)
                        + "' is not a time. Use ms, s or m, at most 60m, for example 200ms.");
    }

    /** The error that {@code key}, or the whole object if it has none, is wrong. */
    IllegalArgumentException wrong(String key, String problem) {
        return wrongAt(pointer + "/" + escaped(key), problem);
    }

    private IllegalArgumentException wrongAt(String where, String problem) {
        JsonLocation at = positions.getOrDefault(where, positions.get(pointer));
        String position = at == null ? "" : "line " + at.getLineNr() + ", column " + at.getColumnNr() + ": ";
        return new IllegalArgumentException("Cannot read " + script + ": " + position + problem);
    }

    private Optional<JsonNode> value(String key, Predicate<JsonNode> allowed, String what) {
        JsonNode value = object.get(key);
        if (value == null) {
            return Optional.empty();
        }
        if (!allowed.test(value)) {
            throw wrong(key, "'" + key + "' is " + quoted(value) + ". Use " + what + ".");
        }
        return Optional.of(value);
    }

    private static String quoted(JsonNode value) {
        return Printable.of(value.toString(), MAX_QUOTED);
    }

    /** As in a JSON pointer. */
    private static String escaped(String key) {
        return key.replace("~", "~0").replace("/", "~1");
    }

    /** The known name that is fewest changes away, if that is at most a third of its length. */
    private static Optional<String> nearest(String name, List<String> known) {
        String best = "";
        int fewest = Integer.MAX_VALUE;
        for (String candidate : known) {
            int changes = name.length() > 2 * candidate.length() ? Integer.MAX_VALUE : changes(name, candidate);
            if (changes < fewest) {
                fewest = changes;
                best = candidate;
            }
        }
        return fewest <= Math.max(2, best.length() / 3) ? Optional.of(best) : Optional.empty();
    }

    /** The fewest insertions, deletions and replacements that make {@code to} of {@code from}. */
    private static int changes(String from, String to) {
        int[] row = new int[to.length() + 1];
        for (int j = 0; j < row.length; j++) {
            row[j] = j;
        }
        for (int i = 1; i <= from.length(); i++) {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j < row.length; j++) {
                int replaced = diagonal + (from.charAt(i - 1) == to.charAt(j - 1) ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.min(replaced, 1 + Math.min(row[j], row[j - 1]));
            }
        }
        return row[to.length()];
    }
}
