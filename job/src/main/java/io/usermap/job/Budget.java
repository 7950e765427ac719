package io.usermap.job;

import io.usermap.client.AllowanceRules;
import io.usermap.client.AllowanceRules.Pacing;
import io.usermap.job.Keys.Remap;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;

/**
 * How many mappings a run may send, and which clusters these are; pure.
 *
 * <p>Clusters are taken whole or left whole, the most valuable first: those with an unmap, then those with a remap, then
 * those with new users only. Among equals the larger go first, so that many small ones that are new every day do not keep a
 * large one waiting; what is left over goes to smaller and to less valuable ones. A cluster that is larger than the whole
 * budget is taken in part, after the others of its value. Example: 10 writes for clusters with an unmap of 6, 6 and 3 writes
 * and single new users: one of 6, the one of 3, one new user; the other one of 6 comes first in the next run.
 *
 * @param writes the most mappings to send
 */
record Budget(long writes) {

    /**
     * Clusters that are alike.
     *
     * @param value 0 with an unmap, 1 with a remap, 2 with new users only
     * @param size mappings that each of them needs
     * @param clusters how many there are
     */
    record Group(int value, long size, long clusters) {}

    /**
     * How many clusters of a group are taken whole.
     *
     * @param group the clusters
     * @param taken how many of them
     */
    record Quota(Group group, long taken) {}

    /**
     * A cluster that is taken in part.
     *
     * @param value its value
     * @param writes how many of its mappings are taken at most
     */
    record Part(int value, long writes) {}

    /**
     * What fits.
     *
     * @param quotas groups of which at least one cluster is taken
     * @param part the beginning of one cluster that is larger than the budget
     */
    record Division(List<Quota> quotas, Optional<Part> part) {}

    /** The budget that the configuration sets; empty if it sets none. */
    static Optional<Budget> of(Configuration configuration) {
        boolean unmapsFirst = configuration.value(Keys.REMAP) == Remap.UNMAP_FIRST;
        Optional<Integer> most = configuration.optional(Keys.MAX_WRITES);
        Optional<Long> inTime = configuration.optional(Keys.MAX_DURATION).map(duration -> {
            AllowanceRules rules = configuration.allowance();
            return writesWithin(unmapsFirst ? duration.minus(Plan.lateArrival(rules)) : duration, rules);
        });
        Optional<Long> writes = most.map(Integer::longValue);
        return writes.map(limit -> Math.min(limit, inTime.orElse(limit)))
                .or(() -> inTime)
                .map(Budget::new);
    }

    /** The most mappings that {@link Plan#leastTime(long, AllowanceRules)} finds room for; in bursts at least one window. */
    static long writesWithin(Duration duration, AllowanceRules rules) {
        long millis = Math.max(0, duration.toMillis());
        if (rules.pacing() == Pacing.SMOOTH) {
            return Math.max(
                    2, millis * rules.mappingsPerWindow() / rules.coolDown().toMillis());
        }
        return (millis / rules.coolDown().toMillis() + 1) * rules.mappingsPerWindow();
    }

    /** What of {@code groups} fits; the same whatever their order. */
    Division divide(List<Group> groups) {
        List<Quota> quotas = new ArrayList<>();
        Optional<Part> part = Optional.empty();
        long left = writes;
        for (int value = 0; value <= 2; value++) {
            int wanted = value;
            List<Group> alike = groups.stream()
                    .filter(group -> group.value() == wanted)
                    .sorted(Comparator.comparingLong(Group::size).reversed())
                    .toList();
            for (Group group : alike) {
                long taken = group.size() > writes ? 0 : Math.min(group.clusters(), left / group.size());
                if (taken > 0) {
                    quotas.add(new Quota(group, taken));
                    left -= taken * group.size();
                }
            }
            if (left > 0 && alike.stream().anyMatch(group -> group.size() > writes)) {
                part = Optional.of(new Part(value, left));
                left = 0;
            }
        }
        return new Division(List.copyOf(quotas), part);
    }
}
