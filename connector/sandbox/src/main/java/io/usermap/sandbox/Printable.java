package io.usermap.sandbox;

/**
 * Text of strangers for people to read: ids, paths, names.
 *
 * <p>Control characters, terminal escapes, line ends, invisible characters and those that turn the direction of writing
 * become {@code \}{@code u} and four digits, so that what is shown is what is there, on one line.
 */
final class Printable {
    private Printable() {}

    /** {@code text} made printable, cut after {@code mostCharacters} with an ellipsis. */
    static String of(String text, int mostCharacters) {
        StringBuilder shown = new StringBuilder();
        int characters = 0;
        for (int at = 0; at < text.length(); characters++) {
            if (characters == mostCharacters) {
                return shown.append('\u2026').toString();
            }
            int character = text.codePointAt(at);
            int length = Character.charCount(character);
            if (isHarmless(character)) {
                shown.appendCodePoint(character);
            } else {
                for (int i = at; i < at + length; i++) {
                    shown.append(String.format("\\u%04x", (int) text.charAt(i)));
                }
            }
            at += length;
        }
        return shown.toString();
    }

    /** {@code text} made printable and fit for the content and the quoted attributes of HTML. */
    static String html(String text, int mostCharacters) {
        return of(text, mostCharacters)
                .replace("&", "&amp;")
                .replace("<", "&lt;")
                .replace(">", "&gt;")
                .replace("\"", "&quot;")
                .replace("'", "&#39;");
    }

    private static boolean isHarmless(int character) {
        return switch (Character.getType(character)) {
            case Character.CONTROL,
                    Character.FORMAT,
                    Character.SURROGATE,
                    Character.PRIVATE_USE,
                    Character.UNASSIGNED,
                    Character.LINE_SEPARATOR,
                    Character.PARAGRAPH_SEPARATOR -> false;
            default -> true;
        };
    }
}
