package io.usermap.job;

import static org.assertj.core.api.Assertions.assertThat;

import io.usermap.client.AllowanceLog;
import io.usermap.client.AllowanceLog.Answered;
import io.usermap.client.AllowanceRules;
import io.usermap.client.AllowanceRules.Pacing;
import io.usermap.client.LocalAllowance;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.IntFunction;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The times that sending reckons with. */
class SendingTest {
    private static final Instant NOW = Instant.parse("2026-11-22T03:31:00Z");
    private static final Duration MOST = Duration.ofSeconds(45);

    @ParameterizedTest(name = "term {0} ms, window {1} s: every {2} ms")
    @CsvSource({"30000,30,5000", "3600000,30,5000", "6000,30,1000", "30000,2,500", "3600000,1,500", "100,30,50"})
    void showsThatItIsAliveTwiceWithinTheMarginWhateverTheTerm(long term, long window, long beats) {
        AllowanceRules rules = AllowanceRules.of(
                50, 1, Duration.ofSeconds(window), Duration.ofSeconds(1), Duration.ofSeconds(30), Pacing.BURST);

        assertThat(Sending.beats(Duration.ofMillis(term), rules)).isEqualTo(Duration.ofMillis(beats));
    }

    /**
     * A run sends 300 mappings every 7 s and beats every 5 s; its wall clock is set once, and after 70 s it dies. Whatever
     * the clock says, the next process holds back what was answered within the last window and guard, by the true time.
     */
    @ParameterizedTest(name = "set by {0} min after {1} s")
    @CsvSource({"0,0", "-300,3", "-300,33", "-300,61", "-300,69", "300,3", "300,33", "300,61", "300,69", "-1,45", "1,45"
    })
    void aClockThatIsSetDuringARunThatCrashesLetsNothingBeSentBeyondTheWindow(long minutes, int after) {
        AllowanceRules rules = AllowanceRules.of(
                50, 1, Duration.ofSeconds(30), Duration.ofSeconds(1), Duration.ofSeconds(30), Pacing.BURST);
        IntFunction<Instant> wall =
                second -> NOW.plusSeconds(second).plus(Duration.ofMinutes(second >= after ? minutes : 0));
        Instant lastBeat = wall.apply(65);
        List<Answered> answered = IntStream.rangeClosed(0, 70)
                .filter(second -> second % 7 == 0)
                .mapToObj(second -> new Answered(wall.apply(second), 300))
                .filter(request -> request.at().isAfter(lastBeat.minus(rules.silentHold())))
                .toList();

        AllowanceLog log = Sending.afterCrash(rules, answered, lastBeat);

        int begins = 72;
        LocalAllowance next =
                new LocalAllowance(rules, log.movedBy(Duration.between(wall.apply(begins), Instant.now())));
        Map<Instant, Integer> free = new TreeMap<>();
        next.log().entries().forEach(entry -> free.merge(entry.until(), entry.mappings(), Integer::sum));
        Instant started = Instant.now();
        for (int sent = 42; sent <= 70; sent += 7) {
            int answeredSince = (70 - sent) / 7 * 300 + 300;
            Instant due = started.plusSeconds(sent + 31 - begins).minusSeconds(1);
            int away = free.entrySet().stream()
                    .filter(entry -> entry.getKey().isAfter(due))
                    .mapToInt(Map.Entry::getValue)
                    .sum();
            assertThat(away)
                    .as("away just before what was answered after %d s is due", sent)
                    .isGreaterThanOrEqualTo(answeredSince);
        }
    }

    @Test
    void waitsForTheRestAndForAllOfItWhereTheClockWasSetBack() {
        assertThat(Sending.left(NOW, NOW, MOST)).isEqualTo(MOST);
        assertThat(Sending.left(NOW.minusSeconds(40), NOW, MOST)).isEqualTo(Duration.ofSeconds(5));
        assertThat(Sending.left(NOW.minusSeconds(50), NOW, MOST)).isZero();
        assertThat(Sending.left(NOW.plusSeconds(20), NOW, MOST))
                .as("20 s in the future")
                .isEqualTo(MOST);
        assertThat(Sending.left(NOW.plus(Duration.ofHours(5)), NOW, MOST)).isEqualTo(MOST);
    }
}
