package io.usermap.client;

import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/**
 * The values that somebody set, read against their declarations, with every problem reported at once.
 *
 * <p>Keys are matched without regard to case, as Spark hands options over. Pure; immutable.
 */
public final class Settings {
    private final Map<String, Object> values;

    private Settings(Map<String, Object> values) {
        this.values = values;
    }

    /**
     * Reads {@code given} against {@code declared}.
     *
     * @param noun how errors call a setting, for example {@code option}
     * @param declared every setting there is
     * @param given the texts that users wrote, by key
     * @param problems where problems are added: unknown keys with the nearest known one, unreadable values
     */
    public static Settings read(
            String noun, List<Setting<?>> declared, Map<String, String> given, List<String> problems) {
        Map<String, Setting<?>> byKey = new HashMap<>();
        declared.forEach(setting -> byKey.put(lower(setting.key()), setting));
        Map<String, String> texts = new HashMap<>();
        given.forEach((key, text) -> {
            if (byKey.containsKey(lower(key))) {
                texts.put(lower(key), text);
            } else {
                problems.add(
                        unknown(noun, key, declared.stream().map(Setting::key).toList()));
            }
        });
        Map<String, Object> values = new HashMap<>();
        for (Setting<?> setting : declared) {
            Optional<String> text =
                    Optional.ofNullable(texts.get(lower(setting.key()))).or(setting::defaultText);
            if (text.isPresent()) {
                try {
                    values.put(setting.key(), setting.parse(noun, text.get()));
                } catch (InvalidSettingsException e) {
                    problems.addAll(e.problems());
                }
            }
        }
        return new Settings(values);
    }

    /** The value of {@code setting}; throws {@link IllegalStateException} if it has no default and was not set. */
    public <T> T value(Setting<T> setting) {
        return optional(setting)
                .orElseThrow(() -> new IllegalStateException("The setting " + setting.key() + " has no value."));
    }

    /** The value of {@code setting}, empty where it was not set, has no default, or could not be read. */
    @SuppressWarnings("unchecked") // read() put it there under the declaration's own type
    public <T> Optional<T> optional(Setting<T> setting) {
        return Optional.ofNullable((T) values.get(setting.key()));
    }

    /** The error for a key that nobody declared, with the nearest one that somebody did. */
    public static String unknown(String noun, String key, Collection<String> known) {
        String nearest = "";
        int least = Integer.MAX_VALUE;
        for (String candidate : known) {
            int distance = distance(lower(key), lower(candidate));
            if (distance < least) {
                least = distance;
                nearest = candidate;
            }
        }
        return "Cannot use " + noun + " '" + key + "': there is none of that name. Did you mean '" + nearest + "'?";
    }

    private static String lower(String key) {
        return key.toLowerCase(Locale.ROOT);
    }

    /** Levenshtein's distance: the fewest letters to insert, delete or replace. */
    private static int distance(String from, String to) {
        int[] row = new int[to.length() + 1];
        for (int j = 0; j < row.length; j++) {
            row[j] = j;
        }
        for (int i = 1; i <= from.length(); i++) {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j < row.length; j++) {
                int above = row[j];
                int replaced = diagonal + (from.charAt(i - 1) == to.charAt(j - 1) ? 0 : 1);
                row[j] = Math.min(replaced, Math.min(above, row[j - 1]) + 1);
                diagonal = above;
            }
        }
        return row[to.length()];
    }

    /** An empty list to collect problems in; {@link #throwIfAny} ends the collection. */
    public static List<String> problems() {
        return new ArrayList<>();
    }

    /** Throws {@link InvalidSettingsException} with all of {@code problems} unless there are none. */
    public static void throwIfAny(List<String> problems) {
        if (!problems.isEmpty()) {
            throw new InvalidSettingsException(problems);
        }
    }
}
