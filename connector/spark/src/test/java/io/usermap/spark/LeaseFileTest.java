package io.usermap.spark;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What the writer that coordinates itself hears of a run on the driver. */
class LeaseFileTest {
    private static final Duration MOST = Duration.ofSeconds(5);

    @TempDir
    private Path folder;

    private final LeaseFile.Watch watch = new LeaseFile.Watch(true, at(0));

    private static long at(double seconds) {
        // Near the end of the clock's numbers, which it may pass.
        return Long.MAX_VALUE - 5_000_000_000L + (long) (seconds * 1e9);
    }

    private static String lease(int number, int seconds) {
        return "lease " + number + " " + seconds * 1_000 + "\n";
    }

    @Test
    void nothingIsSentBeforeTwoRenewalsHaveBeenSeen() {
        watch.saw(lease(1, 30), at(0.5));
        assertThat(watch.left(at(0.5), MOST)).isEmpty();
        watch.saw(lease(1, 30), at(2));
        watch.saw(lease(2, 30), at(2.5));
        assertThat(watch.left(at(2.5), MOST)).isEmpty();
        watch.saw(lease(2, 30), at(4.5));
        watch.saw(lease(3, 30), at(5));

        assertThat(watch.left(at(5), MOST)).contains(MOST);
        assertThat(watch.left(at(31), MOST))
                .as("the third was begun when the second was in place, after the look at 2 s")
                .contains(Duration.ofSeconds(1));
        assertThat(watch.stopped(at(31.9))).isEmpty();
        assertThat(watch.stopped(at(32))).contains(Leases.OVER);
    }

    @Test
    void anOldTextThatIsSeenAgainRenewsNothingAndATornOneSaysNothing() {
        watch.saw(lease(1, 30), at(1));
        watch.saw(lease(2, 30), at(2));
        watch.saw(lease(3, 30), at(3));
        watch.saw("", at(10));
        watch.saw("lease 4 30", at(20));
        watch.saw(lease(3, 30), at(25));

        assertThat(watch.stopped(at(30.9))).isEmpty();
        assertThat(watch.stopped(at(31))).contains(Leases.OVER);
        watch.saw(lease(4, 30), at(32));
        watch.saw(lease(5, 30), at(33));
        assertThat(watch.stopped(at(33))).as("over is over").contains(Leases.OVER);
    }

    @Test
    void aLeaseThatIsHandedOnUnchangedRunsOut() {
        watch.saw(lease(1, 4), at(1));
        watch.saw(lease(2, 3), at(2));
        watch.saw(lease(3, 2), at(3));
        watch.saw(lease(4, 1), at(4));

        assertThat(watch.stopped(at(2.9))).isEmpty();
        assertThat(watch.stopped(at(3))).contains(Leases.OVER);
    }

    @Test
    void aRenewalLengthensTheLeaseAndNoneShortensIt() {
        watch.saw(lease(1, 3), at(0.5));
        watch.saw(lease(2, 3), at(1));
        watch.saw(lease(3, 3), at(1.5));
        watch.saw(lease(4, 6), at(2));
        watch.saw(lease(5, 1), at(2.5));

        assertThat(watch.stopped(at(3))).isEmpty();
        assertThat(watch.left(at(3), MOST)).contains(Duration.ofSeconds(4));
        assertThat(watch.stopped(at(6.9)))
                .as("beyond the end of the clock's numbers")
                .isEmpty();
        assertThat(watch.stopped(at(7))).contains(Leases.OVER);
    }

    @Test
    void whoSeesNoRenewalForAMinuteDoesNotBegin() {
        watch.saw(lease(1, 30), at(1));

        assertThat(watch.stopped(at(59.9))).isEmpty();
        assertThat(watch.stopped(at(60))).contains(Leases.OVER);
    }

    @Test
    void withoutALeaseOnlyAStopCounts() {
        LeaseFile.Watch free = new LeaseFile.Watch(false, at(0));
        assertThat(free.left(at(0), MOST)).contains(MOST);
        assertThat(free.stopped(at(3_600))).isEmpty();
        free.saw("stop asked to end", at(3_601));
        assertThat(free.stopped(at(3_601))).as("torn").isEmpty();
        free.saw("stop asked to end\n", at(3_602));

        assertThat(free.stopped(at(3_602))).contains("asked to end");
    }

    @Test
    void theRunAndTheWriterMeetInTheFolderOfTheReceipts() throws Exception {
        LeaseFile file = LeaseFile.of(folder.resolve("receipts").toString(), "write", true, new Configuration(false));
        assertThat(file.address()).as("no name of receipts").endsWith("/receipts/_lease-write");
        assertThat(file.read()).isEmpty();
        file.renew(7, Duration.ofMillis(1_500));
        assertThat(file.read()).contains("lease 7 1500\n");
        file.renew(8, Duration.ofMillis(-1));
        assertThat(file.read()).contains("lease 8 0\n");
        file.stop("asked to end");
        assertThat(file.read()).contains("stop asked to end\n");

        file.delete();
        try (var left = Files.list(folder.resolve("receipts"))) {
            assertThat(left).isEmpty();
        }
    }
}
