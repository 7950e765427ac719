package io.usermap.sandbox;

import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;

/**
 * An answer: status, headers and body.
 *
 * @param status the HTTP status
 * @param headers every header of the answer that is not computed from the body
 * @param body the body, UTF-8
 */
record Reply(int status, Map<String, String> headers, String body) {
    private static final String CONTENT_TYPE = "Content-Type";

    /** What sibling endpoints of the service answer: seven bytes of text, called HTML. */
    static final Reply SUCCESS = new Reply(200, Map.of(CONTENT_TYPE, "text/html;charset=utf-8"), "success");

    /** Past the window. Whether the service sends {@code Retry-After} is unknown; the sandbox does not. */
    static final Reply THROTTLED = text(429, "throttled");

    /** An answer in JSON. */
    static Reply json(String body) {
        return new Reply(200, Map.of(CONTENT_TYPE, "application/json"), body);
    }

    /** An answer whose body is one line for people. */
    static Reply text(int status, String reason) {
        return new Reply(status, Map.of(CONTENT_TYPE, "text/plain;charset=utf-8"), reason);
    }

    /** An answer for a browser, which may load nothing, run nothing, and show it in no frame. */
    static Reply page(String html) {
        return new Reply(
                200,
                Map.of(
                        CONTENT_TYPE,
                        "text/html;charset=utf-8",
                        "Content-Security-Policy",
                        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none';"
                                + " frame-ancestors 'none'",
                        "X-Content-Type-Options",
                        "nosniff",
                        "Referrer-Policy",
                        "no-referrer",
                        "Cache-Control",
                        "no-store"),
                html);
    }

    /** The same answer with one header more. */
    Reply with(String header, String value) {
        Map<String, String> more = new HashMap<>(headers);
        more.put(header, value);
        return new Reply(status, Map.copyOf(more), body);
    }

    byte[] bytes() {
        return body.getBytes(StandardCharsets.UTF_8);
    }
}
