package io.usermap.client;

import io.usermap.client.AllowanceRules.Pacing;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** The figures of the allowance, its rivals beside it, as text: seeded and in virtual time, so always the same. */
final class AllowanceReport {
    private static final long PLENTY = 1_000_000_000L;
    private static final double SATURATED_SECONDS = 2 * 3_600;
    private static final long ROWS = 60_000;

    /** What all of them have to do with. */
    private record Setting(
            String name,
            int writers,
            boolean skewed,
            boolean countsRefused,
            double retryAfter,
            Consumer<Traffic> changes) {
        Traffic traffic(Pacing pacing) {
            Traffic traffic = Traffic.of(pacing);
            changes.accept(traffic);
            return traffic;
        }

        long[] rows() {
            return skewed ? AllowanceReport.skewed(ROWS, writers) : each(writers, ROWS / writers);
        }
    }

    private static final List<Setting> SETTINGS = List.of(
            new Setting("1 writer", 1, false, false, 0, traffic -> {}),
            new Setting("4 writers on one executor", 4, false, false, 0, traffic -> {}),
            new Setting("40 writers on 10 executors", 40, false, false, 0, traffic -> {}),
            new Setting("40 writers, the service says `Retry-After: 30`", 40, false, false, 30, traffic -> {}),
            new Setting("40 writers, refused calls count", 40, false, true, 0, traffic -> {}),
            new Setting("40 writers, half of all rows in one partition", 40, true, false, 0, traffic -> {}),
            new Setting(
                    "8 writers, the service 20 times slower for 5 of every 20 minutes",
                    8,
                    false,
                    false,
                    0,
                    traffic -> traffic.slowDown = seconds -> seconds % 1_200 >= 600 && seconds % 1_200 < 900 ? 20 : 1));

    private record Figures(double used, double refused, double requestsAnHour, double jain, long fullest) {}

    private final StringBuilder text = new StringBuilder();

    private void line(String format, Object... values) {
        text.append(String.format(Locale.ROOT, format, values)).append('\n');
    }

    private static SimulatedService exact() {
        return exact(false);
    }

    private static SimulatedService exact(boolean countsRefused) {
        return new SimulatedService(new VirtualTime(), ServerModel.exact(1_500, 30, countsRefused));
    }

    private static long[] each(int writers, long rows) {
        long[] all = new long[writers];
        Arrays.fill(all, rows);
        return all;
    }

    private static long[] skewed(long rows, int writers) {
        long[] all = each(writers, rows / 2 / (writers - 1));
        all[0] = rows / 2;
        all[1] += rows - Arrays.stream(all).sum();
        return all;
    }

    /** Jain's index: 1 if all got the same, 1/n if one got everything. */
    private static double jain(List<Long> shares) {
        double sum = shares.stream().mapToDouble(share -> share).sum();
        double squares =
                shares.stream().mapToDouble(share -> (double) share * share).sum();
        return squares == 0 ? 0 : sum * sum / shares.size() / squares;
    }

    private static List<Long> acknowledged(SimulatedApplication application) {
        Map<Integer, Long> byPartition = application.writers.stream()
                .collect(Collectors.groupingBy(
                        writer -> writer.id.partition(),
                        TreeMap::new,
                        Collectors.summingLong(SimulatedWriter::acknowledged)));
        return List.copyOf(byPartition.values());
    }

    private static SimulatedApplication ours(SimulatedService service, Traffic traffic, long seed, long... rows) {
        return new SimulatedApplication(service, traffic, seed, AllowanceLog.empty()).write(rows);
    }

    private static Figures figures(SimulatedService service, double seconds, List<Long> shares) {
        double accepted = shares.stream().mapToLong(share -> share).sum();
        return new Figures(
                accepted / seconds / 50,
                service.throttled() / (double) Math.max(1, service.arrivals.requests()),
                service.arrivals.requests() / seconds * 3_600,
                jain(shares),
                service.arrivals.mostInAnyWindow(30));
    }

    /** Everybody has more than enough for the whole time, or, with skew, until all rows are there. */
    private static Figures figures(Setting setting, Rival.@Nullable Kind rival, Pacing pacing) {
        SimulatedService service = exact(setting.countsRefused());
        long[] rows = setting.skewed() ? setting.rows() : each(setting.writers(), PLENTY);
        double seconds = setting.skewed() ? makespan(setting, rival, pacing) : SATURATED_SECONDS;
        if (rival == null) {
            SimulatedApplication application = ours(service, setting.traffic(pacing), 1, rows);
            service.time.runUntil(seconds);
            return figures(service, seconds, acknowledged(application));
        }
        Rival other = new Rival(service, setting.traffic(pacing), 1, setting.retryAfter()).write(rival, rows);
        service.time.runUntil(seconds);
        return figures(service, seconds, other.acknowledged());
    }

    private static double makespan(Setting setting, Rival.@Nullable Kind rival, Pacing pacing) {
        SimulatedService service = exact(setting.countsRefused());
        if (rival == null) {
            SimulatedApplication application = ours(service, setting.traffic(pacing), 1, setting.rows());
            service.time.runUntil(200_000);
            return application.finishedAt();
        }
        Rival other = new Rival(service, setting.traffic(pacing), 1, setting.retryAfter()).write(rival, setting.rows());
        service.time.runUntil(200_000);
        return other.finishedAt();
    }

    private void row(String name, Setting setting, Rival.@Nullable Kind rival, Pacing pacing) {
        Figures figures = figures(setting, rival, pacing);
        line(
                "| %s | %.3f | %.2f %% | %,.0f s | %,.0f | %s | %,d |",
                name,
                figures.used(),
                100 * figures.refused(),
                makespan(setting, rival, pacing),
                figures.requestsAnHour(),
                setting.skewed() ? "" : String.format(Locale.ROOT, "%.3f", figures.jain()),
                figures.fullest());
    }

    private void comparison() {
        for (Setting setting : SETTINGS) {
            line("");
            line("### %s", setting.name());
            line("");
            line("| | used | refused | makespan | requests an hour | Jain | fullest window asked for |");
            line("| --- | --- | --- | --- | --- | --- | --- |");
            row("Guava `RateLimiter` per task", setting, Rival.Kind.PER_TASK, Pacing.BURST);
            row("Guava `RateLimiter` per executor", setting, Rival.Kind.PER_EXECUTOR, Pacing.BURST);
            row("AIMD per executor", setting, Rival.Kind.AIMD, Pacing.BURST);
            row("bucket on the driver, 1,500 in store", setting, Rival.Kind.DRIVER_BUCKET_OF_A_WINDOW, Pacing.BURST);
            row("bucket on the driver, 100 in store", setting, Rival.Kind.DRIVER_BUCKET_OF_TWO_SECONDS, Pacing.BURST);
            row("the same at 14/15 of the rate", setting, Rival.Kind.DRIVER_BUCKET_WITH_RESERVE, Pacing.BURST);
            row("**this allowance**, burst", setting, null, Pacing.BURST);
            row("**this allowance**, smooth", setting, null, Pacing.SMOOTH);
        }
    }

    private void saturated() {
        line("| writers | pacing | of the bound | requests an hour | 429s | fullest window |");
        line("| --- | --- | --- | --- | --- | --- |");
        for (Pacing pacing : Pacing.values()) {
            for (int writers : new int[] {1, 4, 8, 40}) {
                SimulatedService service = exact();
                Traffic traffic = Traffic.of(pacing);
                ours(service, traffic, 1, each(writers, PLENTY));
                service.time.runUntil(3 * 3_600);
                line(
                        "| %d | %s | %.3f | %,.0f | %d | %,d |",
                        writers,
                        pacing.name().toLowerCase(Locale.ROOT),
                        service.arrivals.rate(300) / traffic.boundPerSecond(),
                        service.arrivals.requests() / 3.0,
                        service.throttled(),
                        service.arrivals.mostInAnyWindow(30));
            }
        }
    }

    private void straggler() {
        for (Pacing pacing : Pacing.values()) {
            SimulatedApplication application = ours(exact(), Traffic.of(pacing), 1, skewed(200_000, 40));
            application.service.time.runUntil(20_000);
            line(
                    "| 200,000 rows, half in one of 40 partitions, %s: time against rows/50 + W | %.3f |",
                    pacing.name().toLowerCase(Locale.ROOT), application.finishedAt() / (200_000 / 50.0 + 30));
        }
        for (int writers : new int[] {1, 8, 40}) {
            Traffic traffic = Traffic.of(Pacing.BURST);
            traffic.spikes = 0;
            long[] rows = each(writers, 1_500 / writers);
            rows[0] += 1_500 - Arrays.stream(rows).sum();
            SimulatedApplication application = ours(exact(), traffic, 1, rows);
            application.service.time.runUntil(60);
            line(
                    "| 1,500 rows on an idle window, writers: %d; done after | %.1f s |",
                    writers, application.finishedAt());
        }
    }

    private void restarts() {
        long clean = 0;
        long killed = 0;
        long receiptsAlone = 0;
        for (long seed = 1; seed <= 25; seed++) {
            clean += new Restarts(seed).clean(20, random -> 0).refusedAfter();
            killed += new Restarts(seed)
                    .killed(20, AllowanceLog::afterCrash, random -> 0)
                    .refusedAfter();
            receiptsAlone += new Restarts(seed)
                    .killed(20, Restarts.Seeding::fromReceiptsAlone, random -> 0)
                    .refusedAfter();
        }
        line("| 500 clean restarts: those with a 429 | %d |", clean);
        line("| 500 restarts after a crash: those with a 429 | %d |", killed);
        line("| the same, seeded from receipts alone (a mutant) | %d |", receiptsAlone);
    }

    private void strangers() {
        for (int writers : new int[] {4, 8, 40}) {
            List<String> shares = new ArrayList<>();
            long refused = 0;
            long requests = 0;
            for (long seed = 1; seed <= 3; seed++) {
                SimulatedService service = exact();
                SimulatedApplication first = ours(service, Traffic.of(Pacing.BURST), 100 * seed, each(writers, PLENTY));
                service.time.runUntil(600);
                double alone = sum(first);
                SimulatedApplication second =
                        ours(service, Traffic.of(Pacing.BURST), 100 * seed + 1, each(writers, PLENTY));
                service.time.runUntil(3 * 3_600);
                double of = sum(first) - alone;
                shares.add(String.format(Locale.ROOT, "%.2f", of / (of + sum(second))));
                refused += service.throttled();
                requests += service.arrivals.requests();
            }
            line(
                    "| two that do not know of each other, %d writers each, 3 seeds: 429s; share of the first | %.3f %%; %s |",
                    writers, 100.0 * refused / requests, String.join(", ", shares));
        }
        SimulatedService service = exact();
        List<SimulatedApplication> declared = Stream.of(1L, 2L)
                .map(seed -> {
                    Traffic traffic = new Traffic();
                    traffic.rules = Traffic.rules(0.5, Pacing.BURST);
                    return ours(service, traffic, seed, each(8, PLENTY));
                })
                .toList();
        service.time.runUntil(3 * 3_600);
        line(
                "| two with `allowanceShare` 0.5: 429s; share of the first | %d; %.2f |",
                service.throttled(), sum(declared.get(0)) / (sum(declared.get(0)) + sum(declared.get(1))));
    }

    private static double sum(SimulatedApplication application) {
        return application.writers.stream()
                .mapToLong(SimulatedWriter::acknowledged)
                .sum();
    }

    private void countings() {
        line("| the service counts by | refused calls count | 429s in two hours | of the bound |");
        line("| --- | --- | --- | --- |");
        for (AllowanceScenariosTest.Counting counting : AllowanceScenariosTest.Counting.values()) {
            for (boolean countsRefused : new boolean[] {false, true}) {
                SimulatedService service = new SimulatedService(new VirtualTime(), counting.model(countsRefused));
                Traffic traffic = Traffic.of(Pacing.BURST);
                SimulatedApplication application = ours(service, traffic, 1, each(8, PLENTY));
                service.time.runUntil(7_200);
                line(
                        "| %s | %s | %d | %.3f |",
                        switch (counting) {
                            case EXACT -> "the exact window";
                            case TWO_BUCKETS -> "two buckets";
                            case WHOLE_SECONDS -> "whole seconds";
                            case TOKENS_1500 -> "a token bucket of 1,500";
                            case TOKENS_50 -> "a token bucket of 50";
                        },
                        countsRefused ? "yes" : "no",
                        service.throttled(),
                        sum(application) / 7_200 / traffic.boundPerSecond());
            }
        }
    }

    /** The whole report. */
    static String render() {
        AllowanceReport report = new AllowanceReport();
        report.text.append("""
                # The allowance in figures, and beside its rivals

                Simulated: virtual time, seeded, the real coordinator. The text is the same on every machine, and a test
                compares it, so that a change of the coordinator shows here as a difference. To write it again:

                ```bash
                mvn -q -pl connector/client test -Dtest=AllowanceReportTest -Dusermap.regenerate=true
                ```

                The service is the documented one, 1,500 mappings in any 30 s, exact, unless a table says otherwise. A round trip
                takes 0.05 to 0.5 s, and one in a hundred 5 s more. *The bound* is W / (W + guard + round trip) of the rate, 0.958
                of it here. How long a decision takes is not in this file, because it differs from machine to machine.

                ## Figures of the allowance

                Saturated for three hours, from the fifth minute on:

                """);
        report.saturated();
        report.line("");
        report.line("| | |");
        report.line("| --- | --- |");
        report.straggler();
        report.restarts();
        report.strangers();
        report.line("");
        report.line("Eight writers in burst, from the start, at services that may not count as documented:");
        report.line("");
        report.countings();
        report.text.append("""

                ## Comparison

                Six ways to keep to a rate without a coordinator that holds permits, each as a careful engineer would build it:
                the documented rate of 50 a second divided by whoever has a limiter, batches that together fit into one window,
                and after a 429 the longer of `Retry-After` and an exponential backoff with full jitter, 1 to 60 s. AIMD halves
                its executor's rate after a 429, once in 10 s, and adds 1 % of the first rate with each success. The bucket on
                the driver is asked before each batch; at 14/15 of the rate a window and its store together hold 1,500.

                *used*: mappings accepted in two hours with plenty to do, of 50 a second (with skew: until all rows are there).
                *refused*: requests answered 429, of all. *makespan*: until 60,000 rows are accepted. *Jain*: 1 if all writers
                got the same. *fullest window asked for*: mappings that reached the service in some 30 s, accepted or not; more
                than 1,500 is what a stricter service would punish.

                How to read it: a rate keeps to a window only on the average. What a limiter lets through in one go, and what a
                round trip bunches, exceeds some window, and the refused batch waits while its share goes unused. A share that
                is bound to a task or an executor is lost when the others have finished. The bucket on the driver comes closest,
                because it is shared. At the full rate and with many small batches it even uses more than the bound, since it
                holds nothing back until an answer is there; it pays with refusals, which ruin it where refused calls count. With
                a reserve it is seldom refused while round trips are short, and gives away a fifteenth; when they grow, it is
                refused again. The bound is the price of never being refused, however long a request takes.
                """);
        report.comparison();
        return report.text.toString();
    }
}
