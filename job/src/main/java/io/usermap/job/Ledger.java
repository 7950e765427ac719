package io.usermap.job;

import static org.apache.spark.sql.functions.col;

import io.usermap.client.InvalidSettingsException;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.concurrent.ThreadLocalRandom;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.jspecify.annotations.Nullable;

/**
 * The job's memory: runs, the acknowledged state, and the claim of whoever is sending.
 *
 * <p>Its format is written down in {@code ledger.json}, with the service that it is about: a ledger that was filled by a
 * sandbox would make a real service look as if all were done. Hadoop filesystems only; nothing else is needed.
 */
final class Ledger {
    private static final int FORMAT = 2;
    private static final String IDENTITY = "ledger.json";
    private static final String LAST_SENT = "last-sent";
    private static final String ID = "[0-9]{8}T[0-9]{9}Z-[0-9a-f]{4}";
    private static final DateTimeFormatter RUN_ID =
            DateTimeFormatter.ofPattern("yyyyMMdd'T'HHmmssSSS'Z'", Locale.ROOT).withZone(ZoneOffset.UTC);

    /**
     * What {@code ledger.json} says.
     *
     * @param format the layout of everything below
     * @param target the service that acknowledged the state
     */
    record Identity(int format, @Nullable String target) {}

    private final LedgerFolder folder;

    private Ledger(LedgerFolder folder) {
        this.folder = folder;
    }

    /**
     * Opens the ledger at {@code path}, or begins one.
     *
     * @param target the service, as {@code Target} names it
     * @throws StoppedException if a newer program wrote it, or what it says of itself is damaged
     * @throws InvalidSettingsException if it is about another service
     */
    static Ledger open(Configuration hadoop, String path, String target) {
        LedgerFolder folder = LedgerFolder.of(path, hadoop);
        Optional<Identity> identity = identity(folder);
        if (identity.isEmpty()) {
            folder.write(IDENTITY, Json.document(new Identity(FORMAT, target)));
        }
        identity.filter(found -> !target.equals(found.target())).ifPresent(found -> {
            throw new InvalidSettingsException("Cannot use the ledger " + path + ": it holds what " + found.target()
                    + " acknowledged, and the target is " + target + ". Set another 'ledger.path' for it.");
        });
        return new Ledger(folder);
    }

    /**
     * Opens the ledger at {@code path} for a command that talks to no service.
     *
     * @throws StoppedException if there is none, or a newer program wrote it
     */
    static Ledger existing(Configuration hadoop, String path) {
        LedgerFolder folder = LedgerFolder.of(path, hadoop);
        if (identity(folder).isEmpty()) {
            throw StoppedException.failed("Cannot use the ledger " + path + ": there is none. Set 'ledger.path'; a"
                    + " relative one starts at the working directory.");
        }
        return new Ledger(folder);
    }

    private static Optional<Identity> identity(LedgerFolder folder) {
        Optional<String> text = folder.read(IDENTITY);
        Optional<Identity> identity = text.flatMap(json -> Json.read(json, Identity.class))
                .filter(found -> found.format() != FORMAT || found.target() != null);
        // The very first words of a ledger may have been cut short; then there is nothing else in it.
        if (text.isPresent() && identity.isEmpty() && isBegun(folder)) {
            throw StoppedException.failed("Cannot use the ledger " + folder.path() + ": its " + IDENTITY
                    + " does not say for which service it is, and there are runs in it. It is damaged, or a newer version"
                    + " of usermap wrote it. Use that version, or restore the file from a copy.");
        }
        identity.filter(found -> found.format() != FORMAT).ifPresent(found -> {
            String next = found.format() > FORMAT
                    ? "Use the version of usermap that wrote it."
                    : "Nothing was released that wrote it; begin a new one with another 'ledger.path'.";
            throw StoppedException.failed("Cannot use the ledger " + folder.path() + ": its format is " + found.format()
                    + " and this program knows " + FORMAT + ". " + next);
        });
        return identity;
    }

    private static boolean isBegun(LedgerFolder folder) {
        return !folder.folder("runs").names().isEmpty()
                || !folder.folder("state").names().isEmpty();
    }

    /** A run that begins now; ids sort in the order of their beginnings, also where the clock was set back in between. */
    LedgerRun begin(Instant now) {
        String suffix = "%04x".formatted(ThreadLocalRandom.current().nextInt(0x10000));
        Instant next = runs().stream()
                .flatMap(run -> begun(run).stream())
                .findFirst()
                .map(last -> last.plusMillis(1))
                .filter(now::isBefore)
                .orElse(now);
        return run(RUN_ID.format(next) + "-" + suffix);
    }

    /** When {@code run} began, which its id says; empty for a folder that somebody else has put there. */
    static Optional<Instant> begun(LedgerRun run) {
        return Optional.of(run.id())
                .filter(id -> id.matches(ID))
                .map(id -> RUN_ID.parse(id.substring(0, id.indexOf('-')), Instant::from));
    }

    /** The run that {@code name} means: a run id, or the path of a run's folder or plan. */
    LedgerRun named(String name) {
        String[] parts = name.split("/", -1);
        String id = java.util.Arrays.stream(parts)
                .filter(part -> part.matches(ID))
                .reduce((first, second) -> second)
                .orElse(name);
        if (!id.isEmpty() && !id.contains("/") && folder.folder("runs").has(id)) {
            return run(id);
        }
        throw StoppedException.failed("Cannot find the run " + name + ": the ledger " + folder.path()
                + " has no such run. 'usermap runs' lists them.");
    }

    private LedgerRun run(String id) {
        return new LedgerRun(id, folder.folder("runs").folder(id));
    }

    /** All runs, the newest first. */
    List<LedgerRun> runs() {
        return folder.folder("runs").names().stream()
                .sorted(Comparator.reverseOrder())
                .map(this::run)
                .toList();
    }

    /** The run that began to send and did not come to its end, if there is one. */
    Optional<LedgerRun> unfinished() {
        return runs().stream()
                .filter(run -> run.hasBegunToSend() && !run.isFinished())
                .findFirst();
    }

    /**
     * The run whose acknowledged mappings the state has lost, though they were published: the newest manifest is damaged or
     * gone. The run's receipts still tell of them.
     *
     * @throws StoppedException if receipts do not tell all that is lost
     */
    Optional<LedgerRun> lost() {
        SortedMap<Long, LedgerRun> led = ledTo(runs());
        // Looked up after the runs: what somebody publishes meanwhile is not taken for lost then.
        long readable = new Manifests(folder.folder("state")).current().version();
        List<LedgerRun> lost = List.copyOf(led.tailMap(readable + 1).values());
        boolean isInReceipts = lost.stream()
                .allMatch(run -> run.hasReceipts()
                        && run.published()
                                .filter(published -> published.from() <= readable)
                                .isPresent());
        if (lost.size() > 1 || !isInReceipts) {
            throw StoppedException.failed("Cannot use the ledger " + folder.path() + ": run "
                    + lost.get(lost.size() - 1).id() + " has led to version " + led.lastKey()
                    + " of the state, and the newest that can be read is " + readable
                    + ". Restore the ledger's folder 'state' from a copy; 'usermap verify --adopt' fills a new ledger from"
                    + " the service.");
        }
        return lost.stream().findFirst();
    }

    /** Those of {@code runs} that led to a version of the state, by that version. */
    private static SortedMap<Long, LedgerRun> ledTo(List<LedgerRun> runs) {
        SortedMap<Long, LedgerRun> led = new TreeMap<>();
        for (LedgerRun run : runs) {
            run.published().ifPresent(published -> led.put(published.to(), run));
        }
        return led;
    }

    /**
     * Ends a command that needs the state where the state has lost something.
     *
     * @throws StoppedException if it has; it says what to do
     */
    void requireNothingLost() {
        lost().ifPresent(run -> {
            throw StoppedException.failed("Cannot use the ledger " + folder.path() + ": its state has lost what run "
                    + run.id() + " led to. Run 'usermap apply', which takes it in again from the run's receipts.");
        });
    }

    /** {@code run}, which has said so itself, is about to send: what is left of the allowance is its business now. */
    void sends(LedgerRun run) {
        folder.write(LAST_SENT, run.id());
    }

    /** The run that sent last, finished or not: not always the newest, because a plan may wait for long. */
    Optional<LedgerRun> lastSent() {
        Optional<LedgerRun> told = folder.read(LAST_SENT)
                .filter(id -> id.matches(ID))
                .map(this::run)
                .filter(LedgerRun::hasBegunToSend);
        return told.isPresent()
                ? told
                : runs().stream().filter(LedgerRun::hasBegunToSend).max(Comparator.comparing(LedgerRun::lastBeat));
    }

    /**
     * Removes all but the last {@code keep} runs that have finished, and as many plans and verifications. A run that began to
     * send and is unfinished stays, and so do the one that sent last and the one that led to the newest state.
     */
    void prune(int keep) {
        Optional<LedgerRun> last = lastSent();
        List<LedgerRun> runs = runs();
        SortedMap<Long, LedgerRun> led = ledTo(runs);
        List<LedgerRun> finished = runs.stream().filter(LedgerRun::isFinished).toList();
        Stream<LedgerRun> others = runs.stream().filter(run -> !run.hasBegunToSend() && !finished.contains(run));
        Stream.concat(finished.stream().skip(keep), others.skip(keep))
                .filter(run -> !last.filter(run::equals).isPresent())
                .filter(run -> led.isEmpty() || !run.equals(led.get(led.lastKey())))
                .forEach(run -> {
                    // Should the rest stay, it is no run that began to send.
                    run.forgetThatItSent();
                    folder.folder("runs").delete(run.id());
                });
    }

    /** The acknowledged mappings. */
    State state(SparkSession spark) {
        return new State(spark, folder.folder("state"));
    }

    /**
     * The mappings that are known to be in force, {@code user_id, global_user_id}: those of the state, and what an
     * unfinished run has receipts for already.
     */
    Dataset<Row> inForce(SparkSession spark) {
        return known(spark, state(spark).current()).filter(col("global_user_id").isNotNull());
    }

    /**
     * What is known of users, {@code user_id, global_user_id}: as of {@code version} of the state, and what an unfinished
     * run has receipts for; no target for a user whose unmap was acknowledged.
     */
    Dataset<Row> known(SparkSession spark, State.Version version) {
        Dataset<Row> rows = state(spark).rows(version).select("user_id", "global_user_id");
        return unfinished()
                .map(run -> Receipts.kept(spark, () -> Receipts.of(spark, run).acknowledged()))
                .map(newer -> rows.join(newer.select("user_id"), new String[] {"user_id"}, "left_anti")
                        .unionByName(newer))
                .orElse(rows);
    }

    /** Whether some run has claimed the ledger, be it alive or not. */
    boolean isClaimed() {
        return !claims().names().isEmpty();
    }

    /** Where claims are written. */
    LedgerFolder claims() {
        return folder.folder("claims");
    }
}
