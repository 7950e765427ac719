package io.usermap.spark;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;
import static org.assertj.core.api.Assertions.within;

import io.usermap.client.Allowance.Writer;
import io.usermap.client.AllowanceAnswer;
import io.usermap.client.AllowanceAnswer.Denied;
import io.usermap.client.AllowanceAnswer.Grant;
import io.usermap.client.AllowanceLog;
import io.usermap.client.Secret;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadInfo;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.apache.spark.rpc.RpcEndpointRef;
import org.apache.spark.rpc.RpcEnv;
import org.apache.spark.rpc.RpcTimeout;
import org.junit.jupiter.api.Test;
import scala.concurrent.Await;
import scala.concurrent.Future;
import scala.concurrent.duration.FiniteDuration;

/** The coordinator inside the driver: whom it keeps waiting, and what is left of it. */
class CoordinatorIT extends SparkCase {
    /** So many mappings that the sandbox takes them at once, and nobody gets them back while a test runs. */
    private static final String[] LONG_WINDOW = {"eventsPerSecond", "8", "windowSeconds", "60"};

    private static final int PER_LONG_WINDOW = 480;
    private static final int QUESTIONS = 400;
    private static final int MESSAGES = 1_000;

    /** Two for the round trip of a message, the rest for the garbage collector and for tests on a busy machine. */
    private static final Duration SOON = Duration.ofMillis(20);

    private static final FiniteDuration PATIENCE = new FiniteDuration(20, TimeUnit.SECONDS);

    @Test
    void hundredsOfOpenQuestionsKeepNeitherTheDispatcherNorAnotherMessageWaiting() throws Exception {
        RpcEnv rpcEnv = AllowanceDesk.driversRpc();
        UserMapOptions options = UserMapOptions.of(options(LONG_WINDOW));
        String name = "usermap-allowance-of-open-questions";
        AllowanceDesk desk = AllowanceDesk.tryOpen(AllowanceDesk::driversRpc, name, options, AllowanceLog.empty())
                .orElseThrow();
        RpcEndpointRef coordinator = rpcEnv.setupEndpointRef(rpcEnv.address(), name);
        Future<Object> first = ask(coordinator, 0, PER_LONG_WINDOW);
        assertThat(answer(first))
                .isInstanceOfSatisfying(
                        Grant.class, grant -> assertThat(grant.mappings()).isEqualTo(PER_LONG_WINDOW));

        AtomicBoolean done = new AtomicBoolean();
        CompletableFuture<List<String>> waiting = CompletableFuture.supplyAsync(() -> dispatchersThatWait(done));
        List<Future<Object>> open = IntStream.rangeClosed(1, QUESTIONS)
                .mapToObj(partition -> ask(coordinator, partition, 100))
                .toList();
        long[] nanos = new long[MESSAGES];
        for (int i = 0; i < MESSAGES; i++) {
            long asked = System.nanoTime();
            assertThat(desk.progress(List.of("write"))).isNotEmpty();
            nanos[i] = System.nanoTime() - asked;
        }
        done.set(true);

        assertThat(open).as("open questions").noneMatch(Future::isCompleted);
        assertThat(waiting.get(20, TimeUnit.SECONDS))
                .as("dispatcher threads that wait in the connector")
                .isEmpty();
        Arrays.sort(nanos);
        Duration p99 = Duration.ofNanos(nanos[MESSAGES * 99 / 100 - 1]);
        System.out.printf(
                "Measured on Spark %s: beside %d open questions, a message is answered in ms: p50 %.2f, p99 %.2f%n",
                spark.version(), QUESTIONS, nanos[MESSAGES / 2] / 1e6, p99.toNanos() / 1e6);
        assertThat(p99).as("p99 of the answers to other messages").isLessThan(SOON);

        desk.stop("write", "The test is over.");
        for (Future<Object> question : open) {
            assertThat(answer(question))
                    .isInstanceOfSatisfying(
                            Denied.class, denied -> assertThat(denied.reason()).isEqualTo("The test is over."));
        }
    }

    private static Future<Object> ask(RpcEndpointRef coordinator, int partition, int wanted) {
        Object[] question =
                AllowanceMessages.ask("q" + partition, new Writer("write", partition, partition), wanted, List.of());
        return coordinator.ask(question, new RpcTimeout(PATIENCE, "the time of a test"), AllowanceDesk.ANYTHING);
    }

    private static AllowanceAnswer answer(Future<Object> answered) throws Exception {
        return AllowanceMessages.answer((Object[]) Await.result(answered, PATIENCE));
    }

    /** Looks at the dispatcher's threads until {@code done}; the stacks of those that wait in the connector's code. */
    private static List<String> dispatchersThatWait(AtomicBoolean done) {
        Set<Thread.State> waits = Set.of(Thread.State.WAITING, Thread.State.TIMED_WAITING);
        List<String> found = new ArrayList<>();
        boolean seen = false;
        while (!done.get()) {
            for (ThreadInfo thread : ManagementFactory.getThreadMXBean().dumpAllThreads(false, false)) {
                boolean dispatches = thread.getThreadName().startsWith("dispatcher-event-loop-");
                seen |= dispatches;
                boolean ours = Arrays.stream(thread.getStackTrace())
                        .anyMatch(frame -> frame.getClassName().startsWith("io.usermap."));
                if (dispatches && ours && waits.contains(thread.getThreadState())) {
                    found.add(thread.toString());
                }
            }
            Waiting.pass(Duration.ofMillis(1));
        }
        return seen ? found : List.of("There is no thread of the dispatcher's name.");
    }

    @Test
    void nothingOfACoordinatorOutlivesItsApplication() throws Exception {
        Map<String, String> options = options(LONG_WINDOW);
        options.remove("apiKey");
        Secret key = Secret.of("key-of-tests");
        String name = AllowanceDesk.nameOf(UserMapOptions.of(options).endpoints(), key);
        UserMapRun old = UserMapRun.open(spark, options, key, AllowanceLog.empty());
        CompletableFuture<Throwable> writing = CompletableFuture.supplyAsync(
                () -> catchThrowable(() -> write(manyRows(2 * PER_LONG_WINDOW), old.options())));
        Waiting.until(
                "a writer waits for more than is left of the window",
                () -> sandbox.counts().mapped() > 0
                        && old.progress().accepted() == sandbox.counts().mapped()
                        && old.progress().waitingUntil().isPresent());
        assertThat(old.allowanceLog().entries()).isNotEmpty();
        assertThat(threads(name)).hasSize(1);
        assertThat(threads("usermap-asks-")).isNotEmpty();

        stopSpark();
        assertThat(writing.get(30, TimeUnit.SECONDS)).as("the write that ran").isNotNull();
        old.close();
        long before = sandbox.counts().mapped();
        Waiting.until("its threads have ended", () -> threads("usermap-").noneMatch(CoordinatorIT::isOfACoordinator));
        startSpark();

        RpcEnv rpcEnv = AllowanceDesk.driversRpc();
        assertThatThrownBy(() -> rpcEnv.setupEndpointRef(rpcEnv.address(), name))
                .as("the endpoint in the new application")
                .hasStackTraceContaining("Cannot find endpoint");
        AllowanceLog.Entry elsewhere = new AllowanceLog.Entry(Instant.now().plusSeconds(30), 100);
        try (UserMapRun run = UserMapRun.open(spark, options, key, new AllowanceLog(List.of(elsewhere)))) {
            assertThat(run.allowanceLog().entries())
                    .as("nothing but the seed")
                    .singleElement()
                    .satisfies(entry -> {
                        assertThat(entry.mappings()).isEqualTo(elsewhere.mappings());
                        assertThat(entry.until()).isCloseTo(elsewhere.until(), within(1, ChronoUnit.SECONDS));
                    });
            assertThat(run.progress().mostInWindow()).isEqualTo(100);
            // The sandbox counts what the old application sent for one second more, of which the new one knows nothing.
            Waiting.pass(Duration.ofMillis(1_100));
            write(manyRows(PER_LONG_WINDOW - 100), run.options());
            assertThat(threads(name))
                    .as("the timer of the new one, where one was needed, and no other")
                    .hasSizeLessThanOrEqualTo(1);
        }
        assertThat(sandbox.counts().mapped()).isEqualTo(before + PER_LONG_WINDOW - 100);
        assertThat(sandbox.counts().throttled()).isZero();
    }

    private static boolean isOfACoordinator(Thread thread) {
        return thread.getName().startsWith("usermap-allowance-")
                || thread.getName().startsWith("usermap-asks-");
    }

    private static Stream<Thread> threads(String prefix) {
        return Thread.getAllStackTraces().keySet().stream()
                .filter(thread -> thread.getName().startsWith(prefix));
    }
}
