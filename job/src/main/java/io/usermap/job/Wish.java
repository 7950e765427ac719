package io.usermap.job;

import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.count;
import static org.apache.spark.sql.functions.lit;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.jspecify.annotations.Nullable;

/**
 * What rows of the source, as a plan reads them, say of one user; equal rows together.
 *
 * @param rows how many
 * @param target the global user for pairs and changes, the cluster for clusters and edges; null if they name none
 * @param unmap whether they ask for an unmap
 * @param reason why they take no part in a plan, null if they do
 * @param others other users with the same target; counted where the user's rows agree
 * @param someOthers the first of them
 * @param inForce whether the mapping in force is within the cluster, or is the one that the pair asks for
 */
record Wish(
        long rows,
        @Nullable String target,
        boolean unmap,
        @Nullable String reason,
        long others,
        List<String> someOthers,
        boolean inForce) {

    private static final int MOST = 20;
    private static final int SOME_OTHERS = 5;

    /**
     * Looks a user up; blocks for a pass over the source, or three where its rows agree.
     *
     * @param checked as {@link CheckedRows} gives them
     * @param byName whether targets are users themselves, as those of pairs
     * @param mappedTo its target in force
     */
    static List<Wish> of(Dataset<Row> checked, boolean byName, String userId, Optional<String> mappedTo) {
        SparkSession spark = checked.sparkSession();
        List<Row> found =
                checked
                        .join(one(spark, "user_id", userId), new String[] {"user_id"})
                        .groupBy("target", "unmap", "reason")
                        .agg(count(lit(1)))
                        .orderBy("target", "reason")
                        .limit(MOST)
                        .collectAsList();
        List<Row> good = found.stream()
                .filter(row -> row.isNullAt(2) && !row.isNullAt(0))
                .toList();
        List<Wish> wishes = new ArrayList<>();
        for (Row row : found) {
            String target = row.getString(0);
            boolean alone = good.size() == 1 && row.equals(good.get(0));
            List<String> others = new ArrayList<>();
            long many = 0;
            boolean inForce = byName && mappedTo.equals(Optional.ofNullable(target));
            if (alone) {
                Dataset<Row> members = checked.filter(col("reason").isNull())
                        .join(one(spark, "target", target), new String[] {"target"})
                        .select("user_id")
                        .distinct();
                many = members.count() - 1;
                members.orderBy("user_id").limit(SOME_OTHERS + 1).collectAsList().stream()
                        .map(other -> other.getString(0))
                        .filter(other -> !other.equals(userId))
                        .limit(SOME_OTHERS)
                        .forEach(others::add);
                inForce |= !byName
                        && mappedTo.filter(to -> !members.join(one(spark, "user_id", to), new String[] {"user_id"})
                                        .isEmpty())
                                .isPresent();
            }
            wishes.add(new Wish(
                    row.getLong(3), target, row.getBoolean(1), row.getString(2), many, List.copyOf(others), inForce));
        }
        return List.copyOf(wishes);
    }

    /** A frame that holds one text, which thus stands in no query. */
    static Dataset<Row> one(SparkSession spark, String column, @Nullable String text) {
        return spark.createDataFrame(
                List.of(RowFactory.create(text)), new StructType().add(column, DataTypes.StringType));
    }

    private boolean counts() {
        return reason == null;
    }

    /**
     * The wishes in sentences.
     *
     * @param byName whether targets are users themselves
     */
    static List<String> sentences(List<Wish> wishes, boolean byName) {
        List<String> lines = new ArrayList<>();
        wishes.forEach(wish -> lines.add(wish.sentence(byName)));
        if (wishes.stream().filter(Wish::counts).count() > 1) {
            lines.add("no row of it takes part in a plan: " + Phrases.rule("conflict"));
        }
        return lines;
    }

    private String sentence(boolean byName) {
        String subject = Phrases.count(rows) + (rows == 1 ? " row" : " rows");
        String to = target == null ? "" : Phrases.id(target);
        if (reason != null) {
            String verb = RowReason.isLeftOut(reason) ? " left out" : " dropped";
            String where = target == null ? "" : byName ? " (to " + to + ")" : " (cluster " + to + ")";
            return subject + verb + where + ": " + Phrases.rule(reason);
        }
        if (unmap) {
            return subject + (rows == 1 ? " asks" : " ask") + " for its unmap";
        }
        if (byName) {
            return subject + (rows == 1 ? " maps" : " map") + " it to " + to + (inForce ? ", as it is in force" : "");
        }
        return subject + (rows == 1 ? " puts" : " put") + " it into cluster " + to
                + (others == 0 ? ", alone" : ", with " + Phrases.count(others) + names()) + rule();
    }

    private String names() {
        List<String> shown = someOthers.stream().map(Phrases::id).toList();
        return (others == 1 ? " other: " : " others: ")
                + String.join(", ", shown)
                + (others > shown.size() ? " and more" : "");
    }

    private String rule() {
        return inForce ? "; its global id, which is in force, is one of them" : "";
    }
}
