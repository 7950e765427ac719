package io.usermap.client;

import static org.assertj.core.api.Assertions.assertThat;

import io.usermap.client.Allowance.Writer;
import io.usermap.client.PermitLog.Permit;
import java.time.Duration;
import java.time.Instant;
import org.junit.jupiter.api.Test;

class PermitLogTest {
    private static final Writer WRITER = new Writer("w", 0, 0);

    private final PermitLog log = new PermitLog();

    @Test
    void aPermitIsAwayFromItsGrantOn() {
        log.grant("q1", WRITER, 100, 0, 86);
        log.grant("q2", WRITER, 50, 0, 86);

        assertThat(log.held()).isEqualTo(150);
        assertThat(log.returnDue(85)).isEmpty();
        assertThat(log.held()).isEqualTo(150);
    }

    @Test
    void aPermitThatLandedComesBackAtItsTimeAndNotAtTheTimeOfSilence() {
        Permit permit = log.grant("q1", WRITER, 100, 0, 86);
        log.land(permit, 40);

        assertThat(log.returnDue(39)).isEmpty();
        assertThat(log.held()).isEqualTo(100);
        assertThat(log.returnDue(40)).isEmpty();
        assertThat(log.held()).isZero();
        assertThat(log.returnDue(86)).isEmpty();
        assertThat(log.held()).isZero();
    }

    @Test
    void aPermitThatLandedLateIsHeldPastTheTimeOfSilence() {
        Permit permit = log.grant("q1", WRITER, 100, 0, 86);
        log.land(permit, 110);

        assertThat(log.returnDue(86)).isEmpty();
        assertThat(log.held()).isEqualTo(100);
        log.returnDue(110);
        assertThat(log.held()).isZero();
    }

    @Test
    void silenceIsToldOnceWithItsPermit() {
        Permit permit = log.grant("q1", WRITER, 100, 0, 86);

        assertThat(log.returnDue(86)).containsExactly(permit);
        assertThat(log.returnDue(87)).isEmpty();
        assertThat(log.held()).isZero();
        assertThat(permit.inFlight()).isFalse();
    }

    @Test
    void aLostPermitThatWasUsedAfterAllCountsAgainAndOnlyOnce() {
        Permit permit = log.grant("q1", WRITER, 100, 0, 86);
        log.returnDue(86);

        assertThat(log.landLate(permit.id, 120)).contains(permit);
        assertThat(log.held()).isEqualTo(100);
        assertThat(log.landLate(permit.id, 140)).isEmpty();
        assertThat(log.returnDue(120)).isEmpty();
        assertThat(log.held()).isZero();
        assertThat(log.landLate(permit.id, 140)).isEmpty();
    }

    @Test
    void whatWasNotUsedComesBackAtOnce() {
        Permit permit = log.grant("q1", WRITER, 100, 0, 86);
        log.giveBack(permit);

        assertThat(log.held()).isZero();
        assertThat(log.find(permit.id)).isEmpty();
        assertThat(log.landLate(permit.id, 120)).isEmpty();
    }

    @Test
    void aQuestionFindsItsPermitWhileNothingIsHeardOfIt() {
        Permit permit = log.grant("q1", WRITER, 100, 0, 86);
        assertThat(log.findByRequest("q1")).contains(permit);

        log.land(permit, 40);
        assertThat(log.findByRequest("q1")).isEmpty();
        assertThat(log.find(permit.id)).contains(permit);
    }

    @Test
    void requestsOlderThanAnyCallCountAsInFlightNoMore() {
        log.grant("q1", WRITER, 1, 10, 96);
        log.grant("q2", WRITER, 1, 20, 106);

        assertThat(log.inFlightSince(9)).isEqualTo(2);
        assertThat(log.oldestFlight()).isEqualTo(10);
        assertThat(log.inFlightSince(10)).isEqualTo(1);
        assertThat(log.held()).isEqualTo(2);
    }

    @Test
    void remembersTheMostThatWasEverAway() {
        Permit first = log.grant("q1", WRITER, 100, 0, 86);
        log.giveBack(first);
        log.grant("q2", WRITER, 60, 0, 86);
        log.seed(30, 50);

        assertThat(log.mostHeld()).isEqualTo(100);
        assertThat(log.held()).isEqualTo(90);
    }

    @Test
    void knowsWhenTheNextPermitComesBack() {
        assertThat(log.nextReturn()).isEqualTo(Long.MAX_VALUE);
        log.land(log.grant("q1", WRITER, 1, 0, 86), 40);
        log.seed(5, 30);

        assertThat(log.nextReturn()).isEqualTo(30);
    }

    @Test
    void savesWhatIsAwayInWallClockTime() {
        Instant now = Instant.parse("2026-01-01T00:00:00Z");
        log.land(log.grant("q1", WRITER, 100, 0, 86), Duration.ofSeconds(40).toNanos());

        assertThat(log.log(now, Duration.ofSeconds(10).toNanos()).entries())
                .containsExactly(new AllowanceLog.Entry(now.plusSeconds(30), 100));
    }

    @Test
    void clocksThatAreNegativeChangeNothing() {
        Permit permit = log.grant("q1", WRITER, 100, -1_000, -900);
        log.land(permit, -950);

        assertThat(log.returnDue(-951)).isEmpty();
        assertThat(log.held()).isEqualTo(100);
        log.returnDue(-950);
        assertThat(log.held()).isZero();
    }
}
