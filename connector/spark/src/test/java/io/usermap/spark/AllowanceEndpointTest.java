package io.usermap.spark;

import static org.assertj.core.api.Assertions.assertThat;

import io.usermap.client.Allowance;
import io.usermap.client.Allowance.Outcome;
import io.usermap.client.Allowance.Writer;
import io.usermap.client.AllowanceAnswer.Denied;
import io.usermap.client.AllowanceAnswer.Grant;
import io.usermap.client.AllowanceLog;
import io.usermap.client.AllowanceRules;
import io.usermap.client.AllowanceRules.Pacing;
import io.usermap.client.Endpoints;
import io.usermap.client.Secret;
import io.usermap.client.Tally;
import io.usermap.spark.AllowanceMessages.Report;
import java.net.URI;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.apache.spark.rpc.RpcAddress;
import org.apache.spark.rpc.RpcCallContext;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** The coordinator's messages, without the network that carries them. */
class AllowanceEndpointTest {
    private static final AllowanceRules RULES = AllowanceRules.of(
            50, 1, Duration.ofSeconds(30), Duration.ofSeconds(1), Duration.ofSeconds(30), Pacing.BURST);
    private static final Writer QUICK = new Writer("write", 0, 1);
    private static final Writer SLOW = new Writer("write", 1, 2);

    @SuppressWarnings("NullAway") // it hands its RpcEnv out, and needs none for its messages
    private final AllowanceEndpoint endpoint = new AllowanceEndpoint(null, "test", RULES, AllowanceLog.empty());

    private static final class Replies implements RpcCallContext {
        final List<Object> all = new ArrayList<>();

        @Override
        public void reply(Object response) {
            all.add(response);
        }

        @Override
        public void sendFailure(Throwable failure) {
            all.add(failure);
        }

        @Override
        public RpcAddress senderAddress() {
            return new RpcAddress("executor", 1);
        }
    }

    private Object say(Object[] message) {
        Replies replies = new Replies();
        endpoint.receiveAndReply(replies).apply(message);
        return replies.all.isEmpty() ? "nothing" : replies.all.get(0);
    }

    private static Tally mapped(long mappings) {
        return new Tally(mappings, 0, 0, 0, 1, 0, 0, 0, 0);
    }

    /** Asks, and reports what was granted as accepted. */
    private void send(Writer writer, int mappings) {
        Object[] answer = (Object[]) say(AllowanceMessages.ask("q" + writer.partition(), writer, mappings, List.of()));
        Grant grant = (Grant) AllowanceMessages.answer(answer);
        Report report = new Report(1, grant.permit(), Outcome.OK, Duration.ZERO, Duration.ZERO, mapped(mappings), "");
        endpoint.receive().apply(AllowanceMessages.report(writer, List.of(report)));
    }

    private long accepted() {
        long[] figures = (long[]) say(new Object[] {AllowanceMessages.PROGRESS, new String[] {"write"}});
        return Tally.of(figures, 0).accepted();
    }

    @AfterEach
    void stop() {
        endpoint.onStop();
    }

    @Test
    void otherFiguresDoNotEndTheStopAfterA429() {
        Object[] answer = (Object[]) say(AllowanceMessages.ask("q", QUICK, 10, List.of()));
        Grant grant = (Grant) AllowanceMessages.answer(answer);
        Report refused = new Report(1, grant.permit(), Outcome.THROTTLED, Duration.ZERO, Duration.ZERO, Tally.NONE, "");
        endpoint.receive().apply(AllowanceMessages.report(QUICK, List.of(refused)));
        say(AllowanceMessages.leave(QUICK, List.of(), Tally.NONE, false));
        say(new Object[] {AllowanceMessages.END, "write"});
        AllowanceRules halved = AllowanceRules.of(
                25, 1, Duration.ofSeconds(30), Duration.ofSeconds(1), Duration.ofSeconds(30), Pacing.BURST);

        assertThat(say(AllowanceMessages.open(halved, AllowanceLog.empty()))).isEqualTo(new Object[] {"ok"});
        Writer next = new Writer("next", 0, 3);
        assertThat(say(AllowanceMessages.ask("n", next, 10, List.of()))).isEqualTo("nothing");
    }

    private Object writersOf(String... writes) {
        return say(new Object[] {AllowanceMessages.WRITERS, writes});
    }

    @Test
    void knowsWhoHasNotLeftThoughTheWriteIsOver() {
        Writer other = new Writer("other", 0, 3);
        say(AllowanceMessages.ask("q", QUICK, 10, List.of()));
        say(AllowanceMessages.ask("s", SLOW, 10, List.of()));
        say(AllowanceMessages.ask("o", other, 10, List.of()));
        assertThat(writersOf("write")).isEqualTo(2);
        say(new Object[] {AllowanceMessages.END, "write"});

        assertThat(writersOf("write")).as("Spark still ends their tasks").isEqualTo(2);
        assertThat(writersOf("write", "other")).isEqualTo(3);
        say(AllowanceMessages.leave(QUICK, List.of(), Tally.NONE, false));
        assertThat(writersOf("write")).isEqualTo(1);
        endpoint.onDisconnected(new RpcAddress("executor", 1));
        assertThat(writersOf("write", "other")).as("with their executor").isEqualTo(0);
    }

    @Test
    void aTwinWaitsForOneThatHasFinishedAndNoLongerIfThatIsLostWithItsExecutor() {
        Writer twin = new Writer("write", QUICK.partition(), 7);
        Writer next = new Writer("write", QUICK.partition(), 8);
        send(QUICK, 10);
        say(AllowanceMessages.leave(QUICK, List.of(), mapped(10), true));

        assertThat(((Object[]) say(AllowanceMessages.ask("t", twin, 10, List.of())))[0])
                .isEqualTo("later");
        endpoint.onDisconnected(new RpcAddress("executor", 1));
        assertThat(((Object[]) say(AllowanceMessages.ask("n", next, 10, List.of())))[0])
                .isEqualTo("grant");
    }

    @Test
    void noTwinSendsWhenTheDriverHasTheResultThoughTheExecutorItCameFromIsGone() {
        Writer twin = new Writer("write", QUICK.partition(), 7);
        send(QUICK, 10);
        say(AllowanceMessages.leave(QUICK, List.of(), mapped(10), true));
        endpoint.receive().apply(new Object[] {AllowanceMessages.COMMITTED, "write", QUICK.partition()});
        endpoint.onDisconnected(new RpcAddress("executor", 1));

        Object[] denied = (Object[]) say(AllowanceMessages.ask("t", twin, 0, List.of()));
        assertThat(AllowanceMessages.answer(denied)).isEqualTo(new Denied("t", Allowance.SETTLED));
        say(AllowanceMessages.leave(twin, List.of(), Tally.NONE, true));
        assertThat(accepted()).isEqualTo(10);
    }

    @Test
    void whoWaitsForAGrantHearsAtOnceThatTheDriverHasTheResult() {
        Writer twin = new Writer("write", QUICK.partition(), 7);
        send(SLOW, 1_500);
        Replies waiting = new Replies();
        endpoint.receiveAndReply(waiting).apply(AllowanceMessages.ask("t", twin, 10, List.of()));
        assertThat(waiting.all).as("beside a full window").isEmpty();
        endpoint.receive().apply(new Object[] {AllowanceMessages.COMMITTED, "write", QUICK.partition()});

        assertThat(waiting.all)
                .singleElement()
                .satisfies(reply -> assertThat(AllowanceMessages.answer((Object[]) reply))
                        .isEqualTo(new Denied("t", Allowance.SETTLED)));
    }

    @Test
    void whoeverSpeaksAnotherVersionIsToldSo() {
        Object[] open = AllowanceMessages.open(RULES, AllowanceLog.empty());
        open[open.length - 1] = AllowanceMessages.VERSION + 1;

        assertThat(say(open)).isEqualTo(new Object[] {AllowanceDesk.OTHER_VERSION});
    }

    @Test
    void otherFiguresWaitForAnEpochOfWhichAllWhoAskedHaveFinished() {
        AllowanceRules halved = AllowanceRules.of(
                25, 1, Duration.ofSeconds(30), Duration.ofSeconds(1), Duration.ofSeconds(30), Pacing.BURST);
        send(QUICK, 10);
        say(AllowanceMessages.leave(QUICK, List.of(), mapped(10), true));

        assertThat(((Object[]) say(AllowanceMessages.open(halved, AllowanceLog.empty())))[0])
                .as("it would be forgotten who has finished")
                .asString()
                .startsWith("Cannot use an allowance of 750 mappings in 30.0 s");
        say(new Object[] {AllowanceMessages.END, "write"});
        assertThat(say(AllowanceMessages.open(halved, AllowanceLog.empty()))).isEqualTo(new Object[] {"ok"});
    }

    @Test
    void aQuestionAfterTheEndOfItsWriteKeepsOtherFiguresFromNobody() {
        say(new Object[] {AllowanceMessages.END, "write"});
        Object[] denied = (Object[]) say(AllowanceMessages.ask("q", QUICK, 10, List.of()));
        assertThat(denied[0]).isEqualTo("denied");
        AllowanceRules halved = AllowanceRules.of(
                25, 1, Duration.ofSeconds(30), Duration.ofSeconds(1), Duration.ofSeconds(30), Pacing.BURST);

        assertThat(say(AllowanceMessages.open(halved, AllowanceLog.empty()))).isEqualTo(new Object[] {"ok"});
    }

    @Test
    void whatACancelledWriterDidNotSendIsFreeAtOnceThoughOnlyItsFarewellSaysSo() {
        Object[] answer = (Object[]) say(AllowanceMessages.ask("q", QUICK, 1_500, List.of()));
        Grant unused = (Grant) AllowanceMessages.answer(answer);
        assertThat(unused.mappings()).isEqualTo(1_500);
        Replies waiting = new Replies();
        Writer next = new Writer("next", 0, 3);
        endpoint.receiveAndReply(waiting).apply(AllowanceMessages.ask("n", next, 1_500, List.of()));
        assertThat(waiting.all).as("beside a full window").isEmpty();

        Report unsent = new Report(1, unused.permit(), Outcome.UNSENT, Duration.ZERO, Duration.ZERO, Tally.NONE, "");
        say(AllowanceMessages.leave(QUICK, List.of(unsent), Tally.NONE, false));
        assertThat(waiting.all)
                .singleElement()
                .satisfies(reply -> assertThat(((Grant) AllowanceMessages.answer((Object[]) reply)).mappings())
                        .isEqualTo(1_500));
    }

    @Test
    void theUsualPortAndTheCaseOfTheHostMakeNoOtherAllowance() {
        assertThat(nameFor("https://API.example.com:443")).isEqualTo(nameFor("https://api.example.com"));
        assertThat(nameFor("http://127.0.0.1:80")).isEqualTo(nameFor("http://127.0.0.1"));
        assertThat(nameFor("https://api.example.com:80")).isNotEqualTo(nameFor("https://api.example.com"));
    }

    private static String nameFor(String url) {
        return AllowanceDesk.nameOf(new Endpoints(URI.create(url), URI.create(url)), Secret.of("key-of-tests"));
    }

    @Test
    void whatAWriterDidCountsOnceAlsoIfItLeavesAfterTheEndOfItsWrite() {
        send(QUICK, 10);
        send(SLOW, 100);
        say(AllowanceMessages.leave(QUICK, List.of(), mapped(10), false));
        assertThat(accepted()).isEqualTo(110);

        say(new Object[] {AllowanceMessages.END, "write"});
        assertThat(accepted()).isEqualTo(110);
        // It was cancelled, and the reply to a request that was in flight is in its farewell.
        say(AllowanceMessages.leave(SLOW, List.of(), mapped(150), false));
        assertThat(accepted()).isEqualTo(160);
        say(new Object[] {AllowanceMessages.END, "write"});
        assertThat(accepted()).isEqualTo(160);
    }
}
