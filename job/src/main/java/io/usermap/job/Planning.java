package io.usermap.job;

import io.usermap.client.RejectReason;
import io.usermap.spark.UserMapOptions.OnConflict;
import java.math.BigDecimal;
import java.time.Instant;
import java.util.Optional;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;

/** Makes a plan from the source and saves it in the ledger; sends nothing. */
final class Planning {
    private final SparkSession spark;
    private final Configuration configuration;
    private final Ledger ledger;
    private final Console console;

    Planning(SparkSession spark, Configuration configuration, Ledger ledger, Console console) {
        this.spark = spark;
        this.configuration = configuration;
        this.ledger = ledger;
        this.console = console;
    }

    /**
     * Reads the source, works out the changes and writes them below {@code run}: rows first, then {@code plan.json}.
     *
     * @throws StoppedException if the source cannot be read or understood
     */
    Plan make(LedgerRun run) {
        Dataset<Row> source = Source.load(spark, configuration);
        Shape shape = Shape.of(source.schema(), configuration);
        console.event("source: " + shape.inWords());
        State.Version version = ledger.state().current();
        Dataset<Row> checked = CheckedRows.of(source, shape, configuration.idRules());
        try (Planner planner = Planner.of(checked, shape, ledger.state(), version, configuration.value(Keys.MODE))) {
            requireNoConflicts(planner);
            planner.plan().write().parquet(run.planAddress());
            Plan plan = plan(run, shape, version, planner);
            run.save(plan);
            return plan;
        }
    }

    private void requireNoConflicts(Planner planner) {
        long conflicts = planner.rejectedByReason().getOrDefault(RejectReason.CONFLICT.code(), 0L);
        if (configuration.value(Keys.ON_CONFLICT) == OnConflict.FAIL && conflicts > 0) {
            throw StoppedException.failed(
                    "Cannot plan: " + Phrases.count(conflicts)
                            + " rows contradict others of the same user. Mend the source, or set 'write.on-conflict' to reject.");
        }
    }

    private Plan plan(LedgerRun run, Shape shape, State.Version version, Planner planner) {
        long map = planner.users("map");
        long remap = planner.users("remap");
        long unmap = planner.users("unmap");
        return new Plan(
                Plan.FORMAT,
                run.id(),
                Instant.now().toString(),
                configuration.value(Keys.MODE).name().toLowerCase(java.util.Locale.ROOT),
                shape.inWords(),
                version.version(),
                hash(run),
                planner.rows(),
                version.sourceRows(),
                version.acknowledged(),
                planner.users("unchanged"),
                map,
                remap,
                unmap,
                planner.largestCluster(),
                planner.rejectedByReason(),
                Plan.leastTime(map + remap + unmap, configuration.allowance()).toMillis() / 1000.0);
    }

    /** A figure of the saved rows that does not depend on their order. */
    private String hash(LedgerRun run) {
        Row figures = spark.read()
                .parquet(run.planAddress())
                .selectExpr("xxhash64(to_json(struct(*))) AS hash")
                .selectExpr("count(*)", "sum(cast(hash AS decimal(38,0)))", "bit_xor(hash)")
                .first();
        return "%x-%s-%x"
                .formatted(
                        figures.getLong(0),
                        Optional.ofNullable(figures.getDecimal(1))
                                .orElse(BigDecimal.ZERO)
                                .toBigInteger()
                                .toString(16),
                        figures.isNullAt(2) ? 0 : figures.getLong(2));
    }

    /** A saved plan, if the state is still the one that it was made for. */
    Plan saved(LedgerRun run) {
        Plan plan = run.plan();
        if (plan.format() > Plan.FORMAT) {
            throw StoppedException.failed(
                    "Cannot apply the plan of run " + run.id() + ": its format is " + plan.format()
                            + " and this program knows " + Plan.FORMAT + ". Use the version of usermap that made it.");
        }
        State.Version now = ledger.state().current();
        if (now.version() != plan.stateVersion()) {
            throw StoppedException.stale("Cannot apply the plan of run " + run.id() + ": it was made for version "
                    + plan.stateVersion() + " of the state, and run " + now.run() + " has led to version "
                    + now.version() + " since. Run 'usermap plan' again.");
        }
        if (!plan.hash().equals(hash(run))) {
            throw StoppedException.stale("Cannot apply the plan of run " + run.id()
                    + ": its rows are not those that were planned. Run 'usermap plan' again.");
        }
        return plan;
    }
}
