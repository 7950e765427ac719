package io.usermap.job;

import io.usermap.client.AllowanceLog;
import java.time.Instant;
import java.time.format.DateTimeParseException;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.spark.sql.DataFrameWriter;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.jspecify.annotations.Nullable;

/**
 * One run's folder in the ledger.
 *
 * <p>One of {@code verify} holds {@code verify/} and its report. Otherwise its life in files: {@code plan/}, {@code carried-over/} and {@code plan.json} when planned; {@code heartbeat} before the first request and
 * every few seconds while it sends, beside {@code receipts/}; then, with the receipts taken into the state,
 * {@code report.json}; last {@code allowance.json}, which is the mark that all of this is done, unless it says that the run
 * was interrupted. Each step may be done again after a crash without harm.
 *
 * @param id sorts by the time of the beginning
 * @param folder where its files are
 */
record LedgerRun(String id, LedgerFolder folder) {
    static final String PLAN_ROWS = "plan";
    static final String CARRIED_OVER = "carried-over";
    static final String RECEIPTS = "receipts";
    static final String FINDINGS = "verify";
    static final String UNMAP_FIRST = "unmap-first";

    /** Options of a reader for which half a file is none. */
    static final Map<String, String> WHOLE = Map.of("ignoreCorruptFiles", "false", "ignoreMissingFiles", "false");

    private static final String PLAN = "plan.json";
    private static final String HEARTBEAT = "heartbeat";
    private static final String ALLOWANCE = "allowance.json";
    private static final String REPORT = "report.json";

    /**
     * An entry of {@link AllowanceLog}, as JSON holds it.
     *
     * @param until when the mappings are free again, in ISO form
     * @param mappings how many
     */
    record Used(String until, int mappings) {}

    /**
     * What of the allowance was used up when the run was left.
     *
     * @param entries the log's
     * @param interrupted whether something of the run is still to be done
     * @param published the state with what the run was acknowledged; null if nothing was, or the run is to be gone on with
     */
    record SavedAllowance(
            List<Used> entries,
            boolean interrupted,
            @Nullable Published published) {}

    /**
     * Versions of the state before and after a run.
     *
     * @param from the version that the run's mappings were added to
     * @param to the version that holds them
     */
    record Published(long from, long to) {}

    /** Where the rows of the plan are. */
    String planAddress() {
        return folder.address(PLAN_ROWS);
    }

    /** Where the rows are that a budget left to a later run. */
    String carriedOverAddress() {
        return folder.address(CARRIED_OVER);
    }

    /** Where the rows are that {@code verify} has found. */
    String findingsAddress() {
        return folder.address(FINDINGS);
    }

    /** Whether a verification has written some of what it found; one that is ended in its first part has not. */
    boolean keepsFindings() {
        return folder.folder(FINDINGS).names().stream().anyMatch(name -> name.endsWith(".parquet"));
    }

    /** Whether a verification has begun to write what it finds. */
    boolean hasFindings() {
        return folder.has(FINDINGS);
    }

    /** Where receipts are. */
    String receiptsAddress() {
        return folder.address(RECEIPTS);
    }

    /** Where the receipts of the first halves of remaps in two steps are: below the others. */
    String unmapFirstReceiptsAddress() {
        return folder.folder(RECEIPTS).address(UNMAP_FIRST);
    }

    /**
     * The rows of saved plans at {@code addresses}, in the columns of {@link Stars#PLAN}.
     *
     * <p>A file that is damaged or gone ends the reading, also in a session that is told to skip such files.
     */
    static Dataset<Row> rows(SparkSession spark, String... addresses) {
        return spark.read().schema(Stars.PLAN).options(WHOLE).parquet(addresses);
    }

    /**
     * Writes {@code rows} to {@code address}; Spark's writing renames, as nothing else in the ledger does.
     *
     * @throws StoppedException if they could not be written, or not be had
     */
    static void write(DataFrameWriter<Row> rows, String address) {
        try {
            rows.parquet(address);
        } catch (Exception e) { // Spark throws checked exceptions that its methods do not declare
            if (Execution.isKnown(e)) {
                // It was the service that did not hand the rows over.
                throw e;
            }
            throw StoppedException.failed(
                    "Cannot write " + address + ": " + Source.rootLine(e)
                            + " Check the filesystem at 'ledger.path' and run the command again; --stacktrace tells more.",
                    e);
        }
    }

    boolean hasReceipts() {
        return folder.has(RECEIPTS);
    }

    /** Where the report is, for people. */
    String reportAddress() {
        String address = folder.address(REPORT);
        return address.startsWith("file:") ? address.substring("file:".length()) : address;
    }

    /** Removes the rows of a plan that is not to be saved. */
    void removeRows() {
        folder.delete(PLAN_ROWS);
        folder.delete(CARRIED_OVER);
    }

    /** Saves what is known of the plan; its rows are in place by then. */
    void save(Plan plan) {
        folder.write(PLAN, Json.document(plan));
    }

    /** The plan that was saved; empty if there is none, or a half one. */
    Optional<Plan> savedPlan() {
        return folder.read(PLAN).flatMap(text -> Json.read(text, Plan.class));
    }

    /** The plan that was saved; an error if there is none, or a half one. */
    Plan plan() {
        return savedPlan()
                .orElseThrow(() -> StoppedException.failed("Cannot apply the plan of run " + id
                        + ": it was not saved to its end. Run 'usermap plan' again."));
    }

    void save(Report report) {
        folder.write(REPORT, Json.document(report));
    }

    /** The report, as it was saved; empty if the run did not come that far. */
    Optional<String> savedReport() {
        return folder.read(REPORT).filter(text -> Json.read(text, Report.class).isPresent());
    }

    /** Whether the run ended by an error. */
    boolean hasFailed() {
        return savedReport()
                .flatMap(text -> Json.read(text, Report.class))
                .filter(report -> report.outcome().equals(Outcome.FAILED.word()))
                .isPresent();
    }

    /** Tells the next run that this one is alive at {@code now}. */
    void beat(Instant now) {
        folder.write(HEARTBEAT, now.toString());
    }

    boolean hasBegunToSend() {
        return folder.has(HEARTBEAT);
    }

    /** The first step of removing a run: what is left should the next ones fail is none that an apply would go on with. */
    void forgetThatItSent() {
        folder.delete(HEARTBEAT);
    }

    /** The last sign of life; a beat that was cut short counts from when it was written. */
    Instant lastBeat() {
        try {
            return Instant.parse(folder.read(HEARTBEAT).orElse(""));
        } catch (DateTimeParseException | java.io.UncheckedIOException e) {
            return folder.written(HEARTBEAT).orElse(Instant.EPOCH);
        }
    }

    /** Marks that requests may leave from {@code now} on, whatever was known of the allowance before. */
    void beginToSend(Instant now) {
        folder.delete(ALLOWANCE);
        beat(now);
    }

    /**
     * Marks the run as done, with what of the allowance is used up.
     *
     * @param published the state with what the run was acknowledged; empty if nothing was
     */
    void finish(AllowanceLog log, Optional<Published> published) {
        save(log, false, published);
    }

    /** Leaves the run to whoever resumes it, with what of the allowance is used up. */
    void interrupt(AllowanceLog log) {
        save(log, true, Optional.empty());
    }

    private void save(AllowanceLog log, boolean interrupted, Optional<Published> published) {
        List<Used> entries = log.entries().stream()
                .map(entry -> new Used(entry.until().toString(), entry.mappings()))
                .toList();
        folder.write(ALLOWANCE, Json.sealed(new SavedAllowance(entries, interrupted, published.orElse(null))));
    }

    boolean isFinished() {
        return savedAllowance().filter(saved -> !saved.interrupted()).isPresent();
    }

    /** The state with what the run was acknowledged; empty if the run is not finished, or nothing was. */
    Optional<Published> published() {
        return savedAllowance().flatMap(saved -> Optional.ofNullable(saved.published()));
    }

    private Optional<SavedAllowance> savedAllowance() {
        return folder.read(ALLOWANCE).flatMap(text -> Json.unsealed(text, SavedAllowance.class));
    }

    /** What of the allowance was used up when the run was left; empty if it crashed. */
    Optional<AllowanceLog> allowance() {
        return savedAllowance()
                .map(saved -> new AllowanceLog(saved.entries().stream()
                        .map(used -> new AllowanceLog.Entry(Instant.parse(used.until()), used.mappings()))
                        .toList()));
    }
}
