package io.usermap.job;

import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;

/** Waits for what other processes do, at most for so long that a test which fails does end. */
final class Waiting {
    private static final long BETWEEN_LOOKS = TimeUnit.MILLISECONDS.toNanos(50);

    private Waiting() {}

    /** Returns when {@code happened} is so; fails after {@code most} with {@code what} was waited for. */
    static void until(String what, Duration most, BooleanSupplier happened) {
        if (!within(most, happened)) {
            throw new AssertionError("In vain waited " + most.toSeconds() + " s until " + what + ".");
        }
    }

    /** Whether {@code happened} came to be so within {@code time}. */
    static boolean within(Duration time, BooleanSupplier happened) {
        long end = System.nanoTime() + time.toNanos();
        while (!happened.getAsBoolean()) {
            if (System.nanoTime() - end >= 0) {
                return false;
            }
            LockSupport.parkNanos(BETWEEN_LOOKS);
        }
        return true;
    }

    /** Lets {@code time} pass. */
    static void pass(Duration time) {
        within(time, () -> false);
    }
}
