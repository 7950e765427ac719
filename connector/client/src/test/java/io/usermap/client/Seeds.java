package io.usermap.client;

import java.util.stream.LongStream;

/**
 * The seeds of a randomised test: always the same ones, or the one that {@code -Dusermap.seed=N} names.
 *
 * <p>A seed is a parameter of its test, so a failure shows it in the name of the test.
 */
final class Seeds {
    private Seeds() {}

    /** {@code count} seeds from 1 on, or the one to run again. */
    static LongStream first(int count) {
        Long again = Long.getLong("usermap.seed");
        return again == null ? LongStream.rangeClosed(1, count) : LongStream.of(again);
    }
}
