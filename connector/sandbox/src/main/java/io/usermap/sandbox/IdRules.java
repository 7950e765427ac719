package io.usermap.sandbox;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.Locale;
import java.util.Set;

/**
 * What an id must be: a string of {@code minLength} to 1,024 characters that is no placeholder.
 *
 * <p>Length and placeholders are those of Amplitude's event API; that the mapping API applies them too is a choice.
 * Leading spaces are trimmed first, as the service is reported to do; the rest is kept as it is, case included. Characters
 * are counted as Unicode code points: an emoji is one.
 *
 * @param minLength the fewest characters, 1 or more
 */
record IdRules(int minLength) {
    static final int MAX_LENGTH = 1024;

    /** Ids that stand for nobody, in lower case, from the documentation of the event API. */
    private static final Set<String> PLACEHOLDERS = Set.of(
            "anonymous",
            "nil",
            "none",
            "null",
            "n/a",
            "na",
            "undefined",
            "unknown",
            "",
            "00000000-0000-0000-0000-000000000000",
            "{}",
            "lmy47d",
            "0",
            "-1");

    /**
     * The id in {@code value}, trimmed.
     *
     * @param where how to name the value in a reason, for example {@code mapping[3].user_id}
     * @throws RefusedException with 400 if it breaks a rule; the reason holds the position and the rule, not the id
     */
    String check(JsonNode value, String where) throws RefusedException {
        if (value.isNull()) {
            throw RefusedException.badRequest(where + " is null");
        }
        if (!value.isTextual()) {
            throw RefusedException.badRequest(where + " is not a string");
        }
        String id = trimmed(value.textValue());
        if (id.codePoints().anyMatch(IdRules::isSurrogate)) {
            throw RefusedException.badRequest(where + " holds half a surrogate pair");
        }
        if (PLACEHOLDERS.contains(id.toLowerCase(Locale.ROOT))) {
            throw RefusedException.badRequest(where + (id.isEmpty() ? " is empty" : " is a placeholder"));
        }
        int length = id.codePointCount(0, id.length());
        if (length < minLength) {
            throw RefusedException.badRequest(where + " is shorter than " + minLength + " characters");
        }
        if (length > MAX_LENGTH) {
            throw RefusedException.badRequest(where + " is longer than " + MAX_LENGTH + " characters");
        }
        return id;
    }

    /** {@code id} without the spaces in front, so that {@code " abc"} and {@code "abc"} are one id. */
    static String trimmed(String id) {
        int start = 0;
        while (start < id.length() && id.charAt(start) == ' ') {
            start++;
        }
        return id.substring(start);
    }

    private static boolean isSurrogate(int codePoint) {
        return codePoint >= Character.MIN_SURROGATE && codePoint <= Character.MAX_SURROGATE;
    }
}
