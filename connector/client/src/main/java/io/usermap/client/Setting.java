package io.usermap.client;

import static java.util.Objects.requireNonNull;

import java.util.Optional;

/**
 * One thing that users can set, declared once: its key, type, default and meaning.
 *
 * @param <T> the value
 * @param key the name that users write
 * @param type how its text is read
 * @param defaultText the default as users would write it; empty if there is none
 * @param doc one sentence for the reference table
 */
public record Setting<T>(String key, ValueType<T> type, Optional<String> defaultText, String doc) {

    /** A setting that has a default. */
    public static <T> Setting<T> of(String key, ValueType<T> type, String defaultText, String doc) {
        return new Setting<>(key, type, Optional.of(defaultText), doc);
    }

    /** A setting without a default: absent unless somebody sets it. */
    public static <T> Setting<T> optional(String key, ValueType<T> type, String doc) {
        return new Setting<>(key, type, Optional.empty(), doc);
    }

    /** Whether the value may hold a key, so that an error must not quote it. */
    boolean isSecret() {
        String lower = key.toLowerCase(java.util.Locale.ROOT);
        return lower.endsWith("key");
    }

    /**
     * Reads {@code text}.
     *
     * @param noun how errors call the setting, for example {@code option} or {@code configuration key}
     * @throws InvalidSettingsException if the text is no value of the type; names key, value and allowed values
     */
    public T parse(String noun, String text) {
        try {
            return type.parse().apply(text);
        } catch (IllegalArgumentException e) {
            // A URL may hold a password before its host.
            boolean quotable = !isSecret() && !(type.equals(ValueType.URL) && text.contains("@"));
            String shown = quotable ? "'" + text + "'" : "its value";
            throw new InvalidSettingsException(
                    "Cannot parse " + noun + " '" + key + "': " + shown + " " + requireNonNull(e.getMessage()));
        }
    }
}
