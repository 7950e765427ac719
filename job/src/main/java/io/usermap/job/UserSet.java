package io.usermap.job;

import java.io.Serial;
import java.io.Serializable;
import java.util.BitSet;
import org.apache.spark.unsafe.types.UTF8String;

/**
 * Any number of users in a megabyte, which may seem to hold some others too: one in eight with a million users in it.
 *
 * <p>Tells tasks whom to leave out early; whoever must know exactly asks once more. Not thread-safe.
 */
final class UserSet implements Serializable {
    @Serial
    private static final long serialVersionUID = 1L;

    private static final int PLACES = 1 << 23;

    private final BitSet taken = new BitSet(PLACES);

    private static int place(UTF8String user) {
        return (int) (IdKey.exact(user) & (PLACES - 1));
    }

    /** This set, which holds {@code user} from now on. */
    UserSet with(UTF8String user) {
        taken.set(place(user));
        return this;
    }

    /** This set, which holds {@code others} too from now on. */
    UserSet or(UserSet others) {
        taken.or(others.taken);
        return this;
    }

    /** False if {@code user} is not in the set. */
    boolean mayHave(UTF8String user) {
        return taken.get(place(user));
    }
}
