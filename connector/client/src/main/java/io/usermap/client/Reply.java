package io.usermap.client;

import java.time.Duration;

/** What the service said to one request, by what the sender does next. */
public sealed interface Reply {

    /**
     * Every mapping of the request was taken.
     *
     * @param status 200, or another of the 2xx
     */
    record Accepted(int status) implements Reply {}

    /**
     * The allowance is exceeded; everybody waits.
     *
     * @param retryAfter how long the service asked to wait; zero if it did not say
     */
    record Throttled(Duration retryAfter) implements Reply {}

    /**
     * Some row of the request, or its size, is not acceptable; which one is not said, so halves are tried.
     *
     * @param status 400, 403 or 413
     */
    record Refused(int status) implements Reply {}

    /**
     * No usable answer; the same rows are sent again.
     *
     * @param status 408 or a 5xx, or 0 without an answer
     * @param effect what may have happened on the other side
     * @param cause in words, without ids
     */
    record Unavailable(int status, Effect effect, String cause) implements Reply {}

    /**
     * An answer that every other request would get too; the run stops.
     *
     * @param status the HTTP status, or 0 where the connection itself cannot work
     * @param cause in words, with the next step
     */
    record Fatal(int status, String cause) implements Reply {}

    /** What a request without a usable answer may have done. */
    enum Effect {
        /** Nothing left this machine. */
        NOT_SENT,
        /** The service answered, so it counted the request no later than now. */
        ANSWERED,
        /** The request left and nothing is known of it. */
        UNKNOWN
    }

    /** The reply that an HTTP status stands for, as the reference page of the API tells them apart. */
    static Reply of(int status, Duration retryAfter) {
        if (status / 100 == 2) {
            return new Accepted(status);
        }
        return switch (status) {
            case 400, 403, 413 -> new Refused(status);
            case 429 -> new Throttled(retryAfter);
            case 408 -> new Unavailable(status, Effect.ANSWERED, "the service answered " + status);
            case 401 ->
                new Fatal(
                        status,
                        "the service does not know the API key (401). Check the key that the apiKey option or"
                                + " target.api-key refers to, and the region.");
            default -> status >= 500 ? unavailable(status) : fatal(status);
        };
    }

    private static Reply unavailable(int status) {
        return new Unavailable(status, Effect.ANSWERED, "the service answered " + status);
    }

    private static Reply fatal(int status) {
        String cause = status / 100 == 3
                ? "the endpoint redirects elsewhere (" + status + "). Set the endpoint to where it redirects."
                : "the service answered " + status + ", which no retry would change. Check the endpoint"
                        + (status == 404 ? ": it is a base URL, without the API's own path." : ".");
        return new Fatal(status, cause);
    }
}
