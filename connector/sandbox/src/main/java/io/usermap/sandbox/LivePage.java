package io.usermap.sandbox;

import io.usermap.sandbox.Organisation.Overview;
import io.usermap.sandbox.SandboxRequest.Mapping;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.List;
import java.util.Locale;

/**
 * The live page: one document that loads nothing and runs nothing, asked for anew every two seconds by its own header.
 *
 * <p>There is no script in it, so there is nothing that an id could be mistaken for; ids and names are made printable and
 * escaped all the same ({@link Printable}).
 */
final class LivePage {
    private static final int SECONDS = 60;
    private static final int REQUESTS = 15;
    private static final int MAPPINGS = 10;
    private static final int ID_CHARACTERS = 60;
    private static final int NAME_CHARACTERS = 60;
    private static final int BAR_HEIGHT = 60;
    private static final DateTimeFormatter TIME =
            DateTimeFormatter.ofPattern("HH:mm:ss.SSS", Locale.ROOT).withZone(ZoneOffset.UTC);

    private static final String HEAD = """
            <!DOCTYPE html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta http-equiv="refresh" content="2">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <title>Usermap sandbox</title>
            <style>
            :root { color-scheme: light dark; }
            body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; }
            h1 { font-size: 1.4rem; } h2 { font-size: 1.05rem; margin-top: 2rem; }
            dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(8rem, 1fr)); gap: 1rem; }
            dt { opacity: .7; } dd { margin: 0; font-size: 1.5rem; font-variant-numeric: tabular-nums; }
            table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
            th, td { text-align: left; padding: .2rem .8rem .2rem 0; border-bottom: 1px solid #8884; }
            td { overflow-wrap: anywhere; } .n { text-align: right; }
            meter { width: 100%; height: 1.2rem; } svg { width: 100%; height: 4rem; fill: #2a78d6; }
            .bad { color: #c33; font-weight: 600; }
            </style>
            </head>
            <body>
            <h1>Usermap sandbox</h1>
            """;

    private final StringBuilder html = new StringBuilder(HEAD);

    private LivePage() {}

    /** The page as of now. */
    static String of(Organisation organisation, Faults faults) {
        Overview now = organisation.overview(SECONDS, REQUESTS);
        LivePage page = new LivePage();
        page.figures(now);
        page.window(now);
        page.rate(now.perSecond());
        page.faults(faults, organisation);
        page.requests(now);
        page.mappings(now);
        return page.html.append("</body>\n</html>\n").toString();
    }

    private void figures(Overview now) {
        Sandbox.Counts counts = now.counts();
        html.append("<dl>\n");
        figure("requests", "requests", counts.requests());
        figure("mappings", "mappings in force", now.mappings());
        figure("mapped", "mapped", counts.mapped());
        figure("unmapped", "unmapped", counts.unmapped());
        figure("throttled", "throttled (429)", counts.throttled());
        figure("refused", "refused", counts.refused());
        figure("dropped", "dropped", counts.dropped());
        figure("lookups", "look-ups", counts.lookups());
        html.append("</dl>\n");
    }

    private void figure(String id, String label, long value) {
        html.append("<div><dt>%s</dt><dd id=\"%s\">%s</dd></div>\n".formatted(label, id, count(value)));
    }

    private void window(Overview now) {
        html.append("<h2>Window of %s ms</h2>\n".formatted(count(now.windowNanos() / 1_000_000)))
                .append("<meter max=\"%d\" value=\"%d\"></meter>\n".formatted(now.limit(), now.inWindow()))
                .append("<p id=\"window\">%s of %s mappings; at most %s so far</p>\n"
                        .formatted(count(now.inWindow()), count(now.limit()), count(now.mostInWindow())));
    }

    private void rate(List<Long> perSecond) {
        long sum = 0;
        long most = 1;
        for (long mappings : perSecond) {
            sum += mappings;
            most = Math.max(most, mappings);
        }
        html.append("<h2>Rate over the last %d seconds</h2>\n".formatted(perSecond.size()))
                .append("<svg viewBox=\"0 0 %d %d\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"rate\">\n"
                        .formatted(perSecond.size(), BAR_HEIGHT));
        for (int ago = 0; ago < perSecond.size(); ago++) {
            long height = perSecond.get(ago) == 0 ? 0 : Math.max(1, perSecond.get(ago) * BAR_HEIGHT / most);
            if (height > 0) {
                html.append("<rect x=\"%d\" y=\"%d\" width=\".8\" height=\"%d\"/>\n"
                        .formatted(perSecond.size() - 1 - ago, BAR_HEIGHT - height, height));
            }
        }
        html.append("</svg>\n")
                .append("<p id=\"rate\">%s mappings a second</p>\n"
                        .formatted(String.format(Locale.ROOT, "%.1f", (double) sum / perSecond.size())));
    }

    private void faults(Faults faults, Organisation organisation) {
        html.append("<h2>Faults in force</h2>\n");
        if (faults.inForce().isEmpty()) {
            html.append("<p>None.</p>\n");
            return;
        }
        html.append("<table id=\"faults\">\n<tr><th>name</th><th>path</th><th class=\"n\">requests befallen</th>"
                + "<th>state</th></tr>\n");
        long now = organisation.nanos();
        for (Faults.Active active : faults.inForce()) {
            html.append("<tr><td>%s</td><td>%s</td><td class=\"n\">%s</td><td>%s</td></tr>\n"
                    .formatted(
                            Printable.html(active.fault().name(), NAME_CHARACTERS),
                            active.fault()
                                    .when()
                                    .target()
                                    .map(path -> path.name().toLowerCase(Locale.ROOT))
                                    .orElse("any"),
                            count(active.befallen()),
                            active.isSpent(now) ? "spent" : "active"));
        }
        html.append("</table>\n");
    }

    private void requests(Overview now) {
        html.append("<h2>Latest requests</h2>\n<table id=\"latest\">\n<tr><th class=\"n\">number</th><th>arrived (UTC)"
                + "</th><th>call</th><th>status</th><th class=\"n\">rows</th><th class=\"n\">bytes</th>"
                + "<th class=\"n\">ms</th><th>faults</th></tr>\n");
        for (SandboxRequest request : now.latest()) {
            html.append(("<tr><td class=\"n\">%s</td><td>%s</td><td>%s %s</td><td%s>%s</td><td class=\"n\">%s</td>"
                            + "<td class=\"n\">%s</td><td class=\"n\">%s</td><td>%s</td></tr>\n")
                    .formatted(
                            count(request.number()),
                            TIME.format(request.arrivedAt()),
                            Printable.html(request.method(), NAME_CHARACTERS),
                            Printable.html(request.path(), NAME_CHARACTERS),
                            request.status() == 200 ? "" : " class=\"bad\"",
                            request.status() == 0 ? "dropped" : request.status(),
                            count(request.rows()),
                            count(request.bytes()),
                            request.took().map(took -> count(took.toMillis())).orElse("..."),
                            Printable.html(String.join(", ", request.faults()), NAME_CHARACTERS)));
        }
        html.append("</table>\n");
    }

    private void mappings(Overview now) {
        html.append(
                "<h2>Latest mappings</h2>\n<table id=\"mapped-last\">\n<tr><th>user</th><th>global user</th></tr>\n");
        now.latest().stream()
                .filter(SandboxRequest::stored)
                .flatMap(request -> request.mappings().stream().limit(MAPPINGS))
                .limit(MAPPINGS)
                .forEach(this::mapping);
        html.append("</table>\n");
    }

    private void mapping(Mapping mapping) {
        html.append("<tr><td><bdi>%s</bdi></td><td><bdi>%s</bdi></td></tr>\n"
                .formatted(
                        Printable.html(mapping.userId(), ID_CHARACTERS),
                        mapping.globalUserId()
                                .map(target -> Printable.html(target, ID_CHARACTERS))
                                .orElse("<i>unmapped</i>")));
    }

    private static String count(long value) {
        return String.format(Locale.ROOT, "%,d", value);
    }
}
