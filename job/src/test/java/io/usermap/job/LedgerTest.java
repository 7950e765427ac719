package io.usermap.job;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

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

    @Test
    void knowsWhoSentLastWhereAnOldPlanWasCarriedOutAfterANewerOne() throws Exception {
        LedgerRun planned = ledger().begin(NOW);
        planned.folder().write("plan.json", "{}");
        LedgerRun newer = sends(ledger().begin(NOW.plusSeconds(60)));
        ledger().sends(planned);
        planned.beginToSend(NOW.plusSeconds(120));

        assertThat(ledger().lastSent()).contains(planned);

        Files.deleteIfExists(folder.resolve(".last-sent.crc"));
        Files.writeString(folder.resolve("last-sent"), planned.id().substring(0, 9));
        assertThat(ledger().lastSent())
                .as("where the note is torn, the last sign of life tells")
                .contains(planned);
        newer.beat(NOW.plusSeconds(180));
        assertThat(ledger().lastSent()).contains(newer);
    }
}
