package io.usermap.job;

import io.usermap.client.AllowanceRules;
import io.usermap.client.AllowanceRules.Pacing;
import java.time.Duration;
import java.util.Map;

/**
 * What is known of a plan beside its rows; saved as {@code plan.json}.
 *
 * @param format the layout of the plan's files
 * @param run the run whose plan it is
 * @param createdAt in ISO form
 * @param mode {@code upsert}, {@code mirror}, {@code undo} or {@code repair}
 * @param remap {@code overwrite} or {@code unmap-first}
 * @param shape how the source was understood, in words
 * @param whole whether the source says all there is; the rows of a change feed tell nothing about its size
 * @param hash the same for equal rows in any order
 * @param sourceFingerprint another one if the source's files or their columns are others
 * @param stateVersion the version of the state that the plan starts from
 * @param counts rows and changes
 * @param carriedOver changes that the budget leaves to a later run
 * @param rejectedByReason rows of the source that cannot be right, and are not planned; the plan has a row for each
 * @param leftOutByReason rows of the source that map nobody: left out on purpose, repetitions and self-maps; counted only
 * @param etaSeconds how long sending takes at least, under the allowance
 */
record Plan(
        int format,
        String run,
        String createdAt,
        String mode,
        String remap,
        String shape,
        boolean whole,
        String hash,
        String sourceFingerprint,
        long stateVersion,
        Counts counts,
        Changes carriedOver,
        Map<String, Long> rejectedByReason,
        Map<String, Long> leftOutByReason,
        double etaSeconds) {

    static final int FORMAT = 1;
    static final String UNDO = "undo";
    static final String REPAIR = "repair";

    /**
     * Rows of the source, and users by what becomes of them.
     *
     * @param sourceRows rows of the source
     * @param lastSourceRows rows that the source had when the state was last changed, 0 if never
     * @param acknowledged users mapped before the plan
     * @param unchanged users whose mapping is in force already
     * @param map users to map who are not mapped
     * @param remap users to map elsewhere
     * @param unmap users to unmap
     * @param merged clusters that join what were several persons
     * @param split persons that are taken apart
     * @param largestCluster users of the largest cluster
     * @param suspicious users whose id differs from another one's only by case or blanks
     */
    record Counts(
            long sourceRows,
            long lastSourceRows,
            long acknowledged,
            long unchanged,
            long map,
            long remap,
            long unmap,
            long merged,
            long split,
            long largestCluster,
            long suspicious) {}

    /**
     * Users by what is to become of them.
     *
     * @param map users to map who are not mapped
     * @param remap users to map elsewhere
     * @param unmap users to unmap
     */
    record Changes(long map, long remap, long unmap) {
        static final Changes NONE = new Changes(0, 0, 0);

        long all() {
            return map + remap + unmap;
        }

        Changes minus(Changes part) {
            return new Changes(map - part.map, remap - part.remap, unmap - part.unmap);
        }
    }

    /** Whether it was made from a source, and not from what a ledger holds. */
    boolean isOfSource() {
        return !mode.equals(UNDO) && !mode.equals(REPAIR);
    }

    /** What this plan sends. */
    Changes changes() {
        return new Changes(counts.map(), counts.remap(), counts.unmap());
    }

    /** Whether a user who is mapped is unmapped before it is mapped elsewhere. */
    boolean unmapsFirst() {
        return remap.equals("unmap-first");
    }

    /** Mappings to send; a remap in two steps is two. */
    long writes() {
        return changes().all() + (unmapsFirst() ? counts.remap() : 0);
    }

    /** Rows of the source that cannot be right. */
    long rejected() {
        return rejectedByReason.values().stream().mapToLong(Long::longValue).sum();
    }

    /**
     * How long {@code writes} mappings take from an empty window: in bursts, a full window at once and one more after each
     * cool-down. At the defaults, 1,500 take no time and 4,112 take 62 s.
     */
    static Duration leastTime(long writes, AllowanceRules rules) {
        if (rules.pacing() == Pacing.SMOOTH) {
            return Duration.ofMillis(writes * rules.coolDown().toMillis() / rules.mappingsPerWindow());
        }
        long windows = (writes + rules.mappingsPerWindow() - 1) / rules.mappingsPerWindow();
        return rules.coolDown().multipliedBy(Math.max(0, windows - 1));
    }

    /**
     * How long {@code changes} take. Remaps in two steps count twice, and their maps wait until no unmap can still arrive,
     * while the other changes are sent: at the defaults 45 s, and less of it the more other changes there are.
     */
    static Duration leastTime(Changes changes, boolean unmapsFirst, AllowanceRules rules) {
        if (!unmapsFirst || changes.remap() == 0) {
            return leastTime(changes.all(), rules);
        }
        Duration meanwhile = leastTime(changes.map() + changes.unmap(), rules);
        Duration idle = lateArrival(rules).minus(meanwhile);
        return leastTime(changes.all() + changes.remap(), rules).plus(idle.isNegative() ? Duration.ZERO : idle);
    }

    /** How long after its grant a request may still arrive: send deadline, request time-out and margin; 45 s at the defaults. */
    static Duration lateArrival(AllowanceRules rules) {
        return rules.sendDeadline().plus(rules.callTimeout()).plus(rules.margin());
    }
}
