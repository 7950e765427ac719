package io.usermap.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.usermap.client.AllowanceRules.Pacing;
import java.time.Duration;
import org.junit.jupiter.api.Test;

class AllowanceRulesTest {

    private static AllowanceRules of(double perSecond, double share, Duration window) {
        return AllowanceRules.of(perSecond, share, window, Duration.ofSeconds(1), Duration.ofSeconds(40), Pacing.BURST);
    }

    @Test
    void fiftyASecondAre1500InThirtySeconds() {
        AllowanceRules rules = of(50, 1, Duration.ofSeconds(30));

        assertThat(rules.mappingsPerWindow()).isEqualTo(1_500);
        assertThat(rules.minGrant()).isEqualTo(100);
        assertThat(rules.coolDown()).isEqualTo(Duration.ofSeconds(31));
        assertThat(rules.silentHold()).isEqualTo(Duration.ofSeconds(86));
    }

    @Test
    void aShareIsRoundedDownButNotByAnErrorOfTheLastDigit() {
        assertThat(of(0.1, 1, Duration.ofMinutes(5)).mappingsPerWindow()).isEqualTo(30);
        assertThat(of(50, 0.35, Duration.ofSeconds(30)).mappingsPerWindow()).isEqualTo(525);
        assertThat(of(50, 0.333, Duration.ofSeconds(30)).mappingsPerWindow()).isEqualTo(499);
    }

    @Test
    void deadlineAndMarginShrinkWithAShortWindowAndNeverGrow() {
        AllowanceRules brief = of(50, 1, Duration.ofSeconds(3));
        AllowanceRules lengthy = of(50, 1, Duration.ofMinutes(5));

        assertThat(brief.sendDeadline()).isEqualTo(Duration.ofSeconds(1));
        assertThat(brief.margin()).isEqualTo(Duration.ofSeconds(1));
        assertThat(lengthy.sendDeadline()).isEqualTo(Duration.ofSeconds(5));
        assertThat(lengthy.margin()).isEqualTo(Duration.ofSeconds(10));
    }

    @Test
    void theSmallestGrantIsNeverNothing() {
        assertThat(of(1, 1, Duration.ofSeconds(3)).minGrant()).isEqualTo(1);
    }

    @Test
    void refusesAnAllowanceOfNothing() {
        assertThatThrownBy(() -> of(0.01, 1, Duration.ofSeconds(30)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("Cannot send within an allowance of 0 mappings a window. Raise eventsPerSecond,"
                        + " windowSeconds or allowanceShare.");
    }
}
