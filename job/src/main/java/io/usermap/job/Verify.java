package io.usermap.job;

import io.usermap.client.InvalidSettingsException;
import io.usermap.job.Configuration.Need;
import io.usermap.job.Execution.Ending;
import io.usermap.job.Verification.Expected;
import io.usermap.job.VerifyCommand.Purpose;
import java.time.Instant;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.jspecify.annotations.Nullable;

/**
 * One execution of {@code verify}, from the flags to the exit code. Sends nothing.
 *
 * <p>Whatever happens after the run has begun ends in its {@code report.json}. Used once, by one thread.
 */
final class Verify {
    private final Execution execution;
    private final Console console;
    private final Purpose purpose;
    private final boolean json;
    private final Instant startedAt = Instant.now();
    private final Interruption interruption;

    private @Nullable LedgerRun run;
    private @Nullable Configuration configuration;
    private @Nullable Verified verified;
    private List<Guards.Tripped> tripped = List.of();

    Verify(Flags flags, Console console, Purpose purpose, boolean json) {
        this.execution = new Execution("verify", flags, console);
        this.console = console;
        this.interruption = Interruption.listen(console, "waiting for the look-ups in flight");
        this.purpose = purpose;
        this.json = json;
    }

    /** What a purpose works on: the ledger, the run that verifies, and the state as it is now. */
    private record Place(
            SparkSession spark,
            Configuration configuration,
            Ledger ledger,
            LedgerRun run,
            State.Version version,
            Verification verification) {

        Dataset<Row> known() {
            return ledger.known(spark, version);
        }

        String state() {
            return "state " + version.version();
        }
    }

    /**
     * Looks up and compares.
     *
     * @param plan what to compare with in place of the ledger's state
     * @param full whether everybody is looked up
     * @param contradiction what is wrong with the flags, if anything is
     * @return the exit code
     */
    int run(Optional<String> plan, boolean full, Optional<String> contradiction) {
        return reported(() -> {
            if (contradiction.isPresent()) {
                throw new InvalidSettingsException(contradiction.get());
            }
            Set<Need> needs = EnumSet.of(Need.API_KEY, Need.SECRET_KEY);
            if (purpose == Purpose.ADOPT) {
                needs.add(Need.SOURCE);
            }
            Configuration read = execution.configuration(needs);
            configuration = read;
            Target.requireReachable(read, JobSession.master(read));
            try (JobSession session = JobSession.open(read);
                    Target target = Target.open(read)) {
                SparkSession spark = session.spark();
                interruption.during(() -> spark.sparkContext().cancelAllJobs());
                Ledger ledger = Ledger.open(
                        spark.sparkContext().hadoopConfiguration(),
                        read.value(Keys.LEDGER_PATH),
                        Target.identity(read));
                ledger.requireNothingLost();
                Optional<LedgerRun> planned = plan.map(ledger::named);
                LedgerRun begun = ledger.begin(startedAt);
                run = begun;
                Place place = new Place(
                        spark,
                        read,
                        ledger,
                        begun,
                        ledger.state(spark).current(),
                        new Verification(spark, read, target, console, interruption::pause));
                return switch (purpose) {
                    case TELL -> tell(place, planned, full);
                    case ADOPT -> adopt(place);
                    case REPAIR -> repair(place);
                };
            }
        });
    }

    private Ending tell(Place place, Optional<LedgerRun> planned, boolean full) throws InterruptedException {
        Expected expected = planned.map(saved -> ofPlan(place.spark(), saved))
                .orElseGet(() -> new Expected(place.state(), place.known()));
        Optional<Integer> sample =
                full ? Optional.empty() : Optional.of(place.configuration().value(Keys.VERIFY_SAMPLE));
        Verified found = look(place, expected, sample);
        tell(place, found);
        return judged(place, found);
    }

    private static Expected ofPlan(SparkSession spark, LedgerRun saved) {
        if (saved.savedPlan().isEmpty()) {
            throw StoppedException.failed("Cannot verify the plan of run " + saved.id()
                    + ": it was not saved to its end. Run 'usermap plan' again.");
        }
        return new Expected(
                "plan " + saved.id(),
                LedgerRun.rows(spark, saved.planAddress())
                        .filter(Planning.sent())
                        .select("user_id", "global_user_id"));
    }

    private Ending adopt(Place place) throws Exception {
        SparkSession spark = place.spark();
        Ledger ledger = place.ledger();
        try (Claim claim = Claim.take(
                ledger.claims(),
                place.run().id(),
                place.configuration().value(Keys.LOCK_TERM),
                interruption::pause,
                console::event)) {
            requireFinished(ledger);
            // Whoever held the claim before may have published since.
            State.Version version = ledger.state(spark).current();
            Dataset<Row> known = ledger.known(spark, version);
            Dataset<Row> source = Source.load(spark, place.configuration());
            Shape shape = Shape.of(source.schema(), place.configuration());
            console.event("source: " + shape.inWords());
            Dataset<Row> checked =
                    CheckedRows.of(source, shape, place.configuration().idRules());
            Verified found = look(
                    place,
                    new Expected("source and state " + version.version(), Adoption.expected(checked, shape, known)),
                    Optional.empty());
            Adoption adoption = Adoption.of(Verification.findings(spark, place.run()), known);
            Dataset<Row> changes = adoption.changes().persist();
            try {
                long users = changes.count();
                claim.requireHeld();
                if (users > 0) {
                    ledger.state(spark)
                            .take(changes, version.sourceRows(), place.run().id());
                }
                Verified adopted = found.adopted(users, adoption.leftOut());
                verified = adopted;
                tell(place, adopted);
                if (found.tellsTooLittle()) {
                    return judged(place, found);
                }
                return users == 0 ? Ending.NOTHING_TO_DO : Ending.DONE;
            } finally {
                changes.unpersist();
            }
        }
    }

    private Ending repair(Place place) throws InterruptedException {
        requireFinished(place.ledger());
        Verified found = look(place, new Expected(place.state(), place.known()), Optional.empty());
        if (found.drifted() == 0 && found.tellsTooLittle()) {
            tell(place, found);
            return judged(place, found);
        }
        if (found.drifted() == 0) {
            tell(place, found);
            return Ending.NOTHING_TO_DO;
        }
        LedgerRun repairing = place.ledger().begin(Instant.now());
        Verified repaired = found.repairedBy(repairing.id());
        verified = repaired;
        Plan plan = new Planning(place.spark(), place.configuration(), place.ledger(), console)
                .save(
                        repairing,
                        Adoption.repair(place.spark(), place.run()),
                        place.version(),
                        Plan.REPAIR,
                        "repairs " + Phrases.count(found.drifted()) + " mappings that run "
                                + place.run().id() + " has found to drift");
        tripped = Guards.tripped(plan, place.configuration(), Set.of());
        tell(place, repaired);
        if (!json) {
            console.summary(Summary.ofPlan(plan, tripped, List.of()));
        }
        tripped.forEach(guard -> console.error(guard.message()));
        return tripped.isEmpty() ? judged(place, found) : new Ending(Outcome.GUARD, ExitCode.GUARD);
    }

    private static void requireFinished(Ledger ledger) {
        ledger.unfinished().ifPresent(unfinished -> {
            throw StoppedException.failed("Cannot verify: run " + unfinished.id()
                    + " has not come to its end. Run 'usermap apply' first, which finishes it.");
        });
    }

    private Verified look(Place place, Expected expected, Optional<Integer> sample) throws InterruptedException {
        if (expected.users().isEmpty()) {
            throw StoppedException.failed("Cannot verify: there are no users in " + expected.of()
                    + ". Run 'usermap apply' first, or 'usermap verify --adopt' with a source.");
        }
        Verified found = place.verification().look(place.run(), expected, sample);
        verified = found;
        return found;
    }

    private void tell(Place place, Verified found) {
        if (json) {
            console.result(Json.document(found).strip());
        } else {
            console.summary(found.summary(place.run().id()));
            console.summary("found of each user: " + place.run().findingsAddress());
        }
    }

    private Ending judged(Place place, Verified found) {
        if (found.tellsTooLittle()) {
            console.error("Cannot judge the drift: the service told nothing of " + Phrases.count(found.unknown())
                    + " of the " + Phrases.count(found.lookedUp())
                    + " users looked up. They are 'unknown' among what was found. Check 'lookup.encoding' and the"
                    + " look-up endpoint.");
            return new Ending(Outcome.REJECTED, ExitCode.REJECTED);
        }
        double most = place.configuration().value(Keys.MAX_DRIFT_SHARE);
        if (found.driftShare() > most) {
            console.error("Cannot accept so much drift: " + Phrases.percent(found.driftShare())
                    + ", more than the share of " + most
                    + ". See what was found, run 'usermap verify --repair', or raise"
                    + " 'verify.max-drift-share'.");
            return new Ending(Outcome.REJECTED, ExitCode.REJECTED);
        }
        return Ending.DONE;
    }

    private int reported(Execution.Body body) {
        try (interruption) {
            return reported(execution.ending(body, interruption));
        }
    }

    private int reported(Ending ending) {
        Report report = Report.of(
                        new Report.Header(
                                execution.command(),
                                Optional.ofNullable(run).map(LedgerRun::id).orElse(""),
                                ending.outcome(),
                                ending.exitCode(),
                                startedAt),
                        Optional.ofNullable(configuration),
                        Optional.empty(),
                        Optional.empty(),
                        tripped.stream().map(Guards.Tripped::name).toList())
                .with(verified);
        return execution.reported(ending, () -> {
            if (run != null) {
                run.save(report);
                if (!json) {
                    console.summary("report: " + run.reportAddress());
                }
            }
            execution.copy(Json.document(report));
            if (ending.outcome() == Outcome.INTERRUPTED) {
                String kept = run == null || !run.keepsFindings()
                        ? ""
                        : " What was found so far is kept: " + run.findingsAddress() + ".";
                console.error("verify was interrupted." + kept + " Run 'usermap verify' again: it begins anew.");
            }
        });
    }
}
