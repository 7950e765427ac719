package io.usermap.client;

import static io.usermap.client.Asked.grants;
import static io.usermap.client.Asked.nanos;
import static io.usermap.client.Asked.writer;
import static org.assertj.core.api.Assertions.assertThat;

import io.usermap.client.Allowance.Outcome;
import io.usermap.client.AllowanceAnswer.Grant;
import io.usermap.client.AllowanceAnswer.Later;
import io.usermap.client.AllowanceRules.Pacing;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Rules 1, 2 and 4: who gets how much, and when. */
class AllowanceDivisionTest {

    @Test
    void aDeltaThatFitsLeavesAtOnce() {
        Grant grant = new Asked(Pacing.BURST).grant(writer(0), 1_500, 0);

        assertThat(grant.mappings()).isEqualTo(1_500);
        assertThat(grant.waited()).isZero();
        assertThat(grant.sendWithin()).isEqualTo(Duration.ofSeconds(5));
        assertThat(grant.requestsInFlight()).isEqualTo(1);
    }

    @Test
    void aPermitComesBackOneWindowAndGuardAfterTheResponse() {
        Asked asked = new Asked(Pacing.BURST);
        asked.done(asked.grant(writer(0), 1_500, 0), Outcome.OK, 5);

        assertThat(asked.ask(writer(0), 100, 35.9)).isEmpty();
        assertThat(asked.allowance.nextWake()).isEqualTo(nanos(36));
        assertThat(asked.grantsAt(36)).extracting(Grant::mappings).containsExactly(100);
    }

    @Test
    void twoWhoWantMuchShare() {
        Asked asked = new Asked(Pacing.BURST).proven();
        asked.allowance.ask("a", writer(0), 2_000, 0);
        asked.allowance.ask("b", writer(1), 2_000, 0);

        assertThat(asked.grantsAt(0)).extracting(Grant::mappings).containsExactly(750, 749);
    }

    @Test
    void whoeverAsksAloneGetsEverythingThatIsThere() {
        Asked asked = new Asked(Pacing.BURST).proven();

        assertThat(asked.grant(writer(0), 2_000, 0).mappings()).isEqualTo(1_499);
        assertThat(asked.ask(writer(1), 2_000, 0)).isEmpty();
    }

    @Test
    void nobodyGetsLessThanTheMinimumUnlessItWantsLess() {
        Asked asked = new Asked(Pacing.BURST).proven();
        for (int partition = 0; partition < 40; partition++) {
            asked.allowance.ask("q" + partition, writer(partition), partition == 3 ? 7 : 2_000, 0);
        }

        assertThat(asked.grantsAt(0)).extracting(Grant::mappings).startsWith(100, 100, 100, 7, 100);
    }

    @Test
    void aMinimumThatIsNotFreeIsWaitedFor() {
        Asked asked = new Asked(Pacing.BURST).proven();
        asked.done(asked.grant(writer(0), 1_450, 1), Outcome.OK, 1);

        assertThat(asked.ask(writer(1), 2_000, 28)).isEmpty();
        assertThat(asked.grantsAt(31)).isEmpty();
        assertThat(asked.grantsAt(32)).extracting(Grant::mappings).containsExactly(1_500);
    }

    @Test
    void firstComeFirstServedOneTurnEach() {
        Asked asked = new Asked(Pacing.BURST).proven();
        Grant all = asked.grant(writer(0), 1_499, 0);
        asked.allowance.ask("big", writer(1), 2_000, nanos(1));
        asked.allowance.ask("small", writer(2), 1, nanos(1));
        asked.at(1);
        // Ten are free at once; the small one behind the big one does not overtake it.
        asked.done(all, Outcome.OK, 1);

        assertThat(asked.at(5.5)).hasSize(0);
        assertThat(asked.grantsAt(32)).extracting(Grant::request).containsExactly("big", "small");
    }

    @Test
    void afterTheFirstWindowAtMostFourRequestsAreInFlight() {
        Asked asked = new Asked(Pacing.BURST).proven();
        for (int partition = 0; partition < 14; partition++) {
            asked.done(asked.grant(writer(partition), 107, 1), Outcome.OK, 1);
        }
        asked.done(asked.grant(writer(14), 1, 1), Outcome.OK, 1);
        for (int partition = 0; partition < 8; partition++) {
            asked.allowance.ask("q" + partition, writer(partition), 100, nanos(32));
        }

        List<Grant> four = asked.grantsAt(32);
        assertThat(four).hasSize(4);
        assertThat(grants(asked.done(four.get(1), Outcome.OK, 32.5))).hasSize(1);
    }

    @Test
    void inTheFirstWindowAsManyAsFit() {
        Asked asked = new Asked(Pacing.BURST).proven();
        for (int partition = 0; partition < 20; partition++) {
            asked.allowance.ask("q" + partition, writer(partition), 50, 0);
        }

        assertThat(asked.grantsAt(0)).hasSize(20);
    }

    @Test
    void theFirstRequestOfAllGoesAlone() {
        Asked asked = new Asked(Pacing.BURST);
        Grant first = asked.grant(writer(0), 10, 0);

        assertThat(asked.ask(writer(1), 10, 0.1)).isEmpty();
        assertThat(asked.allowance.nextWake()).isEqualTo(nanos(2));
        assertThat(grants(asked.done(first, Outcome.OK, 0.4))).hasSize(1);
    }

    @Test
    void theFirstRequestIsNotWaitedForLongerThanTwoSeconds() {
        Asked asked = new Asked(Pacing.BURST);
        asked.grant(writer(0), 10, 0);
        asked.ask(writer(1), 10, 0.1);

        assertThat(asked.grantsAt(2)).hasSize(1);
    }

    @Test
    void anOpenQuestionIsAnsweredAfterFiveSecondsAndKeepsItsTurn() {
        Asked asked = new Asked(Pacing.BURST).proven();
        asked.done(asked.grant(writer(0), 1_499, 0), Outcome.OK, 0);
        asked.allowance.ask("first", writer(1), 1_000, nanos(1));
        asked.allowance.ask("second", writer(2), 1_000, nanos(2));

        assertThat(asked.at(5.9)).isEmpty();
        assertThat(asked.at(6)).containsExactly(new Later("first", Duration.ZERO));
        asked.allowance.ask("first again", writer(1), 1_000, nanos(6.5));
        asked.at(7);
        asked.allowance.ask("second again", writer(2), 1_000, nanos(7.5));
        List<Grant> due = new ArrayList<>(asked.grantsAt(31));

        assertThat(due).extracting(Grant::request).containsExactly("first again", "second again");
    }

    @Test
    void whoeverDoesNotComeBackLosesItsTurn() {
        Asked asked = new Asked(Pacing.BURST).proven();
        asked.done(asked.grant(writer(0), 1_499, 0), Outcome.OK, 0);
        asked.ask(writer(1), 1_000, 1);
        asked.at(6);
        assertThat(asked.allowance.waiting()).isEqualTo(1);

        asked.at(21);
        assertThat(asked.allowance.waiting()).isZero();
        assertThat(asked.grant(writer(2), 2_000, 31).mappings()).isEqualTo(1_500);
    }

    @Test
    void inSmoothOneSliceAtATimeEvenlySpaced() {
        Asked asked = new Asked(Pacing.SMOOTH).proven();
        Grant first = asked.grant(writer(0), 2_000, 1);
        assertThat(first.mappings()).isEqualTo(12);
        assertThat(first.requestsInFlight()).isEqualTo(4);

        assertThat(asked.ask(writer(0), 1_988, 1.1)).isEmpty();
        assertThat(asked.allowance.nextWake()).isBetween(nanos(1.248) - 1, nanos(1.248));
        assertThat(asked.grantsAt(1.248)).hasSize(1);
    }

    @Test
    void inSmoothWhatIsLeftOfTheWindowLeavesToo() {
        Asked asked = allButTwelveUsedInSmooth();
        asked.grant(writer(1), 5, 31.26);

        assertThat(asked.grant(writer(2), 2_000, 31.4).mappings()).isEqualTo(7);
    }

    @Test
    void inSmoothLessThanAThirdOfASliceWaitsForMore() {
        Asked asked = allButTwelveUsedInSmooth();
        asked.grant(writer(1), 9, 31.26);

        assertThat(asked.ask(writer(2), 2_000, 31.46)).isEmpty();
        assertThat(asked.grantsAt(31.5)).extracting(Grant::mappings).containsExactly(12);
    }

    /** At 31.25 s; the first slice comes back at 31.5 s. */
    private static Asked allButTwelveUsedInSmooth() {
        Asked asked = new Asked(Pacing.SMOOTH).proven();
        for (int slice = 0; slice < 124; slice++) {
            double at = 0.5 + 0.248 * slice;
            asked.done(asked.grant(writer(0), 2_000, at), Outcome.OK, at);
        }
        return asked;
    }
}
