package io.usermap.job;

import com.fasterxml.jackson.annotation.JsonInclude;
import io.usermap.job.Execution.Ending;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * {@code report.json}: what a command did, for programs. Holds no id and no key.
 *
 * @param schema the layout of this document
 * @param command the command's name, for example {@code apply}
 * @param run the run's id, empty if there was none yet
 * @param outcome how it ended
 * @param exitCode what the process returned
 * @param startedAt in ISO form
 * @param finishedAt in ISO form
 * @param counts rows and requests
 * @param allowance how much of it was used
 * @param rejectedByReason rows that were not sent or were refused
 * @param leftOutByReason rows that map nobody, such as ids of other types, repetitions and self-maps; no part of the rejected
 * @param guards the guards that the plan did not pass
 * @param verified what {@code verify} has found; other reports do not have the field
 */
record Report(
        int schema,
        String command,
        String run,
        String outcome,
        int exitCode,
        String startedAt,
        String finishedAt,
        Counts counts,
        Allowance allowance,
        Map<String, Long> rejectedByReason,
        Map<String, Long> leftOutByReason,
        List<String> guards,
        @JsonInclude(JsonInclude.Include.NON_NULL) @Nullable Verified verified) {

    /** The report of a command that does not verify. */
    Report(
            int schema,
            String command,
            String run,
            String outcome,
            int exitCode,
            String startedAt,
            String finishedAt,
            Counts counts,
            Allowance allowance,
            Map<String, Long> rejectedByReason,
            Map<String, Long> leftOutByReason,
            List<String> guards) {
        this(
                schema,
                command,
                run,
                outcome,
                exitCode,
                startedAt,
                finishedAt,
                counts,
                allowance,
                rejectedByReason,
                leftOutByReason,
                guards,
                null);
    }

    /** The same with what was found; without it if nothing was looked up. */
    Report with(@Nullable Verified found) {
        return new Report(
                schema,
                command,
                run,
                outcome,
                exitCode,
                startedAt,
                finishedAt,
                counts,
                allowance,
                rejectedByReason,
                leftOutByReason,
                guards,
                found);
    }

    static final int SCHEMA = 1;

    /**
     * Rows, mappings and requests.
     *
     * @param sourceRows rows of the source
     * @param unchanged users whose mapping was in force already
     * @param map users to map
     * @param remap users to map elsewhere
     * @param unmap users to unmap
     * @param rejected rows that were not sent or were refused
     * @param carriedOver changes left to a later run
     * @param accepted mappings that the service acknowledged in this run
     * @param skipped mappings that an earlier attempt of the run had acknowledged
     * @param requests requests that were answered or lost
     * @param resent mappings that were sent more than once
     * @param throttled answers with status 429
     */
    record Counts(
            long sourceRows,
            long unchanged,
            long map,
            long remap,
            long unmap,
            long rejected,
            long carriedOver,
            long accepted,
            long skipped,
            long requests,
            long resent,
            long throttled) {}

    /**
     * The allowance and its use.
     *
     * @param eventsPerSecond the organisation's rate
     * @param windowSeconds the time over which it is counted
     * @param usedShare the part of what was possible that was used, 0 to 1
     * @param mostInWindow the most mappings in any window
     */
    record Allowance(double eventsPerSecond, double windowSeconds, double usedShare, int mostInWindow) {}

    /**
     * What a report begins with.
     *
     * @param command the command's name
     * @param run the run's id, empty if there was none yet
     * @param outcome how it ended
     * @param exitCode what the process returns
     * @param startedAt when the command began
     * @param finishedAt when it ended
     */
    record Header(String command, String run, Outcome outcome, int exitCode, Instant startedAt, Instant finishedAt) {

        /** Of a command that ends now. */
        Header(String command, String run, Outcome outcome, int exitCode, Instant startedAt) {
            this(command, run, outcome, exitCode, startedAt, Instant.now());
        }
    }

    /** The report of a command that plans and sends nothing, and ends now. */
    static Report of(String command, Ending ending, Instant startedAt) {
        return of(
                new Header(command, "", ending.outcome(), ending.exitCode(), startedAt),
                Optional.empty(),
                Optional.empty(),
                Optional.empty(),
                List.of());
    }

    /** The report of a command that has ended, with as much of it as there was. */
    static Report of(
            Header header,
            Optional<Configuration> configuration,
            Optional<Plan> plan,
            Optional<Sending.Sent> sent,
            List<String> guards) {
        Map<String, Long> byService = sent.map(Sending.Sent::rejectedByReason).orElse(Map.of());
        Map<String, Long> rejected =
                plan.map(made -> Summary.rejected(made, byService)).orElse(byService);
        Optional<Plan.Counts> counts = plan.map(Plan::counts);
        return new Report(
                SCHEMA,
                header.command(),
                header.run(),
                header.outcome().word(),
                header.exitCode(),
                header.startedAt().toString(),
                header.finishedAt().toString(),
                new Counts(
                        counts.map(Plan.Counts::sourceRows).orElse(0L),
                        counts.map(Plan.Counts::unchanged).orElse(0L),
                        counts.map(Plan.Counts::map).orElse(0L),
                        counts.map(Plan.Counts::remap).orElse(0L),
                        counts.map(Plan.Counts::unmap).orElse(0L),
                        rejected.values().stream().mapToLong(Long::longValue).sum(),
                        plan.map(made -> made.carriedOver().all()).orElse(0L),
                        sent.map(done -> done.accepted() - done.before()).orElse(0L),
                        sent.map(Sending.Sent::before).orElse(0L),
                        sent.map(done -> done.figures().requests()).orElse(0L),
                        sent.map(done -> done.figures().resent()).orElse(0L),
                        sent.map(done -> done.figures().throttled()).orElse(0L)),
                new Allowance(
                        configuration
                                .map(read -> read.value(Keys.EVENTS_PER_SECOND))
                                .orElse(0.0),
                        configuration
                                .map(read -> read.value(Keys.WINDOW).toMillis() / 1000.0)
                                .orElse(0.0),
                        sent.map(done -> done.figures().usedShare()).orElse(0.0),
                        sent.map(done -> done.figures().mostInWindow()).orElse(0)),
                rejected,
                plan.map(Plan::leftOutByReason).orElse(Map.of()),
                guards);
    }
}
