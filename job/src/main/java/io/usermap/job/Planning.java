package io.usermap.job;

import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.count;
import static org.apache.spark.sql.functions.lit;

import io.usermap.client.AllowanceRules;
import io.usermap.client.RejectReason;
import io.usermap.client.ValueType;
import io.usermap.spark.UserMapOptions.OnConflict;
import java.math.BigDecimal;
import java.time.Instant;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.UnaryOperator;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.functions;

/** Makes plans and saves them in the ledger; sends nothing. */
final class Planning {
    /** Under these Spark leaves out what it cannot read, so half a source would look like one that has shrunk. */
    private static final List<String> SKIPPING =
            List.of("spark.sql.files.ignoreCorruptFiles", "spark.sql.files.ignoreMissingFiles");

    private static final int SMALL = Planner.Limits.USUAL.small();

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
     * Reads the source, works out the changes and writes them below {@code run}: rows first, then {@code plan.json}. What
     * does not fit into the budget is written beside them.
     *
     * @throws StoppedException if the source cannot be read in full, or understood
     */
    Plan make(LedgerRun run) {
        Optional<Budget> budget = Budget.of(configuration);
        requireWholeReads();
        Dataset<Row> source = Source.load(spark, configuration);
        Shape shape = Shape.of(source.schema(), configuration);
        console.event("source: " + shape.inWords());
        console.event("source: " + shape.howToOverride());
        ledger.requireNothingLost();
        ledger.unfinished()
                .ifPresent(
                        unfinished -> console.event(
                                "run " + unfinished.id()
                                        + " has not come to its end, and this plan reckons without it; 'usermap apply' finishes it first"));
        State state = ledger.state(spark);
        State.Version version = state.current();
        Dataset<Row> checked = CheckedRows.of(source, shape, configuration.idRules());
        CheckedRows.casing(checked, shape).ifPresent(warning -> console.event("source: " + warning));
        try (Planner planner = Planner.of(checked, shape, state, version, configuration.value(Keys.MODE))) {
            requireNoConflicts(planner);
            boolean cut = write(run, planner, budget);
            Plan.Changes all = changes(planner);
            Plan.Changes changes = cut ? changes(run) : all;
            Moves moves = changes.remap() + changes.unmap() == 0
                    ? Moves.NONE
                    : shape instanceof Shape.Pairs
                            ? movesOfPairs(run, changes, new StateLookup(spark, state, version))
                            : movesOfClusters(run, changes, cut, planner, new StateLookup(spark, state, version));
            Plan plan = plan(
                    run,
                    new Origin(
                            ValueType.word(configuration.value(Keys.MODE)),
                            shape.inWords(),
                            shape.isWhole(),
                            Fingerprint.of(source, configuration)),
                    version.version(),
                    new Plan.Counts(
                            planner.rows(),
                            // A feed is as long as there were changes.
                            shape.isWhole() ? lastSourceRows(version) : 0,
                            version.acknowledged(),
                            planner.users("unchanged"),
                            changes.map(),
                            changes.remap(),
                            changes.unmap(),
                            moves.merged(),
                            moves.split(),
                            planner.largestCluster(),
                            planner.suspicious()),
                    all.minus(changes),
                    planner.rejectedByReason(),
                    planner.leftOutByReason());
            save(run, plan);
            return plan;
        }
    }

    private Moves movesOfPairs(LedgerRun run, Plan.Changes changes, StateLookup lookup) {
        return changes.all() <= Moves.FEW
                ? Moves.of(sendable(run).collectAsList(), persons -> lookup.members(persons, SMALL), false)
                : Moves.of(sendable(run), persons -> lookup.members(persons, SMALL), false);
    }

    /** Of a centre that is a user itself it only counts whether it had members, which the changes and the planner know. */
    private Moves movesOfClusters(
            LedgerRun run, Plan.Changes changes, boolean cut, Planner planner, StateLookup lookup) {
        boolean few = changes.all() <= Moves.FEW;
        Optional<Set<String>> joined = planner.joinedCentres();
        if (few && !cut && joined.isPresent()) {
            return Moves.of(sendable(run).collectAsList(), Moves.among(joined.get()), true);
        }
        UnaryOperator<Dataset<Row>> membersOf = joined.map(centres -> peopled(run, cut, centres))
                .<UnaryOperator<Dataset<Row>>>map(
                        known -> asked -> known.join(asked, new String[] {"target"}, "left_semi"))
                .orElse(persons -> lookup.members(persons, SMALL));
        return few
                ? Moves.of(
                        sendable(run).collectAsList(),
                        asked -> StateLookup.collected(membersOf.apply(lookup.targets(asked))),
                        true)
                : Moves.of(sendable(run), membersOf, true);
    }

    /**
     * The centres that had members, as far as anybody asks: those that some change leaves, be it one that the budget has
     * carried over, and those that are joined. In the columns of {@link StateLookup#members}; how many they are is not known.
     */
    private Dataset<Row> peopled(LedgerRun run, boolean cut, Set<String> joined) {
        String[] changes =
                cut ? new String[] {run.planAddress(), run.carriedOverAddress()} : new String[] {run.planAddress()};
        return LedgerRun.rows(spark, changes)
                .select(col("previous_global_user_id").as("target"))
                .filter(col("target").isNotNull())
                .unionByName(spark.createDataset(List.copyOf(joined), Encoders.STRING())
                        .toDF("target"))
                .distinct()
                .withColumn("members", lit(1L));
    }

    /**
     * Rows that the source had in the last run that came to its end, whether or not it had anything to send; without such a
     * run, in the one that led to {@code version}. What was only planned, or stopped by a guard, does not count.
     */
    private long lastSourceRows(State.Version version) {
        return ledger.runs().stream()
                .filter(run -> run.isFinished() && !run.hasFailed())
                .flatMap(run -> run.savedPlan().stream())
                .filter(Plan::whole)
                .map(plan -> plan.counts().sourceRows())
                .findFirst()
                .orElse(version.sourceRows());
    }

    private record Origin(String mode, String shape, boolean whole, String fingerprint) {}

    private long writes(Plan.Changes changes) {
        return changes.all() + (configuration.value(Keys.REMAP) == Keys.Remap.UNMAP_FIRST ? changes.remap() : 0);
    }

    private static Plan.Changes changes(Planner planner) {
        return new Plan.Changes(planner.users("map"), planner.users("remap"), planner.users("unmap"));
    }

    /** Writes what fits into the budget, and beside it what does not; whether there is any of that. */
    private boolean write(LedgerRun run, Planner planner, Optional<Budget> budget) {
        if (budget.isEmpty()) {
            LedgerRun.write(planner.plan().write(), run.planAddress());
            return false;
        }
        Dataset<Row> plan = planner.plan().persist();
        try {
            // Counted in full, so that the planner knows its figures.
            if (plan.count() == 0 || writes(changes(planner)) <= budget.get().writes()) {
                LedgerRun.write(plan.write(), run.planAddress());
                return false;
            }
            Dataset<Row> changes = plan.filter(sent());
            int writesPerRemap = configuration.value(Keys.REMAP) == Keys.Remap.UNMAP_FIRST ? 2 : 1;
            Dataset<Row> fitting = Cut.fitting(changes, budget.get(), writesPerRemap);
            LedgerRun.write(
                    fitting.unionByName(plan.filter(functions.not(sent()))).write(), run.planAddress());
            LedgerRun.write(
                    changes.join(sendable(run).select("user_id"), new String[] {"user_id"}, "left_anti")
                            .write(),
                    run.carriedOverAddress());
            return true;
        } finally {
            plan.unpersist();
        }
    }

    /** Tells rows of a plan that are sent from those that only tell something. */
    static Column sent() {
        return col("op").isin("map", "remap", "unmap");
    }

    /**
     * Saves changes that come from no source, in the columns of a saved plan, as the plan of {@code run}.
     *
     * @param version the version of the state that they start from
     * @param mode {@link Plan#UNDO} or {@link Plan#REPAIR}
     * @param shape what the changes are for, in words
     */
    Plan save(LedgerRun run, Dataset<Row> rows, State.Version version, String mode, String shape) {
        LedgerRun.write(rows.write(), run.planAddress());
        Plan.Changes changes = changes(run);
        long sourceRows = lastSourceRows(version);
        Plan plan = plan(
                run,
                new Origin(mode, shape, true, ""),
                version.version(),
                new Plan.Counts(
                        // So that neither this plan nor the next one takes the source for shrunk.
                        sourceRows,
                        sourceRows,
                        version.acknowledged(),
                        0,
                        changes.map(),
                        changes.remap(),
                        changes.unmap(),
                        0,
                        0,
                        0,
                        0),
                Plan.Changes.NONE,
                Map.of(),
                Map.of());
        save(run, plan);
        return plan;
    }

    /**
     * Saves a plan, unless somebody has changed the state while it was made: it would be stale, and may hold a user who was
     * forgotten meanwhile. Its rows are removed then.
     */
    private void save(LedgerRun run, Plan plan) {
        State.Version now = ledger.state(spark).current();
        if (now.version() != plan.stateVersion()) {
            run.removeRows();
            throw StoppedException.failed("Cannot save the plan of run " + run.id() + ": " + now.run()
                    + " has led to version " + now.version() + " of the state while it was made from version "
                    + plan.stateVersion() + ". " + next(plan));
        }
        run.save(plan);
    }

    private Plan plan(
            LedgerRun run,
            Origin origin,
            long stateVersion,
            Plan.Counts counts,
            Plan.Changes carriedOver,
            Map<String, Long> rejectedByReason,
            Map<String, Long> leftOutByReason) {
        AllowanceRules rules = configuration.allowance();
        boolean unmapsFirst = configuration.value(Keys.REMAP) == Keys.Remap.UNMAP_FIRST;
        Plan.Changes changes = new Plan.Changes(counts.map(), counts.remap(), counts.unmap());
        return new Plan(
                Plan.FORMAT,
                run.id(),
                Instant.now().toString(),
                origin.mode(),
                ValueType.word(configuration.value(Keys.REMAP)),
                origin.shape(),
                origin.whole(),
                hash(run),
                origin.fingerprint(),
                stateVersion,
                counts,
                carriedOver,
                rejectedByReason,
                leftOutByReason,
                Plan.leastTime(changes, unmapsFirst, rules).toMillis() / 1000.0);
    }

    private void requireWholeReads() {
        SKIPPING.stream()
                .filter(key -> Boolean.parseBoolean(spark.conf().get(key, "false")))
                .findFirst()
                .ifPresent(key -> {
                    throw StoppedException.failed("Cannot plan: '" + key + "' is true, so a source that is read in half"
                            + " would look like one that has shrunk. Set it to false in Spark.");
                });
    }

    private void requireNoConflicts(Planner planner) {
        long conflicts = planner.rejectedByReason().getOrDefault(RejectReason.CONFLICT.code(), 0L);
        if (configuration.value(Keys.ON_CONFLICT) == OnConflict.FAIL && conflicts > 0) {
            throw StoppedException.failed(
                    "Cannot plan: " + Phrases.count(conflicts)
                            + " rows contradict others of the same user. Mend the source, or set 'write.on-conflict' to reject.");
        }
    }

    /** The rows of a saved plan that are sent. */
    private Dataset<Row> sendable(LedgerRun run) {
        return LedgerRun.rows(spark, run.planAddress()).filter(sent());
    }

    private Plan.Changes changes(LedgerRun run) {
        Map<String, Long> byOp = new HashMap<>();
        sendable(run)
                .groupBy("op")
                .agg(count(lit(1)))
                .collectAsList()
                .forEach(row -> byOp.put(row.getString(0), row.getLong(1)));
        return new Plan.Changes(
                byOp.getOrDefault("map", 0L), byOp.getOrDefault("remap", 0L), byOp.getOrDefault("unmap", 0L));
    }

    /**
     * A few changes of each kind in words, for where ids may be shown: {@code remap "ann" from "a" to "b"}.
     *
     * @param each the most of a kind
     */
    List<String> examples(LedgerRun run, int each) {
        return List.of("map", "remap", "unmap").stream()
                .flatMap(op -> sendable(run)
                        .filter(col("op").equalTo(op))
                        .orderBy("user_id")
                        .limit(each)
                        .select("user_id", "previous_global_user_id", "global_user_id")
                        .collectAsList()
                        .stream()
                        .map(row -> op + " " + Phrases.id(row.getString(0))
                                + (row.isNullAt(1) ? "" : " from " + Phrases.id(row.getString(1)))
                                + (row.isNullAt(2) ? "" : " to " + Phrases.id(row.getString(2)))))
                .toList();
    }

    /** A figure of the saved rows that does not depend on their order. */
    private String hash(LedgerRun run) {
        Row figures = LedgerRun.rows(spark, run.planAddress())
                .selectExpr("xxhash64(to_json(struct(*), map('ignoreNullFields', 'true'))) AS hash")
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

    /**
     * A saved plan, if the state is still the one that it was made for.
     *
     * @throws StoppedException if it is stale, telling what moved, or if its rows are others than those that were planned
     */
    Plan saved(LedgerRun run) {
        ledger.requireNothingLost();
        Plan plan = run.plan();
        if (plan.format() > Plan.FORMAT) {
            throw StoppedException.failed(
                    "Cannot apply the plan of run " + run.id() + ": its format is " + plan.format()
                            + " and this program knows " + Plan.FORMAT + ". Use the version of usermap that made it.");
        }
        if (!plan.hash().equals(hash(run))) {
            throw StoppedException.stale("Cannot apply the plan of run " + run.id()
                    + ": its rows are not those that were planned. Run 'usermap plan' again.");
        }
        State.Version now = ledger.state(spark).current();
        if (now.version() != plan.stateVersion()) {
            throw StoppedException.stale(
                    "Cannot apply the plan of run " + run.id() + ": " + moved(run, plan, now) + ". " + next(plan));
        }
        tellIfTheSourceHasChanged(plan);
        return plan;
    }

    /** A saved plan is carried out as it is; but whoever applies it may want to know that the next one will be another. */
    private void tellIfTheSourceHasChanged(Plan plan) {
        if (!plan.isOfSource() || !configuration.hasSource()) {
            return;
        }
        try {
            if (!Fingerprint.of(Source.load(spark, configuration), configuration)
                    .equals(plan.sourceFingerprint())) {
                console.event("the source is not as it was when plan " + plan.run()
                        + " was made; the plan is carried out as it is");
            }
        } catch (Exception e) { // Spark throws checked exceptions that its methods do not declare
            // What was planned can be carried out without it.
            console.event("nobody knows whether the source has changed since plan " + plan.run() + " was made: "
                    + Source.firstLine(e));
        }
    }

    private String moved(LedgerRun run, Plan plan, State.Version now) {
        if (now.run().equals(run.id())) {
            return (run.hasFailed()
                            ? "it ended early, and what was acknowledged of it"
                            : "it was applied before, which")
                    + " has led to version " + now.version() + " of the state";
        }
        return "it was made for version " + plan.stateVersion() + " of the state, and run " + now.run()
                + " has led to version " + now.version() + " since: " + Phrases.count(affected(run, now)) + " of its "
                + Phrases.count(plan.changes().all()) + " changes meet mappings that have moved";
    }

    private static String next(Plan plan) {
        return switch (plan.mode()) {
            case Plan.UNDO -> "Run 'usermap undo' again.";
            case Plan.REPAIR -> "Run 'usermap verify --repair' again.";
            default -> "Run 'usermap plan' again.";
        };
    }

    /** Changes of users who are mapped elsewhere than the plan says, or whose target has come to be mapped itself. */
    private long affected(LedgerRun run, State.Version now) {
        Dataset<Row> known = ledger.state(spark)
                .rows(now)
                .filter(col("global_user_id").isNotNull())
                .select(col("user_id"), col("global_user_id").as("present"));
        Dataset<Row> plan = sendable(run);
        Dataset<Row> own = plan.join(known, new String[] {"user_id"}, "left")
                .filter(col("present")
                        .eqNullSafe(col("previous_global_user_id"))
                        .equalTo(false))
                .select("user_id");
        Dataset<Row> unmapped = plan.filter(col("op").equalTo("unmap")).select("user_id");
        Dataset<Row> mapped = known.select("user_id")
                .join(unmapped, new String[] {"user_id"}, "left_anti")
                .select(col("user_id").as("global_user_id"));
        Dataset<Row> target =
                plan.join(mapped, new String[] {"global_user_id"}, "left_semi").select("user_id");
        return own.unionByName(target).distinct().count();
    }
}
