package io.usermap.job;

import java.util.Locale;

/** How a command ended, as {@code report.json} says it. */
enum Outcome {
    /** Everything that was asked for is done. */
    DONE,
    /** There was nothing to change. */
    NOTHING_TO_DO,
    /** Done, but more rows were rejected, or more mappings have drifted, than the configuration allows. */
    REJECTED,
    /** A guard stopped the plan before the first request. */
    GUARD,
    /** The plan was made for a state that has moved since. */
    STALE,
    /** A signal ended it; the next {@code apply} resumes. */
    INTERRUPTED,
    /** It could not be done. */
    FAILED;

    /** The word in the report. */
    String word() {
        return name().toLowerCase(Locale.ROOT);
    }
}
