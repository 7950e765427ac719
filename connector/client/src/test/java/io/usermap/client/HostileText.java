package io.usermap.client;

import java.util.Random;

/** Ids that break careless encoders: quotes, escapes, separators of forms, control characters, all lengths of UTF-8. */
final class HostileText {
    private static final String[] PIECES = {
        "\"",
        "\\",
        "/",
        "'",
        "&",
        "=",
        "+",
        "%",
        "%41",
        ";",
        "#",
        "?",
        " ",
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "<",
        ">",
        "~",
        "*",
        "\u0000",
        "\u0001",
        "\b",
        "\t",
        "\n",
        "\f",
        "\r",
        "\u001F",
        "\u007F",
        "\u0080",
        "\u00E9",
        "\u07FF",
        "\u0800",
        "\u2028",
        "\u2029",
        "\u65E5",
        "\u672C",
        "\uD7FF",
        "\uE000",
        "\uFEFF",
        "\uFFFD",
        "\uFFFF",
        "\uD83D\uDE80",
        "\uD800\uDC00",
        "\uDBFF\uDFFF",
        "e\u0301",
        "a",
        "Z",
        "0",
        "-",
        ".",
        "_",
        "@"
    };

    private HostileText() {}

    /** A text of up to {@code most} pieces, at least one. */
    static String next(Random random, int most) {
        StringBuilder text = new StringBuilder();
        int pieces = 1 + random.nextInt(most);
        for (int i = 0; i < pieces; i++) {
            text.append(random.nextInt(8) == 0 ? codePoint(random) : PIECES[random.nextInt(PIECES.length)]);
        }
        return text.toString();
    }

    private static String codePoint(Random random) {
        int codePoint = random.nextInt(Character.MAX_CODE_POINT + 1);
        boolean surrogate = codePoint >= Character.MIN_SURROGATE && codePoint <= Character.MAX_SURROGATE;
        return Character.toString(surrogate ? 'x' : codePoint);
    }
}
