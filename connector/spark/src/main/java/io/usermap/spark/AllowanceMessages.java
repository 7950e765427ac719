package io.usermap.spark;

import io.usermap.client.Allowance.Outcome;
import io.usermap.client.Allowance.Writer;
import io.usermap.client.AllowanceAnswer;
import io.usermap.client.AllowanceAnswer.Denied;
import io.usermap.client.AllowanceAnswer.Grant;
import io.usermap.client.AllowanceAnswer.Later;
import io.usermap.client.AllowanceLog;
import io.usermap.client.AllowanceRules;
import io.usermap.client.AllowanceRules.Pacing;
import io.usermap.client.Tally;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;

/**
 * What executors and driver say to each other about the allowance, as arrays of JDK types.
 *
 * <p>A class of ours inside a message would end the executor when the jar came through {@code spark.jars}: Spark's
 * dispatcher reads messages with its own class loader. The first element of a message says what it is.
 */
final class AllowanceMessages {
    static final String ASK = "ask";
    static final String REPORT = "report";
    static final String LEAVE = "leave";
    static final String OPEN = "open";
    static final String BEGIN = "begin";
    static final String STOP = "stop";
    static final String END = "end";
    static final String LOG = "log";
    static final String PROGRESS = "progress";
    static final String WRITERS = "writers";
    static final String LEASE = "lease";
    static final String COMMITTED = "committed";
    static final String OK = "ok";

    /** What these messages mean; raised with every change, because two versions of the jar can meet in one application. */
    static final int VERSION = 6;

    private static final String GRANT = "grant";
    private static final String LATER = "later";
    private static final String DENIED = "denied";
    private static final int TALLY_AT = 4;

    private AllowanceMessages() {}

    /**
     * Something that a writer reports, numbered so that a repetition is known as one.
     *
     * @param number counts the writer's reports from 1
     * @param permit the permit that is done, or 0 in a request to stop
     * @param outcome what became of the permit
     * @param retryAfter as the service asked, with 429
     * @param roundTrip how long the response took
     * @param tally what the writer did so far
     * @param stopReason why the whole write shall stop; empty if it shall not
     */
    record Report(
            long number,
            long permit,
            Outcome outcome,
            Duration retryAfter,
            Duration roundTrip,
            Tally tally,
            String stopReason) {}

    static Object[] ask(String request, Writer writer, int wanted, List<Report> reports) {
        return new Object[] {ASK, writer.write(), writer.partition(), writer.attempt(), encode(reports), request, wanted
        };
    }

    static Object[] report(Writer writer, List<Report> reports) {
        return new Object[] {REPORT, writer.write(), writer.partition(), writer.attempt(), encode(reports)};
    }

    static Object[] leave(Writer writer, List<Report> reports, Tally tally, boolean finished) {
        return new Object[] {
            LEAVE, writer.write(), writer.partition(), writer.attempt(), encode(reports), tally.figures(), finished
        };
    }

    static Writer writer(Object[] message) {
        return new Writer((String) message[1], (Integer) message[2], (Long) message[3]);
    }

    static List<Report> reports(Object[] message) {
        List<Report> reports = new ArrayList<>();
        for (Object one : (Object[]) message[4]) {
            Object[] report = (Object[]) one;
            long[] numbers = (long[]) report[0];
            reports.add(new Report(
                    numbers[0],
                    numbers[1],
                    Outcome.valueOf((String) report[1]),
                    Duration.ofNanos(numbers[2]),
                    Duration.ofNanos(numbers[3]),
                    Tally.of(numbers, TALLY_AT),
                    (String) report[2]));
        }
        return reports;
    }

    static String request(Object[] ask) {
        return (String) ask[5];
    }

    static int wanted(Object[] ask) {
        return (Integer) ask[6];
    }

    static Tally tally(Object[] leave) {
        return Tally.of((long[]) leave[5], 0);
    }

    static boolean finished(Object[] leave) {
        return (Boolean) leave[6];
    }

    /** The answer, and up to which number the writer's reports have arrived. */
    static Object[] answer(AllowanceAnswer answer, long reported) {
        if (answer instanceof Grant grant) {
            long[] numbers = {
                grant.permit(),
                grant.mappings(),
                grant.waited().toNanos(),
                grant.sendWithin().toNanos(),
                grant.requestsInFlight(),
                grant.everAccepted() ? 1 : 0
            };
            return new Object[] {GRANT, grant.request(), reported, numbers, grant.mappingsPerSecond()};
        } else if (answer instanceof Later later) {
            return new Object[] {LATER, later.request(), reported, later.after().toNanos()};
        }
        Denied denied = (Denied) answer;
        return new Object[] {DENIED, denied.request(), reported, denied.reason()};
    }

    static AllowanceAnswer answer(Object[] message) {
        String request = (String) message[1];
        return switch ((String) message[0]) {
            case GRANT -> {
                long[] numbers = (long[]) message[3];
                yield new Grant(
                        request,
                        numbers[0],
                        (int) numbers[1],
                        Duration.ofNanos(numbers[2]),
                        Duration.ofNanos(numbers[3]),
                        (Double) message[4],
                        (int) numbers[4],
                        numbers[5] == 1);
            }
            case LATER -> new Later(request, Duration.ofNanos((Long) message[3]));
            default -> new Denied(request, (String) message[3]);
        };
    }

    static long reported(Object[] answer) {
        return (Long) answer[2];
    }

    static Object[] open(AllowanceRules rules, AllowanceLog seed) {
        long[] figures = {
            rules.mappingsPerWindow(),
            rules.window().toNanos(),
            rules.guard().toNanos(),
            rules.callTimeout().toNanos()
        };
        return new Object[] {OPEN, figures, encode(seed), rules.pacing().name(), VERSION};
    }

    static Object[] begin(String write, AllowanceRules rules) {
        Object[] open = open(rules, AllowanceLog.empty());
        return new Object[] {BEGIN, open[1], open[2], open[3], write};
    }

    /** Whether whoever opens means by these messages what this class does. */
    static boolean isOfThisVersion(Object[] open) {
        return open.length > 4 && open[4].equals(VERSION);
    }

    static AllowanceRules rules(Object[] open) {
        long[] figures = (long[]) open[1];
        return new AllowanceRules(
                (int) figures[0],
                Duration.ofNanos(figures[1]),
                Duration.ofNanos(figures[2]),
                Duration.ofNanos(figures[3]),
                Pacing.valueOf((String) open[3]));
    }

    static AllowanceLog seed(Object[] open) {
        return log((long[]) open[2]);
    }

    static long[] encode(AllowanceLog log) {
        long[] numbers = new long[2 * log.entries().size()];
        int at = 0;
        for (AllowanceLog.Entry entry : log.entries()) {
            // Up to a whole millisecond, and no further however often a log is handed on.
            numbers[at++] = entry.until().plusNanos(999_999).toEpochMilli();
            numbers[at++] = entry.mappings();
        }
        return numbers;
    }

    static AllowanceLog log(long[] numbers) {
        List<AllowanceLog.Entry> entries = new ArrayList<>();
        for (int i = 0; i < numbers.length; i += 2) {
            entries.add(new AllowanceLog.Entry(Instant.ofEpochMilli(numbers[i]), (int) numbers[i + 1]));
        }
        return new AllowanceLog(entries);
    }

    private static Object[] encode(List<Report> reports) {
        Object[] encoded = new Object[reports.size()];
        for (int i = 0; i < encoded.length; i++) {
            Report report = reports.get(i);
            long[] tally = report.tally().figures();
            long[] numbers = new long[TALLY_AT + tally.length];
            numbers[0] = report.number();
            numbers[1] = report.permit();
            numbers[2] = report.retryAfter().toNanos();
            numbers[3] = report.roundTrip().toNanos();
            System.arraycopy(tally, 0, numbers, TALLY_AT, tally.length);
            encoded[i] = new Object[] {numbers, report.outcome().name(), report.stopReason()};
        }
        return encoded;
    }
}
