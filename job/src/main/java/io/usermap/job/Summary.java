package io.usermap.job;

import java.time.Duration;
import java.util.Map;
import java.util.TreeMap;

/** What a person reads at the end: to be judged in ten seconds; pure. */
final class Summary {
    private Summary() {}

    /** A plan that nobody has applied yet. */
    static String ofPlan(Plan plan) {
        StringBuilder text = new StringBuilder();
        text.append("plan ").append(plan.run()).append('\n');
        line(text, "source rows", plan.sourceRows(), plan.shape());
        line(text, "unchanged", plan.unchanged(), "");
        line(text, "to map", plan.map(), "");
        line(text, "to remap", plan.remap(), "");
        line(text, "to unmap", plan.unmap(), "");
        line(text, "rejected", plan.rejected(), Phrases.reasons(plan.rejectedByReason()));
        if (plan.writes() == 0) {
            return text.append("nothing to do").toString();
        }
        return text.append("sending takes about ")
                .append(Phrases.duration(Duration.ofMillis((long) (plan.etaSeconds() * 1000))))
                .append("; usermap apply ")
                .append(plan.run())
                .append(" carries it out")
                .toString();
    }

    /** A plan and what became of it. */
    static String ofApply(Plan plan, Sending.Sent sent) {
        boolean all = sent.accepted() == plan.writes();
        StringBuilder text = new StringBuilder();
        text.append("apply ").append(plan.run()).append(all ? ": done in " : ": ended after ");
        text.append(Phrases.duration(sent.took())).append('\n');
        line(text, "source rows", plan.sourceRows(), plan.shape());
        line(text, "unchanged", plan.unchanged(), "");
        line(text, all ? "mapped" : "to map", plan.map(), "");
        line(text, all ? "remapped" : "to remap", plan.remap(), "");
        line(text, all ? "unmapped" : "to unmap", plan.unmap(), "");
        String earlier = sent.before() == 0 ? "" : Phrases.count(sent.before()) + " of them before it was interrupted";
        line(text, "accepted", sent.accepted(), earlier);
        Map<String, Long> rejected = rejected(plan, sent.rejectedByReason());
        line(
                text,
                "rejected",
                rejected.values().stream().mapToLong(Long::longValue).sum(),
                Phrases.reasons(rejected));
        line(
                text,
                "requests",
                sent.figures().requests(),
                Phrases.count(sent.figures().resent()) + " mappings sent again, "
                        + Phrases.count(sent.figures().throttled()) + " requests throttled, "
                        + Phrases.share(sent.figures().usedShare()) + " of the allowance used");
        return text.substring(0, text.length() - 1);
    }

    /** Rejected rows of plan and service together. */
    static Map<String, Long> rejected(Plan plan, Map<String, Long> byService) {
        Map<String, Long> rejected = new TreeMap<>(plan.rejectedByReason());
        byService.forEach((reason, rows) -> rejected.merge(reason, rows, Long::sum));
        return rejected;
    }

    private static void line(StringBuilder text, String name, long number, String remark) {
        String line = "  %-12s %10s  %s".formatted(name, Phrases.count(number), remark);
        text.append(line.stripTrailing()).append('\n');
    }
}
