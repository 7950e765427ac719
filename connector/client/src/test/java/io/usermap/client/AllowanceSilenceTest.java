package io.usermap.client;

import static io.usermap.client.Asked.nanos;
import static io.usermap.client.Asked.writer;
import static org.assertj.core.api.Assertions.assertThat;

import io.usermap.client.Allowance.Outcome;
import io.usermap.client.AllowanceAnswer.Grant;
import io.usermap.client.AllowanceRules.Pacing;
import java.time.Duration;
import org.junit.jupiter.api.Test;

/** Rules 5, 6 and 7: answers that say no, answers that never come, and processes that end. */
class AllowanceSilenceTest {
    private final Asked asked = new Asked(Pacing.BURST);

    private double firstGrantAfter(double from) {
        asked.ask(new Allowance.Writer("probe", 0, 0), 1_500, from);
        for (double now = from; now < from + 300; now += 0.5) {
            if (!asked.grantsAt(now).isEmpty()) {
                return now;
            }
            asked.allowance.ask("probe-" + now, new Allowance.Writer("probe", 0, 0), 1_500, nanos(now));
        }
        return Double.NaN;
    }

    @Test
    void aPermitOfWhichNothingIsHeardIsHeldUntilItsRequestCanNoLongerCount() {
        asked.grant(writer(0), 1_500, 0);

        // 5 s to send, 40 s for the call, a margin of 10 s, 30 s of window, 1 s of guard.
        assertThat(firstGrantAfter(1)).isEqualTo(86.0);
    }

    @Test
    void aTimeOutIsHeldForAMarginMoreThanAnAnswer() {
        asked.done(asked.grant(writer(0), 1_500, 0), Outcome.TIMEOUT, 40);

        assertThat(firstGrantAfter(41)).isEqualTo(40 + 10 + 31.0);
    }

    @Test
    void anAnswerOfAnyKindCountsAsUsed() {
        asked.done(asked.grant(writer(0), 1_500, 0), Outcome.FAILED, 1);

        assertThat(firstGrantAfter(2)).isEqualTo(32.0);
    }

    @Test
    void whatWasNotSentIsFreeAtOnce() {
        asked.done(asked.grant(writer(0), 1_500, 0), Outcome.UNSENT, 1);

        assertThat(asked.grant(writer(1), 1_500, 1).mappings()).isEqualTo(1_500);
    }

    @Test
    void sayingItTwiceChangesNothing() {
        Grant grant = asked.grant(writer(0), 1_500, 0);
        asked.done(grant, Outcome.OK, 1);
        asked.done(grant, Outcome.OK, 20);
        asked.done(grant, Outcome.UNSENT, 21);

        assertThat(firstGrantAfter(22)).isEqualTo(32.0);
    }

    @Test
    void aReportThatArrivesAfterTheHoldCountsAgain() {
        Grant grant = asked.grant(writer(0), 1_500, 0);
        asked.at(86);
        asked.done(grant, Outcome.OK, 90);

        assertThat(firstGrantAfter(91)).isEqualTo(121.0);
    }

    @Test
    void aLateReportThatNothingWasSentChangesNothing() {
        Grant grant = asked.grant(writer(0), 1_500, 0);
        asked.at(86);
        asked.done(grant, Outcome.UNSENT, 90);

        assertThat(asked.grant(writer(1), 1_500, 91).mappings()).isEqualTo(1_500);
    }

    @Test
    void a429StopsEverybodyForAWindowAndTurnsToSmooth() {
        asked.done(asked.grant(writer(0), 100, 0), Outcome.THROTTLED, 1);

        assertThat(asked.ask(writer(1), 100, 2)).isEmpty();
        assertThat(asked.allowance.nextWake()).isEqualTo(nanos(7));
        assertThat(asked.allowance.smooth()).isTrue();
        assertThat(asked.allowance.budget()).isEqualTo(1_500);
        asked.at(7);
        asked.allowance.ask("again", writer(1), 100, nanos(30));
        assertThat(asked.grantsAt(30.9)).isEmpty();
        assertThat(asked.grantsAt(31)).extracting(Grant::mappings).containsExactly(12);
    }

    @Test
    void whatTheServiceAsksForIsWaitedFor() {
        Grant grant = asked.grant(writer(0), 100, 0);
        asked.allowance.done(grant.permit(), Outcome.THROTTLED, Duration.ofSeconds(50), Duration.ZERO, nanos(1));

        assertThat(firstGrantAfter(2)).isEqualTo(51.0);
    }

    @Test
    void aCleanEndPassesItsWindowOn() {
        asked.done(asked.grant(writer(0), 1_000, 0), Outcome.OK, 1);
        asked.done(asked.grant(writer(0), 300, 2), Outcome.OK, 3);
        AllowanceLog saved = asked.allowance.log(Asked.START.plusSeconds(10), nanos(10));

        // The next process starts 5 s later, with a monotonic clock of its own.
        Allowance next = new Allowance(asked.rules, saved, Asked.START.plusSeconds(15), nanos(-500));
        next.ask("q", writer(0), 1_500, nanos(-500));
        assertThat(Asked.grants(next.answers(nanos(-500))))
                .extracting(Grant::mappings)
                .containsExactly(200);
    }

    @Test
    void whatIsInFlightAtACleanEndCountsUntilItsHoldEnds() {
        asked.grant(writer(0), 1_500, 0);

        assertThat(asked.allowance.log(Asked.START.plusSeconds(1), nanos(1)).entries())
                .containsExactly(new AllowanceLog.Entry(Asked.START.plusSeconds(86), 1_500));
    }

    @Test
    void aWallClockThatWasSetBackDoesNotStopTheNextProcessForever() {
        AllowanceLog saved = AllowanceLog.full(asked.rules, Asked.START.plus(Duration.ofDays(300)));
        Asked next = new Asked(Pacing.BURST, saved);

        next.ask(writer(0), 1, 0);
        assertThat(next.allowance.nextWake()).isEqualTo(nanos(5));
        next.at(5);
        assertThat(next.grant(writer(0), 1_500, 86).mappings()).isEqualTo(1_500);
    }

    @Test
    void theMostThatWasAwayNeverPassesTheAllowance() {
        asked.done(asked.grant(writer(0), 1_000, 0), Outcome.OK, 1);
        asked.done(asked.grant(writer(1), 2_000, 2), Outcome.OK, 3);

        assertThat(asked.allowance.mostInWindow()).isEqualTo(1_500);
    }
}
