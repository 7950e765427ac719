package io.usermap.job;

import java.util.Optional;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;

/**
 * Takes what runs were acknowledged into the state, by their receipts.
 *
 * <p>A crash before a state is published leaves receipts, which the next {@code apply} takes in; one after it makes that
 * take the same receipts in once more, which changes nothing. Under the ledger's claim only.
 */
final class Publication {
    private final SparkSession spark;
    private final Ledger ledger;
    private final Claim claim;
    private final Console console;

    Publication(SparkSession spark, Ledger ledger, Claim claim, Console console) {
        this.spark = spark;
        this.ledger = ledger;
        this.claim = claim;
        this.console = console;
    }

    /**
     * Takes in what {@code run} was acknowledged of {@code plan}.
     *
     * @throws StoppedException if another run took the ledger over or has published meanwhile, or no manifest is whole
     */
    LedgerRun.Published publish(LedgerRun run, Plan plan) {
        return published(run, Optional.of(plan), 0);
    }

    /**
     * Takes what the state has lost of a run that is at its end in once more; sends nothing.
     *
     * @throws StoppedException if another run took the ledger over, or receipts do not tell all that is lost
     */
    void takeInWhatIsLost() {
        ledger.lost().ifPresent(run -> {
            console.event(
                    "the state has lost what run " + run.id() + " led to; taking it in again from the run's receipts");
            long least = run.published().map(LedgerRun.Published::to).orElse(0L);
            LedgerRun.Published unused = published(run, run.savedPlan(), least);
        });
    }

    /** Publishes version {@code least} of the state or a later one. */
    private LedgerRun.Published published(LedgerRun run, Optional<Plan> plan, long least) {
        State state = ledger.state(spark);
        return Receipts.listingAgain(() -> {
            Dataset<Row> acknowledged = Receipts.of(spark, run).acknowledged();
            State.Version before = state.current();
            // After a feed, the next table is still compared with the last table.
            long sourceRows = plan.filter(Plan::whole)
                    .map(whole -> whole.counts().sourceRows())
                    .orElse(before.sourceRows());
            claim.requireHeld();
            State.Version after = state.take(acknowledged, sourceRows, run.id(), least);
            return new LedgerRun.Published(before.version(), after.version());
        });
    }
}
