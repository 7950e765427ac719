package io.usermap.client;

import static org.assertj.core.api.Assertions.assertThat;

import io.usermap.client.AllowanceRules.Pacing;
import java.time.Duration;
import org.junit.jupiter.api.Test;

class AllowanceBudgetTest {

    private static AllowanceBudget budget(int mappings, Pacing pacing) {
        return new AllowanceBudget(
                new AllowanceRules(
                        mappings, Duration.ofSeconds(30), Duration.ofSeconds(1), Duration.ofSeconds(30), pacing),
                0);
    }

    private static long seconds(double seconds) {
        return (long) (seconds * 1e9);
    }

    @Test
    void everybodyStopsForAWindowAfterA429() {
        AllowanceBudget budget = budget(1_500, Pacing.BURST);
        budget.throttled(Duration.ZERO, seconds(10));

        assertThat(budget.blockedUntil(seconds(10))).isEqualTo(seconds(40));
        assertThat(budget.blockedUntil(seconds(40))).isEqualTo(seconds(40));
    }

    @Test
    void theServiceMayAskForALongerStopButNotForAShorterOne() {
        AllowanceBudget budget = budget(1_500, Pacing.BURST);
        budget.throttled(Duration.ofSeconds(60), 0);
        budget.throttled(Duration.ofSeconds(2), seconds(1));

        assertThat(budget.blockedUntil(seconds(1))).isEqualTo(seconds(60));
    }

    @Test
    void theFirst429TurnsToSmoothAndKeepsTheBudget() {
        AllowanceBudget budget = budget(1_500, Pacing.BURST);
        budget.throttled(Duration.ZERO, 0);

        assertThat(budget.smooth()).isTrue();
        assertThat(budget.mappings()).isEqualTo(1_500);
    }

    @Test
    void later429sCutTheBudgetTo80PercentAtMostOnceAWindow() {
        AllowanceBudget budget = budget(1_500, Pacing.BURST);
        budget.throttled(Duration.ZERO, 0);
        budget.throttled(Duration.ZERO, seconds(29.9));
        assertThat(budget.mappings()).isEqualTo(1_500);

        budget.throttled(Duration.ZERO, seconds(30));
        budget.throttled(Duration.ZERO, seconds(31));
        assertThat(budget.mappings()).isEqualTo(1_200);
        budget.throttled(Duration.ZERO, seconds(60));
        assertThat(budget.mappings()).isEqualTo(960);
    }

    @Test
    void theBudgetNeverFallsBelow25OrTheAllowanceItself() {
        AllowanceBudget large = budget(1_500, Pacing.SMOOTH);
        AllowanceBudget small = budget(10, Pacing.SMOOTH);
        for (int window = 0; window < 40; window++) {
            large.throttled(Duration.ZERO, seconds(30 * window));
            small.throttled(Duration.ZERO, seconds(30 * window));
        }

        assertThat(large.mappings()).isEqualTo(25);
        assertThat(small.mappings()).isEqualTo(10);
    }

    @Test
    void theBudgetGrowsBackByHalfAPercentAWindow() {
        AllowanceBudget budget = budget(2_000, Pacing.SMOOTH);
        budget.throttled(Duration.ZERO, 0);
        assertThat(budget.mappings()).isEqualTo(1_600);

        budget.recover(seconds(29.9));
        assertThat(budget.mappings()).isEqualTo(1_600);
        budget.recover(seconds(30));
        assertThat(budget.mappings()).isEqualTo(1_610);
        budget.recover(seconds(30 + 10 * 30 + 15));
        assertThat(budget.mappings()).isEqualTo(1_710);
        budget.recover(seconds(1e6));
        assertThat(budget.mappings()).isEqualTo(2_000);
    }

    @Test
    void inBurstOneRequestAWriterAndALimiterFarAbove() {
        AllowanceBudget budget = budget(1_500, Pacing.BURST);

        assertThat(budget.requestsPerWriter()).isEqualTo(1);
        assertThat(budget.limiterRate()).isEqualTo(1_500);
    }

    @Test
    void inSmoothSlicesOfAQuarterSecondAreSpacedEvenly() {
        AllowanceBudget budget = budget(1_500, Pacing.SMOOTH);
        assertThat(budget.slice()).isEqualTo(12);

        budget.sliceGranted(12, seconds(5));
        double spacing = 12 * 31.0 / 1_500;
        assertThat(budget.blockedUntil(seconds(5))).isBetween(seconds(5 + spacing) - 1, seconds(5 + spacing));
        // No catching up: a late slice is followed at the same distance.
        budget.sliceGranted(12, seconds(100));
        assertThat(budget.blockedUntil(seconds(100))).isBetween(seconds(100 + spacing) - 1, seconds(100 + spacing));
        assertThat(budget.limiterRate()).isBetween(96.7, 96.8);
    }

    @Test
    void inSmoothAsManyRequestsAsFillTheRoundTripAtLeastFourAtMost32() {
        AllowanceBudget budget = budget(1_500, Pacing.SMOOTH);
        assertThat(budget.requestsPerWriter()).isEqualTo(4);
        for (int i = 0; i < 100; i++) {
            budget.roundTrip(Duration.ofSeconds(2));
        }
        assertThat(budget.requestsPerWriter()).isBetween(9, 10);
        for (int i = 0; i < 100; i++) {
            budget.roundTrip(Duration.ofSeconds(20));
        }
        assertThat(budget.requestsPerWriter()).isEqualTo(32);
    }

    @Test
    void aTinyAllowanceStillHasASlice() {
        assertThat(budget(1, Pacing.SMOOTH).slice()).isEqualTo(1);
        assertThat(budget(1, Pacing.SMOOTH).leastSlice()).isEqualTo(1);
    }
}
