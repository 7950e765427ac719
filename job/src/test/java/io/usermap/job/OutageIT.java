package io.usermap.job;

import static org.assertj.core.api.Assertions.assertThat;

import io.usermap.sandbox.Sandbox;
import io.usermap.sandbox.SandboxOptions;
import io.usermap.sandbox.SandboxRequest;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/** A service that is away for a while, for long, or late, met by whole commands; asserts what it received. */
class OutageIT {
    private static final Duration SOON = Duration.ofSeconds(60);

    @RegisterExtension
    static final LocalSpark LOCAL = new LocalSpark();

    @TempDir
    private Path folder;

    private Sandbox sandbox = start();
    private CommandRunner usermap = new CommandRunner(Path.of("unset"));

    private static Sandbox start() {
        try {
            return Sandbox.start(SandboxOptions.builder()
                    .eventsPerSecond(5000)
                    .window(Duration.ofSeconds(1))
                    .build());
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }

    @BeforeEach
    void aimAtTheSandbox() throws IOException {
        usermap = new CommandRunner(folder)
                .set("target.endpoint", sandbox.endpoint().toString())
                .set("target.api-key", "k-0123456789abcdef")
                .set("guards.max-remap-share", "1")
                .set("write.writers", "1")
                .set("write.max-batch-rows", "50");
        pairs(IntStream.range(0, 300).mapToObj("user-%03d,person-1"::formatted));
    }

    @AfterEach
    void closeTheSandbox() {
        sandbox.close();
    }

    private void pairs(Stream<String> rows) throws IOException {
        usermap.source(Stream.concat(Stream.of("user_id,global_user_id"), rows).toArray(String[]::new));
    }

    private Set<String> received() {
        Set<String> users = new HashSet<>();
        sandbox.requests().stream()
                .filter(SandboxRequest::stored)
                .flatMap(request -> request.mappings().stream())
                .forEach(mapping -> assertThat(users.add(mapping.userId()))
                        .as("stored once")
                        .isTrue());
        return users;
    }

    @Test
    void waitsForAServiceThatIsAwayForAWhile() throws IOException {
        sandbox.addFaults("{\"faults\": [{\"path\": \"map\", \"requests\": \"3-5\", \"status\": 503}]}");

        assertThat(usermap.run("apply")).as(usermap.err()).isZero();

        assertThat(usermap.report().path("outcome").asText()).isEqualTo("done");
        assertThat(usermap.count("resent")).isEqualTo(150);
        assertThat(received()).hasSize(300);
        Path report = usermap.runs().get(0).resolve("report.json");
        assertThat(Files.getLastModifiedTime(report))
                .as("the report is saved before the claim is let go, the last change in its folder")
                .isLessThanOrEqualTo(Files.getLastModifiedTime(usermap.ledger().resolve("claims")));
    }

    @Test
    void endsInWordsWhenItIsAwayForLongAndSendsTheRestWhenItIsBack() throws IOException {
        usermap.set("write.max-attempts", "3");
        sandbox.addFaults("{\"faults\": [{\"path\": \"map\", \"requests\": \"3-\", \"status\": 503}]}");

        assertThat(usermap.run("apply")).isEqualTo(ExitCode.ERROR);

        assertThat(usermap.err())
                .contains(
                        "Cannot write mappings after 3 attempts: the service answered 503. Check that the endpoint can"
                                + " be reached from the executors, then run again. Before that, 100 mappings were accepted.")
                .doesNotContain("Exception");
        assertThat(usermap.report().path("outcome").asText()).isEqualTo("failed");
        assertThat(usermap.report().path("exit_code").asInt()).isEqualTo(1);
        assertThat(usermap.count("accepted")).isEqualTo(100);
        Set<String> first = received();
        assertThat(first).hasSize(100);
        assertThat(sandbox.requests()).as("two, and three attempts").hasSize(5);

        sandbox.clearFaults();
        sandbox.clearRequests();
        assertThat(usermap.run("apply")).as(usermap.err()).isZero();

        assertThat(usermap.report().path("outcome").asText()).isEqualTo("done");
        assertThat(received()).hasSize(200).doesNotContainAnyElementsOf(first);
        assertThat(sandbox.mappings()).hasSize(300);
        assertThat(usermap.run("apply")).isZero();
        assertThat(usermap.report().path("outcome").asText()).isEqualTo("nothing_to_do");
    }

    @Test
    void whatWasRefusedIsNotAskedAgainByTheRunThatGoesOn() throws IOException {
        usermap.set("write.max-attempts", "1").set("plan.max-rejected-share", "0");
        sandbox.addFaults("{\"faults\": [{\"path\": \"map\", \"ids\": [\"user-003\", \"user-070\"], \"status\": 400},"
                + " {\"path\": \"map\", \"ids\": [\"user-170\"], \"status\": 503}]}");
        assertThat(usermap.run("apply")).as(usermap.err()).isEqualTo(ExitCode.ERROR);
        Path run = usermap.runs().get(0);
        int first = received().size();
        assertThat(first).isBetween(98, 248);

        sandbox.clearFaults();
        sandbox.clearRequests();
        assertThat(usermap.run("apply")).as(usermap.err()).isEqualTo(ExitCode.REJECTED);

        assertThat(usermap.runs()).containsExactly(run);
        assertThat(usermap.err())
                .contains(first + " of its 300 mappings are acknowledged and 2 refused; sending the other "
                        + (298 - first));
        assertThat(received()).hasSize(298 - first).doesNotContain("user-003", "user-070");
        assertThat(usermap.count("accepted")).isEqualTo(298 - first);
        assertThat(usermap.report().path("rejected_by_reason").path("refused").asInt())
                .isEqualTo(2);

        assertThat(usermap.run("apply")).as(usermap.err()).isZero();
        assertThat(received()).as("the next run offers them again").contains("user-003", "user-070");
        assertThat(sandbox.mappings()).hasSize(300);
    }

    @Test
    void whatWasRefusedBeforeAnythingWasAcceptedIsAskedAgainBecauseTheKeyMayHaveBeenMended() throws IOException {
        usermap.set("write.max-attempts", "1").set("plan.max-rejected-share", "0");
        sandbox.addFaults("{\"faults\": [{\"path\": \"map\", \"requests\": \"1-20\", \"status\": 403},"
                + " {\"path\": \"map\", \"requests\": \"21-\", \"status\": 503}]}");
        assertThat(usermap.run("apply")).as(usermap.err()).isEqualTo(ExitCode.ERROR);
        assertThat(usermap.report().path("rejected_by_reason").path("refused").asInt())
                .isPositive();
        assertThat(received()).isEmpty();

        sandbox.clearFaults();
        sandbox.clearRequests();
        assertThat(usermap.run("apply")).as(usermap.err()).isZero();

        assertThat(usermap.err()).contains(": 0 of its 300 mappings are acknowledged; sending the other 300");
        assertThat(received()).hasSize(300);
        assertThat(usermap.report().path("rejected_by_reason").path("refused").asInt())
                .isZero();
    }

    @Test
    void aCancelledSparkJobEndsInOrderWithAReceiptForWhatIsStillAnswered() throws Exception {
        usermap.set("write.request-timeout", "20s");
        sandbox.addFaults("{\"faults\": [{\"path\": \"map\", \"requests\": \"2-\", \"delay_answer\": \"6500ms\"}]}");
        CompletableFuture<Integer> applying = CompletableFuture.supplyAsync(() -> usermap.run("apply"));
        Waiting.until("two requests are stored", SOON, () -> sandbox.mappings().size() >= 100);
        LOCAL.spark().sparkContext().cancelAllJobs();

        assertThat(applying.get(30, TimeUnit.SECONDS)).as(usermap.err()).isEqualTo(ExitCode.INTERRUPTED);
        int stored = received().size();
        assertThat(usermap.count("accepted")).isEqualTo(stored).isLessThan(300);
        sandbox.clearFaults();

        assertThat(usermap.run("apply")).as(usermap.err()).isZero();
        assertThat(received()).hasSize(300);
    }

    @Test
    void whatIsUsedUpIsKnownThoughTheStateCouldNotBePublished() throws Exception {
        assertThat(usermap.run("apply")).as(usermap.err()).isZero();
        pairs(IntStream.range(0, 300).mapToObj("user-%03d,person-2"::formatted));
        sandbox.clearRequests();
        sandbox.addFaults("{\"faults\": [{\"path\": \"map\", \"delay_answer\": \"400ms\"}]}");
        Path state = usermap.ledger().resolve("state");
        Path aside = usermap.ledger().resolve("aside");
        CompletableFuture<Integer> applying = CompletableFuture.supplyAsync(() -> usermap.run("apply"));
        Waiting.until("requests arrive", SOON, () -> !sandbox.requests().isEmpty());
        Files.move(state, aside);
        Files.writeString(state, "in the way");

        assertThat(applying.get(60, TimeUnit.SECONDS)).as(usermap.err()).isEqualTo(ExitCode.ERROR);
        String allowance = Files.readString(usermap.runs().get(1).resolve("allowance.json"));
        assertThat(allowance).contains("\"interrupted\":true").contains("\"until\"");
        Files.delete(state);
        Files.move(aside, state);
        sandbox.clearRequests();

        assertThat(usermap.run("apply")).as(usermap.err()).isZero();
        assertThat(sandbox.requests()).as("all was acknowledged").isEmpty();
        assertThat(usermap.count("accepted") + usermap.count("skipped")).isEqualTo(300);
    }

    @Test
    void anUnmapThatComesLateComesBeforeItsMap() throws IOException {
        usermap.set("plan.remap", "unmap-first").set("write.request-timeout", "1s");
        pairs(Stream.of("ann@x.com,person-1"));
        assertThat(usermap.run("apply")).as(usermap.err()).isZero();
        sandbox.clearRequests();
        // The sender gives it up after a second and sends another; this one is stored a second later than that.
        sandbox.addFaults("{\"faults\": [{\"name\": \"late\", \"path\": \"map\", \"requests\": 1,"
                + " \"delay_request\": \"2s\"}]}");
        pairs(Stream.of("ann@x.com,person-2"));

        assertThat(usermap.run("apply")).as(usermap.err()).isZero();

        List<SandboxRequest> requests = sandbox.requests();
        assertThat(requests.stream().map(request -> request.unmaps() + " " + request.maps() + " " + request.faults()))
                .as("unmaps and maps in the order in which they were stored")
                .containsExactly("1 0 []", "1 0 [late]", "0 1 []");
        assertThat(sandbox.mappings()).isEqualTo(Map.of("ann@x.com", "person-2"));
    }
}
