package io.usermap.job;

import io.usermap.client.InvalidSettingsException;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.ThreadLocalRandom;
import org.apache.spark.sql.SparkSession;

/**
 * The job's memory: runs, the acknowledged state, and the claim of whoever is sending.
 *
 * <p>Its format is written down in {@code ledger.json}, with the service that it is about: a ledger that was filled by a
 * sandbox would make a real service look as if all were done. Hadoop filesystems only; nothing else is needed.
 */
final class Ledger {
    private static final int FORMAT = 1;
    private static final String IDENTITY = "ledger.json";
    private static final DateTimeFormatter RUN_ID =
            DateTimeFormatter.ofPattern("yyyyMMdd'T'HHmmssSSS'Z'", Locale.ROOT).withZone(ZoneOffset.UTC);

    /**
     * What {@code ledger.json} says.
     *
     * @param format the layout of everything below
     * @param target the service that acknowledged the state
     */
    record Identity(int format, String target) {}

    private final SparkSession spark;
    private final LedgerFolder folder;

    private Ledger(SparkSession spark, LedgerFolder folder) {
        this.spark = spark;
        this.folder = folder;
    }

    /**
     * Opens the ledger at {@code path}, or begins one.
     *
     * @param target the service, as {@code Target} names it
     * @throws StoppedException if a newer program wrote it
     * @throws InvalidSettingsException if it is about another service
     */
    static Ledger open(SparkSession spark, String path, String target) {
        LedgerFolder folder = LedgerFolder.of(path, spark.sparkContext().hadoopConfiguration());
        Optional<Identity> identity = folder.read(IDENTITY).flatMap(text -> Json.read(text, Identity.class));
        if (identity.isEmpty()) {
            folder.write(IDENTITY, Json.document(new Identity(FORMAT, target)));
        }
        identity.ifPresent(found -> {
            if (found.format() > FORMAT) {
                throw StoppedException.failed("Cannot use the ledger " + path + ": its format is " + found.format()
                        + " and this program knows " + FORMAT + ". Use the version of usermap that wrote it.");
            }
            if (!found.target().equals(target)) {
                throw new InvalidSettingsException("Cannot use the ledger " + path + ": it holds what " + found.target()
                        + " acknowledged, and the target is " + target + ". Set another 'ledger.path' for it.");
            }
        });
        return new Ledger(spark, folder);
    }

    /** A run that begins now; ids sort by time. */
    LedgerRun begin(Instant now) {
        String suffix = "%04x".formatted(ThreadLocalRandom.current().nextInt(0x10000));
        return run(RUN_ID.format(now) + "-" + suffix);
    }

    /** The run that {@code plan} means: a run id, or the path of a run's folder or plan. */
    LedgerRun named(String plan) {
        String[] parts = plan.split("/", -1);
        String id = java.util.Arrays.stream(parts)
                .filter(part -> part.matches("[0-9]{8}T[0-9]{9}Z-[0-9a-f]{4}"))
                .reduce((first, second) -> second)
                .orElse(plan);
        if (!id.contains("/") && folder.folder("runs").has(id)) {
            return run(id);
        }
        throw StoppedException.failed("Cannot find the plan " + plan + ": the ledger " + folder.path()
                + " has no such run. 'usermap plan' makes one and prints its id.");
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

    /** The newest run that sent anything, finished or not. */
    Optional<LedgerRun> lastSent() {
        return runs().stream().filter(LedgerRun::hasBegunToSend).findFirst();
    }

    /** Removes the oldest runs beyond {@code keep}; unfinished ones stay. */
    void prune(int keep) {
        runs().stream()
                .skip(keep)
                .filter(run -> run.isFinished() || !run.hasBegunToSend())
                .forEach(run -> folder.folder("runs").delete(run.id()));
    }

    /** The acknowledged mappings. */
    State state() {
        return new State(spark, folder.folder("state"));
    }

    /** Where claims are written. */
    LedgerFolder claims() {
        return folder.folder("claims");
    }
}
