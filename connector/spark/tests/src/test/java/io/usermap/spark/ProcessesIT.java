package io.usermap.spark;

import static org.assertj.core.api.Assertions.assertThat;

import io.usermap.client.AllowanceLog;
import io.usermap.client.AllowanceRules;
import java.net.URI;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.junit.jupiter.api.MethodOrderer.OrderAnnotation;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;

/**
 * The allowance with executors in processes of their own, which know the connector only by {@code spark.jars}, and to
 * which happens what happens to processes.
 */
@TestMethodOrder(OrderAnnotation.class)
class ProcessesIT extends ProcessCase {
    /** The partition that has nearly all rows. */
    private static final int STRAGGLER = 0;

    private static final Duration SOON = Duration.ofMillis(50);

    @Test
    @Order(1)
    void writersInSeveralProcessesShareOneExactWindow() {
        assertThat(bothExecutors())
                .hasSize(2)
                .extracting(ExecutorProcess::classPath)
                .allSatisfy(path -> assertThat(path).contains("jars").doesNotContain("usermap-", "test-classes"));
        try (UserMapRun run = run(options(sandbox.endpoint()))) {
            write(users("user", 1_000), run);
        }

        assertThat(tasks.executorsUsed()).hasSize(2);
        assertThat(sandbox.mappings()).hasSize(1_000);
        assertThat(sandbox.counts().mapped()).as("each row once").isEqualTo(1_000);
        assertTheWindowWasKept();
    }

    @Test
    @Order(2)
    void whatAKilledExecutorHadOnItsWayIsNotGivenToOthersAndNothingElseIsSentAgain() throws Exception {
        List<ExecutorProcess> executors = bothExecutors();
        try (Gate gate = Gate.before(sandbox.endpoint());
                UserMapRun run = run(options(
                        gate.endpoint(),
                        "requestTimeout",
                        "6s",
                        "onRejected",
                        "record",
                        "receiptsPath",
                        folder.resolve("receipts").toString()))) {
            CompletableFuture<Void> writing = start(users("user", 2_000), run);
            Waiting.until(
                    "some requests have receipts", () -> sandbox.requests().size() > WRITERS);

            ExecutorProcess victim = busiest(executors);
            Set<Integer> doomed = tasks.partitionsOn(victim.id());
            gate.closeTo(user -> doomed.contains(partitionOf(user)));
            Waiting.until("it has a request on its way", () -> !gate.held().isEmpty());
            long killed = System.nanoTime();
            victim.kill();
            // Its last bytes may still be on their way to the gate; nobody takes its place so soon.
            Waiting.pass(Duration.ofMillis(100));
            Set<String> onTheWay = usersHeld(gate);
            // An answer that came just before the kill may have no receipt yet: the last one of a partition.
            Set<String> perhapsUnrecorded = usersOfLastRequests(doomed);
            Waiting.pass(WINDOW);
            assertThat(arrivedBetween(killed, killed + WINDOW.toNanos()))
                    .as("without what the dead one may have sent")
                    .isLessThanOrEqualTo(PER_WINDOW - onTheWay.size());
            gate.open();
            finish(writing);

            assertThat(sandbox.mappings()).hasSize(2_000);
            assertThat(sentAgain())
                    .filteredOn(user -> doomed.contains(partitionOf(user)))
                    .allMatch(user -> onTheWay.contains(user) || perhapsUnrecorded.contains(user));
            assertTheWindowWasKept();
            print(onTheWay.size() + " mappings on their way at the kill, "
                    + sentAgain().size() + " sent again");
        }
    }

    @Test
    @Order(3)
    void aGrantThatReachesAStoppedExecutorIsNotUsedWhenItGoesOn() throws Exception {
        List<ExecutorProcess> executors = bothExecutors();
        try (UserMapRun run = run(options(sandbox.endpoint(), "requestTimeout", "2s"))) {
            CompletableFuture<Void> writing = start(users("user", 1_600), run);
            Waiting.until("the window has been full", () -> sandbox.requests().size() > WRITERS);
            ExecutorProcess victim = busiest(executors);

            Instant stopped = stopBetweenQuestionAndAnswer(victim, run);
            try {
                // Its permit is given to others when nothing of it could arrive any more.
                Waiting.until(
                        "the coordinator gave it up",
                        () -> silentGrants(run, stopped).isEmpty());
                CompletableFuture<Void> others = start(users("other", 2 * PER_WINDOW), run);
                Waiting.until("the window is full", () -> inWindow() > PER_WINDOW - PER_WINDOW / 8);
                victim.resume();
                finish(others);
            } finally {
                victim.resume();
            }
            finish(writing);

            assertThat(sandbox.mappings()).hasSize(1_600 + 2 * PER_WINDOW);
            assertTheWindowWasKept();
            print("an executor was stopped for "
                    + Duration.between(stopped, Instant.now()).toMillis() + " ms at most");
        }
    }

    /**
     * Stops {@code victim} while its question is open, and waits until the answer is on its way to it; returns when it was
     * stopped.
     */
    private Instant stopBetweenQuestionAndAnswer(ExecutorProcess victim, UserMapRun run) throws Exception {
        for (int attempt = 1; attempt <= 5; attempt++) {
            // Who has been answered asks for more, and waits for a window that has just been filled.
            Waiting.within(WINDOW.multipliedBy(2), () -> inWindow() > PER_WINDOW - PER_WINDOW / 8 && isQuiet());
            victim.stop();
            Instant stopped = Instant.now();
            // A question waits for a window at most; what was just sending when it was stopped has no open question.
            if (Waiting.within(
                    rules(run).silentHold(), () -> !silentGrants(run, stopped).isEmpty())) {
                return stopped;
            }
            victim.resume();
        }
        throw new AssertionError("In vain stopped an executor five times to catch it between question and answer.");
    }

    private boolean isQuiet() {
        long now = System.nanoTime();
        return arrivedBetween(now - WINDOW.dividedBy(6).toNanos(), now) == 0;
    }

    /**
     * The permits that were granted after {@code stopped} and of which nothing has been heard for longer than any request
     * may take: only a stopped process has such.
     */
    private static List<AllowanceLog.Entry> silentGrants(UserMapRun run, Instant stopped) {
        AllowanceRules rules = rules(run);
        Duration longest = rules.sendDeadline().plus(rules.callTimeout());
        return run.allowanceLog().entries().stream()
                .filter(entry -> {
                    Instant granted = entry.until().minus(rules.silentHold());
                    return granted.isAfter(stopped) && granted.plus(longest).isBefore(Instant.now());
                })
                .toList();
    }

    @Test
    @Order(4)
    void aSpeculativeTwinSendsNothingWhileItsOriginalLives() throws Exception {
        bothExecutors();
        Dataset<Row> rows = users("user", 8_000).filter("pmod(hash(user_id), 4) = 0 OR user_id < 'user-0000040'");
        long count = rows.count();
        long quick = rows.filter("pmod(hash(user_id), 4) > 0").count();
        try (Gate gate = Gate.before(sandbox.endpoint());
                UserMapRun run = run(options(gate.endpoint()))) {
            CompletableFuture<Void> writing = start(rows, run);
            Waiting.until("the other partitions are sent", () -> mappedOutside(STRAGGLER) == quick);
            gate.closeTo(user -> partitionOf(user) == STRAGGLER);
            Waiting.until(
                    "the straggler has a request on its way", () -> !gate.held().isEmpty());
            Waiting.until("its twin runs", () -> tasks.hasTwin(STRAGGLER));
            gate.open();
            finish(writing);
        }

        assertThat(sandbox.mappings()).hasSize((int) count);
        assertThat(sentAgain()).isEmpty();
        assertTheWindowWasKept();
    }

    private long mappedOutside(int partition) {
        return sandbox.mappings().keySet().stream()
                .filter(user -> partitionOf(user) != partition)
                .count();
    }

    /** Real requests take so long on average; 200 writers then ask a thousand times a second. */
    private static final Duration REQUEST = Duration.ofMillis(200);

    /** What a JVM that has just started compiles and loads costs more than any answer; it is told, and not judged. */
    private static final Duration WARM_UP = Duration.ofSeconds(3);

    private static final Duration MEASURED = Duration.ofSeconds(4);

    /** What else the machine does makes a stretch slower and never quicker, so one in which answers come soon is enough. */
    private static final int STRETCHES = 4;

    @Test
    @Order(5)
    void twoHundredWritersAreAnsweredSoon() throws Exception {
        bothExecutors();
        spark.sparkContext().addJar(AnswerProbe.jar(folder).toString());
        UserMapOptions options = UserMapOptions.of(options(sandbox.endpoint(), "eventsPerSecond", "1000000"));
        AllowanceDesk desk = AllowanceDesk.tryOpen(
                        AllowanceDesk::driversRpc, "usermap-allowance-of-the-probe", options, AllowanceLog.empty())
                .orElseThrow();
        List<String> stretches = new ArrayList<>();
        boolean soon = false;
        while (!soon && stretches.size() < STRETCHES) {
            List<AnswerProbe.Answer> answers =
                    AnswerProbe.answers(spark, new AnswerProbe(desk.lines(), 100, WARM_UP.plus(MEASURED), REQUEST));
            long[] warmUp = nanos(answers, Duration.ZERO, WARM_UP);
            long[] measured = nanos(answers, WARM_UP, WARM_UP.plus(MEASURED));
            soon = measured.length > 3_000 && percentile(measured, 99) <= SOON.toNanos();
            stretches.add("in the first %d s %s; in the %d s after that %s"
                    .formatted(WARM_UP.toSeconds(), describe(warmUp), MEASURED.toSeconds(), describe(measured)));
        }
        print("200 writers, answer in ms: " + String.join("; again: ", stretches));
        assertThat(soon)
                .as("p99 of more than 3,000 answers in ms, %s", stretches)
                .isTrue();
    }

    /** The times of the answers to what was asked in a part of the time, sorted. */
    private static long[] nanos(List<AnswerProbe.Answer> answers, Duration from, Duration to) {
        return answers.stream()
                .filter(answer -> answer.askedAfter() >= from.toNanos() && answer.askedAfter() < to.toNanos())
                .mapToLong(AnswerProbe.Answer::nanos)
                .sorted()
                .toArray();
    }

    private static long percentile(long[] sorted, int percent) {
        return sorted[(int) Math.ceil(sorted.length * percent / 100.0) - 1];
    }

    private static String describe(long[] nanos) {
        return "p50 %.1f, p99 %.1f, most %.1f of %d"
                .formatted(
                        percentile(nanos, 50) / 1e6,
                        percentile(nanos, 99) / 1e6,
                        percentile(nanos, 100) / 1e6,
                        nanos.length);
    }

    @Test
    @Order(6)
    void twoApplicationsUseTheWholeAllowanceTogetherAlsoWithExecutorsThatWereReleasedAndReplaced() throws Exception {
        bothExecutors();
        try (ChildJvm service = ChildJvm.start(SandboxProcess.class, "" + PER_SECOND, "" + WINDOW.toMillis())) {
            String endpoint = service.hear();
            try (ChildJvm other = ChildJvm.start(OtherApplication.class, endpoint, "0.4", "960", "theirs");
                    UserMapRun run = run(options(URI.create(endpoint), "allowanceShare", "0.6"))) {
                write(users("before", 240), run);
                Set<String> before = tasks.executorsUsed();
                // The other application starts meanwhile.
                Waiting.until("Spark has released all executors", () -> registeredExecutors() == 0);
                assertThat(other.hear()).isEqualTo("ready");
                tasks.clear();
                other.say("go");
                write(users("ours", 1_440), run);
                assertThat(tasks.executorsUsed()).isNotEmpty().doesNotContainAnyElementsOf(before);
                assertThat(other.hear()).isEqualTo("done");
            }

            SandboxProcess.Received received = SandboxProcess.Received.ask(service);
            assertThat(received.throttled()).isZero();
            assertThat(received.mostInWindow()).isLessThanOrEqualTo(PER_WINDOW);
            assertThat(SandboxProcess.Arrival.mappings(received.of("before")))
                    .as("each row once")
                    .isEqualTo(240);
            double ours = usedShare(received.of("ours"), 1_440, 240);
            double theirs = usedShare(received.of("theirs"), 960, 160);
            print("two applications used %.3f and %.3f of their shares, %.3f of the whole"
                    .formatted(ours, theirs, 0.6 * ours + 0.4 * theirs));
            assertThat(0.6 * ours + 0.4 * theirs).isGreaterThan(0.75);
        }
    }

    /** The time that the windows after the first take at least, of the time that they took. */
    private static double usedShare(List<SandboxProcess.Arrival> arrivals, int count, int perWindow) {
        assertThat(SandboxProcess.Arrival.mappings(arrivals)).isEqualTo(count);
        long took = arrivals.get(arrivals.size() - 1).nanos() - arrivals.get(0).nanos();
        int laterWindows = (count + perWindow - 1) / perWindow - 1;
        return (double) laterWindows * WINDOW.toNanos() / took;
    }
}
