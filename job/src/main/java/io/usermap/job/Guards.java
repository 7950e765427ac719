package io.usermap.job;

import com.fasterxml.jackson.annotation.JsonUnwrapped;
import io.usermap.client.InvalidSettingsException;
import io.usermap.client.Settings;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.TreeSet;

/**
 * The checks that a plan must pass before its first request; pure.
 *
 * <p>Changes that a budget leaves to later runs are judged with those that are sent: a wrong plan does not become right by
 * being sent in small pieces.
 */
final class Guards {

    /** Every guard by the name that {@code --allow} takes. */
    static final Set<String> NAMES = Set.of(
            "min-source-rows",
            "max-shrink",
            "max-unmap-share",
            "max-remap-share",
            "max-cluster-size",
            "max-placeholder-share");

    /**
     * A guard that a plan does not pass.
     *
     * @param name as {@code --allow} takes it
     * @param message what it found, the limit, and how to lift it
     */
    record Tripped(String name, String message) {}

    private Guards() {}

    /**
     * The guards that a command lifts.
     *
     * @throws InvalidSettingsException if there is none of a name, naming the nearest
     */
    static Set<String> allowed(Collection<String> names) {
        List<String> problems = names.stream()
                .filter(name -> !NAMES.contains(name))
                .map(name -> Settings.unknown("guard", name, new TreeSet<>(NAMES)) + " There are "
                        + String.join(", ", new TreeSet<>(NAMES)) + ".")
                .toList();
        Settings.throwIfAny(problems);
        return Set.copyOf(names);
    }

    /** The guards that {@code plan} does not pass and {@code allowed} does not name. */
    static List<Tripped> tripped(Plan plan, Configuration configuration, Set<String> allowed) {
        List<Tripped> tripped = new ArrayList<>();
        Plan.Counts counts = plan.counts();
        int least = configuration.value(Keys.MIN_SOURCE_ROWS);
        // A feed has as many rows as there were changes, which may be none.
        if (plan.isOfSource() && plan.whole() && counts.sourceRows() < least) {
            tripped.add(trip(
                    plan,
                    "min-source-rows",
                    "the source has " + Phrases.count(counts.sourceRows()) + " rows, fewer than "
                            + Phrases.count(least)));
        }
        double shrunk = share(counts.lastSourceRows() - counts.sourceRows(), counts.lastSourceRows());
        above(
                plan,
                "max-shrink",
                shrunk,
                configuration.value(Keys.MAX_SHRINK),
                "of the source's rows are gone",
                tripped);
        above(
                plan,
                "max-unmap-share",
                share(counts.unmap() + plan.carriedOver().unmap(), counts.acknowledged()),
                configuration.value(Keys.MAX_UNMAP_SHARE),
                "of the acknowledged mappings would be removed",
                tripped);
        above(
                plan,
                "max-remap-share",
                share(counts.remap() + plan.carriedOver().remap(), counts.acknowledged()),
                configuration.value(Keys.MAX_REMAP_SHARE),
                "of the acknowledged mappings would get another target",
                tripped);
        int largest = configuration.value(Keys.MAX_CLUSTER_SIZE);
        if (counts.largestCluster() > largest) {
            tripped.add(trip(
                    plan,
                    "max-cluster-size",
                    "the largest cluster has " + Phrases.count(counts.largestCluster()) + " users, more than "
                            + Phrases.count(largest)));
        }
        above(
                plan,
                "max-placeholder-share",
                share(plan.rejectedByReason().getOrDefault("placeholder", 0L), counts.sourceRows()),
                configuration.value(Keys.MAX_PLACEHOLDER_SHARE),
                "of the source's rows hold placeholders",
                tripped);
        tripped.removeIf(guard -> allowed.contains(guard.name()));
        return List.copyOf(tripped);
    }

    /** A plan as {@code plan.json} holds it, and the names of the guards that it does not pass; for programs. */
    static String document(Plan plan, List<Tripped> tripped) {
        return Json.document(
                        new Judged(plan, tripped.stream().map(Tripped::name).toList()))
                .strip();
    }

    private record Judged(@JsonUnwrapped Plan plan, List<String> guards) {}

    private static void above(Plan plan, String name, double share, double most, String what, List<Tripped> tripped) {
        if (share > most) {
            tripped.add(trip(plan, name, percent(share) + " " + what + ", more than " + percent(most)));
        }
    }

    private static Tripped trip(Plan plan, String name, String fact) {
        // Only a plan of the source is made again by the command that it came from.
        String how = plan.isOfSource()
                ? "run it with --allow " + name
                : "run 'usermap apply " + plan.run() + " --allow " + name + "'";
        return new Tripped(
                name,
                "Cannot apply the plan: " + fact + ". If that is right, " + how + ", or set 'guards." + name + "'.");
    }

    private static double share(long part, long whole) {
        return whole <= 0 ? 0 : (double) part / whole;
    }

    private static String percent(double share) {
        return String.format(Locale.ROOT, "%.1f %%", share * 100);
    }
}
