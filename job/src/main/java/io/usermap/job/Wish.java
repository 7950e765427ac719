package io.usermap.job;

import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.count;
import static org.apache.spark.sql.functions.lit;

import io.usermap.client.RejectReason;
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

    /** What the targets of rows are that take no part; those of edges that do are clusters. */
    enum Naming {
        /** The user that another is mapped to. */
        USER("to"),
        /** The cluster. */
        CLUSTER("cluster"),
        /** The other end of the edge. */
        END("with");

        private final String word;

        Naming(String word) {
            this.word = word;
        }

        static Naming of(Shape shape) {
            return shape instanceof Shape.Pairs ? USER : shape instanceof Shape.Edges ? END : CLUSTER;
        }
    }

    private static final int MOST = 20;
    private static final int SOME_OTHERS = 5;

    /**
     * Looks a user up; blocks for a pass over the source, or three where its rows agree.
     *
     * @param checked as {@link CheckedRows} gives them
     * @param naming what targets are
     * @param mappedTo its target in force
     */
    static List<Wish> of(Dataset<Row> checked, Naming naming, String userId, Optional<String> mappedTo) {
        SparkSession spark = checked.sparkSession();
        List<Row> found = (naming == Naming.END ? checked.unionByName(otherEnds(checked)) : checked)
                .join(one(spark, "user_id", userId), new String[] {"user_id"})
                .groupBy("target", "unmap", "reason")
                .agg(count(lit(1)))
                .orderBy("target", "reason")
                .limit(MOST)
                .collectAsList();
        List<Row> good = found.stream()
                .filter(row -> reason(row, naming, userId) == null && !row.isNullAt(0))
                .toList();
        List<Wish> wishes = new ArrayList<>();
        for (Row row : found) {
            String target = row.getString(0);
            boolean alone = good.size() == 1 && row.equals(good.get(0));
            List<String> others = new ArrayList<>();
            long many = 0;
            boolean inForce = naming == Naming.USER && mappedTo.equals(Optional.ofNullable(target));
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
                inForce |= naming != Naming.USER
                        && mappedTo.filter(to -> !members.join(one(spark, "user_id", to), new String[] {"user_id"})
                                        .isEmpty())
                                .isPresent();
            }
            wishes.add(new Wish(
                    row.getLong(3),
                    target,
                    row.getBoolean(1),
                    reason(row, naming, userId),
                    many,
                    List.copyOf(others),
                    inForce));
        }
        return List.copyOf(wishes);
    }

    /** Edges that take no part stand under one end, but for those whose score cannot be read. */
    private static Dataset<Row> otherEnds(Dataset<Row> checked) {
        return checked.filter(col("reason")
                        .isNotNull()
                        .and(col("reason").notEqual(RowReason.UNREADABLE_SCORE.code()))
                        .and(col("user_id").notEqual(col("target"))))
                .select(
                        col("target").as("user_id"),
                        col("user_id").as("target"),
                        col("unmap"),
                        col("rank"),
                        col("reason"));
    }

    /** Why the row takes no part; a pair of a user with itself says nothing. */
    private static @Nullable String reason(Row row, Naming naming, String userId) {
        return naming == Naming.USER && row.isNullAt(2) && userId.equals(row.getString(0))
                ? RejectReason.SELF_MAP.code()
                : row.getString(2);
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
     * @param naming what targets are
     * @param isTarget whether others are mapped to the user, and the user is not mapped
     */
    static List<String> sentences(List<Wish> wishes, Naming naming, boolean isTarget) {
        List<String> lines = new ArrayList<>();
        boolean agree = wishes.stream().filter(Wish::counts).count() == 1;
        wishes.forEach(wish -> lines.add(wish.sentence(naming, agree, isTarget)));
        if (wishes.stream().filter(Wish::counts).count() > 1) {
            lines.add("no row of it takes part in a plan: " + Phrases.rule("conflict"));
        }
        return lines;
    }

    private String sentence(Naming naming, boolean agrees, boolean isTarget) {
        String subject = Phrases.count(rows) + (rows == 1 ? " row" : " rows");
        String why = reason;
        if (why != null) {
            boolean selfMap = why.equals(RejectReason.SELF_MAP.code());
            String verb = selfMap || RowReason.isLeftOut(why) ? " left out" : " dropped";
            return subject + verb + (selfMap ? "" : where(naming)) + ": " + Phrases.rule(why);
        }
        if (unmap) {
            return subject + (rows == 1 ? " asks" : " ask") + " for its unmap";
        }
        String to = Phrases.id(String.valueOf(target));
        if (naming == Naming.USER) {
            return subject + (rows == 1 ? " maps" : " map") + " it to " + to + (inForce ? ", as it is in force" : "")
                    + (others == 0 ? "" : ", and " + Phrases.count(others) + names());
        }
        return subject + (rows == 1 ? " puts" : " put") + " it into cluster " + to
                + (agrees ? company() + rule(isTarget) : "");
    }

    private String where(Naming naming) {
        String to = target;
        return to == null ? "" : " (" + naming.word + " " + Phrases.id(to) + ")";
    }

    private String company() {
        return others == 0 ? ", alone, so there is nobody to map it to" : ", with " + Phrases.count(others) + names();
    }

    private String names() {
        List<String> shown = someOthers.stream().map(Phrases::id).toList();
        return (others == 1 ? " other: " : " others: ")
                + String.join(", ", shown)
                + (others > shown.size() ? " and more" : "");
    }

    private String rule(boolean isTarget) {
        if (inForce) {
            return "; its global id, which is in force, is one of them";
        }
        return others > 0 && isTarget ? "; it is their global id, which is mapped nowhere" : "";
    }
}
