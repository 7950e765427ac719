package io.usermap.client;

import static org.assertj.core.api.Assertions.assertThat;

import io.usermap.client.Allowance.Outcome;
import io.usermap.client.Allowance.Writer;
import io.usermap.client.AllowanceRules.Pacing;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Ten thousand writers at one coordinator: what a decision costs, and what is kept, early and late. */
class ManyWritersTest {
    /** Far above what a decision takes, for slow machines; the ratio of late to early is what tells growth. */
    private static final double MOST_NANOS = 100_000;

    /** Entries for one request in the hold: the permit itself, when it would have come back, and when it does. */
    private static final int KEPT_A_REQUEST = 4;

    /** Virtual time has as many parts; in the first the program is still being compiled. */
    private static final int PARTS = 6;

    /** Times every call that decides, and counts what is kept, in each part of the time. */
    private static final class Timed extends Coordinator.Real {
        private final double partSeconds;
        private final long[] nanos = new long[PARTS];
        private final long[] calls = new long[PARTS];
        private final int[] permitsKept = new int[PARTS];
        private final int[] questionsKept = new int[PARTS];
        private int partitionsKept;

        Timed(AllowanceRules rules, AllowanceLog seed, Instant wall, long now, double partSeconds) {
            super(new Allowance(rules, seed, wall, now));
            this.partSeconds = partSeconds;
        }

        private void timed(long now, Runnable call) {
            int part = (int) Math.min(PARTS - 1, now / 1e9 / partSeconds);
            long start = System.nanoTime();
            call.run();
            nanos[part] += System.nanoTime() - start;
            calls[part]++;
            permitsKept[part] = Math.max(permitsKept[part], allowance.permits.kept());
            questionsKept[part] = Math.max(questionsKept[part], allowance.turns.kept());
            partitionsKept = Math.max(partitionsKept, allowance.live.size());
        }

        @Override
        public void ask(String request, Writer writer, int wanted, long now) {
            timed(now, () -> super.ask(request, writer, wanted, now));
        }

        @Override
        public void done(long permit, Outcome outcome, Duration retryAfter, Duration roundTrip, long now) {
            timed(now, () -> super.done(permit, outcome, retryAfter, roundTrip, now));
        }

        @Override
        public List<AllowanceAnswer> answers(long now) {
            List<List<AllowanceAnswer>> answers = new ArrayList<>();
            timed(now, () -> answers.add(super.answers(now)));
            return answers.get(0);
        }

        double nanosACall(int part) {
            return (double) nanos[part] / calls[part];
        }
    }

    @ParameterizedTest
    @CsvSource({"10000, 100, BURST", "10000, 100, SMOOTH", "100, 1000, BURST", "100, 1000, SMOOTH"})
    void neitherADecisionNorTheMemoryGrowsWithWhatWasSent(int writers, double partSeconds, Pacing pacing) {
        VirtualTime time = new VirtualTime();
        SimulatedService service = new SimulatedService(time, ServerModel.exact(1_500, 30, false));
        Traffic traffic = Traffic.of(pacing);
        List<Timed> started = new ArrayList<>();
        traffic.coordinator = (rules, seed, wall, now) -> {
            started.add(new Timed(rules, seed, wall, now, partSeconds));
            return started.get(0);
        };
        long[] rows = new long[writers];
        Arrays.fill(rows, 1_000_000 / writers * 10L);
        new SimulatedApplication(service, traffic, 1, AllowanceLog.empty()).write(rows);
        time.runUntil(PARTS * partSeconds);
        Timed timed = started.get(0);

        assertThat(service.throttled()).isZero();
        assertThat(service.arrivals.mappingsBefore(PARTS * partSeconds))
                .isGreaterThan((long) (45 * PARTS * partSeconds));
        double early = timed.nanosACall(1);
        double late = timed.nanosACall(PARTS - 1);
        System.out.printf(
                "%d writers, %s: a decision takes %.2f us early and %.2f us late%n",
                writers, pacing, early / 1e3, late / 1e3);
        assertThat(late).as("nanoseconds a decision").isLessThan(MOST_NANOS).isLessThan(3 * early);
        assertThat(timed.permitsKept[PARTS - 1])
                .as("permits kept")
                .isLessThan(timed.permitsKept[1] * 3 / 2)
                .isLessThan(KEPT_A_REQUEST * requestsInAHold(service, traffic, partSeconds));
        assertThat(timed.questionsKept[PARTS - 1])
                .as("questions kept")
                .isLessThan(timed.questionsKept[1] * 3 / 2)
                .isLessThan(4 * writers);
        assertThat(timed.partitionsKept).as("partitions kept").isLessThanOrEqualTo(writers);
    }

    private static int requestsInAHold(SimulatedService service, Traffic traffic, double partSeconds) {
        double hold = traffic.rules.silentHold().toMillis() / 1e3;
        return (int) Math.ceil(service.arrivals.requests() * hold / (PARTS * partSeconds));
    }
}
