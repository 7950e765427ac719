package io.usermap.client;

import java.io.Serial;
import java.io.Serializable;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/**
 * A key that never prints itself.
 *
 * <p>Serialisable because executors need it; Spark ships it inside the task, which is in no log and no plan. Two secrets
 * are equal when their values are.
 */
public final class Secret implements Serializable {
    @Serial
    private static final long serialVersionUID = 1L;

    private final String value;

    private Secret(String value) {
        this.value = value;
    }

    /** Wraps {@code value}; throws {@link IllegalArgumentException} if it is blank. */
    public static Secret of(String value) {
        if (value.isBlank()) {
            throw new IllegalArgumentException("Cannot use an empty key. Set the variable or file that it comes from.");
        }
        return new Secret(value);
    }

    /** The key itself, for the request that carries it and nothing else. */
    public String reveal() {
        return value;
    }

    /** Sixteen hexadecimal digits that tell keys apart without giving one away. */
    public String fingerprint() {
        try {
            byte[] hash = MessageDigest.getInstance("SHA-256").digest(value.getBytes(StandardCharsets.UTF_8));
            return HexFormat.of().formatHex(hash, 0, 8);
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError("every Java platform has SHA-256", e);
        }
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Secret secret && value.equals(secret.value);
    }

    @Override
    public int hashCode() {
        return value.hashCode();
    }

    @Override
    public String toString() {
        return "***";
    }
}
