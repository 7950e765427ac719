package io.usermap.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.usermap.client.Allowance.Outcome;
import io.usermap.client.AllowanceAnswer.Denied;
import io.usermap.client.AllowanceAnswer.Later;
import io.usermap.client.BatchSender.Resolved;
import io.usermap.client.BatchSender.Stopped;
import java.io.IOException;
import java.time.Duration;
import java.util.Collections;
import java.util.Optional;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(value = 60, unit = TimeUnit.SECONDS)
class BatchSenderTest {

    private static ScriptedLine generous() {
        return new ScriptedLine(2_000, 1);
    }

    @Test
    void aBatchThatIsGrantedAndAcceptedTakesOneRequest() throws Exception {
        try (Sending sending = new Sending(generous())) {
            assertThat(sending.send(Sending.batch(50))).isEqualTo(new Resolved());

            assertThat(sending.acceptedAttempt).hasSize(50).containsValue(1).doesNotContainValue(2);
            assertThat(sending.line.outcomes()).containsExactly(Outcome.OK);
            assertThat(sending.server.received).hasSize(1);
            assertThat(sending.tally.snapshot().mapped()).isEqualTo(50);
        }
    }

    @Test
    void anEmptyBatchIsResolvedWithoutAQuestion() throws Exception {
        try (Sending sending = new Sending(generous())) {
            assertThat(sending.send(Sending.batch(0))).isEqualTo(new Resolved());

            assertThat(sending.line.wanted).isEmpty();
            assertThat(sending.server.received).isEmpty();
        }
    }

    @Test
    void aGrantThatIsSmallerThanTheBatchSendsASliceAndAsksForTheRest() throws Exception {
        try (Sending sending = new Sending(new ScriptedLine(20, 1))) {
            sending.send(Sending.batch(50));

            assertThat(sending.line.wanted).containsExactly(50, 30, 10);
            assertThat(sending.server.received)
                    .extracting(request -> Bodies.mappings(request.body()).size())
                    .containsExactly(20, 20, 10);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 4, 32})
    void asManyRequestsAreInFlightAsTheGrantSays(int requestsInFlight) throws Exception {
        AtomicInteger now = new AtomicInteger();
        AtomicInteger most = new AtomicInteger();
        CountDownLatch full = new CountDownLatch(requestsInFlight);
        try (Sending sending = new Sending(new ScriptedLine(10, requestsInFlight))) {
            sending.server.otherwise((exchange, body) -> {
                most.accumulateAndGet(now.incrementAndGet(), Math::max);
                full.countDown();
                awaitQuietly(full);
                now.decrementAndGet();
                ScriptedServer.status(200).to(exchange, body);
            });
            sending.send(Sending.batch(10 * requestsInFlight * 2));

            assertThat(most).hasValue(requestsInFlight);
            assertThat(sending.acceptedAttempt).hasSize(20 * requestsInFlight);
        }
    }

    private static void awaitQuietly(CountDownLatch latch) throws IOException {
        try {
            if (!latch.await(20, TimeUnit.SECONDS)) {
                throw new IOException("the others did not come");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    @Test
    void anUnknownKeyStopsTheWriteAfterOneRequest() throws Exception {
        try (Sending sending = new Sending(new ScriptedLine(10, 1))) {
            sending.server.otherwise(ScriptedServer.status(401));

            assertThat(sending.send(Sending.batch(50))).isInstanceOfSatisfying(Stopped.class, stopped -> {
                assertThat(stopped.reason())
                        .isEqualTo("Cannot write mappings: the service does not know the API key (401). Check the key"
                                + " that the apiKey option or target.api-key refers to, and the region.");
                assertThat(stopped.failure()).get().satisfies(failure -> {
                    assertThat(failure.status()).isEqualTo(401);
                    assertThat(failure.retryable()).isFalse();
                });
            });
            assertThat(sending.server.received).hasSize(1);
            assertThat(sending.line.stops).isNotEmpty();
            assertThat(sending.line.outcomes()).containsExactly(Outcome.FAILED);
        }
    }

    @Test
    void a429IsReportedAndItsRowsAskAgain() throws Exception {
        try (Sending sending = new Sending(generous())) {
            sending.server.then(ScriptedServer.throttled("7"));

            assertThat(sending.send(Sending.batch(5))).isEqualTo(new Resolved());
            assertThat(sending.line.done)
                    .containsExactly(
                            new ScriptedLine.Done(1, Outcome.THROTTLED, Duration.ofSeconds(7)),
                            new ScriptedLine.Done(2, Outcome.OK, Duration.ZERO));
            assertThat(sending.acceptedAttempt).containsValue(2).doesNotContainValue(1);
            assertThat(sending.tally.snapshot().throttled()).isEqualTo(1);
            assertThat(sending.tally.snapshot().resent()).isEqualTo(5);
        }
    }

    @Test
    void throttlingNeverUsesUpTheAttempts() throws Exception {
        try (Sending sending = new Sending(generous())) {
            Collections.nCopies(20, ScriptedServer.throttled("0")).forEach(sending.server::then);

            assertThat(sending.send(Sending.batch(5))).isEqualTo(new Resolved());
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {408, 500, 503})
    void troubleOfTheServiceIsTriedAgainWithANewPermit(int status) throws Exception {
        try (Sending sending = new Sending(generous())) {
            sending.server.then(ScriptedServer.status(status));

            assertThat(sending.send(Sending.batch(5))).isEqualTo(new Resolved());
            assertThat(sending.line.done)
                    .containsExactly(
                            new ScriptedLine.Done(1, Outcome.FAILED, Duration.ZERO),
                            new ScriptedLine.Done(2, Outcome.OK, Duration.ZERO));
        }
    }

    @Test
    void aDroppedConnectionIsTriedAgainAndItsPermitMayBeUsed() throws Exception {
        try (Sending sending = new Sending(generous())) {
            sending.server.then(ScriptedServer.dropped());

            assertThat(sending.send(Sending.batch(5))).isEqualTo(new Resolved());
            assertThat(sending.line.outcomes()).containsExactly(Outcome.TIMEOUT, Outcome.OK);
            assertThat(sending.server.received).hasSize(2);
        }
    }

    @Test
    void aBodyThatNeverEndsHoldsNobodyUpForLongerThanTheTimeOut() throws Exception {
        try (Sending sending = new Sending(generous(), Duration.ofMillis(300), () -> {})) {
            sending.server.then(sending.server.endless(200));

            assertThat(sending.send(Sending.batch(5))).isEqualTo(new Resolved());
            assertThat(sending.line.outcomes()).containsExactly(Outcome.OK);
        }
    }

    @Test
    void givesUpAfterItsAttemptsAndStopsTheWrite() throws Exception {
        try (Sending sending = new Sending(new ScriptedLine(10, 1))) {
            sending.server.then(ScriptedServer.status(200)).otherwise(ScriptedServer.status(503));

            assertThat(sending.send(Sending.batch(50))).isInstanceOfSatisfying(Stopped.class, stopped -> {
                assertThat(stopped.reason())
                        .isEqualTo("Cannot write mappings after 4 attempts: the service answered 503. Check that the"
                                + " endpoint can be reached from the executors, then run again.");
                assertThat(stopped.failure())
                        .get()
                        .satisfies(failure -> assertThat(failure.retryable()).isTrue());
            });
            assertThat(sending.server.received).hasSize(5);
            assertThat(sending.acceptedAttempt).hasSize(10);
            assertThat(sending.line.stops).hasSize(1);
        }
    }

    @Test
    void aConnectionThatIsRefusedGivesItsPermitBack() throws Exception {
        try (Sending sending = new Sending(generous())) {
            sending.server.close();

            assertThat(sending.send(Sending.batch(5))).isInstanceOf(Stopped.class);
            assertThat(sending.line.outcomes())
                    .containsExactly(Outcome.UNSENT, Outcome.UNSENT, Outcome.UNSENT, Outcome.UNSENT);
        }
    }

    @Test
    void whatTheCoordinatorDeniesIsNotSent() throws Exception {
        try (Sending sending = new Sending(generous().then((request, wanted) -> new Denied(request, "wrong key")))) {
            assertThat(sending.send(Sending.batch(5))).isEqualTo(new Stopped("wrong key", Optional.empty()));
            assertThat(sending.server.received).isEmpty();
        }
    }

    @Test
    void whoeverIsToldLaterAsksAgainWithoutLosingRows() throws Exception {
        ScriptedLine line = generous()
                .then((request, wanted) -> new Later(request, Duration.ofMillis(20)))
                .then((request, wanted) -> new Later(request, Duration.ZERO));
        try (Sending sending = new Sending(line)) {
            assertThat(sending.send(Sending.batch(5))).isEqualTo(new Resolved());
            assertThat(sending.line.wanted).containsExactly(5, 5, 5);
            assertThat(sending.acceptedAttempt).hasSize(5);
        }
    }

    @Test
    void aGrantThatComesTooLateGoesBackUnusedAndTheRowsAskAgain() throws Exception {
        ScriptedLine line = generous();
        line.then((request, wanted) -> line.grant(request, wanted, Duration.ofSeconds(-6)));
        try (Sending sending = new Sending(line)) {
            assertThat(sending.send(Sending.batch(5))).isEqualTo(new Resolved());
            assertThat(line.outcomes()).containsExactly(Outcome.UNSENT, Outcome.OK);
            assertThat(sending.server.received).hasSize(1);
        }
    }

    @Test
    void aGrantThatGrewTooOldWhileItWaitedForThePacerGoesBackUnused() throws Exception {
        CountDownLatch standing = new CountDownLatch(1);
        CountDownLatch answered = new CountDownLatch(1);
        ScriptedLine line = generous();
        line.then((request, wanted) -> {
            answered.countDown();
            return line.grant(request, wanted, Duration.ofMillis(300).minusSeconds(5));
        });
        try (Sending sending = new Sending(line)) {
            // Whoever waits for the pacer stands still, as in a process that is stopped, until the grant is too old.
            CompletableFuture<Void> pause = CompletableFuture.runAsync(() -> {
                synchronized (sending.pacer) {
                    standing.countDown();
                    awaitOrFail(answered);
                    long until = System.nanoTime() + Duration.ofMillis(600).toNanos();
                    while (System.nanoTime() - until < 0) {
                        LockSupport.parkNanos(until - System.nanoTime());
                    }
                }
            });
            awaitOrFail(standing);
            assertThat(sending.send(Sending.batch(5))).isEqualTo(new Resolved());
            pause.get(20, TimeUnit.SECONDS);

            assertThat(line.outcomes()).containsExactly(Outcome.UNSENT, Outcome.OK);
            assertThat(sending.server.received).hasSize(1);
            assertThat(sending.acceptedAttempt).hasSize(5).containsValue(1).doesNotContainValue(2);
        }
    }

    private static void awaitOrFail(CountDownLatch latch) {
        try {
            assertThat(latch.await(20, TimeUnit.SECONDS)).isTrue();
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void neverMoreRequestsThanPermits() throws Exception {
        try (Sending sending = new Sending(new ScriptedLine(7, 4))) {
            for (int round = 0; round < 10; round++) {
                sending.server
                        .then(ScriptedServer.status(500))
                        .then(ScriptedServer.status(200))
                        .then(ScriptedServer.dropped())
                        .then(ScriptedServer.throttled("1"));
            }
            sending.server.otherwise(sending.poisonedBy(400, 3, 99));
            sending.send(Sending.batch(200));

            long unsent = sending.line.outcomes().stream()
                    .filter(Outcome.UNSENT::equals)
                    .count();
            assertThat(sending.server.received).hasSize(sending.line.done.size() - (int) unsent);
            assertThat(sending.line.done).extracting(ScriptedLine.Done::permit).doesNotHaveDuplicates();
        }
    }

    @Test
    void aGrantThatNobodyTakesBecauseTheWorkWasCancelledGoesBack() throws Exception {
        CountDownLatch ask = new CountDownLatch(1);
        AtomicInteger checks = new AtomicInteger();
        ScriptedLine line = generous();
        line.then((request, wanted) -> {
            ask.await();
            return line.grant(request, wanted, Duration.ZERO);
        });
        try (Sending sending = new Sending(line, Duration.ofSeconds(20), () -> {
            if (checks.incrementAndGet() == 2) {
                ask.countDown();
                untilIdle("usermap-asks-w-0");
                throw new CancellationException("cancelled");
            }
        })) {
            assertThatThrownBy(() -> sending.send(Sending.batch(5)))
                    .isInstanceOf(CancellationException.class)
                    .hasMessage("cancelled");
            sending.closeSender();

            assertThat(line.outcomes()).containsExactly(Outcome.UNSENT);
        }
    }

    /** Waits until the thread of that name has nothing to do. */
    private static void untilIdle(String thread) {
        while (Thread.getAllStackTraces().entrySet().stream()
                .filter(entry -> entry.getKey().getName().equals(thread))
                .noneMatch(entry -> java.util.Arrays.stream(entry.getValue())
                        .anyMatch(frame -> frame.getMethodName().equals("getTask")))) {
            Thread.onSpinWait();
        }
    }

    @Test
    void aLineThatBreaksEndsTheSending() throws Exception {
        ScriptedLine line = generous().then((request, wanted) -> {
            throw new IllegalStateException("the driver is gone");
        });
        try (Sending sending = new Sending(line)) {
            assertThatThrownBy(() -> sending.send(Sending.batch(5)))
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessage("The coordinator of the allowance is lost.")
                    .hasRootCauseMessage("the driver is gone");
        }
    }
}
