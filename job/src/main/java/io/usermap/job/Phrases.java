package io.usermap.job;

import io.usermap.client.RejectReason;
import java.time.Duration;
import java.util.Arrays;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;

/** Figures as people read them, the same on screen and in logs. */
final class Phrases {
    private Phrases() {}

    /** With separators: {@code 4,112}. */
    static String count(long number) {
        return String.format(Locale.ROOT, "%,d", number);
    }

    /** In the two largest units: {@code 23s}, {@code 15m 9s}, {@code 2h 4m}. */
    static String duration(Duration duration) {
        long seconds = Math.max(0, Math.round(duration.toMillis() / 1000.0));
        if (seconds < 60) {
            return seconds + "s";
        }
        long minutes = seconds / 60;
        return minutes < 60 ? minutes + "m " + seconds % 60 + "s" : minutes / 60 + "h " + minutes % 60 + "m";
    }

    /** A share in per cent: {@code 96 %}. */
    static String share(double share) {
        return Math.round(share * 100) + " %";
    }

    /** The same to a hundredth: {@code 0.37 %}. */
    static String percent(double share) {
        return String.format(Locale.ROOT, "%.2f %%", share * 100);
    }

    /** An id in quotes, with whatever could move a cursor or end a line escaped. */
    static String id(String id) {
        return '"' + line(id.replace("\\", "\\\\").replace("\"", "\\\"")) + '"';
    }

    /** A text of somebody else's on one line, with whatever could move a cursor or end the line escaped. */
    static String line(String text) {
        StringBuilder shown = new StringBuilder();
        text.codePoints().forEach(point -> {
            int type = Character.getType(point);
            boolean hidden = type == Character.CONTROL
                    || type == Character.FORMAT
                    || type == Character.SURROGATE
                    || type == Character.LINE_SEPARATOR
                    || type == Character.PARAGRAPH_SEPARATOR
                    || type == Character.UNASSIGNED;
            if (hidden) {
                shown.append(String.format(Locale.ROOT, "\\u{%x}", point));
            } else {
                shown.appendCodePoint(point);
            }
        });
        return shown.toString();
    }

    /** Rejected rows by reason, in words: {@code 3 an id is empty; 1 rows of one user contradict each other}. */
    static String reasons(Map<String, Long> byReason) {
        return byReason.entrySet().stream()
                .sorted(Map.Entry.comparingByKey())
                .map(entry -> count(entry.getValue()) + ": " + sentence(entry.getKey()))
                .collect(Collectors.joining("; "));
    }

    /** The rule behind a row of a plan, in words: why it is planned so, or why it is not planned. */
    static String rule(String code) {
        return switch (code) {
            case "new" -> "it was not mapped before";
            case "moved" -> "its person has another global id than it was mapped to";
            case "follows" -> "the source no longer names it, and it follows the user that it was mapped to";
            case "centre" -> "it has become the global id of its person, which is mapped nowhere";
            case "asked" -> "the source asks for its unmap";
            case "vanished" -> "the source no longer names it";
            case "differs_only_by_case_or_blanks" -> "another id differs from it only by case or blanks";
            case "undo" -> "another run is undone";
            case "repair" -> "the service was found to hold something else than the ledger";
            default -> sentence(code);
        };
    }

    private static String sentence(String code) {
        return Arrays.stream(RejectReason.values())
                .filter(reason -> reason.code().equals(code))
                .map(RejectReason::sentence)
                .findFirst()
                .or(() -> RowReason.of(code).map(RowReason::sentence))
                .orElse(code);
    }
}
