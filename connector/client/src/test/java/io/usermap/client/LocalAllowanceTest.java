package io.usermap.client;

import static org.assertj.core.api.Assertions.assertThat;

import io.usermap.client.Allowance.Outcome;
import io.usermap.client.Allowance.Writer;
import io.usermap.client.AllowanceAnswer.Denied;
import io.usermap.client.AllowanceAnswer.Grant;
import io.usermap.client.AllowanceAnswer.Later;
import io.usermap.client.AllowanceRules.Pacing;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(value = 60, unit = TimeUnit.SECONDS)
class LocalAllowanceTest {
    private static final AllowanceRules BRIEF = new AllowanceRules(
            100, Duration.ofMillis(300), Duration.ofMillis(50), Duration.ofMillis(500), Pacing.BURST);

    private final LocalAllowance allowance = new LocalAllowance(BRIEF, AllowanceLog.empty());
    private final AllowanceLine first = allowance.line(new Writer("w", 0, 0));
    private final AllowanceLine second = allowance.line(new Writer("w", 1, 0));

    private static AllowanceAnswer ask(AllowanceLine line, String request, int wanted) {
        try {
            return line.ask(request, wanted);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return new Later(request, Duration.ZERO);
        }
    }

    @Test
    void whoeverAsksForMoreThanThereIsWaitsForTheWindow() {
        long start = System.nanoTime();
        Grant grant = (Grant) ask(first, "a", 100);
        first.done(grant.permit(), Outcome.OK, Duration.ZERO, Duration.ofMillis(1), Tally.NONE);
        Grant next = (Grant) ask(second, "b", 60);

        assertThat(Duration.ofNanos(System.nanoTime() - start)).isGreaterThanOrEqualTo(Duration.ofMillis(350));
        assertThat(next.mappings()).isEqualTo(60);
        assertThat(allowance.mostInWindow()).isEqualTo(100);
        assertThat(allowance.log().entries()).hasSize(1);
    }

    @Test
    void aPermitThatComesBackWakesWhoeverWaits() {
        Grant grant = (Grant) ask(first, "a", 100);
        CompletableFuture<AllowanceAnswer> waiting = CompletableFuture.supplyAsync(() -> ask(second, "b", 60));
        first.done(grant.permit(), Outcome.UNSENT, Duration.ZERO, Duration.ZERO, Tally.NONE);

        assertThat(waiting.join())
                .isInstanceOfSatisfying(
                        Grant.class, next -> assertThat(next.mappings()).isEqualTo(60));
    }

    @Test
    void aWriteThatIsStoppedAnswersWhoeverWaits() {
        assertThat(ask(first, "a", 100)).isInstanceOf(Grant.class);
        CompletableFuture<AllowanceAnswer> waiting = CompletableFuture.supplyAsync(() -> ask(second, "b", 60));
        first.stop("wrong key");

        assertThat(waiting.join()).isEqualTo(new Denied("b", "wrong key"));
    }
}
