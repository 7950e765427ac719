package io.usermap.spark;

import io.usermap.client.Mapping;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Finds repetitions and contradictions among rows that come sorted by user, in constant memory.
 *
 * <p>One row is held back until a row of another user follows. Equal rows of one user count once; if any two of them
 * differ, all of them contradict each other, whichever came first. Used by a writer's task on an executor. Not
 * thread-safe.
 */
final class AdjacentRows {

    /**
     * What a row showed.
     *
     * @param toSend the row held back so far, of which no other row of its user can follow
     * @param repeated the row was there already
     * @param contradictory rows that contradict each other, this one last; empty in the ordinary course
     */
    record Finding(Optional<Mapping> toSend, boolean repeated, List<Mapping> contradictory) {
        private static final Finding REPEATED = new Finding(Optional.empty(), true, List.of());

        private static Finding contradiction(Mapping... rows) {
            return new Finding(Optional.empty(), false, List.of(rows));
        }
    }

    private @Nullable Mapping held;
    private @Nullable Mapping released;
    private @Nullable String contradictoryUser;

    /** Takes the next row. */
    Finding next(Mapping row) {
        Mapping before = held;
        if (before != null && before.userId().equals(row.userId())) {
            if (before.equals(row)) {
                return Finding.REPEATED;
            }
            held = null;
            contradictoryUser = row.userId();
            return Finding.contradiction(before, row);
        }
        if (row.userId().equals(contradictoryUser)) {
            return Finding.contradiction(row);
        }
        if (before == null && released != null && released.userId().equals(row.userId())) {
            // Its user's first row left early.
            return released.equals(row) ? Finding.REPEATED : Finding.contradiction(row);
        }
        Finding finding = new Finding(release(), false, List.of());
        held = row;
        return finding;
    }

    /** The row held back, if any: at the end of the rows, or when it cannot wait. */
    Optional<Mapping> release() {
        Mapping row = held;
        held = null;
        released = row == null ? released : row;
        return Optional.ofNullable(row);
    }
}
