package io.usermap.client;

import static org.assertj.core.api.Assertions.assertThat;

import io.usermap.client.AllowanceRules.Pacing;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Ten thousand writers at one coordinator. */
class ManyWritersTest {

    @Test
    void aDecisionStaysCheapAndTheWindowWhole() {
        VirtualTime time = new VirtualTime();
        SimulatedService service = new SimulatedService(time, ServerModel.exact(1_500, 30, false));
        Traffic traffic = Traffic.of(Pacing.BURST);
        long[] nanosAndCalls = new long[2];
        traffic.coordinator = (rules, seed, wall, now) -> new Coordinator.Real(new Allowance(rules, seed, wall, now)) {
            @Override
            public List<AllowanceAnswer> answers(long at) {
                long start = System.nanoTime();
                List<AllowanceAnswer> answers = super.answers(at);
                nanosAndCalls[0] += System.nanoTime() - start;
                nanosAndCalls[1]++;
                return answers;
            }
        };
        long[] rows = new long[10_000];
        Arrays.fill(rows, 1_000);
        new SimulatedApplication(service, traffic, 1, AllowanceLog.empty()).write(rows);
        time.runUntil(300);
        assertThat(service.arrivals.mostInAnyWindow(30)).isLessThanOrEqualTo(1_500);
        // Microseconds; the limit is far above, for slow machines.
        assertThat(Duration.ofNanos(nanosAndCalls[0] / nanosAndCalls[1])).isLessThan(Duration.ofMillis(1));
    }
}
