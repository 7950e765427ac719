package io.usermap.job;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ClaimTest {
    private static final Duration TERM = Duration.ofSeconds(30);

    @TempDir
    private Path folder;

    private LedgerFolder claims = LedgerFolder.of("unset", new Configuration(false));
    private final List<String> told = new ArrayList<>();
    private Duration waited = Duration.ZERO;
    private long nanos;

    @BeforeEach
    void emptyFolder() {
        claims = LedgerFolder.of(folder.resolve("claims").toString(), new Configuration(false));
    }

    private Claim take(String run) {
        return Claim.take(claims, run, TERM, this::waits, told::add);
    }

    private void waits(Duration duration) {
        waited = waited.plus(duration);
    }

    @Test
    void isGivenAtOnceWhereThereIsNoOther() {
        take("run-1").close();

        try (Claim claim = take("run-2")) {
            claim.beat();
            assertThat(claims.names()).contains("run-2.claim");
        }
        assertThat(claims.names()).doesNotContain("run-1.claim", "run-2.claim");
        assertThat(waited).isZero();
        assertThat(told).isEmpty();
    }

    @Test
    void isTakenOverAfterOneTermWithoutASignOfLife() {
        claims.write("run-1.claim", "2026-11-22T03:31:00Z 7");

        take("run-2");

        assertThat(waited).isEqualTo(TERM);
        assertThat(told)
                .containsExactly(
                        "run run-1 holds this ledger; waiting up to 30s for a sign of life before taking over");
        assertThat(claims.names()).contains("run-2.claim").doesNotContain("run-1.claim");
    }

    @Test
    void isRefusedAsSoonAsTheOtherShowsLife() {
        Claim other = take("run-1");

        assertThatThrownBy(() -> Claim.take(claims, "run-2", TERM, duration -> other.beat(), told::add))
                .isInstanceOf(StoppedException.class)
                .hasMessage(
                        "Cannot use the ledger: run run-1 is at work in it right now. Wait for its end, then run the"
                                + " command again.");
        assertThat(claims.names()).contains("run-1.claim").doesNotContain("run-2.claim");
    }

    @Test
    void isGivenWhenTheOtherLetsGoMeanwhile() {
        Claim other = take("run-1");

        Claim.take(claims, "run-2", TERM, duration -> other.close(), told::add);

        assertThat(claims.names()).contains("run-2.claim").doesNotContain("run-1.claim");
    }

    @Test
    void keepsItselfAliveWhateverItsHolderDoes() {
        try (Claim claim = Claim.take(claims, "run-1", Duration.ofMillis(60), this::waits, told::add)) {
            Optional<String> first = claims.read("run-1.claim");
            assertTimeoutPreemptively(Duration.ofSeconds(30), () -> {
                while (claims.read("run-1.claim").equals(first)) {
                    Thread.onSpinWait();
                }
            });
            claim.requireHeld();
        }
        assertThat(claims.names()).doesNotContain("run-1.claim");
    }

    @Test
    void ofTwoCandidatesTheEarlierNameStays() {
        claims.write("run-2.claim", "candidate 1 30000");
        int[] beats = {1};

        try (Claim claim = Claim.take(
                claims,
                "run-1",
                TERM,
                duration -> {
                    if (++beats[0] == 5) {
                        claims.delete("run-2.claim");
                    } else if (beats[0] < 5) {
                        claims.write("run-2.claim", "candidate " + beats[0] + " 30000");
                    }
                },
                told::add)) {
            claim.requireHeld();
        }

        claims.write("run-0.claim", "candidate 1 30000");
        assertThatThrownBy(() -> Claim.take(
                        claims,
                        "run-1",
                        TERM,
                        duration -> claims.write("run-0.claim", "candidate " + ++beats[0] + " 30000"),
                        told::add))
                .isInstanceOf(StoppedException.class)
                .hasMessageContaining("run run-0 is at work");
        assertThat(claims.names()).contains("run-0.claim").doesNotContain("run-1.claim");
    }

    /** Create empties a file before it is written, so a look may find less than its text. */
    @Test
    void aCandidateWhoseTextIsTornIsStillACandidate() {
        claims.write("run-2.claim", "candidate 0000000a.1 30000");
        List<String> texts = new ArrayList<>(List.of("", "candidate 0000000a.2 30000", "cand"));

        Claim claim = Claim.take(
                claims,
                "run-1",
                TERM,
                duration -> {
                    if (texts.isEmpty()) {
                        claims.delete("run-2.claim");
                    } else {
                        claims.write("run-2.claim", texts.remove(0));
                    }
                },
                told::add);

        claim.close();
    }

    @Test
    void watchesForTheLongerOfBothTerms() {
        claims.write("run-1.claim", "holds 7 90000");

        take("run-2");

        assertThat(waited).isEqualTo(Duration.ofSeconds(90));
    }

    @Test
    void isHeldWithoutALookAroundUntilTheLeaseHasLapsed() {
        try (Claim claim = Claim.take(claims, "run-1", TERM, this::waits, told::add, () -> nanos)) {
            // What a look around would find.
            claims.delete("run-1.claim");
            nanos = TERM.toNanos() - 1;
            assertThat(claim.isHeld()).isTrue();
            nanos = TERM.toNanos();
            assertThat(claim.isHeld()).isFalse();
        }
    }

    @Test
    void isALeaseThatEndsATermAfterTheBeginningOfTheLastBeat() {
        try (Claim claim = Claim.take(claims, "run-1", TERM, this::waits, told::add, () -> nanos)) {
            assertThat(claim.leaseUntil()).isEqualTo(TERM.toNanos());
            nanos = TERM.toNanos() / 2;
            claim.renew();
            assertThat(claim.leaseUntil()).isEqualTo(TERM.toNanos() * 3 / 2);
        }
    }

    @Test
    void isNotRenewedByAHolderThatWakesUpWhileAnotherIsThere() {
        try (Claim claim = Claim.take(claims, "run-1", TERM, this::waits, told::add, () -> nanos)) {
            // The other one has watched for a term and is about to remove this claim, but has not yet.
            nanos = TERM.toNanos() + 1;
            claims.write("run-2.claim", "holds 21 30000");

            assertThat(claim.isHeld()).isFalse();
            assertThatThrownBy(claim::requireHeld).hasMessageContaining("another run took it over");
            assertThat(claim.leaseUntil()).isEqualTo(TERM.toNanos());
            assertThat(claims.names()).contains("run-2.claim").doesNotContain("run-1.claim");
        }
    }

    @Test
    void isRenewedByAHolderThatWakesUpAlone() {
        try (Claim claim = Claim.take(claims, "run-1", TERM, this::waits, told::add, () -> nanos)) {
            nanos = 2 * TERM.toNanos();
            assertThat(claim.isHeld()).isTrue();
            claim.requireHeld();
            assertThat(claim.leaseUntil()).isEqualTo(3 * TERM.toNanos());
        }
    }

    @Test
    void endsItsLeaseAtOnceWhereAnotherTookOverAlthoughTheMonotonicClockHardlyMoved() {
        try (Claim claim = Claim.take(claims, "run-1", TERM, this::waits, told::add, () -> nanos)) {
            nanos = TERM.toNanos() / 10;
            claims.delete("run-1.claim");

            claim.renew();

            assertThat(claim.leaseUntil()).isEqualTo(TERM.toNanos() / 10);
        }
    }

    @Test
    void isRefusedToASecondProcessOfTheSameRun() {
        try (Claim first = take("run-1")) {
            assertThatThrownBy(() -> Claim.take(claims, "run-1", TERM, duration -> first.beat(), told::add))
                    .isInstanceOf(StoppedException.class)
                    .hasMessageContaining("run run-1 is at work in it right now");
            first.requireHeld();
            assertThat(claims.names()).containsExactly("run-1.claim");
        }
    }

    @Test
    void isLostToASecondProcessOfTheSameRunThatHasWrittenTheSameFile() {
        try (Claim claim = take("run-1")) {
            claims.write("run-1.claim", "holds 00000000.1 30000");

            assertThatThrownBy(claim::requireHeld).hasMessageContaining("another run took it over");
        }
        assertThat(claims.names()).as("not ours to remove").containsExactly("run-1.claim");
    }

    @Test
    void isLostOnceAnotherRunTookOver() {
        try (Claim claim = take("run-1")) {
            claim.requireHeld();
            claims.delete("run-1.claim");

            assertThatThrownBy(claim::requireHeld)
                    .isInstanceOf(StoppedException.class)
                    .hasMessage(
                            "Cannot use the ledger: another run took it over, because this one showed no sign of life"
                                    + " for a term. Run the command again once that run has ended.");
        }
    }
}
