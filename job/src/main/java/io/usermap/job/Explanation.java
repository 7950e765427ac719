package io.usermap.job;

import static org.apache.spark.sql.functions.coalesce;
import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.expr;
import static org.apache.spark.sql.functions.lit;

import io.usermap.client.IdRules;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.stream.Stream;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.jspecify.annotations.Nullable;

/**
 * All that is known of one user: its mapping, who is mapped to it, its rows in the source, and what each run that is kept
 * has planned for it and has been answered.
 *
 * @param userId the user
 * @param known whether the ledger holds anything about its mapping
 * @param mappedTo its target in force, null if it has none
 * @param mappedFrom users that are mapped to it
 * @param sourceRows rows of the source in which it stands, as JSON; a few of them
 * @param wishes what a plan would read in them
 * @param naming what the targets of wishes are
 * @param runs what became of it, the newest first
 */
record Explanation(
        String userId,
        boolean known,
        @Nullable String mappedTo,
        long mappedFrom,
        List<String> sourceRows,
        List<Wish> wishes,
        Wish.Naming naming,
        List<InRun> runs) {

    private static final int SOURCE_ROWS = 20;

    /** A name that no source has for a column. */
    private static final String ASKED = "usermap asked for";

    /** Where a row of a run comes from. */
    private static final String RUN = "regexp_extract(input_file_name(), '/runs/([^/]+)/', 1)";

    /**
     * One row of one run's plan or receipts.
     *
     * @param run the run
     * @param what {@code map}, {@code remap}, {@code unmap}, {@code reject}, {@code carried_over}, or the outcome of a
     *     receipt
     * @param target the target in that row, null if none
     * @param previous the target before, null if none
     * @param reason the rule that decided, or why it was rejected
     * @param cluster the cluster, null if none
     * @param at when it was answered, null for plans
     */
    record InRun(
            String run,
            String what,
            @Nullable String target,
            @Nullable String previous,
            @Nullable String reason,
            @Nullable String cluster,
            @Nullable String at) {}

    /**
     * Looks a user up in the state, and in the plans and receipts of all runs that are kept.
     *
     * <p>The id travels as data and stands in no query, so that no log or UI of Spark shows it.
     */
    static Explanation of(SparkSession spark, Ledger ledger, String userId) {
        Dataset<Row> wanted = Wish.one(spark, "user_id", userId);
        State state = ledger.state(spark);
        Dataset<Row> known = state.rows(state.current());
        boolean isKnown =
                !known.join(wanted, new String[] {"user_id"}, "left_semi").isEmpty();
        Dataset<Row> inForce = ledger.inForce(spark);
        Optional<String> mappedTo = inForce.join(wanted, new String[] {"user_id"}).collectAsList().stream()
                .map(row -> row.getString(1))
                .findFirst();
        long mappedFrom = inForce.join(
                        wanted.select(col("user_id").as("global_user_id")),
                        new String[] {"global_user_id"},
                        "left_semi")
                .count();
        List<InRun> runs = new ArrayList<>(planned(spark, ledger, wanted, LedgerRun.PLAN_ROWS));
        planned(spark, ledger, wanted, LedgerRun.CARRIED_OVER).stream()
                .map(row -> new InRun(
                        row.run(), "carried_over", row.target(), row.previous(), row.reason(), row.cluster(), null))
                .forEach(runs::add);
        runs.addAll(answered(spark, ledger, wanted));
        runs.sort(Comparator.comparing(InRun::run)
                .reversed()
                .thenComparing(row -> Optional.ofNullable(row.at()).orElse("")));
        return new Explanation(
                userId,
                isKnown,
                mappedTo.orElse(null),
                mappedFrom,
                List.of(),
                List.of(),
                Wish.Naming.USER,
                List.copyOf(runs));
    }

    /**
     * This, with what the source says; blocks for some passes over it, and of edges until they are put together.
     *
     * @throws StoppedException if the source cannot be read to its end
     */
    Explanation with(Dataset<Row> source, Shape shape, IdRules rules) {
        return Source.toItsEnd(() -> {
            Wish.Naming naming = Wish.Naming.of(shape);
            Dataset<Row> checked = CheckedRows.of(source, shape, rules);
            return new Explanation(
                    userId,
                    known,
                    mappedTo,
                    mappedFrom,
                    inSource(source, shape, userId),
                    Wish.of(checked, naming, userId, Optional.ofNullable(mappedTo)),
                    naming,
                    runs);
        });
    }

    private static List<InRun> planned(SparkSession spark, Ledger ledger, Dataset<Row> wanted, String folder) {
        String[] folders = folders(ledger, folder);
        if (folders.length == 0) {
            return List.of();
        }
        return LedgerRun.rows(spark, folders)
                .withColumn("run", expr(RUN))
                .join(wanted, new String[] {"user_id"})
                .select("run", "op", "global_user_id", "previous_global_user_id", "reason", "cluster")
                .collectAsList()
                .stream()
                .map(row -> new InRun(
                        row.getString(0),
                        row.getString(1),
                        row.getString(2),
                        row.getString(3),
                        row.getString(4),
                        row.getString(5),
                        null))
                .toList();
    }

    private static List<InRun> answered(SparkSession spark, Ledger ledger, Dataset<Row> wanted) {
        String[] folders = folders(ledger, LedgerRun.RECEIPTS);
        if (folders.length == 0) {
            return List.of();
        }
        List<Row> answers = Receipts.listingAgain(() -> Receipts.lines(spark, folders)
                .withColumn("run", expr(RUN))
                .join(wanted, new String[] {"user_id"})
                .select("run", "outcome", "global_user_id", "reason", "at")
                .collectAsList());
        return answers.stream()
                .map(row -> new InRun(
                        row.getString(0),
                        row.getString(1),
                        row.getString(2),
                        null,
                        row.getString(3),
                        null,
                        row.getString(4)))
                .toList();
    }

    /** Addresses of the folders of that name in the runs whose plan was saved to its end. */
    private static String[] folders(Ledger ledger, String name) {
        return ledger.runs().stream()
                .filter(run -> run.savedPlan().isPresent() && run.folder().has(name))
                .map(run -> run.folder().address(name))
                .toArray(String[]::new);
    }

    /** Rows that hold the user in any of their columns, or in two of which the shape joins its id. */
    private static List<String> inSource(Dataset<Row> source, Shape shape, String userId) {
        Stream<Column> columns = Arrays.stream(source.columns()).map(CheckedRows::text);
        Column anywhere = Stream.concat(columns, shape.ids().stream().map(CheckedRows::id))
                .map(text -> coalesce(text.equalTo(col(CheckedRows.quoted(ASKED))), lit(false)))
                .reduce(lit(false), Column::or);
        return source.join(Wish.one(source.sparkSession(), ASKED, userId), anywhere, "left_semi")
                .limit(SOURCE_ROWS)
                .toJSON()
                .collectAsList();
    }

    /**
     * The explanation in sentences.
     *
     * @param keptRuns how many runs the ledger keeps, for the word about those that are gone
     * @param runs how many there are
     */
    List<String> sentences(int keptRuns, int runs) {
        List<String> lines = new ArrayList<>();
        lines.add(Phrases.id(userId));
        String to = mappedTo;
        if (to != null) {
            lines.add("  is mapped to " + Phrases.id(to));
        } else if (known) {
            lines.add("  is not mapped: its unmap was acknowledged");
        } else {
            lines.add("  is not mapped, as far as this ledger knows");
        }
        if (mappedFrom > 0) {
            lines.add(
                    "  " + Phrases.count(mappedFrom) + (mappedFrom == 1 ? " user is" : " users are") + " mapped to it");
        }
        sourceRows.forEach(row -> lines.add("  source: " + Phrases.line(row)));
        Wish.sentences(wishes, naming, to == null && mappedFrom > 0).forEach(wish -> lines.add("  source: " + wish));
        this.runs.forEach(row -> lines.add("  " + row.run() + ": " + sentence(row)));
        boolean seen = this.runs.stream().anyMatch(row -> row.what().equals("accepted"));
        if (runs >= keptRuns && !seen) {
            lines.add("  older runs are not kept (ledger.keep-runs is " + keptRuns + "), so what they did is not known"
                    + " here");
        }
        return lines;
    }

    private static String sentence(InRun row) {
        String to = Optional.ofNullable(row.target()).map(Phrases::id).orElse("nobody");
        String from = Optional.ofNullable(row.previous()).map(Phrases::id).orElse("nobody");
        String in = Optional.ofNullable(row.cluster())
                .map(cluster -> " (cluster " + Phrases.id(cluster) + ")")
                .orElse("");
        String why = Optional.ofNullable(row.reason())
                .map(reason -> ": " + Phrases.rule(reason))
                .orElse("");
        return switch (row.what()) {
            case "map" -> "planned to map it to " + to + in + why;
            case "remap" -> "planned to map it to " + to + " instead of " + from + in + why;
            case "unmap" -> "planned to unmap it from " + from + in + why;
            case "reject" -> "dropped a row of it" + in + why;
            case "suspicious" -> "told as suspicious" + why;
            case "carried_over" -> "left to a later run, for the budget" + in + why;
            default ->
                row.what() + (row.target() == null ? "" : " " + to) + " at " + Objects.toString(row.at(), "?") + why;
        };
    }
}
