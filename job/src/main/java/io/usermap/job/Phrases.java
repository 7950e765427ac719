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

    /** Rejected rows by reason, in words: {@code 3 an id is empty; 1 rows of one user contradict each other}. */
    static String reasons(Map<String, Long> byReason) {
        return byReason.entrySet().stream()
                .sorted(Map.Entry.comparingByKey())
                .map(entry -> count(entry.getValue()) + ": " + sentence(entry.getKey()))
                .collect(Collectors.joining("; "));
    }

    private static String sentence(String code) {
        return Arrays.stream(RejectReason.values())
                .filter(reason -> reason.code().equals(code))
                .map(RejectReason::sentence)
                .findFirst()
                .orElse(code);
    }
}
