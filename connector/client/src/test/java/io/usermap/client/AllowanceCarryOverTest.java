package io.usermap.client;

import static io.usermap.client.Asked.START;
import static io.usermap.client.Asked.nanos;
import static io.usermap.client.Asked.writer;
import static org.assertj.core.api.Assertions.assertThat;

import io.usermap.client.Allowance.Outcome;
import io.usermap.client.AllowanceAnswer.Denied;
import io.usermap.client.AllowanceAnswer.Grant;
import io.usermap.client.AllowanceRules.Pacing;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What a coordinator knows of the service, handed to one with other figures and to the next process. */
class AllowanceCarryOverTest {
    private static final AllowanceRules HALF = new AllowanceRules(
            750, Duration.ofSeconds(30), Duration.ofSeconds(1), Duration.ofSeconds(40), Pacing.BURST);

    private static Asked throttledAt(double at, Duration retryAfter) {
        Asked asked = new Asked(Pacing.BURST);
        Grant grant = asked.grant(writer(0), 100, at);
        asked.allowance.done(grant.permit(), Outcome.THROTTLED, retryAfter, Duration.ofMillis(300), nanos(at));
        return asked;
    }

    private static List<AllowanceAnswer> ask(Allowance allowance, int wanted, double at) {
        allowance.ask("q at " + at, writer(7), wanted, nanos(at));
        return allowance.answers(nanos(at));
    }

    @Test
    void theStopAfterA429HoldsForOtherFiguresToo() {
        Allowance next = throttledAt(10, Duration.ofSeconds(50)).allowance.with(HALF);

        assertThat(ask(next, 10, 59)).isEmpty();
        assertThat(next.nextGrant()).isEqualTo(nanos(60));
        assertThat(next.answers(nanos(60))).singleElement().isInstanceOf(Grant.class);
    }

    @Test
    void afterA429OtherFiguresAreUsedEvenlyAndCutAsFar() {
        Allowance before = throttledAt(0, Duration.ZERO).allowance;
        Grant second = (Grant) ask(before, 10, 40).get(0);
        before.done(second.permit(), Outcome.THROTTLED, Duration.ZERO, Duration.ZERO, nanos(40));
        assertThat(before.budget()).isEqualTo(1_200);
        Allowance next = before.with(HALF);

        assertThat(next.smooth()).isTrue();
        assertThat(next.budget()).isEqualTo(600);
        assertThat(new Asked(Pacing.SMOOTH).allowance.with(HALF).smooth())
                .as("only because its figures said so")
                .isFalse();
    }

    @Test
    void whatIsAwayStaysAwayForTheLongerOfBothFigures() {
        AllowanceRules longer = new AllowanceRules(
                1_500, Duration.ofSeconds(40), Duration.ofSeconds(2), Duration.ofSeconds(40), Pacing.BURST);
        Asked asked = new Asked(Pacing.BURST);
        asked.done(asked.grant(writer(0), 1_500, 0), Outcome.OK, 1);

        assertThat(asked.allowance.with(longer).log(START, nanos(1)).entries())
                .containsExactly(new AllowanceLog.Entry(START.plusSeconds(42), 1_500));
        assertThat(asked.allowance.with(HALF).log(START, nanos(1)).entries())
                .containsExactly(new AllowanceLog.Entry(START.plusSeconds(31), 1_500));
    }

    @Test
    void aWriteThatIsOverStaysOver() {
        Asked asked = new Asked(Pacing.BURST);
        asked.allowance.end("write");

        assertThat(ask(asked.allowance.with(HALF), 10, 1)).singleElement().isInstanceOf(Denied.class);
    }

    @Test
    void aLogThatIsSavedDuringTheStopMakesTheNextProcessWait() {
        AllowanceLog saved = throttledAt(10, Duration.ofSeconds(50)).allowance.log(START.plusSeconds(20), nanos(20));
        Allowance next = new Allowance(new Asked(Pacing.BURST).rules, saved, START.plusSeconds(20), 0);

        assertThat(saved.entries()).extracting(AllowanceLog.Entry::until).containsOnly(START.plusSeconds(60));
        assertThat(ask(next, 10, 39)).isEmpty();
        assertThat(ask(next, 10, 40)).singleElement().isInstanceOf(Grant.class);
        assertThat(next.mostInWindow()).isEqualTo(1_500);
    }
}
