package io.usermap.job;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.LongSupplier;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Receipts that are read while their writer merges them. */
class ReceiptsIT {
    @RegisterExtension
    static final LocalSpark LOCAL = new LocalSpark();

    @TempDir
    private Path folder;

    private LedgerRun run() {
        LedgerRun run = ledger().begin(Instant.parse("2026-11-22T03:31:00Z"));
        run.beginToSend(Instant.parse("2026-11-22T03:31:00Z"));
        return run;
    }

    private Ledger ledger() {
        return Ledger.open(LOCAL.spark().sparkContext().hadoopConfiguration(), folder.toString(), "loopback");
    }

    private Path receipt(LedgerRun run, String name, String user) throws IOException {
        Path receipts = folder.resolve("runs").resolve(run.id()).resolve("receipts");
        Files.createDirectories(receipts);
        return Files.writeString(
                receipts.resolve(name),
                "{\"user_id\":\"" + user
                        + "\",\"global_user_id\":\"person-1\",\"unmap\":false,\"outcome\":\"accepted\","
                        + "\"request\":\"r-1\",\"at\":\"2026-11-22T03:31:01Z\",\"attempt\":1}\n");
    }

    @Test
    void whatAnUnfinishedRunHasAcknowledgedStaysReadableWhenItsFilesAreMerged() throws IOException {
        LedgerRun run = run();
        Path merged = receipt(run, "part-1.jsonl", "ann@x.com");
        Dataset<Row> inForce = ledger().inForce(LOCAL.spark());
        Files.move(merged, merged.resolveSibling("part-2.jsonl"));

        assertThat(inForce.select("user_id").collectAsList())
                .extracting(row -> row.getString(0))
                .containsExactly("ann@x.com");
    }

    @Test
    void readsAnewWhereAFileGoesMeanwhile() throws IOException {
        LedgerRun run = run();
        Path merged = receipt(run, "part-1.jsonl", "ann@x.com");
        AtomicInteger looks = new AtomicInteger();

        Dataset<Row> kept = Receipts.kept(LOCAL.spark(), () -> {
            Dataset<Row> rows = Receipts.of(LOCAL.spark(), run).acknowledged();
            if (looks.incrementAndGet() == 1) {
                assertThat(merged.toFile().delete()).isTrue();
                try {
                    receipt(run, "part-2.jsonl", "bob@x.com");
                } catch (IOException e) {
                    throw new java.io.UncheckedIOException(e);
                }
            }
            return rows;
        });

        assertThat(looks).hasValue(2);
        assertThat(kept.collectAsList()).extracting(row -> row.getString(0)).containsExactly("bob@x.com");
        receipt(run, "part-3.jsonl", "carl@x.com");
        assertThat(Receipts.of(LOCAL.spark(), run).acknowledged().count())
                .as("what is kept stands for nothing else")
                .isEqualTo(2);
        assertThatThrownBy(() -> Receipts.kept(LOCAL.spark(), () -> {
                    throw new IllegalStateException("something else");
                }))
                .hasMessage("something else");
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void thatWereMergedMeanwhileArePublishedIfTheLedgerIsStillClaimed(boolean held) throws IOException {
        LedgerRun run = run();
        Path merged = receipt(run, "part-1.jsonl", "ann@x.com");
        LedgerFolder claims = ledger().claims();
        AtomicInteger attempts = new AtomicInteger();
        // What asks whether the claim is held reads its clock: the files have been listed by then, and are not read
        // yet.
        Runnable[] asked = {() -> {}};
        LongSupplier clock = () -> {
            asked[0].run();
            return 0;
        };

        try (Claim claim = Claim.take(claims, run.id(), Duration.ofHours(1), pause -> {}, told -> {}, clock)) {
            asked[0] = () -> {
                if (attempts.incrementAndGet() == 1) {
                    assertThat(merged.toFile()
                                    .renameTo(merged.resolveSibling("part-2.jsonl")
                                            .toFile()))
                            .isTrue();
                } else if (!held) {
                    claims.delete(run.id() + ".claim");
                }
            };
            PrintStream nowhere = new PrintStream(OutputStream.nullOutputStream());
            Publication publication =
                    new Publication(LOCAL.spark(), ledger(), claim, new Console(nowhere, nowhere, true, false, false));
            Plan plan = SamplePlan.feed(new Plan.Counts(1, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0));

            if (held) {
                assertThat(publication.publish(run, plan)).isEqualTo(new LedgerRun.Published(0, 1));
            } else {
                assertThatThrownBy(() -> publication.publish(run, plan))
                        .isInstanceOf(StoppedException.class)
                        .hasMessageContaining("another run took it over");
            }
        }

        assertThat(attempts).hasValue(2);
        assertThat(ledger().state(LOCAL.spark()).current().version()).isEqualTo(held ? 1 : 0);
    }
}
