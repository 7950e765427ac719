package io.usermap.client;

import static org.assertj.core.api.Assertions.assertThat;

import io.usermap.client.AllowanceRules.Pacing;
import io.usermap.client.BrokenCoordinators.FreeOnTimeOut;
import io.usermap.client.BrokenCoordinators.NoMinimum;
import io.usermap.client.BrokenCoordinators.OnePerWrite;
import io.usermap.client.BrokenCoordinators.PacerAtTheFairShare;
import io.usermap.client.BrokenCoordinators.ReleaseAtResponse;
import io.usermap.client.BrokenCoordinators.ReleaseAtSend;
import io.usermap.client.BrokenCoordinators.WallClock;
import io.usermap.client.Restarts.Seeding;
import java.util.Arrays;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;

/** The simulation is able to fail: each mistake is caught by a check that the real coordinator passes. */
class AllowanceMutantsTest {

    /** The mutant lets more into one window than the real one does in the very same scenario. */
    private static void assertCaughtByTheWindow(Consumer<Traffic> scenario, Consumer<Traffic> mutation) {
        assertCaughtByTheWindow(6, scenario, mutation);
    }

    private static void assertCaughtByTheWindow(int seeds, Consumer<Traffic> scenario, Consumer<Traffic> mutation) {
        assertThat(fullestWindow(seeds, scenario)).as("the real one").isLessThanOrEqualTo(1_500);
        assertThat(fullestWindow(seeds, scenario.andThen(mutation)))
                .as("the mutant")
                .isGreaterThan(1_500);
    }

    /** The fullest window of the worst of the seeds. */
    private static long fullestWindow(int seeds, Consumer<Traffic> changes) {
        long most = 0;
        for (long seed = 1; seed <= seeds; seed++) {
            Traffic traffic = Traffic.of(seed % 2 == 0 ? Pacing.SMOOTH : Pacing.BURST);
            traffic.spikes = 0.05;
            traffic.executorLossesAnHour = 20;
            traffic.executorPausesAnHour = 20;
            changes.accept(traffic);
            VirtualTime time = new VirtualTime();
            SimulatedService service = new SimulatedService(time, ServerModel.exact(1_500, 30, false));
            saturate(service, traffic, seed, 4).write("another", 1_000_000, 1_000_000, 1_000_000, 1_000_000);
            time.runUntil(3_600);
            most = Math.max(most, service.arrivals.mostInAnyWindow(30));
        }
        return most;
    }

    private static SimulatedApplication saturate(SimulatedService service, Traffic traffic, long seed, int writers) {
        long[] rows = new long[writers];
        Arrays.fill(rows, 1_000_000);
        return new SimulatedApplication(service, traffic, seed, AllowanceLog.empty()).write(rows);
    }

    /** An hour in burst without faults. */
    private static ArrivalLog anHour(int writers, Consumer<Traffic> changes) {
        Traffic traffic = Traffic.of(Pacing.BURST);
        changes.accept(traffic);
        VirtualTime time = new VirtualTime();
        SimulatedService service = new SimulatedService(time, ServerModel.exact(1_500, 30, false));
        saturate(service, traffic, 1, writers);
        time.runUntil(3_600);
        return service.arrivals;
    }

    @Test
    void releaseAtSendIsCaught() {
        assertCaughtByTheWindow(traffic -> {}, traffic -> traffic.coordinator = ReleaseAtSend::new);
    }

    @Test
    void releaseAtResponseWithoutTheWindowIsCaught() {
        assertCaughtByTheWindow(traffic -> {}, traffic -> traffic.coordinator = ReleaseAtResponse::new);
    }

    @Test
    void wallClockInsteadOfMonotonicIsCaught() {
        assertCaughtByTheWindow(
                traffic -> traffic.wallClock = AllowanceScenariosTest::jumping,
                traffic -> traffic.coordinator = WallClock.reading(traffic.wallClock));
    }

    @Test
    void freeOnExecutorLossIsCaught() {
        assertCaughtByTheWindow(traffic -> {}, traffic -> traffic.freesOnLoss = true);
    }

    @Test
    void freeOnTimeOutIsCaught() {
        assertCaughtByTheWindow(
                traffic -> traffic.slowDown = seconds -> seconds % 600 < 120 ? 120 : 1,
                traffic -> traffic.coordinator = FreeOnTimeOut::new);
    }

    @Test
    void oneCoordinatorPerWriteIsCaught() {
        assertCaughtByTheWindow(traffic -> {}, traffic -> traffic.coordinator = OnePerWrite::new);
    }

    @Test
    void actingOnALateGrantIsCaught() {
        // A pause must fall between a grant and its request, which is rare: about one in five seeds shows it.
        assertCaughtByTheWindow(
                24, traffic -> traffic.longestExecutorPause = 400, traffic -> traffic.usesLateGrants = true);
    }

    /** Nothing is exceeded, but permits crumble. */
    @Test
    void noMinimumGrantIsCaughtByTheRequestsAnHour() {
        ArrivalLog real = anHour(40, traffic -> {});
        ArrivalLog mutant = anHour(40, traffic -> traffic.coordinator = NoMinimum::new);

        assertThat(real.requests()).as("the real one").isLessThanOrEqualTo(2_000);
        assertThat(mutant.requests()).as("the mutant").isGreaterThan(4_000);
    }

    /** When {@code rows} are done that 40 writers on ten executors share, the first of them having {@code mostOfThem}. */
    private static double makespan(long rows, long mostOfThem, Consumer<Traffic> changes) {
        Traffic traffic = Traffic.of(Pacing.BURST);
        traffic.spikes = 0;
        changes.accept(traffic);
        VirtualTime time = new VirtualTime();
        SimulatedService service = new SimulatedService(time, ServerModel.exact(1_500, 30, false));
        long[] all = new long[40];
        Arrays.fill(all, (rows - mostOfThem) / 39);
        all[0] = mostOfThem;
        SimulatedApplication application =
                new SimulatedApplication(service, traffic, 1, AllowanceLog.empty()).write(all);
        time.runUntil(100_000);
        return application.finishedAt();
    }

    /**
     * A large grant books far ahead, and the grants behind it expire unsent: a delta that the window would take at once
     * trickles, and the last straggler gets a tenth of the rate.
     */
    @Test
    void pacerAtTheFairShareIsCaughtByWaiting() {
        Consumer<Traffic> mutation = traffic -> traffic.coordinator = PacerAtTheFairShare.among(10);

        assertThat(makespan(1_500, 38, traffic -> {}))
                .as("a delta, the real one")
                .isLessThan(1.5);
        assertThat(makespan(1_500, 38, mutation)).as("a delta, the mutant").isGreaterThan(15);
        assertThat(makespan(5_000, 2_500, traffic -> {}))
                .as("a straggler, the real one")
                .isLessThan(150);
        assertThat(makespan(5_000, 2_500, mutation))
                .as("a straggler, the mutant")
                .isGreaterThan(400);
    }

    @Test
    void seedingFromReceiptsAloneIsCaughtByRestarts() {
        int real = 0;
        int mutant = 0;
        for (long seed = 1; seed <= 10; seed++) {
            real += new Restarts(seed)
                    .killed(20, AllowanceLog::afterCrash, random -> 0)
                    .refusedAfter();
            mutant += new Restarts(seed)
                    .killed(20, Seeding::fromReceiptsAlone, random -> 0)
                    .refusedAfter();
        }

        assertThat(real).as("of 200 restarts, the real one").isZero();
        assertThat(mutant).as("of 200 restarts, the mutant").isGreaterThan(10);
    }
}
