package io.usermap.client;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * Writes mappings as the percent-encoded JSON that the API reads from a form body, straight to bytes.
 *
 * <p>No intermediate string: an id goes from UTF-16 through JSON's escapes, UTF-8 and percent-encoding in one pass, at
 * more than 3 million mappings a second and core. Everything but letters, digits and {@code - . _ ~} is percent-encoded,
 * so a {@code +} in an e-mail address arrives as a plus. Not thread-safe.
 */
final class FormEncoder {
    /** Marks a character that JSON escapes or that is not ASCII; others hold the length of their encoding, 1 or 3. */
    private static final byte SPECIAL = 0;

    private static final byte[] LENGTH = new byte[128];
    private static final byte[] HEX = "0123456789ABCDEF".getBytes(StandardCharsets.US_ASCII);

    static {
        Arrays.fill(LENGTH, (byte) 3);
        Arrays.fill(LENGTH, 0, 0x20, SPECIAL);
        LENGTH['"'] = SPECIAL;
        LENGTH['\\'] = SPECIAL;
        for (char plain : "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~".toCharArray()) {
            LENGTH[plain] = 1;
        }
    }

    // Encoded with the tables above, which must be there first.
    private static final byte[] OPEN_USER = encoded("{\"user_id\":\"");
    private static final byte[] OPEN_GLOBAL = encoded("\",\"global_user_id\":\"");
    private static final byte[] CLOSE_MAP = encoded("\"}");
    private static final byte[] CLOSE_UNMAP = encoded("\",\"unmap\":true}");

    private byte[] bytes = new byte[16 * 1024];
    private int length;

    /** Appends {@code mapping} as a JSON object. */
    void append(Mapping mapping) {
        raw(OPEN_USER);
        id(mapping.userId());
        if (mapping instanceof Mapping.MapTo map) {
            raw(OPEN_GLOBAL);
            id(map.globalUserId());
            raw(CLOSE_MAP);
        } else {
            raw(CLOSE_UNMAP);
        }
    }

    /** Appends bytes that are encoded already. */
    void raw(byte[] encoded) {
        room(encoded.length);
        System.arraycopy(encoded, 0, bytes, length, encoded.length);
        length += encoded.length;
    }

    /** How many bytes there are. */
    int length() {
        return length;
    }

    /** Forgets everything from {@code newLength} on. */
    void truncate(int newLength) {
        length = newLength;
    }

    /** The buffer itself: valid up to {@link #length()} and until the next append. */
    byte[] buffer() {
        return bytes;
    }

    /** {@code text} percent-encoded as UTF-8, without JSON's escapes: for a key or a constant. */
    static byte[] encoded(String text) {
        FormEncoder encoder = new FormEncoder();
        for (byte octet : text.getBytes(StandardCharsets.UTF_8)) {
            encoder.room(3);
            if (octet > 0 && LENGTH[octet] == 1) {
                encoder.bytes[encoder.length++] = octet;
            } else {
                encoder.percent(octet);
            }
        }
        return Arrays.copyOf(encoder.bytes, encoder.length);
    }

    private void id(String id) {
        int units = id.length();
        // The longest encoding of one UTF-16 unit: a control character as %5Cu001F, or a 3-byte character.
        room(units * 9);
        byte[] out = bytes;
        int at = length;
        for (int i = 0; i < units; i++) {
            char unit = id.charAt(i);
            if (unit < 128) {
                byte size = LENGTH[unit];
                if (size == 1) {
                    out[at++] = (byte) unit;
                    continue;
                }
                if (size == 3) {
                    out[at++] = '%';
                    out[at++] = HEX[unit >> 4];
                    out[at++] = HEX[unit & 15];
                    continue;
                }
            }
            length = at;
            i += special(id, i);
            at = length;
        }
        length = at;
    }

    /** Encodes the character at {@code i}; returns how many UTF-16 units more than one it has. */
    private int special(String id, int i) {
        int codePoint = id.codePointAt(i);
        if (codePoint < 0x20) {
            percent((byte) '\\');
            bytes[length++] = 'u';
            bytes[length++] = '0';
            bytes[length++] = '0';
            bytes[length++] = HEX[codePoint >> 4];
            bytes[length++] = HEX[codePoint & 15];
        } else if (codePoint < 0x80) {
            percent((byte) '\\');
            percent((byte) codePoint);
        } else if (codePoint < 0x800) {
            percent((byte) (0xC0 | codePoint >> 6));
            continuation(codePoint);
        } else if (codePoint < 0x10000) {
            percent((byte) (0xE0 | codePoint >> 12));
            continuation(codePoint >> 6);
            continuation(codePoint);
        } else {
            percent((byte) (0xF0 | codePoint >> 18));
            continuation(codePoint >> 12);
            continuation(codePoint >> 6);
            continuation(codePoint);
            return 1;
        }
        return 0;
    }

    /** The low six bits as a byte that goes on with a UTF-8 sequence. */
    private void continuation(int bits) {
        percent((byte) (0x80 | (bits & 0x3F)));
    }

    private void percent(byte octet) {
        bytes[length++] = '%';
        bytes[length++] = HEX[octet >> 4 & 15];
        bytes[length++] = HEX[octet & 15];
    }

    private void room(int more) {
        if (length + more > bytes.length) {
            bytes = Arrays.copyOf(bytes, Math.max(bytes.length * 2, length + more));
        }
    }
}
