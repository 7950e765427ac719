package io.usermap.spark;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.usermap.client.AllowanceLog;
import io.usermap.client.AllowanceRules;
import io.usermap.client.AllowanceRules.Pacing;
import io.usermap.client.InvalidSettingsException;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.UUID;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** One write at a time where no coordinator can be had, and what it leaves to the next. */
class SoleWriterTest {
    private static final AllowanceRules RULES = AllowanceRules.of(
            50, 1, Duration.ofSeconds(30), Duration.ofSeconds(1), Duration.ofSeconds(30), Pacing.BURST);

    private final SoleWriter sole = SoleWriter.of(UUID.randomUUID().toString());

    private static AllowanceLog log(int mappings) {
        return new AllowanceLog(List.of(new AllowanceLog.Entry(Instant.now().plusSeconds(20), mappings)));
    }

    private void assertRefused(String write) {
        assertThatThrownBy(() -> sole.begin(write, AllowanceLog.empty()))
                .isInstanceOf(InvalidSettingsException.class)
                .hasMessageStartingWith("Cannot write mappings: another write of this application to the same service");
    }

    @Test
    void aWriteGetsWhatTheOneBeforeItLeft() {
        AllowanceLog left = log(700);
        assertThat(sole.begin("first", AllowanceLog.empty()).entries()).isEmpty();
        sole.end("first", left);

        assertThat(sole.begin("second", log(1)).entries()).isEqualTo(left.entries());
        AllowanceLog later = log(200);
        sole.end("second", later);
        assertThat(sole.begin("third", AllowanceLog.empty()).entries())
                .as("what the second knew is in its log")
                .isEqualTo(later.entries());
    }

    @Test
    void theEndOfAWriteThatWasRefusedDoesNotEndTheOneThatRuns() {
        sole.begin("first", AllowanceLog.empty());
        assertRefused("second");
        sole.end("second", AllowanceLog.empty());

        assertRefused("third");
    }

    @Test
    void anEndThatIsSaidAgainDoesNotEndTheNextWrite() {
        sole.begin("first", AllowanceLog.empty());
        sole.end("first", AllowanceLog.empty());
        sole.begin("second", AllowanceLog.empty());
        sole.end("first", log(700));

        assertRefused("third");
    }

    @ParameterizedTest
    @ValueSource(longs = {-5, 5})
    void whatWasUsedStaysAwayForAsLongWhereTheWallClockIsSet(long hours) {
        Instant[] wall = {Instant.parse("2026-11-22T03:31:00Z")};
        long[] nanos = {Long.MAX_VALUE - 1};
        SoleWriter set = new SoleWriter(() -> wall[0], () -> nanos[0]);
        set.begin("first", AllowanceLog.empty());
        set.end("first", new AllowanceLog(List.of(new AllowanceLog.Entry(wall[0].plusSeconds(31), 1_500))));

        wall[0] = wall[0].plus(Duration.ofHours(hours)).plusSeconds(10);
        nanos[0] += Duration.ofSeconds(10).toNanos();

        assertThat(set.begin("second", AllowanceLog.empty()).entries())
                .containsExactly(new AllowanceLog.Entry(wall[0].plusSeconds(21), 1_500));
    }

    @Test
    void anEndOfWhichNothingIsKnownLeavesTimeForTheRequestsInFlight() {
        long[] nanos = {0};
        SoleWriter quiet = new SoleWriter(() -> Instant.parse("2026-11-22T03:31:00Z"), () -> nanos[0]);
        quiet.begin("first", AllowanceLog.empty());
        quiet.end("first", AllowanceLog.empty());
        assertThat(quiet.mayStillWrite()).as("it came to its end").isFalse();
        quiet.begin("second", AllowanceLog.empty());
        quiet.endUnheard("second", RULES);

        nanos[0] = Duration.ofSeconds(40).toNanos() - 1;
        assertThat(quiet.mayStillWrite()).isTrue();
        nanos[0]++;
        assertThat(quiet.mayStillWrite()).isFalse();
    }

    @Test
    void whatARunKnowsIsKeptThoughAWriteIsUnderWay() {
        AllowanceLog elsewhere = log(300);
        AllowanceLog left = log(700);
        sole.begin("first", AllowanceLog.empty());
        sole.learn(AllowanceLog.empty(), elsewhere);
        assertThat(sole.used(RULES).entries())
                .as("all, while nobody knows better")
                .extracting(AllowanceLog.Entry::mappings)
                .containsExactly(1_500);
        sole.end("first", left);

        assertThat(sole.used(RULES).entries())
                .containsExactlyInAnyOrder(
                        elsewhere.entries().get(0), left.entries().get(0));
    }
}
