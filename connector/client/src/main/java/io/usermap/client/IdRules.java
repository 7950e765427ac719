package io.usermap.client;

import java.io.Serializable;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * What the service takes as a user id, checked before anything is sent.
 *
 * <p>The service answers a bad row with a refusal of its whole batch, or with a 200 that has no effect, so rows that
 * cannot be right are found here. Length is counted in Unicode code points; the service's documentation says
 * "characters". Case is never changed: ids are case-sensitive. Pure and thread-safe.
 *
 * @param minIdLength the fewest characters an id may have; the service's default is 5
 */
public record IdRules(int minIdLength) implements Serializable {

    /** The fewest characters that the service takes without {@code min_id_length}. */
    public static final int DEFAULT_MIN_ID_LENGTH = 5;

    /** The most characters that the service takes (documentation of the event API). */
    public static final int MAX_ID_LENGTH = 1024;

    private static final char REPLACEMENT = '\uFFFD';
    private static final byte DELETE = 0x7F;

    /** Ids that the event API refuses, matched without regard to case (documentation of the event API). */
    private static final Set<String> PLACEHOLDERS = Set.of(
            "anonymous",
            "nil",
            "none",
            "null",
            "n/a",
            "na",
            "undefined",
            "unknown",
            "00000000-0000-0000-0000-000000000000",
            "{}",
            "lmy47d",
            "0",
            "-1");

    /** Letters of the longest placeholder; the zero UUID aside, which begins with a zero. */
    private static final int LONGEST_WORD = 9;

    public IdRules {
        if (minIdLength < 1 || minIdLength > MAX_ID_LENGTH) {
            throw new IllegalArgumentException("Cannot use a minimum id length of " + minIdLength + ". Use 1 to 1024.");
        }
    }

    /** Why the row cannot be sent, or empty if it can: {@code unmap} removes, otherwise {@code userId} is mapped. */
    public Optional<RejectReason> problemOfRow(@Nullable String userId, @Nullable String globalUserId, boolean unmap) {
        Optional<RejectReason> user = problemOfId(userId);
        if (user.isPresent()) {
            return user;
        }
        if (unmap) {
            return globalUserId == null ? Optional.empty() : Optional.of(RejectReason.UNMAP_WITH_TARGET);
        }
        Optional<RejectReason> global = problemOfId(globalUserId);
        if (global.isPresent()) {
            return global;
        }
        return globalUserId != null && globalUserId.equals(userId)
                ? Optional.of(RejectReason.SELF_MAP)
                : Optional.empty();
    }

    /** Why {@code id} is no user id, or empty if it can be one. */
    public Optional<RejectReason> problemOfId(@Nullable String id) {
        if (id == null) {
            return Optional.of(RejectReason.MISSING_ID);
        }
        if (id.isEmpty()) {
            return Optional.of(RejectReason.EMPTY);
        }
        if (isBlank(id.codePointAt(0)) || isBlank(id.codePointBefore(id.length()))) {
            return Optional.of(RejectReason.SURROUNDING_BLANKS);
        }
        if (isPlaceholder(id)) {
            return Optional.of(RejectReason.PLACEHOLDER);
        }
        int units = id.length();
        // Code points are at most the UTF-16 units and at least half of them: most ids are judged without counting.
        if (units < minIdLength || (units < 2 * minIdLength && id.codePointCount(0, units) < minIdLength)) {
            return Optional.of(RejectReason.TOO_SHORT);
        }
        if (units > MAX_ID_LENGTH && id.codePointCount(0, units) > MAX_ID_LENGTH) {
            return Optional.of(RejectReason.TOO_LONG);
        }
        return hasLoneSurrogate(id) ? Optional.of(RejectReason.INVALID_TEXT) : Optional.empty();
    }

    /**
     * Whether an id in UTF-8 is one of the many that are seen to be right as they are; of others {@link #problemOfId} tells.
     *
     * <p>These are long enough for no placeholder, and all ASCII without blanks and control characters.
     */
    public boolean isPlainlyRight(byte[] utf8) {
        int length = utf8.length;
        if (length <= LONGEST_WORD || length < minIdLength || length > MAX_ID_LENGTH || utf8[0] == '0') {
            return false;
        }
        for (byte unit : utf8) {
            if (unit <= ' ' || unit == DELETE) {
                return false;
            }
        }
        return true;
    }

    /** Whether {@code id} is one of the values that stand for nobody, such as {@code N/A}. */
    public static boolean isPlaceholder(String id) {
        // Nearly every id is judged by its length.
        boolean likely = id.length() <= LONGEST_WORD || (id.length() == 36 && id.charAt(0) == '0');
        return likely && PLACEHOLDERS.contains(id.toLowerCase(Locale.ROOT));
    }

    /**
     * The text of an id that came as bytes, which ought to be UTF-8.
     *
     * <p>Of bytes that are none, such as half of a surrogate pair, a decoder makes replacement characters: ids that differ would
     * be one. Their text gets half of a surrogate pair at its end, so that it is refused as {@link RejectReason#INVALID_TEXT}.
     * A replacement character that was in the id already is a character like any other.
     */
    public static String decoded(byte[] utf8) {
        String text = new String(utf8, StandardCharsets.UTF_8);
        boolean damaged = text.indexOf(REPLACEMENT) >= 0 && !Arrays.equals(text.getBytes(StandardCharsets.UTF_8), utf8);
        return damaged ? text + Character.MIN_HIGH_SURROGATE : text;
    }

    /** {@code id} without the blanks around it for which {@link #problemOfId} refuses it. */
    public static String stripped(String id) {
        int start = 0;
        int end = id.length();
        while (start < end && isBlank(id.codePointAt(start))) {
            start += Character.charCount(id.codePointAt(start));
        }
        while (end > start && isBlank(id.codePointBefore(end))) {
            end -= Character.charCount(id.codePointBefore(end));
        }
        return id.substring(start, end);
    }

    /** Whatever some language's trim removes: Java leaves out the next-line character and the byte order mark. */
    private static boolean isBlank(int codePoint) {
        return Character.isWhitespace(codePoint)
                || Character.isSpaceChar(codePoint)
                || codePoint == 0x85
                || codePoint == 0xFEFF;
    }

    private static boolean hasLoneSurrogate(String id) {
        for (int i = 0; i < id.length(); i++) {
            char unit = id.charAt(i);
            if (Character.isHighSurrogate(unit)) {
                i++;
                if (i == id.length() || !Character.isLowSurrogate(id.charAt(i))) {
                    return true;
                }
            } else if (Character.isLowSurrogate(unit)) {
                return true;
            }
        }
        return false;
    }
}
