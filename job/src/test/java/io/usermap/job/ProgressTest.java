package io.usermap.job;

import static org.assertj.core.api.Assertions.assertThat;

import io.usermap.client.AllowanceRules;
import io.usermap.client.AllowanceRules.Pacing;
import io.usermap.spark.UserMapRun;
import java.time.Duration;
import java.time.Instant;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class ProgressTest {
    private static final Instant START = Instant.parse("2026-11-22T03:31:00Z");
    private static final AllowanceRules RULES = AllowanceRules.of(
            50, 1, Duration.ofSeconds(30), Duration.ofSeconds(1), Duration.ofSeconds(40), Pacing.BURST);

    private static UserMapRun.Progress progress(long accepted, long rejected, Optional<Instant> waitingUntil) {
        return new UserMapRun.Progress(accepted, rejected, 0, 2, 0, 0, 0, 1500, 0.96, waitingUntil);
    }

    @Test
    void tellsRateShareAndRestInOneLine() {
        UserMapRun.Progress waiting = progress(3000, 0, Optional.of(START.plusSeconds(85)));

        assertThat(new Progress(4112, RULES, START).line(waiting, START.plusSeconds(62)))
                .isEqualTo(
                        "apply: 3,000 of 4,112 accepted, 48.4/s, 96 % of the allowance, waiting for the allowance, about"
                                + " 23s left");
        assertThat(new Progress(4112, RULES, START).line(progress(1500, 2, Optional.empty()), START.plusSeconds(5)))
                .isEqualTo(
                        "apply: 1,500 of 4,112 accepted, 2 rejected, 300.0/s, 96 % of the allowance, about 57s left");
    }

    @Test
    void drawsABarThatOverwritesItself() {
        assertThat(new Progress(4000, RULES, START).bar(progress(2000, 0, Optional.empty()), START.plusSeconds(40)))
                .isEqualTo("\r[############------------] 2,000/4,000  50.0/s  allowance 96 %  about 31s left   ");
        assertThat(new Progress(0, RULES, START).bar(progress(0, 0, Optional.empty()), START))
                .startsWith("\r[########################] 0/0");
    }

    @Test
    void givesProgramsTheFigures() {
        assertThat(new Progress(4112, RULES, START).fields(progress(3000, 1, Optional.empty()), START.plusSeconds(1)))
                .containsAllEntriesOf(Map.of("accepted", 3000L, "rejected", 1L, "total", 4112L, "waiting", false));
    }

    @Test
    void foretellsOneCoolDownForEachFullWindow() {
        assertThat(Plan.leastTime(0, RULES)).isEqualTo(Duration.ZERO);
        assertThat(Plan.leastTime(1500, RULES)).isEqualTo(Duration.ZERO);
        assertThat(Plan.leastTime(1501, RULES)).isEqualTo(Duration.ofSeconds(31));
        assertThat(Plan.leastTime(4112, RULES)).isEqualTo(Duration.ofSeconds(62));
        AllowanceRules smooth = AllowanceRules.of(
                50, 1, Duration.ofSeconds(30), Duration.ofSeconds(1), Duration.ofSeconds(40), Pacing.SMOOTH);
        assertThat(Plan.leastTime(3000, smooth)).isEqualTo(Duration.ofSeconds(62));
    }

    @Test
    void showsFiguresAsPeopleReadThem() {
        assertThat(Phrases.count(1234567)).isEqualTo("1,234,567");
        assertThat(Phrases.duration(Duration.ofMillis(22_600))).isEqualTo("23s");
        assertThat(Phrases.duration(Duration.ofSeconds(909))).isEqualTo("15m 9s");
        assertThat(Phrases.duration(Duration.ofMinutes(124))).isEqualTo("2h 4m");
        assertThat(Phrases.reasons(Map.of("too_short", 2L, "conflict", 1L)))
                .isEqualTo("1: rows of one user contradict each other; 2: an id is shorter than the service takes");
    }
}
