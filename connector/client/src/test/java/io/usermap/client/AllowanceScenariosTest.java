package io.usermap.client;

import static org.assertj.core.api.Assertions.assertThat;

import io.usermap.client.AllowanceRules.Pacing;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** One thing that goes wrong at a time, and much of it; the books of {@link PermitAudit} are kept in every run. */
class AllowanceScenariosTest {
    private static final int SEEDS = 2;

    /** From a question to a grant, whatever goes wrong: pauses, holds and slow requests one after the other. */
    private static final double LONGEST_WAIT = 900;

    enum Fault {
        EXECUTORS_ARE_LOST,
        LONG_PAUSES_BETWEEN_GRANT_AND_SEND,
        THE_DRIVER_PAUSES,
        REPORTS_ARE_LOST,
        REPORTS_ARE_LATE_AND_TWICE,
        QUESTIONS_AND_ANSWERS_ARE_LOST_OR_TWICE,
        TWINS_EVERYWHERE,
        DYNAMIC_ALLOCATION,
        THE_SERVICE_FAILS,
        THE_SERVICE_IS_DRASTICALLY_SLOW,
        SPIKES,
        THE_WALL_CLOCK_JUMPS;

        void strikes(Traffic traffic) {
            switch (this) {
                case EXECUTORS_ARE_LOST -> traffic.executorLossesAnHour = 60;
                case LONG_PAUSES_BETWEEN_GRANT_AND_SEND -> {
                    traffic.executorPausesAnHour = 60;
                    traffic.longestExecutorPause = 300;
                }
                case THE_DRIVER_PAUSES -> {
                    traffic.driverPausesAnHour = 60;
                    traffic.longestDriverPause = 60;
                }
                case REPORTS_ARE_LOST -> traffic.doneLost = 0.2;
                case REPORTS_ARE_LATE_AND_TWICE -> traffic.doneLate = 0.2;
                case QUESTIONS_AND_ANSWERS_ARE_LOST_OR_TWICE -> traffic.linesBreak = 0.1;
                case TWINS_EVERYWHERE -> {
                    traffic.twins = 1;
                    traffic.executorPausesAnHour = 20;
                }
                case DYNAMIC_ALLOCATION -> traffic.resizesAnHour = 60;
                case THE_SERVICE_FAILS -> traffic.serviceErrors = 0.2;
                case THE_SERVICE_IS_DRASTICALLY_SLOW -> traffic.slowDown = seconds -> seconds % 900 < 300 ? 120 : 1;
                case SPIKES -> traffic.spikes = 0.3;
                case THE_WALL_CLOCK_JUMPS -> traffic.wallClock = AllowanceScenariosTest::jumping;
            }
        }
    }

    /** Forward by an hour every ten minutes, and back again five minutes later. */
    static long jumping(long nanos) {
        return nanos + (nanos / 300_000_000_000L % 2 == 1 ? 3_600_000_000_000L : 0);
    }

    private final List<PermitAudit> audits = new ArrayList<>();
    private final VirtualTime time = new VirtualTime();

    private SimulatedApplication start(SimulatedService service, Traffic traffic, long seed, long... rows) {
        traffic.coordinator = PermitAudit.into(audits);
        return new SimulatedApplication(service, traffic, seed, AllowanceLog.empty()).write(rows);
    }

    private static long[] each(int writers, long rows) {
        long[] all = new long[writers];
        Arrays.fill(all, rows);
        return all;
    }

    private void assertBooksAgree() {
        assertThat(audits).isNotEmpty().allSatisfy(audit -> {
            assertThat(audit.discrepancies()).isEmpty();
            assertThat(audit.longestWait()).as("longest wait").isLessThan(LONGEST_WAIT);
        });
    }

    static Stream<Arguments> faults() {
        return Arrays.stream(Fault.values())
                .flatMap(fault -> Arrays.stream(Pacing.values())
                        .flatMap(pacing -> Seeds.first(SEEDS).mapToObj(seed -> Arguments.of(fault, pacing, seed))));
    }

    @ParameterizedTest
    @MethodSource("faults")
    void theWindowIsKeptAndEverythingArrives(Fault fault, Pacing pacing, long seed) {
        Random random = new Random(seed);
        SimulatedService service = new SimulatedService(time, ServerModel.exact(1_500, 30, seed % 2 == 0));
        Traffic traffic = Traffic.of(pacing);
        fault.strikes(traffic);
        long[] rows = each(new int[] {1, 8, 40}[random.nextInt(3)], 1_000 + random.nextInt(500));
        SimulatedApplication application = start(service, traffic, seed, rows);
        time.runUntil(2 * 3_600);
        application.calm();
        time.runUntil(5 * 3_600);

        assertThat(service.throttled()).isZero();
        assertThat(service.arrivals.mostInAnyWindow(30)).isLessThanOrEqualTo(1_500);
        assertThat(application.finishedAt()).as("end").isLessThan(5 * 3_600);
        assertThat(application.save().entries()).as("permits away").isEmpty();
        assertBooksAgree();
    }

    @ParameterizedTest
    @CsvSource({"2, 1", "2, 2", "3, 3", "4, 4"})
    void applicationsWithDeclaredSharesAreNotThrottledAmidChaosEither(int count, long seed) {
        SimulatedService service = new SimulatedService(time, ServerModel.exact(1_500, 30, true));
        List<SimulatedApplication> applications = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            Traffic traffic = AllowanceSimulationTest.chaos(seed * 10 + i);
            traffic.rules = Traffic.rules(1.0 / count, traffic.rules.pacing());
            applications.add(start(service, traffic, seed * 10 + i, each(4 + i, 3_000)));
        }
        time.runUntil(3_600);
        applications.forEach(SimulatedApplication::calm);
        time.runUntil(4 * 3_600);

        assertThat(service.throttled()).isZero();
        assertThat(service.arrivals.mostInAnyWindow(30)).isLessThanOrEqualTo(1_500);
        assertThat(applications)
                .allSatisfy(application -> assertThat(application.finishedAt()).isLessThan(4 * 3_600));
        assertBooksAgree();
    }

    enum Counting {
        EXACT,
        TWO_BUCKETS,
        WHOLE_SECONDS,
        TOKENS_1500,
        TOKENS_50;

        ServerModel model(boolean countsRefused) {
            return switch (this) {
                case EXACT -> ServerModel.exact(1_500, 30, countsRefused);
                case TWO_BUCKETS -> ServerModel.twoBuckets(1_500, 30, countsRefused);
                case WHOLE_SECONDS -> ServerModel.wholeSeconds(1_500, 30, countsRefused);
                case TOKENS_1500 -> ServerModel.tokenBucket(1_500, 30, 1_500, countsRefused);
                case TOKENS_50 -> ServerModel.tokenBucket(1_500, 30, 50, countsRefused);
            };
        }
    }

    static Stream<Arguments> countings() {
        return Arrays.stream(Counting.values())
                .flatMap(counting -> Stream.of(true, false)
                        .flatMap(countsRefused ->
                                Seeds.first(4).mapToObj(seed -> Arguments.of(counting, countsRefused, seed))));
    }

    @ParameterizedTest
    @MethodSource("countings")
    void howeverTheServiceCountsNobodyIsStuckAmidChaos(Counting counting, boolean countsRefused, long seed) {
        SimulatedService service = new SimulatedService(time, counting.model(countsRefused));
        SimulatedApplication application =
                start(service, AllowanceSimulationTest.chaos(seed), seed, each(seed % 2 == 0 ? 8 : 40, 40_000 / 40));
        time.runUntil(3_600);
        application.calm();
        time.runUntil(4 * 3_600);

        assertThat(application.finishedAt()).as("end").isLessThan(4 * 3_600);
        // The first refusal, those that were in flight with it, and a few on the way to a budget that is small enough.
        long most = switch (counting) {
            case EXACT, TOKENS_1500, WHOLE_SECONDS -> 0;
            case TWO_BUCKETS, TOKENS_50 -> 40;
        };
        assertThat(service.throttled()).as("429s").isLessThanOrEqualTo(most);
        assertBooksAgree();
    }

    @ParameterizedTest
    @EnumSource(Pacing.class)
    void aSmallWriteBesideABackfillGetsThere(Pacing pacing) {
        SimulatedService service = new SimulatedService(time, ServerModel.exact(1_500, 30, false));
        Traffic traffic = Traffic.of(pacing);
        start(service, traffic, 1).write("backfill", each(40, 1_000_000)).write("small", 1_000);
        time.runUntil(3_600);

        assertThat(audits.get(0).granted("small")).isEqualTo(1_000);
        assertThat(audits.get(0).granted("backfill")).isGreaterThan(150_000);
        assertThat(service.throttled()).isZero();
        assertBooksAgree();
    }
}
