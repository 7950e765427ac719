package io.usermap.job;

import java.io.PrintStream;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Where a command speaks: results on standard output, all else on standard error.
 *
 * @param out takes results
 * @param err takes progress, events and errors
 * @param quiet whether only errors are told
 * @param json whether events and errors are one JSON object a line
 * @param terminal whether standard error is a terminal, on which a bar may move
 */
record Console(PrintStream out, PrintStream err, boolean quiet, boolean json, boolean terminal) {

    /** A result that a program may read. */
    void result(String text) {
        out.println(text);
        out.flush();
    }

    /** What a person wants to read at the end. */
    void summary(String text) {
        if (!quiet) {
            result(text);
        }
    }

    /** Something that happened. */
    void event(String message) {
        event("event", message, Map.of());
    }

    /** Something that happened, with figures for programs. */
    void event(String kind, String message, Map<String, Object> fields) {
        if (!quiet) {
            line(kind, message, fields);
        }
    }

    /** What went wrong. */
    void error(String message) {
        line("error", message, Map.of());
    }

    /** Moves the bar; {@code text} overwrites the line that it stands on. */
    void bar(String text) {
        if (!quiet) {
            err.print(text);
            err.flush();
        }
    }

    /** Whether progress is a bar that moves rather than lines. */
    boolean movesBar() {
        return terminal && !json;
    }

    private void line(String kind, String message, Map<String, Object> fields) {
        if (json) {
            Map<String, Object> object = new LinkedHashMap<>();
            object.put("kind", kind);
            object.put("message", message);
            object.putAll(fields);
            err.println(Json.line(object));
        } else {
            // Failures are told in words of others, who may have put a user's text into them.
            message.lines().map(Phrases::line).forEach(err::println);
        }
        err.flush();
    }
}
