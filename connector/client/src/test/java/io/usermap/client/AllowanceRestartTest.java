package io.usermap.client;

import static org.assertj.core.api.Assertions.assertThat;

import io.usermap.client.AllowanceLog.Answered;
import io.usermap.client.AllowanceRules.Pacing;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Random;
import java.util.stream.LongStream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Rule 7: an application that ends, in order or not, and another that starts soon after. */
class AllowanceRestartTest {
    private static final int RESTARTS_A_SEED = 20;

    private final VirtualTime time = new VirtualTime();
    private final SimulatedService service = new SimulatedService(time, ServerModel.exact(1_500, 30, false));

    static LongStream seeds() {
        return Seeds.first(25);
    }

    private static Traffic traffic(Random random) {
        Traffic traffic = Traffic.of(random.nextBoolean() ? Pacing.BURST : Pacing.SMOOTH);
        traffic.spikes = 0.05;
        traffic.doneLost = 0.02;
        return traffic;
    }

    private static long[] rows(Random random) {
        return LongStream.generate(() -> 1_000_000)
                .limit(new int[] {1, 4, 8, 40}[random.nextInt(4)])
                .toArray();
    }

    @ParameterizedTest
    @MethodSource("seeds")
    void afterACleanEndTheSavedLogIsEnough(long seed) {
        Random random = new Random(seed);
        Traffic traffic = traffic(random);
        long[] rows = rows(random);
        AllowanceLog log = AllowanceLog.empty();
        double now = 0;
        for (int restart = 0; restart < RESTARTS_A_SEED; restart++) {
            SimulatedApplication application =
                    new SimulatedApplication(service, traffic, seed + restart, log).write(rows);
            now += 20 + random.nextDouble() * 100;
            time.runUntil(now);
            log = application.save();
            application.kill();
            now += random.nextDouble() * 30;
            time.runUntil(now);
        }

        assertThat(service.throttled()).isZero();
        assertThat(service.arrivals.mostInAnyWindow(30)).isLessThanOrEqualTo(1_500);
        assertThat(service.arrivals.requests()).isGreaterThan(RESTARTS_A_SEED);
    }

    @ParameterizedTest
    @MethodSource("seeds")
    void afterACrashReceiptsAndTheLastHeartbeatAreEnough(long seed) {
        Random random = new Random(seed);
        Traffic traffic = traffic(random);
        long[] rows = rows(random);
        AllowanceLog log = AllowanceLog.empty();
        double now = 0;
        for (int restart = 0; restart < RESTARTS_A_SEED; restart++) {
            SimulatedApplication application =
                    new SimulatedApplication(service, traffic, seed + restart, log).write(rows);
            double started = now;
            now += 20 + random.nextDouble() * 150;
            time.runUntil(now);
            application.kill();
            log = afterCrash(application, started, now, random);
            now += random.nextDouble() * 30;
            time.runUntil(now);
        }

        assertThat(service.throttled()).isZero();
        assertThat(service.arrivals.mostInAnyWindow(30)).isLessThanOrEqualTo(1_500);
    }

    /** Receipts up to the last flush, a heartbeat that is up to a margin old. */
    private static AllowanceLog afterCrash(
            SimulatedApplication application, double started, double died, Random random) {
        Duration margin = application.traffic.rules.margin();
        boolean smooth = application.traffic.rules.pacing() == Pacing.SMOOTH;
        double flushed = died - (smooth ? 10 : 0.2) * random.nextDouble();
        double heartbeat = Math.max(started, died - margin.toNanos() / 1e9 * random.nextDouble());
        Instant start = application.wall().minusNanos(VirtualTime.nanos(died));
        Instant flush = start.plusNanos(VirtualTime.nanos(flushed));
        List<Answered> receipts = application.receipts.stream()
                .filter(receipt -> !receipt.at().isAfter(flush))
                .toList();
        Instant sign = start.plusNanos(VirtualTime.nanos(heartbeat));
        for (Answered receipt : receipts) {
            sign = receipt.at().isAfter(sign) ? receipt.at() : sign;
        }
        return AllowanceLog.afterCrash(application.traffic.rules, receipts, sign);
    }
}
