package io.usermap.client;

import static org.assertj.core.api.Assertions.assertThat;

import io.usermap.client.AllowanceRules.Pacing;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Whatever goes wrong: the documented window is never exceeded, nothing is lost, and everybody gets there. */
class AllowanceSimulationTest {

    /** Faults end so long before the end of the long runs. */
    private static final double CALM_SECONDS = 900;

    static LongStream seeds() {
        return Seeds.first(60);
    }

    /** One of everything that goes wrong, more or less of it by the seed. */
    static Traffic chaos(long seed) {
        Random random = new Random(seed);
        Traffic traffic = Traffic.of(random.nextBoolean() ? Pacing.BURST : Pacing.SMOOTH);
        traffic.spikes = random.nextBoolean() ? 0.01 : 0.05;
        traffic.doneLost = random.nextBoolean() ? 0 : 0.05 * random.nextDouble();
        traffic.doneLate = random.nextBoolean() ? 0 : 0.05 * random.nextDouble();
        traffic.serviceErrors = random.nextBoolean() ? 0 : 0.02;
        traffic.executorLossesAnHour = random.nextInt(3) * 10;
        traffic.executorPausesAnHour = random.nextInt(3) * 15;
        traffic.driverPausesAnHour = random.nextInt(3) * 10;
        traffic.twins = random.nextInt(3) * 0.2;
        if (random.nextInt(4) == 0) {
            double slowFrom = 200 + random.nextInt(1_000);
            traffic.slowDown = seconds -> seconds > slowFrom && seconds < slowFrom + 300 ? 80 : 1;
        }
        traffic.linesBreak = random.nextInt(3) * 0.01;
        traffic.resizesAnHour = random.nextInt(3) * 10;
        if (random.nextBoolean()) {
            traffic.wallClock = AllowanceScenariosTest::jumping;
        }
        return traffic;
    }

    @ParameterizedTest
    @MethodSource("seeds")
    void chaosNeverExceedsTheWindowAndEverythingArrives(long seed) {
        Random random = new Random(-seed);
        VirtualTime time = new VirtualTime();
        SimulatedService service = new SimulatedService(time, ServerModel.exact(1_500, 30, random.nextBoolean()));
        List<PermitAudit> audits = new ArrayList<>();
        Traffic traffic = chaos(seed);
        traffic.coordinator = PermitAudit.into(audits);
        SimulatedApplication application = new SimulatedApplication(service, traffic, seed, AllowanceLog.empty());
        int writers = new int[] {1, 4, 8, 40}[random.nextInt(4)];
        long[] rows = random.longs(writers, 0, 60_000 / writers).toArray();
        application.write(rows);
        time.runUntil(3_600);
        application.calm();
        time.runUntil(3 * 3_600);

        assertThat(service.throttled()).as("429s").isZero();
        assertThat(service.arrivals.mostInAnyWindow(30)).as("fullest window").isLessThanOrEqualTo(1_500);
        assertThat(application.finishedAt()).as("end").isLessThan(3 * 3_600);
        assertThat(service.arrivals.mappingsBefore(1e6))
                .as("rows")
                .isGreaterThanOrEqualTo(Arrays.stream(rows).sum());
        assertThat(application.save().entries())
                .as("permits that did not come back")
                .isEmpty();
        assertThat(audits.get(0).discrepancies()).isEmpty();
        assertThat(audits.get(0).longestWait()).as("longest wait").isLessThan(900);
    }

    @Test
    void aMillionRequestsAmidChaosGetNo429() {
        Long again = Long.getLong("usermap.seed");
        long requests = 0;
        for (long seed = again == null ? 1_001 : again; requests < (again == null ? 1_000_000 : 1); seed++) {
            VirtualTime time = new VirtualTime();
            SimulatedService service = new SimulatedService(time, ServerModel.exact(1_500, 30, false));
            Traffic traffic = chaos(seed);
            traffic.rules = Traffic.rules(1, Pacing.SMOOTH);
            List<PermitAudit> audits = new ArrayList<>();
            traffic.coordinator = PermitAudit.into(audits);
            long[] rows = new long[8];
            Arrays.fill(rows, 1_000_000);
            SimulatedApplication application =
                    new SimulatedApplication(service, traffic, seed, AllowanceLog.empty()).write(rows);
            time.runUntil(3 * 3_600 - CALM_SECONDS);
            application.calm();
            time.runUntil(3 * 3_600);
            requests += service.arrivals.requests();

            assertThat(service.throttled()).as("429s, seed %d", seed).isZero();
            assertThat(service.arrivals.mostInAnyWindow(30))
                    .as("fullest window, seed %d", seed)
                    .isLessThanOrEqualTo(1_500);
            assertThat(audits.get(0).discrepancies()).as("books, seed %d", seed).isEmpty();
            assertThat(audits.get(0).longestWait())
                    .as("longest wait, seed %d", seed)
                    .isLessThan(900);
            // Nothing has got stuck: lost reports and slow answers go on and cost their part, no more.
            assertThat(service.arrivals.mappingsBefore(3 * 3_600) - service.arrivals.mappingsBefore(3 * 3_600 - 300))
                    .as("mappings in the last 300 s, seed %d", seed)
                    .isGreaterThan(300 * 30);
        }
    }
}
