package io.usermap.client;

import java.util.Locale;

/** Why a row is not sent, or was refused by the service; {@link #code()} is what receipts and reports carry. */
public enum RejectReason {
    /** An id that is required is null. */
    MISSING_ID("an id is null"),
    /** An id is the empty string. */
    EMPTY("an id is empty"),
    /** An id begins or ends with a blank; the service trims it and would mean another user. */
    SURROUNDING_BLANKS("an id begins or ends with a blank"),
    /** An id that stands for nobody, such as {@code null} or {@code unknown}. */
    PLACEHOLDER("an id is a placeholder for nobody"),
    /** An id shorter than {@code minIdLength}. */
    TOO_SHORT("an id is shorter than the service takes"),
    /** An id longer than 1,024 characters. */
    TOO_LONG("an id is longer than 1,024 characters"),
    /** An id that is no Unicode text: half of a surrogate pair. */
    INVALID_TEXT("an id is not valid Unicode text"),
    /** A user mapped to itself. */
    SELF_MAP("a user is mapped to itself"),
    /** An unmap that names a target. */
    UNMAP_WITH_TARGET("an unmap has a global_user_id"),
    /** Two rows want different things of one user. */
    CONFLICT("rows of one user contradict each other"),
    /** A row that fits into no request. */
    TOO_LARGE("a row is larger than a request may be"),
    /** The service refused the row when it stood alone. */
    REFUSED("the service refused the row");

    private final String sentence;

    RejectReason(String sentence) {
        this.sentence = sentence;
    }

    /** The stable code, for example {@code too_short}. */
    public String code() {
        return name().toLowerCase(Locale.ROOT);
    }

    /** The reason in words, without any id. */
    public String sentence() {
        return sentence;
    }
}
