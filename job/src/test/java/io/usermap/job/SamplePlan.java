package io.usermap.job;

import java.util.Map;

/** Plans for tests that need no rows. */
final class SamplePlan {
    private SamplePlan() {}

    static Plan of(Plan.Counts counts, Plan.Changes carriedOver, Map<String, Long> rejectedByReason) {
        return of("overwrite", counts, carriedOver, rejectedByReason);
    }

    static Plan of(String remap, Plan.Counts counts, Plan.Changes carriedOver, Map<String, Long> rejectedByReason) {
        return of("upsert", remap, true, counts, carriedOver, rejectedByReason);
    }

    static Plan undo(Plan.Counts counts) {
        return of(Plan.UNDO, "overwrite", true, counts, Plan.Changes.NONE, Map.of());
    }

    static Plan feed(Plan.Counts counts) {
        return of("upsert", "overwrite", false, counts, Plan.Changes.NONE, Map.of());
    }

    private static Plan of(
            String mode,
            String remap,
            boolean whole,
            Plan.Counts counts,
            Plan.Changes carriedOver,
            Map<String, Long> rejectedByReason) {
        return new Plan(
                Plan.FORMAT,
                "20261122T041702175Z-cea1",
                "2026-11-22T04:17:02.175Z",
                mode,
                remap,
                "clusters: user_id by cluster_id",
                whole,
                "f-1-2",
                "0123456789abcdef",
                0,
                counts,
                carriedOver,
                rejectedByReason,
                Map.of("duplicate", 4L, "self_map", 7L),
                62);
    }
}
