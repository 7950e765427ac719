package io.usermap.sandbox;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * The fields of a form body, a query string, or both together.
 *
 * <p>Decodes {@code application/x-www-form-urlencoded} strictly: {@code +} is a space, {@code %} must be followed by two
 * hexadecimal digits, and the bytes must be UTF-8. Characters that ought to have been encoded and were not, such as the
 * braces of raw JSON in {@code curl --data}, are taken as they are, as web servers do.
 */
final class FormFields {
    private final Map<String, List<String>> values = new LinkedHashMap<>();

    private FormFields() {}

    /**
     * The fields of {@code encodings}, in their order.
     *
     * @throws RefusedException with 400 if one of them is not form-encoded UTF-8
     */
    static FormFields of(byte[]... encodings) throws RefusedException {
        FormFields fields = new FormFields();
        for (byte[] encoded : encodings) {
            fields.read(encoded);
        }
        return fields;
    }

    /**
     * The value of a field that may be given once.
     *
     * @throws RefusedException with 400 if it is given more than once
     */
    Optional<String> single(String name) throws RefusedException {
        List<String> given = all(name);
        if (given.size() > 1) {
            throw RefusedException.badRequest(name + " is given " + given.size() + " times");
        }
        return given.stream().findFirst();
    }

    /**
     * The value of every field, each of which is one of {@code known} and given once.
     *
     * @throws RefusedException with 400 if there is another field or one is given more than once
     */
    Map<String, String> singles(Set<String> known) throws RefusedException {
        Map<String, String> singles = new HashMap<>();
        for (String name : values.keySet()) {
            if (!known.contains(name)) {
                throw RefusedException.badRequest("there is a parameter other than "
                        + String.join(", ", known.stream().sorted().toList()));
            }
            singles.put(name, single(name).orElse(""));
        }
        return singles;
    }

    /** Every value of a field that may be repeated, in the order received. */
    List<String> all(String name) {
        return values.getOrDefault(name, List.of());
    }

    private void read(byte[] encoded) throws RefusedException {
        int start = 0;
        while (start < encoded.length) {
            int end = indexOf(encoded, '&', start, encoded.length);
            if (end > start) {
                int equals = indexOf(encoded, '=', start, end);
                String name = decode(encoded, start, equals);
                String value = decode(encoded, Math.min(equals + 1, end), end);
                values.computeIfAbsent(name, key -> new ArrayList<>()).add(value);
            }
            start = end + 1;
        }
    }

    /** The first {@code wanted} from {@code from}, or {@code to} if there is none before it. */
    private static int indexOf(byte[] bytes, char wanted, int from, int to) {
        int at = from;
        while (at < to && bytes[at] != wanted) {
            at++;
        }
        return at;
    }

    private static String decode(byte[] encoded, int from, int to) throws RefusedException {
        ByteArrayOutputStream decoded = new ByteArrayOutputStream(to - from);
        for (int at = from; at < to; at++) {
            switch (encoded[at]) {
                case '+' -> decoded.write(' ');
                case '%' -> {
                    int high = at + 2 < to ? Character.digit(encoded[at + 1], 16) : -1;
                    int low = at + 2 < to ? Character.digit(encoded[at + 2], 16) : -1;
                    if (high < 0 || low < 0) {
                        throw RefusedException.badRequest("a % at byte " + at + " is not followed by two digits");
                    }
                    decoded.write(high << 4 | low);
                    at += 2;
                }
                default -> decoded.write(encoded[at]);
            }
        }
        try {
            return StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(decoded.toByteArray()))
                    .toString();
        } catch (CharacterCodingException e) {
            throw RefusedException.badRequest("the field at byte " + from + " is not UTF-8");
        }
    }
}
