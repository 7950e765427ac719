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
 * @param mode {@code upsert} or {@code mirror}
 * @param shape how the source was understood, in words
 * @param stateVersion the version of the state that the plan starts from
 * @param hash the same for equal rows in any order
 * @param sourceRows rows of the source
 * @param lastSourceRows rows that the source had when the state was last changed, 0 if never
 * @param acknowledged users mapped before the plan
 * @param unchanged users whose mapping is in force already
 * @param map users to map who are not mapped
 * @param remap users to map elsewhere
 * @param unmap users to unmap
 * @param largestCluster users of the largest cluster
 * @param rejectedByReason rows of the source that are not planned
 * @param etaSeconds how long sending takes at least, under the allowance
 */
record Plan(
        int format,
        String run,
        String createdAt,
        String mode,
        String shape,
        long stateVersion,
        String hash,
        long sourceRows,
        long lastSourceRows,
        long acknowledged,
        long unchanged,
        long map,
        long remap,
        long unmap,
        long largestCluster,
        Map<String, Long> rejectedByReason,
        double etaSeconds) {

    static final int FORMAT = 1;

    /** Mappings to send. */
    long writes() {
        return map + remap + unmap;
    }

    /** Rows of the source that are not planned. */
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
}
