package io.usermap.job;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.usermap.client.AllowanceLog;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class LedgerTest {
    private static final Instant NOW = Instant.parse("2026-11-22T03:31:00.123Z");

    @TempDir
    private Path folder;

    private Ledger ledger() {
        return Ledger.open(new Configuration(false), folder.toString(), "loopback");
    }

    private LedgerRun sends(LedgerRun run) {
        ledger().sends(run);
        run.beginToSend(NOW);
        return run;
    }

    @Test
    void ordersRunsByTheirBeginningsAlsoWhereTheClockIsSetBack() {
        LedgerRun first = sends(ledger().begin(NOW));
        LedgerRun second = sends(ledger().begin(NOW.minus(Duration.ofHours(5))));
        LedgerRun third = sends(ledger().begin(NOW.plus(Duration.ofHours(5))));

        assertThat(ledger().runs()).containsExactly(third, second, first);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "{\"format\":2,", "{\"format\":2}", "{\"format\":3,\"target\":{\"name\":\"x\"}}", "[]"})
    void isNotBegunAnewWhereItCannotSayWhatItIs(String identity) throws Exception {
        ledger();
        Path file = folder.resolve("ledger.json");
        Files.writeString(file, identity);
        assertThat(ledger().runs()).as("of nothing but half a file").isEmpty();
        assertThat(file).content().contains("\"loopback\"");

        ledger().begin(NOW).folder().write("plan.json", "{}");
        Files.writeString(file, identity);

        assertThatThrownBy(this::ledger)
                .isInstanceOf(StoppedException.class)
                .hasMessage(
                        "Cannot use the ledger file:" + folder + ": its ledger.json does not say for which service it"
                                + " is, and there are runs in it. It is damaged, or a newer version of usermap wrote it. Use that"
                                + " version, or restore the file from a copy.");
        assertThatThrownBy(() -> Ledger.existing(new Configuration(false), folder.toString()))
                .isInstanceOf(StoppedException.class)
                .hasMessageContaining("its ledger.json does not say");
        assertThat(file).hasContent(identity);
    }

    @Test
    void keepsTheLastFinishedRunsAndAsManyPlans() {
        List<LedgerRun> runs = new ArrayList<>();
        for (int hour = 0; hour < 7; hour++) {
            LedgerRun run = ledger().begin(NOW.plus(Duration.ofHours(hour)));
            run.folder().write("plan.json", "{}");
            runs.add(run);
        }
        for (int hour : new int[] {0, 2, 4}) {
            sends(runs.get(hour)).finish(AllowanceLog.empty(), Optional.empty());
        }

        ledger().prune(4);
        assertThat(ledger().runs()).as("three have finished, four have not").hasSize(7);
        ledger().prune(2);
        assertThat(ledger().runs()).containsExactly(runs.get(6), runs.get(5), runs.get(4), runs.get(2));
    }

    @Test
    void keepsAsManyPlansWhereNoRunHasFinishedAndWhoeverIsAtWork() {
        LedgerRun atWork = sends(ledger().begin(NOW.minus(Duration.ofHours(1))));
        List<LedgerRun> runs = new ArrayList<>();
        for (int hour = 0; hour < 5; hour++) {
            LedgerRun run = ledger().begin(NOW.plus(Duration.ofHours(hour)));
            run.folder().write("plan.json", "{}");
            runs.add(run);
        }

        ledger().prune(2);
        assertThat(ledger().runs()).containsExactly(runs.get(4), runs.get(3), atWork);
        atWork.finish(AllowanceLog.empty(), Optional.empty());
        ledger().prune(2);
        assertThat(ledger().runs()).as("the plans stay").hasSize(3);
    }

    @Test
    void knowsWhoSentLastWhereAnOldPlanWasCarriedOutAfterANewerOne() throws Exception {
        LedgerRun planned = ledger().begin(NOW);
        planned.folder().write("plan.json", "{}");
        LedgerRun newer = sends(ledger().begin(NOW.plusSeconds(60)));
        ledger().sends(planned);
        planned.beginToSend(NOW.plusSeconds(120));

        assertThat(ledger().lastSent()).contains(planned);

        Files.writeString(folder.resolve("last-sent"), planned.id().substring(0, 9));
        assertThat(ledger().lastSent())
                .as("where the note is torn, the last sign of life tells")
                .contains(planned);
        newer.beat(NOW.plusSeconds(180));
        assertThat(ledger().lastSent()).contains(newer);
    }

    private LedgerRun finished(LedgerRun run, long from, long to) {
        sends(run).finish(AllowanceLog.empty(), Optional.of(new LedgerRun.Published(from, to)));
        return run;
    }

    @Test
    void findsTheRunThatTheStateHasLost() {
        LedgerRun run = finished(ledger().begin(NOW), 0, 1);
        run.folder().folder("receipts").write("part-00000-0.jsonl", "");

        assertThat(ledger().lost()).contains(run);
        assertThatThrownBy(() -> ledger().requireNothingLost())
                .isInstanceOf(StoppedException.class)
                .hasMessageContaining("its state has lost what run " + run.id() + " led to. Run 'usermap apply'");
    }

    @Test
    void endsWhereReceiptsDoNotTellAllThatIsLost() {
        finished(ledger().begin(NOW), 0, 1);
        assertThatThrownBy(() -> ledger().lost())
                .as("receipts are gone")
                .isInstanceOf(StoppedException.class)
                .hasMessageContaining("and the newest that can be read is 0. Restore the ledger's folder 'state'");
        ledger().runs().get(0).folder().folder("receipts").write("part-00000-0.jsonl", "");

        LedgerRun later = finished(ledger().begin(NOW.plusSeconds(60)), 1, 2);
        later.folder().folder("receipts").write("part-00000-0.jsonl", "");
        assertThatThrownBy(() -> ledger().lost())
                .as("two are")
                .hasMessageContaining("run " + later.id() + " has led to version 2 of the state");
    }

    @Test
    void keepsTheRunThatLedToTheNewestState() {
        LedgerRun publisher = finished(ledger().begin(NOW), 0, 1);
        LedgerRun rejected = sends(ledger().begin(NOW.plusSeconds(60)));
        rejected.finish(AllowanceLog.empty(), Optional.empty());

        ledger().prune(1);

        assertThat(ledger().runs()).containsExactly(rejected, publisher);
    }

    @Test
    void endsWhereSomethingBesideTheRunIsLost() {
        LedgerRun run = finished(ledger().begin(NOW), 1, 2);
        run.folder().folder("receipts").write("part-00000-0.jsonl", "");

        assertThatThrownBy(() -> ledger().lost())
                .as("whatever led to version 1 is lost as well")
                .hasMessageContaining("has led to version 2 of the state, and the newest that can be read is 0");
    }
}
