package io.usermap.job;

import io.usermap.client.AllowanceRules;
import io.usermap.spark.UserMapRun;
import java.time.Duration;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;

/**
 * What a person is told while mappings are sent; pure.
 *
 * @param total mappings to send
 * @param rules the allowance
 * @param start when sending began
 */
record Progress(long total, AllowanceRules rules, Instant start) {
    private static final int BAR = 24;

    /** The plain line, for logs: {@code apply: 3,000 of 4,112 accepted, 48.2/s, about 23s left}. */
    String line(UserMapRun.Progress now, Instant at) {
        return "apply: " + Phrases.count(now.accepted()) + " of " + Phrases.count(total) + " accepted"
                + (now.rejected() > 0 ? ", " + Phrases.count(now.rejected()) + " rejected" : "") + ", "
                + rate(now, at) + "/s, " + Phrases.share(now.usedShare()) + " of the allowance"
                + (waits(now, at) ? ", waiting for the allowance" : "") + ", about " + Phrases.duration(left(now, at))
                + " left";
    }

    /** The bar, for terminals; overwrites itself. */
    String bar(UserMapRun.Progress now, Instant at) {
        int filled = total == 0 ? BAR : (int) (BAR * Math.min(total, done(now)) / total);
        return "\r[" + "#".repeat(filled) + "-".repeat(BAR - filled) + "] " + Phrases.count(done(now)) + "/"
                + Phrases.count(total) + "  " + rate(now, at) + "/s  allowance " + Phrases.share(now.usedShare())
                + (waits(now, at) ? "  waiting" : "") + "  about " + Phrases.duration(left(now, at)) + " left   ";
    }

    /** The same as fields, for programs. */
    Map<String, Object> fields(UserMapRun.Progress now, Instant at) {
        Map<String, Object> fields = new LinkedHashMap<>();
        fields.put("accepted", now.accepted());
        fields.put("rejected", now.rejected());
        fields.put("total", total);
        fields.put("requests", now.requests());
        fields.put("used_share", now.usedShare());
        fields.put("waiting", waits(now, at));
        fields.put("seconds_left", left(now, at).toSeconds());
        return fields;
    }

    /**
     * How long the rest takes at least: what the whole takes by the allowance, less the time gone by; or, once that is over,
     * the next grant and one cool-down for each full window after it. With 4,112 to send in windows of 1,500, 57 s are left
     * after 5 s.
     */
    Duration left(UserMapRun.Progress now, Instant at) {
        Duration rest = Plan.leastTime(Math.max(0, total - done(now)), rules);
        Duration fromNow = now.waitingUntil()
                .filter(at::isBefore)
                .map(until -> Duration.between(at, until).plus(rest))
                .orElse(rest);
        Duration fromStart = Plan.leastTime(total, rules).minus(Duration.between(start, at));
        return done(now) < total && fromStart.compareTo(fromNow) > 0 ? fromStart : fromNow;
    }

    private static long done(UserMapRun.Progress now) {
        return now.accepted() + now.rejected() + now.skipped();
    }

    private static boolean waits(UserMapRun.Progress now, Instant at) {
        return now.waitingUntil().filter(at::isBefore).isPresent();
    }

    private String rate(UserMapRun.Progress now, Instant at) {
        double seconds = Math.max(1, Duration.between(start, at).toMillis() / 1000.0);
        return String.format(Locale.ROOT, "%.1f", now.accepted() / seconds);
    }
}
