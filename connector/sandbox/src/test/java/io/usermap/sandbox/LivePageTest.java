package io.usermap.sandbox;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashSet;
import java.util.Locale;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.atomic.AtomicLong;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The document as it comes over HTTP; what a browser makes of it is not tried here. */
class LivePageTest {
    private static final Pattern TAG = Pattern.compile("<(/?)(!?[a-zA-Z][a-zA-Z0-9]*)([^<>]*)>");
    private static final Pattern ATTRIBUTE = Pattern.compile("\\s([a-zA-Z-]+)=\"[^\"<>]*\"");
    private static final Set<String> VOID = Set.of("!doctype", "meta", "rect");

    private final AtomicLong clock = new AtomicLong(5_000_000_000L);

    private Sandbox sandbox;
    private Caller caller;

    @BeforeEach
    void start() throws IOException {
        sandbox = Sandbox.start(SandboxOptions.builder().build(), clock::get);
        caller = new Caller(sandbox.endpoint());
    }

    @AfterEach
    void stop() {
        sandbox.close();
    }

    @Test
    void showsTheFigures() {
        caller.post(Caller.maps(1200, "ann"));
        caller.post(Caller.maps(301, "bob"));
        clock.addAndGet(2_000_000_000L);
        caller.post("{\"user_id\":\"ann-3\",\"unmap\":true}");
        caller.lookUp("ann-1");

        String page = page();

        assertThat(page)
                .contains("<dd id=\"requests\">4</dd>")
                .contains("<dd id=\"mappings\">1,199</dd>")
                .contains("<dd id=\"mapped\">1,200</dd>")
                .contains("<dd id=\"unmapped\">1</dd>")
                .contains("<dd id=\"throttled\">1</dd>")
                .contains("<dd id=\"lookups\">1</dd>")
                .contains("<meter max=\"1500\" value=\"1201\"></meter>")
                .contains("<p id=\"window\">1,201 of 1,500 mappings; at most 1,201 so far</p>")
                .contains("<p id=\"rate\">20.0 mappings a second</p>")
                .contains("<rect x=\"57\" y=\"0\" width=\".8\" height=\"60\"/>")
                .contains("<rect x=\"59\" y=\"59\" width=\".8\" height=\"1\"/>")
                .contains("<td>POST /usermap</td><td>200</td><td class=\"n\">1,200</td>")
                .contains("<td>POST /usermap</td><td class=\"bad\">429</td><td class=\"n\">301</td>")
                .contains("<tr><td><bdi>ann-3</bdi></td><td><bdi><i>unmapped</i></bdi></td></tr>")
                .contains("<tr><td><bdi>ann-0</bdi></td><td><bdi>everybody</bdi></td></tr>");
        assertWellFormed(page);
    }

    @Test
    void showsTheFaults() {
        assertThat(page()).contains("<h2>Faults in force</h2>\n<p>None.</p>");
        sandbox.addFaults("""
                {"faults": [{"name": "busy", "path": "map", "times": 1, "status": 503}, {"drop": "answer", "requests": 9}]}""");
        caller.post(Caller.maps(1, "ann"));

        assertThat(page())
                .contains("<tr><td>busy</td><td>map</td><td class=\"n\">1</td><td>spent</td></tr>")
                .contains("<tr><td>fault-2</td><td>any</td><td class=\"n\">0</td><td>active</td></tr>")
                .containsPattern("<td class=\"bad\">503</td>.*<td>busy</td></tr>");
    }

    @Test
    void asksForItselfAnewAndForNothingElse() {
        HttpResponse<String> answer = caller.send("/", request -> request.GET());

        assertThat(answer.headers().firstValue("Content-Type")).hasValue("text/html;charset=utf-8");
        assertThat(answer.headers().firstValue("Content-Security-Policy").orElse(""))
                .startsWith("default-src 'none'; style-src 'unsafe-inline';");
        assertThat(answer.headers().firstValue("X-Content-Type-Options")).hasValue("nosniff");
        assertThat(answer.body())
                .contains("<meta http-equiv=\"refresh\" content=\"2\">")
                .doesNotContainIgnoringCase("<script")
                .doesNotContain("http://", "https://", "url(", "@import", " src=", " href=");
        assertWellFormed(answer.body());
        HttpResponse<String> head = caller.send("/", request -> request.method("HEAD", BodyPublishers.noBody()));
        assertThat(head.statusCode()).isEqualTo(200);
        assertThat(head.body()).isEmpty();
    }

    @Test
    void showsHostileIdsAsTheyAre() {
        for (String id : new String[] {
            "<script>alert(1)</script>",
            "</td><img src=x onerror=alert(1)>",
            "\"onmouseover=alert(1) '",
            "&lt;b&gt;",
            "\u001b[31mred\u009b2J",
            "abc\u202egpj.exe\u200b",
            "%s %n %d $1 \\u003c",
            "\ud83d\ude00 fine"
        }) {
            String mapping = JsonMapper.builder()
                    .build()
                    .createObjectNode()
                    .put("user_id", id)
                    .put("global_user_id", id + "!")
                    .toString();
            assertThat(caller.post(mapping).body()).isEqualTo("success");
        }
        caller.send("/%3Cscript%3Ealert(1)%3C/script%3E%0A%1b", request -> request.GET());

        String page = page();

        assertWellFormed(page);
        assertThat(page)
                .contains("<bdi>&lt;script&gt;alert(1)&lt;/script&gt;</bdi>")
                .contains("<bdi>&lt;/td&gt;&lt;img src=x onerror=alert(1)&gt;</bdi>")
                .contains("<bdi>&quot;onmouseover=alert(1) &#39;</bdi>")
                .contains("<bdi>&amp;lt;b&amp;gt;</bdi>")
                .contains("<bdi>\\u001b[31mred\\u009b2J</bdi>")
                .contains("<bdi>abc\\u202egpj.exe\\u200b</bdi>")
                .contains("<bdi>%s %n %d $1 \\u003c</bdi>")
                .contains("<bdi>\ud83d\ude00 fine</bdi>")
                .contains("<td>GET /&lt;script&gt;alert(1)&lt;/script&gt;\\u000a\\u001b</td>")
                .matches("(?s)[^\\x00-\\x09\\x0b-\\x1f\\x7f-\\x9f\\u202e\\u200b]*");
    }

    @Test
    void cutsWhatIsLong() {
        String id = "x".repeat(1024);
        caller.post("{\"user_id\":\"" + id + "\",\"unmap\":true}");
        caller.send("/" + "y".repeat(5000), request -> request.GET());

        assertThat(page())
                .contains("<bdi>" + "x".repeat(60) + "\u2026</bdi>")
                .contains("<td>GET /" + "y".repeat(59) + "\u2026</td>")
                .hasSizeLessThan(20_000);
    }

    private String page() {
        HttpResponse<String> answer = caller.send("/", request -> request.GET());
        assertThat(answer.statusCode()).isEqualTo(200);
        return answer.body();
    }

    /** Every tag is one of ours, is closed where it must be, and has attributes of ours; no stray angle is left. */
    private static void assertWellFormed(String page) {
        Deque<String> open = new ArrayDeque<>();
        Set<String> tags = new TreeSet<>();
        Set<String> attributes = new HashSet<>();
        for (MatchResult tag : TAG.matcher(page).results().toList()) {
            String name = tag.group(2).toLowerCase(Locale.ROOT);
            tags.add(name);
            ATTRIBUTE.matcher(tag.group(3)).results().forEach(attribute -> attributes.add(attribute.group(1)));
            if (!tag.group(1).isEmpty()) {
                assertThat(open.pop()).isEqualTo(name);
            } else if (!VOID.contains(name)) {
                open.push(name);
            }
        }
        assertThat(open).isEmpty();
        assertThat(TAG.matcher(page).replaceAll("")).doesNotContain("<", ">");
        assertThat(tags)
                .isSubsetOf(
                        "!doctype",
                        "html",
                        "head",
                        "meta",
                        "title",
                        "style",
                        "body",
                        "h1",
                        "h2",
                        "dl",
                        "div",
                        "dt",
                        "dd",
                        "meter",
                        "p",
                        "svg",
                        "rect",
                        "table",
                        "tr",
                        "th",
                        "td",
                        "bdi",
                        "i");
        assertThat(attributes)
                .isSubsetOf(
                        "lang",
                        "charset",
                        "http-equiv",
                        "content",
                        "name",
                        "id",
                        "class",
                        "max",
                        "value",
                        "viewBox",
                        "preserveAspectRatio",
                        "role",
                        "aria-label",
                        "x",
                        "y",
                        "width",
                        "height");
    }
}
