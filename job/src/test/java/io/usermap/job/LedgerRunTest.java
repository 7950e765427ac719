package io.usermap.job;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.usermap.client.AllowanceLog;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LedgerRunTest {
    private static final Instant NOW = Instant.parse("2026-11-22T03:31:00.123Z");

    @TempDir
    private Path folder;

    private LedgerRun run = new LedgerRun("run-1", LedgerFolder.of("unset", new Configuration(false)));

    @BeforeEach
    void emptyFolder() {
        run = new LedgerRun("run-1", LedgerFolder.of(folder.resolve("run-1").toString(), new Configuration(false)));
    }

    private void tear(String name) throws IOException {
        Path file = folder.resolve("run-1").resolve(name);
        String text = Files.readString(file);
        Files.writeString(file, text.substring(0, text.length() / 2));
    }

    @Test
    void isUnfinishedFromTheFirstBeatToTheSavedAllowance() {
        assertThat(run.hasBegunToSend()).isFalse();

        run.beat(NOW);
        assertThat(run.hasBegunToSend()).isTrue();
        assertThat(run.isFinished()).isFalse();
        assertThat(run.lastBeat()).isEqualTo(NOW);

        AllowanceLog log = new AllowanceLog(List.of(new AllowanceLog.Entry(NOW.plusSeconds(31), 1500)));
        run.finish(log, Optional.empty());
        assertThat(run.isFinished()).isTrue();
        assertThat(run.allowance()).contains(log);
    }

    @Test
    void keepsWhatIsUsedUpWhenItIsInterruptedUntilItSendsAgain() {
        AllowanceLog log = new AllowanceLog(List.of(new AllowanceLog.Entry(NOW.plusSeconds(31), 1500)));
        run.beginToSend(NOW);
        run.interrupt(log);
        assertThat(run.isFinished()).isFalse();
        assertThat(run.allowance()).contains(log);

        run.beginToSend(NOW.plusSeconds(10));
        assertThat(run.allowance())
                .as("after a crash of the second attempt this would be too little")
                .isEmpty();
        assertThat(run.lastBeat()).isEqualTo(NOW.plusSeconds(10));
    }

    @Test
    void isUnfinishedWhereTheMarkIsTorn() throws IOException {
        run.beat(NOW);
        run.finish(AllowanceLog.empty(), Optional.empty());
        tear("allowance.json");

        assertThat(run.isFinished()).isFalse();
    }

    @Test
    void takesATornBeatFromTheTimeOfItsFile() throws IOException {
        run.beat(NOW);
        tear("heartbeat");

        assertThat(run.lastBeat())
                .isEqualTo(Files.getLastModifiedTime(folder.resolve("run-1").resolve("heartbeat"))
                        .toInstant()
                        .truncatedTo(java.time.temporal.ChronoUnit.MILLIS));
    }

    @Test
    void keepsThePlanAndRefusesHalfOfIt() throws IOException {
        Plan plan = SamplePlan.of(
                new Plan.Counts(10, 9, 8, 7, 6, 5, 4, 2, 1, 3, 0), new Plan.Changes(1, 2, 3), Map.of("empty", 2L));
        run.save(plan);

        assertThat(run.plan()).isEqualTo(plan);
        assertThat(plan.writes()).isEqualTo(15);
        assertThat(plan.rejected()).isEqualTo(2);

        tear("plan.json");
        assertThatThrownBy(run::plan)
                .isInstanceOf(StoppedException.class)
                .hasMessage(
                        "Cannot apply the plan of run run-1: it was not saved to its end. Run 'usermap plan' again.");
    }

    @Test
    void tellsAWholeDocumentFromATornOne() {
        String sealed = Json.sealed(new Ledger.Identity(1, "sandbox"));

        assertThat(Json.unsealed(sealed, Ledger.Identity.class)).contains(new Ledger.Identity(1, "sandbox"));
        assertThat(Json.unsealed(sealed.substring(0, sealed.length() - 9), Ledger.Identity.class))
                .isEmpty();
        assertThat(Json.unsealed(sealed.replace("sandbox", "service"), Ledger.Identity.class))
                .isEmpty();
    }
}
