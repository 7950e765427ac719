package io.usermap.job;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** What a person reads at the end: to be judged in ten seconds; pure. */
final class Summary {
    private Summary() {}

    /**
     * A plan that nobody has applied yet.
     *
     * @param tripped the guards that it does not pass
     * @param examples changes to show, where reports may show ids
     */
    static String ofPlan(Plan plan, List<Guards.Tripped> tripped, List<String> examples) {
        StringBuilder text = new StringBuilder();
        text.append("plan ").append(plan.run()).append('\n');
        Plan.Counts counts = plan.counts();
        if (!plan.isOfSource()) {
            text.append("  ").append(plan.shape()).append('\n');
        } else {
            line(text, "source rows", counts.sourceRows(), plan.shape());
            line(text, "unchanged", counts.unchanged(), "");
        }
        line(text, "to map", counts.map(), "");
        line(text, "to remap", counts.remap(), plan.unmapsFirst() && counts.remap() > 0 ? "unmapped first" : "");
        line(text, "to unmap", counts.unmap(), "");
        carriedOver(text, plan);
        if (plan.isOfSource()) {
            line(text, "rejected", plan.rejected(), Phrases.reasons(plan.rejectedByReason()));
            leftOut(text, plan);
            suspicious(text, counts);
            text.append("  ").append(moves(counts)).append('\n');
        }
        examples.forEach(example -> text.append("    ").append(example).append('\n'));
        if (plan.writes() == 0) {
            return text.append("nothing to do").toString();
        }
        text.append("sending takes about ")
                .append(Phrases.duration(Duration.ofMillis((long) (plan.etaSeconds() * 1000))));
        if (tripped.isEmpty()) {
            return text.append("; usermap apply ")
                    .append(plan.run())
                    .append(" carries it out")
                    .toString();
        }
        text.append("; stopped by ").append(tripped.get(0).name());
        tripped.stream().skip(1).forEach(guard -> text.append(", ").append(guard.name()));
        return text.toString();
    }

    /** A plan and what became of it in the time that it {@code took}. */
    static String ofApply(Plan plan, Sending.Sent sent, Duration took) {
        boolean all = sent.accepted() == plan.writes();
        Plan.Counts counts = plan.counts();
        StringBuilder text = new StringBuilder();
        text.append("apply ").append(plan.run()).append(all ? ": done in " : ": ended after ");
        text.append(Phrases.duration(took)).append('\n');
        line(text, "source rows", counts.sourceRows(), plan.shape());
        line(text, "unchanged", counts.unchanged(), "");
        line(text, all ? "mapped" : "to map", counts.map(), "");
        line(text, all ? "remapped" : "to remap", counts.remap(), plan.unmapsFirst() ? "unmapped first" : "");
        line(text, all ? "unmapped" : "to unmap", counts.unmap(), "");
        carriedOver(text, plan);
        String earlier = sent.before() == 0 ? "" : Phrases.count(sent.before()) + " of them before it was interrupted";
        line(text, "accepted", sent.accepted(), earlier);
        Map<String, Long> rejected = rejected(plan, sent.rejectedByReason());
        line(
                text,
                "rejected",
                rejected.values().stream().mapToLong(Long::longValue).sum(),
                Phrases.reasons(rejected));
        leftOut(text, plan);
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

    private static void carriedOver(StringBuilder text, Plan plan) {
        Plan.Changes left = plan.carriedOver();
        if (left.all() > 0) {
            line(
                    text,
                    "carried over",
                    left.all(),
                    "left to the next run: " + Phrases.count(left.map()) + " to map, " + Phrases.count(left.remap())
                            + " to remap, " + Phrases.count(left.unmap()) + " to unmap");
        }
    }

    private static void leftOut(StringBuilder text, Plan plan) {
        long leftOut = plan.leftOutByReason().values().stream()
                .mapToLong(Long::longValue)
                .sum();
        if (leftOut > 0) {
            line(text, "left out", leftOut, Phrases.reasons(plan.leftOutByReason()));
        }
    }

    private static void suspicious(StringBuilder text, Plan.Counts counts) {
        if (counts.suspicious() > 0) {
            line(text, "suspicious", counts.suspicious(), "planned, but differ from another id only by case or blanks");
        }
    }

    /** For example {@code 3 merges and 1 split of known persons; the largest cluster has 7 users}. */
    private static String moves(Plan.Counts counts) {
        List<String> words = new ArrayList<>();
        if (counts.merged() > 0) {
            words.add(Phrases.count(counts.merged()) + (counts.merged() == 1 ? " merge" : " merges"));
        }
        if (counts.split() > 0) {
            words.add(Phrases.count(counts.split()) + (counts.split() == 1 ? " split" : " splits"));
        }
        String what = words.isEmpty() ? "no merge and no split" : String.join(" and ", words);
        return what + " of known persons; the largest cluster has " + Phrases.count(counts.largestCluster()) + " users";
    }

    private static void line(StringBuilder text, String name, long number, String remark) {
        String line = "  %-12s %10s  %s".formatted(name, Phrases.count(number), remark);
        text.append(line.stripTrailing()).append('\n');
    }
}
