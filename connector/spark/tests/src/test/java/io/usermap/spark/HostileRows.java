package io.usermap.spark;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.StructType;

/** Rows as nobody should send them, each with what must become of it; the same for the same seed. */
@SuppressWarnings({"NullAway", "ArrayRecordComponent"}) // what is missing in a row is null, and an id may be any bytes
final class HostileRows {
    /** What is in a hostile id: controls, what turns or hides text, markup, formulas, forged log lines, paths, SQL. */
    private static final String[] PIECES = {
        "\u0000",
        "\u0007",
        "\b",
        "\n",
        "\r\n",
        "\t",
        "\u001B[2J",
        "\u001B]0;x\u0007",
        "\u007F",
        "\u009B31m",
        "\u202E",
        "\u2066",
        "\u200B",
        "\u200D",
        "\uFEFF",
        "\u2028",
        "\u2029",
        "\u0301\u0489",
        "\uFFFD",
        "\uFFFF",
        "\uD83D\uDE00",
        "\uDBFF\uDFFF",
        "\uD834\uDD1E",
        "e\u0301",
        "\u00E9",
        "\u65E5\u672C",
        "\u0623",
        "\"",
        "'",
        "`",
        "\\",
        "\\u0000",
        "%00",
        "%2e%2e",
        "&",
        "=",
        "+",
        ",",
        ";",
        "?",
        "#",
        "=cmd|' /C calc'!A0",
        "@SUM(1)",
        "-2+3",
        "<script>alert(1)</script>",
        "</td>",
        "<!--",
        "&lt;",
        "../../",
        "..\\",
        "/etc/passwd",
        "C:\\",
        "\n2026-01-01 ERROR forged",
        "{\"a\":1}",
        "[]",
        "${env:HOME}",
        "{{secrets/a/b}}",
        "${jndi:ldap://x}",
        "' OR 1=1 --",
        "%s%n",
        "null",
        "a",
        "Z",
        "0",
        " "
    };

    private static final String[] BLANKS = {" ", "\t", "\n", "\u00A0", "\u3000", "\uFEFF", "\u0085", "\u2028"};
    private static final String[] NOBODY = {"NULL", "Unknown", "n/A", "UNDEFINED", "{}", "None", "0", "-1"};
    private static final int MOST_BYTES = 2_000_000;

    /**
     * A row and its fate.
     *
     * @param user the user's id as bytes, which need not be UTF-8; null where there is none
     * @param fate {@code accepted}, the reason of a rejection, or empty if either may be
     */
    record Hostile(byte[] user, byte[] global, Boolean unmap, Optional<String> fate) {}

    private final Random random;

    HostileRows(long seed) {
        random = new Random(seed);
    }

    /** So many rows, {@code large} of them with an id of up to 2 MB. No two have the same valid user. */
    List<Hostile> next(int count, int large) {
        List<Hostile> rows = new ArrayList<>(count);
        for (int i = 0; i < count; i++) {
            rows.add(i < large ? large(i) : row(i));
        }
        return rows;
    }

    static Dataset<Row> frame(SparkSession spark, List<Hostile> hostile) {
        List<Row> rows = hostile.stream()
                .map(row -> RowFactory.create(row.user(), row.global(), row.unmap()))
                .toList();
        return spark.createDataFrame(
                        rows,
                        new StructType()
                                .add("user_id", "binary")
                                .add("global_user_id", "binary")
                                .add("unmap", "boolean"))
                .selectExpr(
                        "CAST(user_id AS STRING) AS user_id",
                        "CAST(global_user_id AS STRING) AS global_user_id",
                        "unmap");
    }

    private Hostile row(int number) {
        String user = number + text(8) + "u";
        String global = "g" + text(3) + "person";
        return switch (random.nextInt(16)) {
            case 0 -> new Hostile(null, global.getBytes(UTF_8), null, Optional.of("missing_id"));
            case 1 -> new Hostile(user.getBytes(UTF_8), null, false, Optional.of("missing_id"));
            case 2 -> of("", global, null, "empty");
            case 3 -> new Hostile(damaged(user), global.getBytes(UTF_8), null, Optional.of("invalid_text"));
            case 4 -> new Hostile(user.getBytes(UTF_8), damaged(global), null, Optional.of("invalid_text"));
            case 5 -> of(user + "\uD83D\uDE00".repeat(1_025), global, null, "too_long");
            case 6 -> of(one(BLANKS) + user, global, null, "surrounding_blanks");
            case 7 -> of(user, global + one(BLANKS), null, "surrounding_blanks");
            case 8 -> of(user, one(NOBODY), null, "placeholder");
            case 9 -> of("\uD83D\uDE00\u0301x", global, null, "too_short");
            case 10 -> of(user, user, false, "self_map");
            case 11 -> of(user, global, true, "unmap_with_target");
            case 12 -> new Hostile(user.getBytes(UTF_8), null, true, Optional.of("accepted"));
            case 13 -> new Hostile(noise(60), noise(60), random.nextInt(9) == 0, Optional.empty());
            default -> of(user, global, random.nextBoolean() ? false : null, "accepted");
        };
    }

    /** Up to 2 MB; where it is no longer than an id may be, of characters that are encoded at length. */
    private Hostile large(int number) {
        return switch (number % 3) {
            case 0 -> of("x".repeat(1 + MOST_BYTES - random.nextInt(1_000)), "person", null, "too_long");
            case 1 ->
                new Hostile(("user" + number).getBytes(UTF_8), noise(MOST_BYTES), null, Optional.of("invalid_text"));
            default -> of(number + "\uDBFF\uDFFF".repeat(1_000), "\u001B".repeat(1_024), null, "accepted");
        };
    }

    private static Hostile of(String user, String global, Boolean unmap, String fate) {
        return new Hostile(user.getBytes(UTF_8), global.getBytes(UTF_8), unmap, Optional.of(fate));
    }

    private String text(int most) {
        StringBuilder text = new StringBuilder("-");
        for (int i = 1 + random.nextInt(most); i > 0; i--) {
            text.append(one(PIECES));
        }
        return text.append('-').toString();
    }

    private String one(String[] some) {
        return some[random.nextInt(some.length)];
    }

    /** Bytes with something in them that is no UTF-8: half a surrogate pair, a cut character, an overlong NUL. */
    private byte[] damaged(String text) {
        byte[] wrong = switch (random.nextInt(4)) {
            case 0 -> new byte[] {(byte) 0xED, (byte) 0xA0, (byte) 0x80};
            case 1 -> new byte[] {(byte) 0xED, (byte) 0xBF, (byte) 0xBF};
            case 2 -> new byte[] {(byte) 0xF0, (byte) 0x9F, (byte) 0x98};
            default -> new byte[] {(byte) 0xC0, (byte) 0x80};
        };
        byte[] bytes = (text + "xxx").getBytes(UTF_8);
        System.arraycopy(wrong, 0, bytes, bytes.length - 4, wrong.length);
        return bytes;
    }

    private byte[] noise(int most) {
        byte[] bytes = new byte[most / 2 + random.nextInt(most / 2)];
        random.nextBytes(bytes);
        return bytes;
    }
}
