package io.usermap.client;

import static org.assertj.core.api.Assertions.assertThat;

import io.usermap.client.Allowance.Outcome;
import io.usermap.client.AllowanceAnswer.Grant;
import io.usermap.client.AllowanceRules.Pacing;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

/** The simulation is able to fail: coordinators that are broken on purpose exceed the window. */
class AllowanceMutantsTest {

    /** The fullest window of the worst of a few seeds. */
    private static long fullestWindow(java.util.function.Consumer<Traffic> mutation) {
        long most = 0;
        for (long seed = 1; seed <= 6; seed++) {
            Traffic traffic = Traffic.of(seed % 2 == 0 ? Pacing.SMOOTH : Pacing.BURST);
            traffic.spikes = 0.05;
            traffic.executorLossesAnHour = 20;
            traffic.executorPausesAnHour = 20;
            mutation.accept(traffic);
            VirtualTime time = new VirtualTime();
            SimulatedService service = new SimulatedService(time, ServerModel.exact(1_500, 30, false));
            long[] rows = new long[8];
            Arrays.fill(rows, 1_000_000);
            SimulatedApplication application =
                    new SimulatedApplication(service, traffic, seed, AllowanceLog.empty()).write(rows);
            time.runUntil(3_600);
            application.calm();
            most = Math.max(most, service.arrivals.mostInAnyWindow(30));
        }
        return most;
    }

    @Test
    void theRealOneDoesNot() {
        assertThat(fullestWindow(traffic -> {})).isLessThanOrEqualTo(1_500);
    }

    @Test
    void releaseAtSendIsCaught() {
        assertThat(fullestWindow(traffic -> traffic.coordinator = ReleaseAtSend::new))
                .isGreaterThan(1_500);
    }

    @Test
    void releaseAtResponseWithoutTheWindowIsCaught() {
        assertThat(fullestWindow(traffic -> traffic.coordinator = ReleaseAtResponse::new))
                .isGreaterThan(1_500);
    }

    @Test
    void freeOnExecutorLossIsCaught() {
        assertThat(fullestWindow(traffic -> traffic.freesOnLoss = true)).isGreaterThan(1_500);
    }

    @Test
    void freeOnTimeOutIsCaught() {
        assertThat(fullestWindow(traffic -> {
                    traffic.coordinator = FreeOnTimeOut::new;
                    traffic.slowDown = seconds -> seconds % 600 < 120 ? 120 : 1;
                }))
                .isGreaterThan(1_500);
    }

    @Test
    void actingOnALateGrantIsCaught() {
        assertThat(fullestWindow(traffic -> {
                    traffic.usesLateGrants = true;
                    traffic.longestExecutorPause = 400;
                }))
                .isGreaterThan(1_500);
    }

    /** The window runs from the grant and not from the response. */
    private static final class ReleaseAtSend extends Coordinator.Real {
        ReleaseAtSend(AllowanceRules rules, AllowanceLog seed, Instant wall, long now) {
            super(new Allowance(rules, seed, wall, now));
        }

        @Override
        public List<AllowanceAnswer> answers(long now) {
            List<AllowanceAnswer> answers = allowance.answers(now);
            answers.forEach(answer -> {
                if (answer instanceof Grant grant) {
                    allowance.done(grant.permit(), Outcome.OK, Duration.ZERO, Duration.ZERO, now);
                }
            });
            return answers;
        }
    }

    /** What was answered is free again. */
    private static final class ReleaseAtResponse extends Coordinator.Real {
        ReleaseAtResponse(AllowanceRules rules, AllowanceLog seed, Instant wall, long now) {
            super(new Allowance(rules, seed, wall, now));
        }

        @Override
        public void done(long permit, Outcome outcome, Duration retryAfter, Duration roundTrip, long now) {
            allowance.done(permit, Outcome.UNSENT, retryAfter, roundTrip, now);
        }
    }

    /** What timed out did not happen. */
    private static final class FreeOnTimeOut extends Coordinator.Real {
        FreeOnTimeOut(AllowanceRules rules, AllowanceLog seed, Instant wall, long now) {
            super(new Allowance(rules, seed, wall, now));
        }

        @Override
        public void done(long permit, Outcome outcome, Duration retryAfter, Duration roundTrip, long now) {
            Outcome heard = outcome == Outcome.TIMEOUT ? Outcome.UNSENT : outcome;
            allowance.done(permit, heard, retryAfter, roundTrip, now);
        }
    }
}
