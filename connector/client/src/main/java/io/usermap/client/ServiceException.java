package io.usermap.client;

import java.io.Serial;

/**
 * The service refused, or did not answer as long as it was asked to.
 *
 * <p>Serialisable because it travels from an executor to the driver. Its message names status and next step, never an id
 * or a key.
 */
public final class ServiceException extends RuntimeException {
    @Serial
    private static final long serialVersionUID = 1L;

    private final int status;
    private final boolean retryable;

    /**
     * A refusal in words.
     *
     * @param message what was refused, with which status, and what to do next
     * @param status the HTTP status, or 0 where there was no answer
     * @param retryable whether the same run may succeed later without a change
     */
    public ServiceException(String message, int status, boolean retryable) {
        super(message);
        this.status = status;
        this.retryable = retryable;
    }

    /** The HTTP status, or 0 where there was no answer. */
    public int status() {
        return status;
    }

    /** Whether the same run may succeed later without a change. */
    public boolean retryable() {
        return retryable;
    }
}
