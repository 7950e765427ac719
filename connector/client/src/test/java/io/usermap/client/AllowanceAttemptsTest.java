package io.usermap.client;

import static io.usermap.client.Asked.grants;
import static io.usermap.client.Asked.nanos;
import static org.assertj.core.api.Assertions.assertThat;

import io.usermap.client.Allowance.Outcome;
import io.usermap.client.Allowance.Writer;
import io.usermap.client.AllowanceAnswer.Denied;
import io.usermap.client.AllowanceAnswer.Grant;
import io.usermap.client.AllowanceAnswer.Later;
import io.usermap.client.AllowanceRules.Pacing;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Rule 8: one live attempt of each partition, and writes that end. */
class AllowanceAttemptsTest {
    private static final Writer FIRST = new Writer("write", 3, 10);
    private static final Writer TWIN = new Writer("write", 3, 11);
    private static final Writer OTHER = new Writer("other", 3, 12);

    private final Asked asked = new Asked(Pacing.BURST).proven();

    @Test
    void aTwinIsToldToComeLater() {
        asked.grant(FIRST, 10, 0);

        assertThat(asked.ask(TWIN, 10, 1)).containsExactly(new Later("q3", Duration.ofSeconds(5)));
    }

    @Test
    void theSamePartitionOfAnotherWriteIsNoTwin() {
        asked.grant(FIRST, 10, 0);

        assertThat(asked.grant(OTHER, 10, 1).mappings()).isEqualTo(10);
    }

    @Test
    void theTwinTakesOverWhenTheFirstLeaves() {
        asked.grant(FIRST, 10, 0);
        asked.allowance.leave(FIRST);

        assertThat(asked.grant(TWIN, 10, 1).mappings()).isEqualTo(10);
        assertThat(asked.ask(FIRST, 10, 2)).containsExactly(new Denied("q4", Allowance.FOLLOWED));
    }

    @Test
    void whoWasFollowedIsNeverLiveAgainBecauseItKnowsNothingOfWhatTheOtherSent() {
        Grant grant = asked.grant(FIRST, 10, 0);
        asked.done(grant, Outcome.OK, 0);
        asked.grant(TWIN, 10, 90);
        asked.allowance.leave(TWIN);

        assertThat(asked.ask(FIRST, 10, 91)).containsExactly(new Denied("q4", Allowance.FOLLOWED));
        assertThat(asked.grant(new Writer("write", 3, 12), 10, 91).mappings()).isEqualTo(10);
    }

    @Test
    void whoWantsNothingHearsAtOnceWhetherItIsTheLiveAttempt() {
        asked.done(asked.grant(OTHER, 1_500, 0), Outcome.OK, 0);

        assertThat(asked.ask(FIRST, 0, 1))
                .as("a full window is no reason to wait")
                .singleElement()
                .isInstanceOfSatisfying(
                        Grant.class, grant -> assertThat(grant.mappings()).isZero());
        assertThat(asked.ask(TWIN, 0, 2)).singleElement().isInstanceOf(Later.class);
        asked.allowance.leave(FIRST);
        assertThat(asked.ask(TWIN, 0, 3)).singleElement().isInstanceOf(Grant.class);
        assertThat(asked.allowance.waiting()).isZero();
        assertThat(asked.allowance.mostInWindow()).isEqualTo(1_500);
    }

    @Test
    void theTwinThatLeavesTakesNothingFromTheFirst() {
        asked.grant(FIRST, 10, 0);
        asked.ask(TWIN, 10, 1);
        asked.allowance.leave(TWIN);

        assertThat(asked.ask(TWIN, 10, 2)).singleElement().isInstanceOf(Later.class);
        assertThat(asked.grant(FIRST, 10, 3).mappings()).isEqualTo(10);
    }

    @Test
    void theTwinTakesOverWhenTheFirstIsSilentForItsHold() {
        Grant grant = asked.grant(FIRST, 10, 0);
        asked.done(grant, Outcome.OK, 20);

        assertThat(asked.ask(TWIN, 10, 20 + 86)).singleElement().isInstanceOf(Later.class);
        assertThat(asked.grant(TWIN, 10, 20 + 86.1).mappings()).isEqualTo(10);
    }

    @Test
    void theTwinOfOneThatHasFinishedComesTooLateWheneverItAsks() {
        asked.done(asked.grant(FIRST, 10, 0), Outcome.OK, 20);
        asked.allowance.finish(FIRST, nanos(50));

        assertThat(asked.ask(TWIN, 10, 51))
                .as("for the first time")
                .singleElement()
                .isInstanceOf(Later.class);
        assertThat(asked.ask(TWIN, 10, 50 + 86)).singleElement().isInstanceOf(Later.class);
        assertThat(asked.grant(TWIN, 10, 50 + 86.1).mappings())
                .as("nobody has ended it, so what the first one did may be lost")
                .isEqualTo(10);
    }

    @Test
    void noAttemptSendsAPartitionOfWhichTheDriverHasTheResult() {
        asked.done(asked.grant(FIRST, 10, 0), Outcome.OK, 20);
        asked.allowance.finish(FIRST, nanos(50));
        assertThat(asked.ask(TWIN, 10, 50)).singleElement().isInstanceOf(Later.class);
        asked.allowance.committed("write", 3);
        asked.allowance.leave(FIRST);

        assertThat(asked.ask(TWIN, 10, 51))
                .as("though its executor is gone")
                .containsExactly(new Denied("q4", Allowance.SETTLED));
        assertThat(asked.ask(TWIN, 0, 50 + 90)).containsExactly(new Denied("q5", Allowance.SETTLED));
        assertThat(asked.grant(OTHER, 10, 140).mappings()).isEqualTo(10);
        assertThat(asked.grant(new Writer("write", 4, 13), 10, 140).mappings()).isEqualTo(10);
        asked.allowance.end("write");
        assertThat(asked.ask(TWIN, 10, 141)).containsExactly(new Denied("q8", "the write is over"));
    }

    @Test
    void whoWaitsForAGrantIsDeniedWhenTheResultOfAnotherAttemptComes() {
        asked.done(asked.grant(FIRST, 1_499, 0), Outcome.OK, 20);
        // The first one was silent for its hold, but only to the coordinator.
        asked.done(asked.grant(OTHER, 1_500, 110), Outcome.OK, 110);
        assertThat(asked.ask(TWIN, 10, 111)).isEmpty();
        assertThat(asked.ask(new Writer("write", 4, 13), 10, 111)).isEmpty();
        asked.allowance.committed("write", 3);

        assertThat(asked.at(111)).containsExactly(new Denied("q4", Allowance.SETTLED));
        assertThat(asked.allowance.waiting()).isEqualTo(1);
        assertThat(asked.ask(FIRST, 10, 112))
                .as("no reason to fail for one that was followed")
                .containsExactly(new Denied("q6", Allowance.SETTLED));
    }

    @Test
    void aResultOfAWriteThatIsOverIsNotKept() {
        asked.allowance.end("write");
        int kept = asked.allowance.live.size();
        asked.allowance.committed("write", 3);

        assertThat(asked.ask(TWIN, 10, 1)).containsExactly(new Denied("q2", "the write is over"));
        assertThat(asked.allowance.live.size()).isEqualTo(kept);
    }

    @Test
    void aWriterThatHasFinishedNoLongerTakesPartInTheDivision() {
        Writer second = new Writer("write", 4, 12);
        for (Writer writer : List.of(FIRST, second)) {
            asked.done(asked.grant(writer, 10, 0), Outcome.OK, 0);
        }
        asked.allowance.ask("a", FIRST, 2_000, nanos(40));
        asked.allowance.ask("b", second, 2_000, nanos(40));
        asked.allowance.finish(second, nanos(40));

        assertThat(asked.grantsAt(40)).extracting(Grant::mappings).containsExactly(1_500);
    }

    @Test
    void askingAgainForTheSameRequestGivesTheSameGrant() {
        asked.allowance.ask("r", FIRST, 10, nanos(1));
        Grant grant = grants(asked.at(1)).get(0);
        asked.allowance.ask("r", FIRST, 10, nanos(3));
        Grant again = grants(asked.at(3)).get(0);

        assertThat(again.permit()).isEqualTo(grant.permit());
        // The sender computes the age as what passed since it asked less what it waited: 2 s older than a fresh one.
        assertThat(again.waited()).isEqualTo(Duration.ofSeconds(-2));
        assertThat(asked.allowance.mostInWindow()).isEqualTo(11);
    }

    @Test
    void askingAgainBeforeTheAnswerCountsOnce() {
        asked.done(asked.grant(OTHER, 1_499, 0), Outcome.OK, 0);
        asked.allowance.ask("r", FIRST, 10, nanos(1));
        asked.allowance.ask("r", FIRST, 10, nanos(2));
        asked.at(2);

        assertThat(asked.allowance.waiting()).isEqualTo(1);
        assertThat(asked.grantsAt(31)).hasSize(1);
        assertThat(asked.grantsAt(32)).isEmpty();
    }

    @Test
    void aStoppedWriteGetsNothingMore() {
        asked.done(asked.grant(OTHER, 1_499, 0), Outcome.OK, 0);
        asked.ask(FIRST, 10, 1);
        asked.allowance.stop("write", "wrong key");
        asked.allowance.stop("write", "another reason");

        assertThat(asked.at(1)).containsExactly(new Denied("q3", "wrong key"));
        assertThat(asked.ask(FIRST, 10, 40)).containsExactly(new Denied("q4", "wrong key"));
        assertThat(asked.grant(OTHER, 10, 40).mappings()).isEqualTo(10);
        assertThat(asked.allowance.isOver("write")).isFalse();
    }

    @Test
    void aWriteThatEndsTakesItsQuestionsAlongAndKeepsItsPermits() {
        asked.grant(FIRST, 1_499, 0);
        asked.ask(new Writer("write", 4, 1), 10, 1);
        asked.allowance.end("write");

        assertThat(asked.allowance.isOver("write")).isTrue();
        assertThat(asked.at(2)).containsExactly(new Denied("q3", "the write is over"));
        assertThat(asked.allowance.waiting()).isZero();
        assertThat(asked.ask(OTHER, 1_000, 3)).isEmpty();
    }

    @Test
    void aWriterThatLeftNoLongerTakesPartInTheDivision() {
        for (int partition = 0; partition < 9; partition++) {
            asked.done(asked.grant(new Writer("w", partition, 0), 10, 0), Outcome.OK, 0);
        }
        asked.allowance.ask("a", new Writer("w", 0, 0), 2_000, nanos(40));
        asked.allowance.ask("b", new Writer("w", 1, 0), 2_000, nanos(40));
        asked.allowance.leave(new Writer("w", 1, 0));

        assertThat(asked.grantsAt(40)).extracting(Grant::mappings).containsExactly(1_500);
    }
}
