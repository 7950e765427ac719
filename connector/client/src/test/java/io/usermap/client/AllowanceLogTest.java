package io.usermap.client;

import static org.assertj.core.api.Assertions.assertThat;

import io.usermap.client.AllowanceLog.Answered;
import io.usermap.client.AllowanceLog.Entry;
import io.usermap.client.AllowanceRules.Pacing;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import org.junit.jupiter.api.Test;

class AllowanceLogTest {
    private static final Instant SIGN = Instant.parse("2026-01-01T00:00:00Z");
    private static final AllowanceRules RULES = new AllowanceRules(
            1_500, Duration.ofSeconds(30), Duration.ofSeconds(1), Duration.ofSeconds(30), Pacing.BURST);

    private static Answered answered(int secondsBeforeSign, int mappings) {
        return new Answered(SIGN.minusSeconds(secondsBeforeSign), mappings);
    }

    @Test
    void afterACrashWhatNoReceiptAccountsForCountsUntilItCanNoLongerArrive() {
        AllowanceLog log = AllowanceLog.afterCrash(RULES, List.of(answered(5, 500)), SIGN);

        assertThat(log.entries())
                .containsExactlyInAnyOrder(
                        new Entry(SIGN.plusSeconds(26), 500), new Entry(SIGN.plus(RULES.silentHold()), 1_000));
    }

    @Test
    void withoutReceiptsEverythingCountsAsUsed() {
        assertThat(AllowanceLog.afterCrash(RULES, List.of(), SIGN).entries())
                .containsExactly(new Entry(SIGN.plus(RULES.silentHold()), 1_500));
    }

    @Test
    void aReceiptWhosePermitWasBackByTheLastSignProvesNothing() {
        assertThat(AllowanceLog.afterCrash(RULES, List.of(answered(31, 1_500)), SIGN)
                        .entries())
                .containsExactly(new Entry(SIGN.plus(RULES.silentHold()), 1_500));
    }

    @Test
    void aPermitThatCameBackBetweenTheLastSignAndTheDeathMayHaveBeenUsedAgain() {
        // Back 2 s after the last heartbeat; the process may have lived for a margin of 10 s after it.
        AllowanceLog log = AllowanceLog.afterCrash(RULES, List.of(answered(29, 1_500)), SIGN);

        assertThat(log.entries()).contains(new Entry(SIGN.plus(RULES.silentHold()), 1_500));
    }

    @Test
    void whereReceiptsAccountForEverythingNothingElseCounts() {
        AllowanceLog log = AllowanceLog.afterCrash(RULES, List.of(answered(3, 700), answered(2, 800)), SIGN);

        assertThat(log.entries())
                .containsExactlyInAnyOrder(new Entry(SIGN.plusSeconds(28), 700), new Entry(SIGN.plusSeconds(29), 800));
    }

    @Test
    void aFullWindowIsUsedUpForWindowAndGuard() {
        assertThat(AllowanceLog.full(RULES, SIGN).entries()).containsExactly(new Entry(SIGN.plusSeconds(31), 1_500));
        assertThat(AllowanceLog.empty().entries()).isEmpty();
    }

    @Test
    void whatIsLeftIsNeverNegativeAndNeverLongerThanAHold() {
        Entry entry = new Entry(SIGN.plusSeconds(20), 1);
        Duration most = RULES.silentHold();

        assertThat(AllowanceLog.remaining(entry, SIGN, most)).isEqualTo(Duration.ofSeconds(20));
        assertThat(AllowanceLog.remaining(entry, SIGN.plusSeconds(25), most)).isEqualTo(Duration.ZERO);
        assertThat(AllowanceLog.remaining(entry, SIGN.minus(Duration.ofDays(400)), most))
                .isEqualTo(most);
    }
}
