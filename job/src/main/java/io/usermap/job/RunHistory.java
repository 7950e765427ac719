package io.usermap.job;

import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * {@code usermap runs} and {@code usermap report}: what happened, from what runs have left in the ledger.
 *
 * @param ledger the ledger
 */
record RunHistory(Ledger ledger) {

    /**
     * One line about a run.
     *
     * @param run its id
     * @param command what made it
     * @param outcome as in the report; {@code interrupted} for a run that has begun to send and is not finished,
     *     {@code planned} for one without a report
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
        Report rebuilt = rebuilt(run, new Receipts.Count(0, Map.of()), interrupted);
        return new Line(run.id(), rebuilt.command(), interrupted ? "interrupted" : "planned", rebuilt.counts());
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
     * saved if it was missing; what only the process knew, such as requests and shares of the allowance, is then 0.
     */
    String report(JobSession session, LedgerRun run) {
        boolean interrupted = isInterrupted(run);
        Optional<String> saved = run.savedReport();
        if (saved.isPresent() && !interrupted) {
            return saved.get();
        }
        Report rebuilt = rebuilt(
                run,
                Receipts.listingAgain(() -> Receipts.of(session.spark(), run).count()),
                interrupted);
        if (saved.isEmpty() && !isVerification(run)) {
            run.save(rebuilt);
        }
        return Json.document(rebuilt);
    }

    private static boolean isInterrupted(LedgerRun run) {
        return isVerification(run) ? run.savedReport().isEmpty() : run.hasBegunToSend() && !run.isFinished();
    }

    /** Whether the run looked mappings up, and planned nothing. */
    private static boolean isVerification(LedgerRun run) {
        return run.hasFindings() && run.savedPlan().isEmpty();
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

    private static Report rebuilt(LedgerRun run, Receipts.Count receipts, boolean interrupted) {
        Optional<Plan> plan = run.savedPlan();
        boolean sent = run.hasBegunToSend();
        Map<String, Long> rejected = plan.map(made -> Summary.rejected(made, receipts.rejectedByReason()))
                .orElseGet(() -> new TreeMap<>(receipts.rejectedByReason()));
        Optional<Plan.Counts> counts = plan.map(Plan::counts);
        return new Report(
                Report.SCHEMA,
                command(run, plan, sent),
                run.id(),
                interrupted ? Outcome.INTERRUPTED.word() : Outcome.DONE.word(),
                interrupted ? ExitCode.INTERRUPTED : ExitCode.DONE,
                plan.map(Plan::createdAt).orElse(""),
                (sent ? run.lastBeat() : Instant.EPOCH).toString(),
                new Report.Counts(
                        counts.map(Plan.Counts::sourceRows).orElse(0L),
                        counts.map(Plan.Counts::unchanged).orElse(0L),
                        counts.map(Plan.Counts::map).orElse(0L),
                        counts.map(Plan.Counts::remap).orElse(0L),
                        counts.map(Plan.Counts::unmap).orElse(0L),
                        rejected.values().stream().mapToLong(Long::longValue).sum(),
                        plan.map(made -> made.carriedOver().all()).orElse(0L),
                        receipts.accepted(),
                        0,
                        0,
                        0,
                        0),
                new Report.Allowance(0, 0, 0, 0),
                rejected,
                plan.map(Plan::leftOutByReason).orElse(Map.of()),
                List.of());
    }
}
