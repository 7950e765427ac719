package io.usermap.client;

import static org.assertj.core.api.Assertions.assertThat;

import io.usermap.client.BatchSender.Resolved;
import io.usermap.client.BatchSender.Stopped;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

@Timeout(value = 60, unit = TimeUnit.SECONDS)
class BatchSenderBisectTest {

    @ParameterizedTest
    @CsvSource({"400, 0", "403, 511", "413, 1023"})
    void oneBadRowCostsAboutTwiceTheLogarithmInRequestsAndNothingElse(int status, int bad) throws Exception {
        try (Sending sending = new Sending(new ScriptedLine(2_000, 1))) {
            sending.server.otherwise(sending.poisonedBy(status, bad));

            assertThat(sending.send(Sending.batch(1_024))).isEqualTo(new Resolved());
            assertThat(sending.refused).containsExactly(bad);
            assertThat(sending.acceptedAttempt).hasSize(1_023).doesNotContainKey(bad);
            // The whole, then two halves on each of ten levels.
            assertThat(sending.server.received).hasSize(21);
            assertThat(sending.tally.snapshot().rejected()).isEqualTo(1);
        }
    }

    @Test
    void severalBadRowsAreEachFound() throws Exception {
        try (Sending sending = new Sending(new ScriptedLine(2_000, 1))) {
            sending.server.otherwise(sending.poisonedBy(400, 0, 1, 77, 199));

            assertThat(sending.send(Sending.batch(200))).isEqualTo(new Resolved());
            assertThat(sending.refused).containsExactly(0, 1, 77, 199);
            assertThat(sending.acceptedAttempt).hasSize(196);
        }
    }

    @Test
    void smallGrantsAndSeveralRequestsInFlightChangeNothingInTheOutcome() throws Exception {
        try (Sending sending = new Sending(new ScriptedLine(12, 4))) {
            sending.server.otherwise(sending.poisonedBy(400, 5, 150));

            assertThat(sending.send(Sending.batch(200))).isEqualTo(new Resolved());
            assertThat(sending.refused).containsExactly(5, 150);
            assertThat(sending.acceptedAttempt).hasSize(198);
        }
    }

    @Test
    void whereEveryRowIsRefusedItIsNotTheRowsAndTheWriteStops() throws Exception {
        try (Sending sending = new Sending(new ScriptedLine(2_000, 1))) {
            sending.server.otherwise(ScriptedServer.status(400));

            assertThat(sending.send(Sending.batch(200)))
                    .isInstanceOfSatisfying(
                            Stopped.class,
                            stopped -> assertThat(stopped.reason())
                                    .isEqualTo(
                                            "Cannot write mappings: the service refused each of 50 rows alone (400) and accepted"
                                                    + " none. Check the API key, the endpoint and minIdLength."));
            assertThat(sending.refused).hasSize(50);
        }
    }

    @Test
    void badRowsSideBySideAtTheBeginningDoNotStopAWriteThatTheServiceAccepts() throws Exception {
        Integer[] bad = IntStream.range(0, 100).boxed().toArray(Integer[]::new);
        try (Sending sending = new Sending(new ScriptedLine(2_000, 1))) {
            sending.server.otherwise(sending.poisonedBy(400, bad));

            assertThat(sending.send(Sending.batch(200))).isEqualTo(new Resolved());
            assertThat(sending.refused).hasSize(100);
            assertThat(sending.acceptedAttempt).hasSize(100);
        }
    }

    @Test
    void rowsThatAreAllBadDoNotStopAWriteOfWhichTheServiceAcceptsOthers() throws Exception {
        ScriptedLine line = new ScriptedLine(2_000, 1);
        line.everAccepted = true;
        try (Sending sending = new Sending(line)) {
            sending.server.otherwise(ScriptedServer.status(400));

            assertThat(sending.send(Sending.batch(200))).isEqualTo(new Resolved());
            assertThat(sending.refused).hasSize(200);
        }
    }

    @Test
    void manyBadRowsDoNotStopAWriteThatTheServiceAccepts() throws Exception {
        Integer[] bad = IntStream.range(100, 200).boxed().toArray(Integer[]::new);
        try (Sending sending = new Sending(new ScriptedLine(2_000, 1))) {
            sending.server.otherwise(sending.poisonedBy(400, bad));

            assertThat(sending.send(Sending.batch(200))).isEqualTo(new Resolved());
            assertThat(sending.refused).hasSize(100);
            assertThat(sending.acceptedAttempt).hasSize(100);
        }
    }
}
