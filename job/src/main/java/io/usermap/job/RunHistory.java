package io.usermap.job;

import io.usermap.client.AllowanceLog;
import io.usermap.spark.UserMapRun;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * {@code usermap runs} and {@code usermap report}: what happened, from what runs have left in the ledger.
 *
 * @param ledger the ledger
 */
record RunHistory(Ledger ledger) {

    private static final UserMapRun.Progress UNKNOWN =
            new UserMapRun.Progress(0, 0, 0, 0, 0, 0, 0, 0, 0, Optional.empty());

    /**
     * One line about a run.
     *
     * @param run its id
     * @param command what made it
     * @param outcome as in the report; {@code interrupted} for a run that has begun to send and is not finished; for one
     *     without a report {@code finished} or {@code planned}, or {@code unplanned} where somebody plans still or never
     *     came to the end of it
     * @param counts as in the report
     */
    record Line(String run, String command, String outcome, Report.Counts counts) {}

    /** The runs that are kept, the newest first. */
    List<Line> lines() {
        return ledger.runs().stream().map(RunHistory::line).toList();
    }

    private static Line line(LedgerRun run) {
        boolean interrupted = isInterrupted(run);
        Optional<Report> report = run.savedReport().flatMap(text -> Json.read(text, Report.class));
        if (report.isPresent() && !interrupted) {
            return new Line(
                    run.id(),
                    report.get().command(),
                    report.get().outcome(),
                    report.get().counts());
        }
        Report rebuilt = rebuilt(run, new Receipts.Count(0, Map.of()));
        return new Line(
                run.id(),
                rebuilt.command(),
                interrupted
                        ? rebuilt.outcome()
                        : run.isFinished() ? "finished" : hasPlan(run) ? "planned" : "unplanned",
                rebuilt.counts());
    }

    /** The lines as a table for people. */
    static String table(List<Line> lines) {
        StringBuilder text = new StringBuilder();
        String form = "%-25s %-6s %-14s %10s %10s %10s %10s %10s %12s";
        text.append(form.formatted(
                "run", "by", "outcome", "map", "remap", "unmap", "accepted", "rejected", "carried over"));
        for (Line line : lines) {
            Report.Counts counts = line.counts();
            text.append('\n')
                    .append(form.formatted(
                            line.run(),
                            line.command(),
                            line.outcome(),
                            Phrases.count(counts.map()),
                            Phrases.count(counts.remap()),
                            Phrases.count(counts.unmap()),
                            Phrases.count(counts.accepted() + counts.skipped()),
                            Phrases.count(counts.rejected()),
                            Phrases.count(counts.carriedOver())));
        }
        return text.toString();
    }

    /**
     * The report of a run. Where it is missing, or the run was interrupted, it is made from the plan and the receipts, and
     * saved if the run was not; what only the process knew, such as requests and the allowance, is then 0.
     *
     * @throws StoppedException if the run has neither a report nor a plan
     */
    String report(JobSession session, LedgerRun run) {
        boolean interrupted = isInterrupted(run);
        Optional<String> saved = run.savedReport();
        if (saved.isPresent() && !interrupted) {
            return saved.get();
        }
        if (!run.hasBegunToSend() && !hasPlan(run) && !interrupted) {
            throw StoppedException.failed("Cannot report on run " + run.id()
                    + ", which has no plan: it is being planned, or was ended before it was planned. Wait for it, or run"
                    + " 'usermap runs', which lists the others.");
        }
        Report rebuilt = rebuilt(
                run,
                Receipts.listingAgain(() -> Receipts.of(session.spark(), run).count()));
        // That of an interrupted run changes, and whoever runs it may be about to save the last one.
        if (!interrupted && run.savedReport().isEmpty()) {
            run.save(rebuilt);
        }
        return Json.document(rebuilt);
    }

    private static boolean isInterrupted(LedgerRun run) {
        return isVerification(run) ? run.savedReport().isEmpty() : run.hasBegunToSend() && !run.isFinished();
    }

    private static boolean hasPlan(LedgerRun run) {
        return run.savedPlan().isPresent();
    }

    /** Whether the run looked mappings up, and planned nothing. */
    private static boolean isVerification(LedgerRun run) {
        return run.hasFindings() && !hasPlan(run);
    }

    private static String command(LedgerRun run, Optional<Plan> plan, boolean sent) {
        if (sent) {
            return "apply";
        }
        if (isVerification(run)) {
            return "verify";
        }
        String mode = plan.map(Plan::mode).orElse("");
        return mode.equals(Plan.UNDO) ? "undo" : mode.equals(Plan.REPAIR) ? "verify" : "plan";
    }

    private static Report rebuilt(LedgerRun run, Receipts.Count receipts) {
        Optional<Plan> plan = run.savedPlan();
        boolean sent = run.hasBegunToSend();
        long answered = receipts.accepted()
                + receipts.rejectedByReason().values().stream()
                        .mapToLong(Long::longValue)
                        .sum();
        boolean fellShort = sent && answered < plan.map(Plan::writes).orElse(0L);
        Execution.Ending ending = isInterrupted(run)
                ? Execution.Ending.INTERRUPTED
                : fellShort ? new Execution.Ending(Outcome.FAILED, ExitCode.ERROR) : Execution.Ending.DONE;
        Instant begun = Ledger.begun(run).orElse(Instant.EPOCH);
        Instant ended = sent
                ? run.lastBeat()
                : plan.map(made -> Instant.parse(made.createdAt())).orElse(begun);
        return Report.of(
                new Report.Header(
                        command(run, plan, sent), run.id(), ending.outcome(), ending.exitCode(), begun, ended),
                Optional.empty(),
                plan,
                Optional.of(new Sending.Sent(
                        receipts.accepted(),
                        0,
                        receipts.rejectedByReason(),
                        UNKNOWN,
                        AllowanceLog.empty(),
                        Optional.empty())),
                List.of());
    }
}
