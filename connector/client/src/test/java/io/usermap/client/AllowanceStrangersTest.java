package io.usermap.client;

import static org.assertj.core.api.Assertions.assertThat;

import io.usermap.client.AllowanceRules.Pacing;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Rules 5 and 9: other applications, and services that count in another way than they say. */
class AllowanceStrangersTest {
    private static final int SEEDS_OF_A_BALANCE = 3;

    private VirtualTime time = new VirtualTime();
    private int seed = 1;
    private final List<SimulatedApplication> applications = new ArrayList<>();

    private void start(SimulatedService service, double share, Pacing pacing, int writers) {
        Traffic traffic = new Traffic();
        traffic.rules = Traffic.rules(share, pacing);
        long[] rows = new long[writers];
        Arrays.fill(rows, 1_000_000_000L);
        applications.add(
                new SimulatedApplication(service, traffic, 100L * seed + applications.size(), AllowanceLog.empty())
                        .write(rows));
    }

    private static long rows(SimulatedApplication application) {
        return application.writers.stream()
                .mapToLong(SimulatedWriter::acknowledged)
                .sum();
    }

    private double shareOf(SimulatedApplication application) {
        double all =
                applications.stream().mapToLong(AllowanceStrangersTest::rows).sum();
        return rows(application) / all;
    }

    @ParameterizedTest
    @CsvSource({"2, BURST", "2, SMOOTH", "3, BURST", "4, BURST"})
    void applicationsThatDeclareTheirSharesAreNeverThrottled(int count, Pacing pacing) {
        SimulatedService service = new SimulatedService(time, ServerModel.exact(1_500, 30, false));
        for (int i = 0; i < count; i++) {
            start(service, 1.0 / count, pacing, 4 + i);
        }
        time.runUntil(3_600);

        assertThat(service.throttled()).isZero();
        assertThat(service.arrivals.mostInAnyWindow(30)).isLessThanOrEqualTo(1_500);
        assertThat(applications)
                .allSatisfy(application -> assertThat(shareOf(application)).isBetween(0.9 / count, 1.1 / count));
    }

    @ParameterizedTest
    @CsvSource({"1, false", "4, false", "8, false", "8, true", "40, false"})
    void twoThatDoNotKnowOfEachOtherFindABalance(int writers, boolean countsRefused) {
        for (seed = 1; seed <= SEEDS_OF_A_BALANCE; seed++) {
            time = new VirtualTime();
            applications.clear();
            SimulatedService service = new SimulatedService(time, ServerModel.exact(1_500, 30, countsRefused));
            start(service, 1, Pacing.BURST, writers);
            time.runUntil(600);
            start(service, 1, Pacing.BURST, writers);
            time.runUntil(3_600);
            long[] settled = {rows(applications.get(0)), rows(applications.get(1))};
            time.runUntil(4 * 3_600);
            double first = rows(applications.get(0)) - settled[0];
            double second = rows(applications.get(1)) - settled[1];

            assertThat(first / (first + second))
                    .as("share of the first after the first hour, seed %d", seed)
                    .isBetween(0.4, 0.6);
            assertThat(service.throttled() / (double) service.arrivals.requests())
                    .as("share of 429s, seed %d", seed)
                    .isLessThanOrEqualTo(0.001);
            assertThat((first + second) / (3 * 3_600 * 50))
                    .as("share of the allowance that is used, seed %d", seed)
                    .isGreaterThan(0.85);
        }
    }

    @ParameterizedTest
    @CsvSource({
        "wholeSeconds, 8, 0, 0.99",
        "wholeSeconds, 40, 0, 0.99",
        "bucket1500, 8, 0, 0.99",
        "bucket1500, 40, 0, 0.99",
        "twoBuckets, 8, 4, 0.98",
        "twoBuckets, 40, 4, 0.98",
        "bucket50, 8, 4, 0.95",
        "bucket50, 40, 4, 0.95"
    })
    void aServiceThatOnlyApproximatesTheWindowRefusesAHandfulInTwoHours(
            String model, int writers, int most, double least) {
        SimulatedService service = new SimulatedService(
                time,
                switch (model) {
                    case "wholeSeconds" -> ServerModel.wholeSeconds(1_500, 30, false);
                    case "twoBuckets" -> ServerModel.twoBuckets(1_500, 30, false);
                    case "bucket1500" -> ServerModel.tokenBucket(1_500, 30, 1_500, false);
                    default -> ServerModel.tokenBucket(1_500, 30, 50, false);
                });
        start(service, 1, Pacing.BURST, writers);
        time.runUntil(2 * 3_600);
        double used =
                rows(applications.get(0)) / 7_200.0 / Traffic.of(Pacing.BURST).boundPerSecond();

        assertThat(used).isGreaterThanOrEqualTo(least);
        assertThat(service.throttled()).isLessThanOrEqualTo(most);
    }
}
