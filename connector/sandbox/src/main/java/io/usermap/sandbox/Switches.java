package io.usermap.sandbox;

import java.util.Optional;
import java.util.OptionalInt;

/**
 * How a {@link Sandbox} settles the points that the API's documentation leaves open.
 *
 * <p>Immutable. Nobody outside the service knows which of these is true: the defaults are choices, not facts. A fault
 * script sets them by the names in brackets, and they can be changed while the sandbox runs.
 *
 * @param windowModel how mappings are counted ({@code window_model})
 * @param tokenCapacity the most mappings that a token bucket lets through at once, 1 or more; a whole window's when empty
 *     ({@code token_capacity})
 * @param throttledCalls whether a batch answered with 429 counts towards the window ({@code throttled_calls})
 * @param refusedCalls whether a well-formed batch answered with another error counts ({@code refused_calls})
 * @param retryAfter the header {@code Retry-After} of a 429; without it there is none ({@code retry_after})
 * @param remaps what happens to a mapping of an id that is mapped to another id ({@code remaps})
 * @param chains what happens to a mapping onto a mapped id, or of an id that others are mapped to ({@code chains})
 * @param selfMaps what happens to a mapping of an id to itself ({@code self_maps})
 */
record Switches(
        WindowModel windowModel,
        OptionalInt tokenCapacity,
        Charge throttledCalls,
        Charge refusedCalls,
        Optional<String> retryAfter,
        Treatment remaps,
        Treatment chains,
        Treatment selfMaps) {

    /** An exact window, calls that are not served are free, every mapping is stored. */
    static final Switches DEFAULTS = new Switches(
            WindowModel.EXACT,
            OptionalInt.empty(),
            Charge.FREE,
            Charge.FREE,
            Optional.empty(),
            Treatment.STORE,
            Treatment.STORE,
            Treatment.STORE);

    /** How mappings are counted against the limit. The documentation says "over 30 seconds" and no more. */
    enum WindowModel {
        /** At most the limit in any window whatever. */
        EXACT,
        /** Two counters of a window each, the older one weighted by how much of it the window still covers. */
        TWO_BUCKETS,
        /** Whole thirtieths of the window, seconds at the default: a mapping counts up to one of them too long. */
        SECOND_BUCKETS,
        /** Tokens that come back at an even rate, up to {@link Switches#tokenCapacity()}. */
        TOKEN_BUCKET
    }

    /** Whether the mappings of a call that is not served count towards the window. */
    enum Charge {
        /** They do not. */
        FREE,
        /** They do, so a sender that does not pause stays locked out. */
        COUNTED
    }

    /** What happens to a mapping whose effect the documentation does not describe. */
    enum Treatment {
        /** It is stored, in place of the one that the id had. */
        STORE,
        /** The call succeeds and this mapping has no effect. */
        IGNORE,
        /** The whole batch is answered with 400 and nothing of it is stored. */
        REFUSE
    }
}
