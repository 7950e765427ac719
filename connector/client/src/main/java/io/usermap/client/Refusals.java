package io.usermap.client;

/**
 * Tells rows that the service refuses from a service that refuses everything, for example because of a wrong key.
 *
 * <p>Fifty rows that were refused alone, and none that was ever accepted, neither here nor elsewhere, are taken for the
 * second. Rows that are bad for the same reason often lie side by side, so the last ten of the fifty are looked for
 * elsewhere. Not thread-safe.
 */
final class Refusals {
    private static final int OF_EVERYTHING = 50;
    private static final int SIDE_BY_SIDE = 40;

    private int alone;
    private boolean accepted;

    /** Something was accepted. */
    void accepted() {
        accepted = true;
    }

    /** One row was refused that was sent alone. */
    void refusedAlone() {
        alone++;
    }

    /** How many rows were refused alone. */
    int alone() {
        return alone;
    }

    boolean wantsARowFromElsewhere() {
        return !accepted && alone >= SIDE_BY_SIDE;
    }

    boolean areOfEverything() {
        return !accepted && alone >= OF_EVERYTHING;
    }
}
