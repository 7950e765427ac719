package io.usermap.job;

import io.usermap.client.InvalidSettingsException;
import io.usermap.client.ServiceException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * One execution of {@code plan} or {@code apply}, from the flags to the exit code: configuration, session, ledger, plan,
 * guards, sending, report.
 *
 * <p>Whatever happens after the run has begun ends in its {@code report.json}. Used once, by one thread.
 */
final class Job {
    private final String command;
    private final Flags flags;
    private final Console console;
    private final Instant startedAt = Instant.now();

    private @Nullable LedgerRun run;
    private @Nullable Configuration configuration;
    private @Nullable Plan plan;
    private Sending.@Nullable Sent sent;
    private List<Guards.Tripped> tripped = List.of();

    Job(String command, Flags flags, Console console) {
        this.command = command;
        this.flags = flags;
        this.console = console;
    }

    /** How a command ended. */
    private record Ending(Outcome outcome, int exitCode) {}

    private interface Body {
        Ending run();
    }

    /** Plans and sends nothing; exit code 2 for changes only if {@code detailed}. */
    int plan(boolean detailed, boolean json) {
        return reported(() -> {
            Configuration read = configure(Set.of(Configuration.Need.SOURCE));
            try (JobSession session = JobSession.open(read)) {
                Ledger ledger = ledger(session, read);
                LedgerRun begun = begin(ledger);
                Plan made = planned(new Planning(session.spark(), read, ledger, console).make(begun));
                if (json) {
                    console.result(Json.document(made).strip());
                } else {
                    console.summary(Summary.ofPlan(made));
                }
                tripped = Guards.tripped(made, read, Set.of());
                if (!tripped.isEmpty()) {
                    return guarded();
                }
                if (made.writes() == 0) {
                    return new Ending(Outcome.NOTHING_TO_DO, ExitCode.DONE);
                }
                return new Ending(Outcome.DONE, detailed ? ExitCode.CHANGES_PENDING : ExitCode.DONE);
            }
        });
    }

    /** Applies a saved plan, or plans and applies; a run that was interrupted is finished first. */
    int apply(Optional<String> saved, boolean dryRun, Set<String> allowed) {
        return reported(() -> {
            Set<Configuration.Need> needs = saved.isPresent()
                    ? Set.of(Configuration.Need.API_KEY)
                    : Set.of(Configuration.Need.SOURCE, Configuration.Need.API_KEY);
            Configuration read = configure(dryRun ? Set.of(Configuration.Need.SOURCE) : needs);
            try (JobSession session = JobSession.open(read)) {
                Ledger ledger = ledger(session, read);
                if (dryRun) {
                    LedgerRun begun = saved.map(ledger::named).orElseGet(() -> begin(ledger));
                    Planning planning = new Planning(session.spark(), read, ledger, console);
                    Plan made = planned(saved.isPresent() ? planning.saved(begun) : planning.make(begun));
                    console.summary(Summary.ofPlan(made));
                    tripped = Guards.tripped(made, read, allowed);
                    return tripped.isEmpty() ? settled(made, read, Map.of()) : guarded();
                }
                return apply(session, read, ledger, saved, allowed);
            }
        });
    }

    private Ending apply(
            JobSession session, Configuration read, Ledger ledger, Optional<String> saved, Set<String> allowed) {
        LedgerRun begun = saved.map(ledger::named).orElseGet(() -> ledger.begin(startedAt));
        Sending sending = new Sending(session.spark(), read, ledger, console);
        try (Claim claim = Claim.take(
                        ledger.claims(),
                        begun.id(),
                        read.value(Keys.LOCK_TERM),
                        duration -> Thread.sleep(duration.toMillis()),
                        console::event);
                Target target = Target.open(read)) {
            Optional<Ending> resumed = resume(ledger, read, sending, target);
            boolean inFull =
                    resumed.filter(ending -> ending.exitCode() == ExitCode.DONE).isPresent();
            if (resumed.isPresent() && (!inFull || begun.equals(run))) {
                return resumed.get();
            }
            LedgerRun resumedRun = run;
            Plan resumedPlan = plan;
            run = begun;
            Planning planning = new Planning(session.spark(), read, ledger, console);
            Plan made = planned(saved.isPresent() ? planning.saved(begun) : planning.make(begun));
            tripped = Guards.tripped(made, read, allowed);
            if (!tripped.isEmpty()) {
                return guarded();
            }
            claim.requireHeld();
            if (made.writes() == 0 && resumed.isPresent()) {
                // Nothing came on top of what was resumed, so that is what the command has done.
                run = resumedRun;
                plan = resumedPlan;
                return resumed.get();
            }
            return made.writes() == 0 ? nothing(ledger, made, read) : send(sending, begun, made, read, target, ledger);
        }
    }

    private Optional<Ending> resume(Ledger ledger, Configuration read, Sending sending, Target target) {
        Optional<LedgerRun> unfinished = ledger.unfinished();
        return unfinished.map(found -> {
            run = found;
            Plan rest = planned(found.plan());
            console.event("run " + found.id() + " was interrupted; taking its receipts in and sending the rest of "
                    + Phrases.count(rest.writes()) + " mappings");
            return send(sending, found, rest, read, target, ledger);
        });
    }

    private Ending nothing(Ledger ledger, Plan made, Configuration read) {
        console.summary(Summary.ofPlan(made));
        ledger.prune(read.value(Keys.KEEP_RUNS));
        return settled(made, read, Map.of());
    }

    private Ending send(
            Sending sending, LedgerRun sendingRun, Plan made, Configuration read, Target target, Ledger ledger) {
        Sending.Sent now = sending.send(sendingRun, made, target);
        sent = now;
        console.summary(Summary.ofApply(made, now));
        Ending ending = now.failure()
                .map(failure -> failed(failure))
                .orElseGet(() -> settled(made, read, now.rejectedByReason()));
        sendingRun.save(report(ending));
        sendingRun.finish(now.allowanceLog());
        ledger.prune(read.value(Keys.KEEP_RUNS));
        return ending;
    }

    private Ending settled(Plan made, Configuration read, Map<String, Long> byService) {
        long rejected = Summary.rejected(made, byService).values().stream()
                .mapToLong(Long::longValue)
                .sum();
        double most = read.value(Keys.MAX_REJECTED_SHARE);
        if (made.sourceRows() > 0 && rejected > most * made.sourceRows()) {
            console.error("Cannot accept so many rejected rows: " + Phrases.count(rejected) + " of "
                    + Phrases.count(made.sourceRows()) + ", more than the share of " + most
                    + ". See the reasons above, mend the source, or raise 'plan.max-rejected-share'.");
            return new Ending(Outcome.REJECTED, ExitCode.REJECTED);
        }
        boolean nothing = made.writes() == 0;
        return new Ending(nothing ? Outcome.NOTHING_TO_DO : Outcome.DONE, ExitCode.DONE);
    }

    private Ending guarded() {
        tripped.forEach(guard -> console.error(guard.message()));
        return new Ending(Outcome.GUARD, ExitCode.GUARD);
    }

    private Configuration configure(Set<Configuration.Need> needs) {
        Configuration read = Configuration.read(flags.config(), flags.set(), needs);
        Target.requireReachable(read, JobSession.master(read));
        configuration = read;
        return read;
    }

    private static Ledger ledger(JobSession session, Configuration read) {
        return Ledger.open(session.spark(), read.value(Keys.LEDGER_PATH), Target.identity(read));
    }

    private LedgerRun begin(Ledger ledger) {
        LedgerRun begun = ledger.begin(startedAt);
        run = begun;
        return begun;
    }

    private Plan planned(Plan made) {
        plan = made;
        return made;
    }

    private int reported(Body body) {
        Ending ending;
        try {
            ending = body.run();
        } catch (Throwable e) { // whatever it was, the report says that the run has failed
            ending = failed(e);
        }
        Report report = report(ending);
        try {
            if (run != null) {
                run.save(report);
                console.summary("report: " + run.reportAddress());
            }
            Optional<Path> copy = flags.report();
            if (copy.isPresent()) {
                Files.writeString(copy.get(), Json.document(report));
            }
        } catch (IOException | UncheckedIOException e) {
            console.error("Cannot write the report: " + Source.firstLine(e) + " Check the ledger and --report.");
            return Math.max(ending.exitCode(), ExitCode.ERROR);
        }
        return ending.exitCode();
    }

    /** Tells a failure and says how the command ends by it. */
    private Ending failed(Throwable failure) {
        if (flags.stacktrace()) {
            failure.printStackTrace(console.err());
        }
        for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
            if (cause instanceof InvalidSettingsException invalid) {
                invalid.problems().forEach(console::error);
                return new Ending(Outcome.FAILED, ExitCode.CONFIGURATION);
            }
            if (cause instanceof StoppedException stopped) {
                console.error(String.valueOf(stopped.getMessage()));
                return new Ending(stopped.outcome(), stopped.exitCode());
            }
            if (cause instanceof ServiceException service) {
                console.error(String.valueOf(service.getMessage()));
                boolean key = service.status() == 401 || service.status() == 403;
                return new Ending(Outcome.FAILED, key ? ExitCode.CONFIGURATION : ExitCode.ERROR);
            }
        }
        console.error("Cannot " + command + ": " + Source.firstLine(failure)
                + (flags.stacktrace() ? "" : " Run it with --stacktrace to see where."));
        return new Ending(Outcome.FAILED, ExitCode.ERROR);
    }

    private Report report(Ending ending) {
        return Report.of(
                new Report.Header(
                        command,
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
