package io.usermap.job;

import io.usermap.client.AllowanceLog;
import io.usermap.client.InvalidSettingsException;
import io.usermap.client.ServiceException;
import io.usermap.job.Execution.Ending;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.time.Instant;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.apache.spark.sql.SparkSession;
import org.jspecify.annotations.Nullable;

/**
 * One execution of {@code plan} or {@code apply}, from the flags to the exit code: configuration, session, ledger, plan,
 * guards, sending, report.
 *
 * <p>Whatever happens after the run has begun ends in its {@code report.json}. Used once, by one thread.
 */
final class Job {
    /** How many changes of a kind are shown, where ids may be. */
    private static final int EXAMPLES = 2;

    private final Execution execution;
    private final Console console;
    private final Instant startedAt = Instant.now();

    private @Nullable LedgerRun run;
    /** False while a saved plan may turn out to have been applied before, or once another run has taken over. */
    private boolean savesReport = true;

    private @Nullable Saved lastReport;
    /** Whether a program reads standard output, which then holds one document. */
    private boolean json;

    private @Nullable UncheckedIOException reportIsLost;

    private @Nullable Configuration configuration;
    private @Nullable Plan plan;
    private Sending.@Nullable Sent sent;
    private List<Guards.Tripped> tripped = List.of();

    private final Interruption interruption;

    Job(String command, Flags flags, Console console) {
        this.interruption = Interruption.listen(console, "waiting for the requests in flight and writing receipts");
        this.execution = new Execution(command, flags, console);
        this.console = console;
    }

    /** Plans and sends nothing; exit code 2 for changes only if {@code detailed}. */
    int plan(boolean detailed, boolean asJson, List<String> allow) {
        json = asJson;
        return reported(() -> {
            Set<String> allowed = Guards.allowed(allow);
            Configuration read = configure(Set.of(Configuration.Need.SOURCE));
            try (JobSession session = session(read)) {
                Ledger ledger = ledger(session, read);
                LedgerRun begun = ledger.begin(startedAt);
                run = begun;
                Planning planning = new Planning(session.spark(), read, ledger, console);
                Plan made = planned(planning.make(begun));
                if (!ledger.isClaimed()) {
                    // Whoever is at work may be about to carry an old plan out; it removes what is too much itself.
                    ledger.prune(read.value(Keys.KEEP_RUNS));
                }
                tripped = Guards.tripped(made, read, allowed);
                if (json) {
                    console.result(Guards.document(made, tripped));
                } else {
                    show(planning, begun, made, read);
                }
                if (!tripped.isEmpty()) {
                    return guarded();
                }
                tooManyRejected(made, read, Map.of())
                        .ifPresent(fact -> console.event("'usermap apply' would end with exit code " + ExitCode.REJECTED
                                + ", because of its rejected rows: " + fact));
                if (made.writes() == 0) {
                    return Ending.NOTHING_TO_DO;
                }
                return new Ending(Outcome.DONE, detailed ? ExitCode.CHANGES_PENDING : ExitCode.DONE);
            }
        });
    }

    private void show(Planning planning, LedgerRun of, Plan made, Configuration read) {
        boolean plain = read.value(Keys.REPORT_IDS) == Keys.ReportIds.PLAIN;
        console.summary(Summary.ofPlan(made, tripped, plain ? planning.examples(of, EXAMPLES) : List.of()));
    }

    /** Applies a saved plan, or plans and applies; a run that was interrupted is finished first. */
    int apply(Optional<String> saved, boolean dryRun, Commands.Limits limits) {
        return reported(() -> {
            if (saved.isPresent() && limits.areSet()) {
                throw new InvalidSettingsException(
                        "Cannot limit a saved plan: it is carried out as it is. Give --max-writes and --max-duration to"
                                + " 'usermap plan'.");
            }
            Set<String> allowed = Guards.allowed(limits.allowed());
            Set<Configuration.Need> needs = EnumSet.noneOf(Configuration.Need.class);
            if (saved.isEmpty()) {
                needs.add(Configuration.Need.SOURCE);
            }
            if (!dryRun) {
                needs.add(Configuration.Need.API_KEY);
            }
            Configuration read = configure(needs);
            try (JobSession session = session(read)) {
                Ledger ledger = ledger(session, read);
                if (dryRun) {
                    LedgerRun begun = saved.map(ledger::named).orElseGet(() -> ledger.begin(startedAt));
                    run = begun;
                    // A saved plan keeps the report that it has.
                    savesReport = saved.isEmpty();
                    Planning planning = new Planning(session.spark(), read, ledger, console);
                    Plan made = planned(saved.isPresent() ? planning.saved(begun) : planning.make(begun));
                    tripped = Guards.tripped(made, read, allowed);
                    show(planning, begun, made, read);
                    return tripped.isEmpty() ? settled(made, read, Map.of()) : guarded();
                }
                return apply(session, read, ledger, saved, allowed);
            }
        });
    }

    private Ending apply(
            JobSession session, Configuration read, Ledger ledger, Optional<String> saved, Set<String> allowed) {
        LedgerRun begun = saved.map(ledger::named).orElseGet(() -> ledger.begin(startedAt));
        try (Claim claim = Claim.take(
                ledger.claims(), begun.id(), read.value(Keys.LOCK_TERM), interruption::pause, console::event)) {
            Ending ending = execution.ending(
                    () -> {
                        try (Target target = Target.open(read)) {
                            return apply(new Work(session.spark(), read, ledger, claim, target), saved, allowed, begun);
                        }
                    },
                    interruption);
            saveReport(ending, claim);
            return ending;
        }
    }

    /** A report that is saved. */
    private record Saved(LedgerRun run, Ending ending) {}

    private void save(LedgerRun of, Ending ending) {
        of.save(report(ending));
        lastReport = new Saved(of, ending);
    }

    /** Saves the report while the ledger is claimed: afterwards somebody else may go on with the run, and report on it. */
    private void saveReport(Ending ending, Claim claim) {
        // A file that is whole is not written once more: a full disk would leave nothing of it.
        if (run == null || !savesReport || new Saved(run, ending).equals(lastReport)) {
            return;
        }
        try {
            claim.requireHeld();
            save(run, ending);
        } catch (StoppedException e) {
            // Whoever took over reports on the run now.
            savesReport = false;
        } catch (UncheckedIOException e) {
            reportIsLost = e;
        }
    }

    /** What an {@code apply} works with while the ledger is claimed. */
    private record Work(SparkSession spark, Configuration read, Ledger ledger, Claim claim, Target target) {}

    private Ending apply(Work work, Optional<String> saved, Set<String> allowed, LedgerRun begun) {
        publication(work).takeInWhatIsLost();
        Optional<Ending> resumed = resume(work);
        boolean inFull =
                resumed.filter(ending -> ending.exitCode() == ExitCode.DONE).isPresent();
        if (resumed.isPresent() && (!inFull || begun.equals(run))) {
            return resumed.get();
        }
        interruption.during(() -> work.spark().sparkContext().cancelAllJobs());
        LedgerRun resumedRun = run;
        Plan resumedPlan = plan;
        run = begun;
        Sending.Sent resumedSent = sent;
        sent = null;
        savesReport = !begun.isFinished();
        Planning planning = new Planning(work.spark(), work.read(), work.ledger(), console);
        Plan made = planned(saved.isPresent() ? planning.saved(begun) : planning.make(begun));
        savesReport = true;
        tripped = Guards.tripped(made, work.read(), allowed);
        if (!tripped.isEmpty()) {
            return guarded();
        }
        work.claim().requireHeld();
        if (made.writes() == 0 && resumed.isPresent()) {
            // Nothing came on top of what was resumed, so that is what the command has done.
            run = resumedRun;
            plan = resumedPlan;
            sent = resumedSent;
            return resumed.get();
        }
        return made.writes() == 0 ? nothing(work, planning, begun, made) : send(work, begun, made);
    }

    private Publication publication(Work work) {
        return new Publication(work.spark(), work.ledger(), work.claim(), console);
    }

    private Optional<Ending> resume(Work work) {
        return work.ledger().unfinished().map(found -> {
            run = found;
            Plan begun = found.savedPlan()
                    .orElseThrow(
                            () -> StoppedException.failed(
                                    "Cannot go on with run " + found.id()
                                            + ", which was interrupted: its plan.json cannot be read. Bring the file back; or move the"
                                            + " run's folder out of the ledger, and run 'usermap verify --adopt' for what it had sent."));
            return send(work, found, planned(begun));
        });
    }

    private Ending nothing(Work work, Planning planning, LedgerRun of, Plan made) {
        show(planning, of, made, work.read());
        // Done with nothing to send: the next plan compares its source with this one.
        of.finish(AllowanceLog.empty(), Optional.empty());
        work.ledger().prune(work.read().value(Keys.KEEP_RUNS));
        return settled(made, work.read(), Map.of());
    }

    /** Sends {@code made}, and takes what was acknowledged into the state before the run counts as done. */
    private Ending send(Work work, LedgerRun sendingRun, Plan made) {
        Sending sending = new Sending(work.spark(), work.read(), work.ledger(), work.claim(), console, interruption);
        long startNanos = System.nanoTime();
        Sending.Sent now = sending.send(sendingRun, made, work.target());
        sent = now;
        Optional<LedgerRun.Published> published =
                now.accepted() > 0 ? Optional.of(publication(work).publish(sendingRun, made)) : Optional.empty();
        console.summary(Summary.ofApply(made, now, Duration.ofNanos(System.nanoTime() - startNanos)));
        boolean interrupted = now.failure().filter(interruption::explains).isPresent();
        Ending ending = interrupted
                ? Ending.INTERRUPTED
                : now.failure()
                        .map(execution::failed)
                        .orElseGet(() -> settled(made, work.read(), now.rejectedByReason()));
        work.claim().requireHeld();
        save(sendingRun, ending);
        if (interrupted || now.failure().filter(Job::mayGoOn).isPresent()) {
            sendingRun.interrupt(now.allowanceLog());
        } else {
            sendingRun.finish(now.allowanceLog(), published);
        }
        work.ledger().prune(work.read().value(Keys.KEEP_RUNS));
        return ending;
    }

    /**
     * Whether a run that failed is left for the next one to go on with: unless the service's answer is the same for every
     * request. Where a task failed, others may still be writing receipts of their last requests.
     */
    private static boolean mayGoOn(Throwable failure) {
        for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
            if (cause instanceof ServiceException service) {
                return service.retryable();
            }
        }
        return true;
    }

    private Ending settled(Plan made, Configuration read, Map<String, Long> byService) {
        Optional<String> tooMany = tooManyRejected(made, read, byService);
        if (tooMany.isPresent()) {
            console.error("Cannot accept so many rejected rows: " + tooMany.get());
            return new Ending(Outcome.REJECTED, ExitCode.REJECTED);
        }
        return made.writes() == 0 ? Ending.NOTHING_TO_DO : Ending.DONE;
    }

    private static Optional<String> tooManyRejected(Plan made, Configuration read, Map<String, Long> byService) {
        long rejected = Summary.rejected(made, byService).values().stream()
                .mapToLong(Long::longValue)
                .sum();
        double most = read.value(Keys.MAX_REJECTED_SHARE);
        long rows = made.counts().sourceRows();
        return rows > 0 && rejected > most * rows
                ? Optional.of(Phrases.count(rejected) + " of " + Phrases.count(rows) + ", more than the share of "
                        + most + ". See the reasons above, mend the source, or raise 'plan.max-rejected-share'.")
                : Optional.empty();
    }

    private Ending guarded() {
        tripped.forEach(guard -> console.error(guard.message()));
        return new Ending(Outcome.GUARD, ExitCode.GUARD);
    }

    private Configuration configure(Set<Configuration.Need> needs) {
        Configuration read = execution.configuration(needs);
        Target.requireReachable(read, JobSession.master(read));
        configuration = read;
        return read;
    }

    private static Ledger ledger(JobSession session, Configuration read) {
        return Ledger.open(
                session.spark().sparkContext().hadoopConfiguration(),
                read.value(Keys.LEDGER_PATH),
                Target.identity(read));
    }

    private Plan planned(Plan made) {
        plan = made;
        return made;
    }

    /** The session of this command; from now on an interruption ends its Spark jobs. */
    private JobSession session(Configuration read) {
        JobSession session = JobSession.open(read);
        interruption.during(() -> session.spark().sparkContext().cancelAllJobs());
        return session;
    }

    private int reported(Execution.Body body) {
        try (interruption) {
            return reported(execution.ending(body, interruption));
        }
    }

    private int reported(Ending ending) {
        Report report = report(ending);
        return execution.reported(ending, () -> {
            if (run != null && savesReport) {
                if (reportIsLost != null) {
                    throw reportIsLost;
                }
                if (lastReport == null) {
                    run.save(report);
                }
                String saved = "report: " + run.reportAddress();
                if (json) {
                    console.event(saved);
                } else {
                    console.summary(saved);
                }
            }
            execution.copy(Json.document(report));
            if (ending.outcome() == Outcome.INTERRUPTED) {
                console.error(howToGoOn());
            }
        });
    }

    private String howToGoOn() {
        String command = execution.command();
        if (run == null || plan == null || !run.hasBegunToSend()) {
            return command + " was interrupted before anything was sent. Run 'usermap " + command + "' again.";
        }
        long writes = plan.writes();
        String known = sent == null
                ? "What is acknowledged of its " + Phrases.count(writes) + " mappings has its receipts."
                : Phrases.count(sent.accepted()) + " of its " + Phrases.count(writes) + " mappings are acknowledged.";
        return command + " was interrupted. " + known + " Run 'usermap apply' again: it sends the rest.";
    }

    private Report report(Ending ending) {
        return Report.of(
                new Report.Header(
                        execution.command(),
                        Optional.ofNullable(run).map(LedgerRun::id).orElse(""),
                        ending.outcome(),
                        ending.exitCode(),
                        startedAt),
                Optional.ofNullable(configuration),
                Optional.ofNullable(plan),
                Optional.ofNullable(sent),
                tripped.stream().map(Guards.Tripped::name).toList());
    }
}
