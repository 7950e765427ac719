package io.usermap.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.usermap.client.Allowance.Outcome;
import io.usermap.client.BatchSender.Resolved;
import io.usermap.client.BatchSender.Stopped;
import io.usermap.client.BatchSender.UnderWay;
import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.IntFunction;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Two batches at a time, where several requests may be in flight. */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class BatchSenderOverlapTest {
    private final CountDownLatch answered = new CountDownLatch(1);

    private static ScriptedServer.Answer after(CountDownLatch event, int status) {
        return (exchange, body) -> {
            try {
                if (!event.await(20, TimeUnit.SECONDS)) {
                    throw new IOException("what should happen first did not");
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
            ScriptedServer.status(status).to(exchange, body);
        };
    }

    private static ScriptedServer.Answer announcing(CountDownLatch arrival, ScriptedServer.Answer answer) {
        return (exchange, body) -> {
            arrival.countDown();
            answer.to(exchange, body);
        };
    }

    private static int firstRow(byte[] body) {
        return Integer.parseInt(Bodies.mappings(body).get(0).userId().substring(5));
    }

    /** Requests of two batches race to the server: what is in them tells which is which. */
    private static ScriptedServer.Answer byFirstRow(IntFunction<ScriptedServer.Answer> answer) {
        return (exchange, body) -> answer.apply(firstRow(body)).to(exchange, body);
    }

    @Test
    void aBatchIsHandedOverWhenItsLastRequestHasLeft() throws Exception {
        try (Sending sending = new Sending(new ScriptedLine(10, 4))) {
            sending.server.otherwise(after(answered, 200));

            assertThat(sending.take(Sending.batch(30), 0)).isEqualTo(new UnderWay());
            assertThat(sending.line.wanted).containsExactly(30, 20, 10);
            assertThat(sending.acceptedAttempt).isEmpty();

            answered.countDown();
            assertThat(sending.finish()).isEqualTo(new Resolved());
            assertThat(sending.acceptedAttempt).hasSize(30);
        }
    }

    @Test
    void whereOneRequestAtATimeIsGrantedEachBatchIsResolvedBeforeTheNext() throws Exception {
        try (Sending sending = new Sending(new ScriptedLine(10, 1))) {
            assertThat(sending.take(Sending.batch(30), 0)).isEqualTo(new Resolved());
            assertThat(sending.acceptedAttempt).hasSize(30);
        }
    }

    @Test
    void withoutRoomForOneMoreRequestTheNextBatchIsNotTaken() throws Exception {
        try (Sending sending = new Sending(new ScriptedLine(10, 3))) {
            sending.server.then(ScriptedServer.status(200)).otherwise(after(answered, 200));

            assertThat(sending.take(Sending.batch(30), 0)).isEqualTo(new UnderWay());
            assertThat(sending.acceptedAttempt).hasSize(10);
            answered.countDown();
        }
    }

    @Test
    void aThirdBatchWaitsUntilTheFirstIsResolved() throws Exception {
        CountDownLatch second = new CountDownLatch(2);
        try (Sending sending = new Sending(new ScriptedLine(10, 4))) {
            sending.server.otherwise(byFirstRow(row -> row == 0
                    ? after(second, 200)
                    : row < 30 ? announcing(second, after(answered, 200)) : ScriptedServer.status(200)));

            assertThat(sending.take(Sending.batch(0, 10), 0)).isEqualTo(new UnderWay());
            assertThat(sending.acceptedAttempt).isEmpty();
            assertThat(sending.take(Sending.batch(10, 20), 10)).isEqualTo(new UnderWay());
            assertThat(sending.acceptedAttempt).hasSize(10);

            answered.countDown();
            assertThat(sending.take(Sending.batch(30, 10), 30)).isInstanceOfAny(UnderWay.class, Resolved.class);
            assertThat(sending.acceptedAttempt).hasSizeGreaterThanOrEqualTo(30);
            sending.finish();
            assertThat(sending.acceptedAttempt).hasSize(40);
        }
    }

    /** Or its buffer would be filled with other rows, and its late reply be logged for those. */
    @Test
    void aBatchWhoseLastReplyIsLateIsNotHandedBackBecauseTheNextOneIsResolved() throws Exception {
        try (Sending sending = new Sending(new ScriptedLine(10, 4))) {
            CountDownLatch resolved = new CountDownLatch(1);
            sending.server.otherwise(byFirstRow(row -> row == 0 ? after(resolved, 200) : ScriptedServer.status(200)));
            sending.onAccepted = row -> {
                if (row == 19) {
                    resolved.countDown();
                }
            };

            assertThat(sending.take(Sending.batch(0, 10), 0)).isEqualTo(new UnderWay());
            assertThat(sending.take(Sending.batch(10, 10), 10)).isEqualTo(new Resolved());
            assertThat(sending.acceptedAttempt).hasSize(20);
        }
    }

    @Test
    void whatIsRepeatedOfTheFirstBatchGoesBeforeTheSecond() throws Exception {
        CountDownLatch second = new CountDownLatch(1);
        CountDownLatch again = new CountDownLatch(1);
        try (Sending sending = new Sending(new ScriptedLine(10, 2))) {
            AtomicInteger sendings = new AtomicInteger();
            sending.server.otherwise(byFirstRow(row -> row >= 100
                    ? announcing(second, after(again, 200))
                    : sendings.incrementAndGet() == 1
                            ? after(second, 503)
                            : announcing(again, ScriptedServer.status(200))));

            sending.take(Sending.batch(0, 10), 0);
            sending.take(Sending.batch(100, 30), 100);
            sending.finish();

            assertThat(sending.server.received)
                    .extracting(request -> firstRow(request.body()))
                    .containsExactlyInAnyOrder(0, 100, 0, 110, 120)
                    .element(2)
                    .isEqualTo(0);
            assertThat(sending.acceptedAttempt)
                    .hasSize(40)
                    .containsEntry(0, 2)
                    .containsEntry(9, 2)
                    .containsEntry(100, 1);
        }
    }

    @Test
    void afterACancellationRepliesOfBothBatchesAreLogged() throws Exception {
        CountDownLatch both = new CountDownLatch(2);
        try (Sending sending = new Sending(new ScriptedLine(10, 4), Duration.ofSeconds(20), () -> {
            if (both.getCount() == 0) {
                throw new CancellationException("cancelled");
            }
        })) {
            sending.server.otherwise(announcing(both, after(answered, 200)));
            sending.take(Sending.batch(0, 10), 0);

            assertThatThrownBy(() -> sending.take(Sending.batch(10, 10), 10)).hasMessage("cancelled");
            assertThat(sending.acceptedAttempt).isEmpty();
            answered.countDown();
            sending.drain();

            assertThat(sending.acceptedAttempt).hasSize(20);
        }
    }

    @Test
    void aLastTryThatFailsAfterACancellationStopsNobodyElse() throws Exception {
        CountDownLatch last = new CountDownLatch(1);
        try (Sending sending = new Sending(new ScriptedLine(10, 1), Duration.ofSeconds(20), () -> {
            if (last.getCount() == 0) {
                throw new CancellationException("cancelled");
            }
        })) {
            for (int tries = 1; tries < 4; tries++) {
                sending.server.then(ScriptedServer.status(503));
            }
            sending.server.otherwise(announcing(last, after(answered, 503)));

            assertThatThrownBy(() -> sending.send(Sending.batch(0, 10))).hasMessage("cancelled");
            answered.countDown();
            sending.drain();

            assertThat(sending.server.received).hasSize(4);
            assertThat(sending.line.stops).isEmpty();
        }
    }

    @Test
    void aFatalAnswerToTheFirstBatchStopsTheSecond() throws Exception {
        try (Sending sending = new Sending(new ScriptedLine(10, 2))) {
            sending.server.otherwise(after(answered, 401));
            assertThat(sending.take(Sending.batch(0, 10), 0)).isEqualTo(new UnderWay());
            answered.countDown();

            assertThat(sending.take(Sending.batch(20, 1_000), 20)).isInstanceOfSatisfying(Stopped.class, stopped -> {
                assertThat(stopped.failure())
                        .get()
                        .extracting(ServiceException::status)
                        .isEqualTo(401);
            });
            int requests = sending.server.received.size();
            assertThat(sending.take(Sending.batch(20, 1_000), 20)).isInstanceOf(Stopped.class);
            assertThat(sending.server.received).hasSize(requests);
            assertThat(sending.line.outcomes()).contains(Outcome.FAILED).doesNotContain(Outcome.OK);
            assertThat(sending.acceptedAttempt).isEmpty();
        }
    }
}
