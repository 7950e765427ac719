package io.usermap.client;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.stream.LongStream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Rule 7: an application that ends, in order or not, and another that starts soon after: 1,000 restarts. */
class AllowanceRestartTest {
    private static final int RESTARTS_A_SEED = 20;
    private static final double SILENT_HOLD = 76;

    static LongStream seeds() {
        return Seeds.first(25);
    }

    private static void assertWindowKept(Restarts restarts) {
        assertThat(restarts.service.throttled()).isZero();
        assertThat(restarts.service.arrivals.mostInAnyWindow(30)).isLessThanOrEqualTo(1_500);
        assertThat(restarts.service.arrivals.requests()).isGreaterThan(RESTARTS_A_SEED / 4);
        assertThat(restarts.idle()).isZero();
    }

    @ParameterizedTest
    @MethodSource("seeds")
    void afterACleanEndTheSavedLogIsEnough(long seed) {
        assertWindowKept(new Restarts(seed).clean(RESTARTS_A_SEED, random -> 0));
    }

    @ParameterizedTest
    @MethodSource("seeds")
    void afterACrashReceiptsAndTheLastHeartbeatAreEnough(long seed) {
        assertWindowKept(new Restarts(seed).killed(RESTARTS_A_SEED, AllowanceLog::afterCrash, random -> 0));
    }

    @ParameterizedTest
    @MethodSource("seeds")
    void aWallClockThatWentBackInBetweenCostsAHoldAtMost(long seed) {
        Restarts clean = new Restarts(seed).clean(RESTARTS_A_SEED, random -> -3_600 * random.nextDouble());
        Restarts killed = new Restarts(seed)
                .killed(RESTARTS_A_SEED, AllowanceLog::afterCrash, random -> -3_600 * random.nextDouble());

        assertWindowKept(clean);
        assertWindowKept(killed);
        // The first response comes a round trip after the last of the hold.
        assertThat(clean.longestStart()).isLessThan(SILENT_HOLD + 6);
        assertThat(killed.longestStart()).isLessThan(SILENT_HOLD + 6);
    }

    @ParameterizedTest
    @MethodSource("seeds")
    void aWallClockThatWentForwardByLessThanTheGuardCostsNothing(long seed) {
        assertWindowKept(new Restarts(seed).clean(RESTARTS_A_SEED, random -> 0.95 * random.nextDouble()));
        assertWindowKept(new Restarts(seed)
                .killed(RESTARTS_A_SEED, AllowanceLog::afterCrash, random -> 0.95 * random.nextDouble()));
    }

    /** Nothing can tell such a jump from a long pause; the service does, and one window later all is well. */
    @ParameterizedTest
    @MethodSource("seeds")
    void aWallClockThatLeaptForwardCostsAWindowAtMost(long seed) {
        Restarts clean = new Restarts(seed).clean(RESTARTS_A_SEED, random -> 3_600 * random.nextDouble());
        Restarts killed = new Restarts(seed)
                .killed(RESTARTS_A_SEED, AllowanceLog::afterCrash, random -> 3_600 * random.nextDouble());

        for (Restarts restarts : new Restarts[] {clean, killed}) {
            assertThat(restarts.idle()).isZero();
            assertThat(restarts.service.throttled()).isLessThan(RESTARTS_A_SEED * 40L);
        }
    }
}
