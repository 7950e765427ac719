package io.usermap.client;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.Random;
import java.util.function.LongUnaryOperator;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class RetryScheduleTest {
    private final RetrySchedule schedule = RetrySchedule.of(8);

    @Test
    void aMappingIsSentEightTimesAndNotNine() {
        assertThat(schedule.allowsAfter(7)).isTrue();
        assertThat(schedule.allowsAfter(8)).isFalse();
        assertThat(RetrySchedule.of(1).allowsAfter(1)).isFalse();
    }

    @ParameterizedTest
    @CsvSource({"1, 500", "2, 1000", "3, 2000", "6, 16000", "7, 30000", "8, 30000", "33, 30000", "1000000, 30000"})
    void theWaitIsDrawnEvenlyFromTheUpperHalfUnderItsCap(int attempts, long capMillis) {
        double cap = capMillis * 1e6;
        double[] waits = LongStream.rangeClosed(1, 4_000)
                .mapToDouble(seed ->
                        schedule.waitAfter(attempts, new Random(seed * 7_919)).toNanos() / cap)
                .sorted()
                .toArray();

        assertThat(waits[0]).isBetween(0.5, 0.505);
        assertThat(waits[1_999]).isBetween(0.725, 0.775);
        assertThat(waits[3_999]).isBetween(0.995, 1.0);
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 5, 20, 31, 32, 40, 63, 64, 65})
    void doublingNeverOverflows(int attempts) {
        RetrySchedule slow = new RetrySchedule(Duration.ofMinutes(5), Duration.ofHours(1), 100);

        assertThat(slow.waitAfter(attempts, new Random(1))).isBetween(Duration.ofSeconds(150), Duration.ofHours(1));
    }

    @Test
    void eightAttemptsTakeHalfAMinuteAtLeastAndOneMinuteAndABitAtMost() {
        assertThat(sum(bound -> 0)).isEqualTo(Duration.ofMillis(30_750));
        assertThat(sum(bound -> bound - 1)).isEqualTo(Duration.ofMillis(61_500));
    }

    /** Of the waits, where {@code drawn} is what comes of a bound. */
    private Duration sum(LongUnaryOperator drawn) {
        Random random = new Random() {
            @Override
            public long nextLong(long bound) {
                return drawn.applyAsLong(bound);
            }
        };
        Duration sum = Duration.ZERO;
        for (int attempt = 1; schedule.allowsAfter(attempt); attempt++) {
            sum = sum.plus(schedule.waitAfter(attempt, random));
        }
        return sum;
    }
}
