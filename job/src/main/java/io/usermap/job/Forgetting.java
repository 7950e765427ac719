package io.usermap.job;

import static org.apache.spark.sql.functions.array_contains;
import static org.apache.spark.sql.functions.coalesce;
import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.filter;
import static org.apache.spark.sql.functions.lit;
import static org.apache.spark.sql.functions.when;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;

/**
 * Removes one user from the ledger: from the state, and from plans, findings, receipts and reports of all runs.
 *
 * <p>Rows about the user, or that map somebody to it, go; where it is only the former target or the cluster of another
 * user's row, that field is emptied. Whatever is rewritten stands complete beside the old before the old goes, so that a
 * crash loses nothing and the command can be given again. The id is written nowhere, and stands in no query. Runs under the
 * ledger's claim, while no run is unfinished.
 */
final class Forgetting {
    private static final String REWRITTEN = "rewritten-";
    private static final String WHOLE = ".whole";
    private static final String RECEIPTS = ".jsonl";

    private final SparkSession spark;
    private final Ledger ledger;
    private final String userId;
    private final Dataset<Row> gone;

    Forgetting(SparkSession spark, Ledger ledger, String userId) {
        this.spark = spark;
        this.ledger = ledger;
        this.userId = userId;
        this.gone = spark.createDataFrame(
                List.of(RowFactory.create(userId)), new StructType().add("gone", DataTypes.StringType));
    }

    /**
     * What was removed.
     *
     * @param mappings mappings of the state, of the user and to it
     * @param planRows rows of plans that were removed or changed
     * @param receipts lines of receipts
     */
    record Removed(long mappings, long planRows, long receipts) {
        long all() {
            return mappings + planRows + receipts;
        }
    }

    /**
     * Removes the user everywhere; blocks.
     *
     * @param claim under which name the ledger is claimed
     */
    Removed forget(String claim) {
        State state = ledger.state(spark);
        // A new version of the state would make every saved plan stale.
        long mappings = state.mayHold(userId) ? state.without(userId, claim) : 0;
        long planRows = 0;
        long receipts = 0;
        for (LedgerRun run : ledger.runs()) {
            planRows += rewritten(run, LedgerRun.PLAN_ROWS) + rewritten(run, LedgerRun.CARRIED_OVER);
            withoutFindings(run);
            receipts += withoutReceipts(run.folder().folder(LedgerRun.RECEIPTS));
        }
        return new Removed(mappings, planRows, receipts);
    }

    private long rewritten(LedgerRun run, String name) {
        LedgerFolder folder = run.folder();
        String copy = afterCrash(folder, name);
        if (run.savedPlan().isEmpty()) {
            // Its planning was cut short: nobody can use what it has left.
            folder.delete(name);
        }
        if (!folder.has(name)) {
            return 0;
        }
        Dataset<Row> rows = rows(folder, name);
        Column touched = is("user_id")
                .or(is("global_user_id"))
                .or(is("previous_global_user_id"))
                .or(is("cluster"));
        long count = rows.join(gone, touched, "left_semi").count();
        if (count > 0) {
            Dataset<Row> without = rows.join(gone, is("user_id").or(is("global_user_id")), "left_anti")
                    .crossJoin(gone)
                    .withColumn(
                            "previous_global_user_id",
                            when(isNot("previous_global_user_id"), col("previous_global_user_id")))
                    .withColumn("cluster", when(isNot("cluster"), col("cluster")))
                    .drop("gone");
            replace(folder, name, copy, without);
        }
        return count;
    }

    /** The name of a copy. Left by a crash, one that is whole takes the place of the old one, another is worth nothing. */
    private String afterCrash(LedgerFolder folder, String name) {
        String copy = REWRITTEN + name;
        if (folder.has(copy + WHOLE)) {
            replace(folder, name, copy);
        }
        folder.delete(copy);
        return copy;
    }

    /** Drops what a {@code verify} has found of the user, and of users that map to it, and the user from lists of others. */
    private void withoutFindings(LedgerRun run) {
        LedgerFolder folder = run.folder();
        String name = LedgerRun.FINDINGS;
        String copy = afterCrash(folder, name);
        if (!run.keepsFindings()) {
            // A verification that failed or was killed in its first part leaves nothing that could be read.
            folder.delete(name);
            return;
        }
        Column touched = is("user_id").or(is("global_user_id")).or(isAmong("mapped_to"));
        Dataset<Row> rows = rows(folder, name);
        if (rows.join(gone, touched.or(isAmong("mapped_from")), "left_semi").isEmpty()) {
            return;
        }
        Dataset<Row> without = rows.join(gone, touched, "left_anti")
                .crossJoin(gone)
                .withColumn(
                        "mapped_from",
                        filter(
                                col("mapped_from"),
                                one -> one.getField("user_id").notEqual(col("gone"))))
                .drop("gone");
        replace(folder, name, copy, without);
    }

    /** The rows of a plan, or what a {@code verify} has found; a copy of either has the same columns. */
    private Dataset<Row> rows(LedgerFolder folder, String name) {
        String address = folder.address(name);
        return name.endsWith(LedgerRun.FINDINGS)
                ? spark.read().options(LedgerRun.WHOLE).parquet(address)
                : LedgerRun.rows(spark, address);
    }

    private void replace(LedgerFolder folder, String name, String copy, Dataset<Row> rows) {
        LedgerRun.write(rows.write(), folder.address(copy));
        folder.write(copy + WHOLE, "");
        replace(folder, name, copy);
    }

    private void replace(LedgerFolder folder, String name, String copy) {
        folder.delete(name);
        LedgerRun.write(rows(folder, copy).write(), folder.address(name));
        folder.delete(copy + WHOLE);
        folder.delete(copy);
    }

    private static Column is(String column) {
        return coalesce(col(column).equalTo(col("gone")), lit(false));
    }

    private static Column isAmong(String links) {
        return coalesce(array_contains(col(links + ".user_id"), col("gone")), lit(false));
    }

    private static Column isNot(String column) {
        return col(column).notEqual(col("gone"));
    }

    /** Drops the user's lines, and torn ones, which count for nothing and may hold half of its id. */
    private long withoutReceipts(LedgerFolder folder) {
        long removed = 0;
        for (String name : folder.names()) {
            if (name.equals(LedgerRun.UNMAP_FIRST)) {
                removed += withoutReceipts(folder.folder(name));
            } else if (name.endsWith(RECEIPTS)) {
                removed += withoutLines(folder, name);
            }
        }
        return removed;
    }

    /** A copy without them stands beside the file before that goes: an answer that stands twice counts once. */
    private long withoutLines(LedgerFolder folder, String name) {
        Path file = new Path(folder.path(), name);
        try {
            long dropped;
            try (BufferedReader lines = lines(folder, file)) {
                dropped = lines.lines().filter(line -> !isOfOthers(line)).count();
            }
            if (dropped > 0) {
                Path copy = new Path(folder.path(), REWRITTEN + UUID.randomUUID() + RECEIPTS);
                try (BufferedReader lines = lines(folder, file);
                        PrintStream out =
                                new PrintStream(folder.files().create(copy, false), false, StandardCharsets.UTF_8)) {
                    lines.lines().filter(this::isOfOthers).forEach(line -> out.print(line + "\n"));
                    if (out.checkError()) {
                        throw new IOException("the copy " + copy + " could not be written");
                    }
                }
                folder.delete(name);
            }
            return dropped;
        } catch (IOException e) {
            throw new UncheckedIOException(
                    "Cannot rewrite " + file + ": " + Source.firstLine(e)
                            + " Check the ledger's filesystem and run the command again.",
                    e);
        }
    }

    private static BufferedReader lines(LedgerFolder folder, Path file) throws IOException {
        return new BufferedReader(new InputStreamReader(folder.files().open(file), StandardCharsets.UTF_8));
    }

    private boolean isOfOthers(String line) {
        Optional<JsonNode> receipt = Json.tree(line);
        return receipt.isPresent()
                && !userId.equals(receipt.get().path("user_id").asText(null))
                && !userId.equals(receipt.get().path("global_user_id").asText(null));
    }
}
