package io.usermap.client;

import static org.assertj.core.api.Assertions.assertThat;

import io.usermap.client.AllowanceRules.Pacing;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** How much of the allowance is used, in how many requests, and how soon the work is done. */
class AllowanceFiguresTest {
    private static final long PLENTY = 1_000_000_000L;
    private static final int SEEDS = 3;

    private VirtualTime time = new VirtualTime();
    private SimulatedService service = service();

    private SimulatedService service() {
        return new SimulatedService(time, ServerModel.exact(1_500, 30, false));
    }

    private SimulatedApplication start(Traffic traffic, long... rows) {
        return start(1, traffic, rows);
    }

    private SimulatedApplication start(long seed, Traffic traffic, long... rows) {
        time = new VirtualTime();
        service = service();
        return new SimulatedApplication(service, traffic, seed, AllowanceLog.empty()).write(rows);
    }

    private static long[] each(int writers, long rows) {
        long[] all = new long[writers];
        Arrays.fill(all, rows);
        return all;
    }

    @ParameterizedTest
    @CsvSource({"BURST, 1", "BURST, 4", "BURST, 8", "BURST, 40", "SMOOTH, 1", "SMOOTH, 4", "SMOOTH, 8", "SMOOTH, 40"})
    void saturatedWritersUseTheAllowanceUpToItsBound(Pacing pacing, int writers) {
        for (long seed = 1; seed <= SEEDS; seed++) {
            Traffic traffic = Traffic.of(pacing);
            start(seed, traffic, each(writers, PLENTY));
            time.runUntil(3 * 3_600);
            double requestsAnHour = service.arrivals.requests() / 3.0;

            assertThat(service.arrivals.rate(300) / traffic.boundPerSecond())
                    .as("share of the bound used, seed %d", seed)
                    .isGreaterThanOrEqualTo(0.99);
            assertThat(service.throttled()).isZero();
            assertThat(service.arrivals.mostInAnyWindow(30)).isLessThanOrEqualTo(1_500);
            if (pacing == Pacing.BURST) {
                assertThat(requestsAnHour).isLessThanOrEqualTo(2_000);
            }
        }
    }

    @ParameterizedTest
    @EnumSource(Pacing.class)
    void halfOfAllRowsInOnePartitionCostNothing(Pacing pacing) {
        long[] rows = each(40, 100_000 / 39);
        rows[0] = 100_000;
        rows[1] += 100_000 - 39 * (100_000 / 39);
        for (long seed = 1; seed <= SEEDS; seed++) {
            SimulatedApplication application = start(seed, Traffic.of(pacing), rows);
            time.runUntil(20_000);

            assertThat(application.finishedAt() / (200_000 / 50.0 + 30))
                    .as("time against rows/50 + W, seed %d", seed)
                    .isLessThanOrEqualTo(1.05);
            assertThat(service.throttled()).isZero();
        }
    }

    @ParameterizedTest
    @CsvSource({"1", "8", "40"})
    void aDeltaThatFitsIntoTheWindowLeavesAtOnce(int writers) {
        Traffic traffic = Traffic.of(Pacing.BURST);
        traffic.spikes = 0;
        SimulatedApplication application = start(traffic, each(writers, 1_500 / writers));
        time.runUntil(60);

        assertThat(application.finishedAt()).isLessThan(1.5);
    }

    @ParameterizedTest
    @CsvSource({"BURST, 1, 2.6", "BURST, 4, 2.1", "SMOOTH, 1, 2.2", "SMOOTH, 4, 2.1"})
    void aSmallWriteBesideALargeOneTakesLittleMoreThanTwiceAsLongAsAlone(Pacing pacing, int writers, double most) {
        for (long seed = 1; seed <= SEEDS; seed++) {
            Traffic traffic = Traffic.of(pacing);
            SimulatedApplication application = start(seed, traffic, each(40, 1_500));
            time.runUntil(600);
            application.write("small", each(writers, 3_000 / writers));
            time.runUntil(3_600);
            double alone = 3_000 / traffic.boundPerSecond();
            double all = (40 * 1_500 + 3_000) / traffic.boundPerSecond();

            // The window is full of the large write's rows: alone, too, the small one would take 63 s.
            assertThat((application.finishedAt("small") - 600) / alone)
                    .as("time of the small write against alone, seed %d", seed)
                    .isLessThanOrEqualTo(most);
            assertThat(application.finishedAt() / all).as("time of both").isLessThanOrEqualTo(1.03);
            assertThat(service.throttled()).isZero();
        }
    }

    @Test
    void aSlowServiceIsNoReasonToSendMuchLess() {
        Traffic traffic = Traffic.of(Pacing.SMOOTH);
        traffic.leastRoundTrip = 5;
        traffic.mostRoundTrip = 5;
        traffic.spikes = 0;
        start(traffic, PLENTY);
        time.runUntil(3_600);

        assertThat(service.arrivals.rate(300) / traffic.boundPerSecond()).isGreaterThanOrEqualTo(0.9);
        assertThat(service.arrivals.mostInAnyWindow(30)).isLessThanOrEqualTo(1_500);
    }
}
