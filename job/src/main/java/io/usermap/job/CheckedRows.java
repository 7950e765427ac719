package io.usermap.job;

import static org.apache.spark.sql.functions.coalesce;
import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.concat;
import static org.apache.spark.sql.functions.length;
import static org.apache.spark.sql.functions.lit;
import static org.apache.spark.sql.functions.lower;
import static org.apache.spark.sql.functions.not;
import static org.apache.spark.sql.functions.trim;
import static org.apache.spark.sql.functions.udf;
import static org.apache.spark.sql.functions.when;

import io.usermap.client.IdRules;
import io.usermap.client.RejectReason;
import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.api.java.UDF1;
import org.apache.spark.sql.api.java.UDF2;
import org.apache.spark.sql.api.java.UDF3;
import org.apache.spark.sql.expressions.UserDefinedFunction;
import org.apache.spark.sql.types.DataTypes;
import org.jspecify.annotations.Nullable;

/** The rows of a source in one form, whatever its shape, each with the reason why it takes no part, if there is one. */
final class CheckedRows {
    private static final IdRules OF_A_PART = new IdRules(1);
    /** So many ids are looked at for their case. */
    private static final int SAMPLE = 2_000;

    /** So few ids say nothing about how all are written. */
    private static final int TELLING = 20;

    private static final Pattern NUMBER = Pattern.compile("-?[0-9]+");

    /** How Spark names files of CSV among what a query reads. */
    private static final Pattern CSV = Pattern.compile("(?m)Relation.*\\] csv\\b");

    private static final String DELIMITERS = ",;\t|";

    private static final UserDefinedFunction LOOKS_LIKE_ROWS =
            udf((UDF1<String, Boolean>) id -> id != null && looksLikeRows(id), DataTypes.BooleanType);

    private CheckedRows() {}

    /** Of changes only: whether the table has lost the user, which asks for an unmap where we have mapped it. */
    static final String DELETED = "deleted";

    /**
     * {@code user_id, target, unmap, rank, reason}, and of changes {@link #DELETED}.
     *
     * <p>{@code target} is the global user for pairs and changes, and the name of the cluster for clusters and edges;
     * {@code rank} is the user's priority, smaller first, and null where none is configured; {@code reason} is null for a
     * row that takes part. There is one row for each of the source's; of changes one for each user; of edges one for each
     * user that an edge names, one for each edge that does not count, and two for one whose score cannot be read.
     *
     * <p>Nothing is read yet, except of edges: there it blocks for the rounds in which they are put together.
     *
     * @throws StoppedException if edges cannot be read to their end
     */
    static Dataset<Row> of(Dataset<Row> source, Shape shape, IdRules rules) {
        Columns columns = new Columns(source.schema());
        if (shape instanceof Shape.Pairs pairs) {
            return pairs(
                    pairs.feed().map(feed -> Changes.last(source, pairs, feed)).orElse(source), pairs, columns, rules);
        }
        if (shape instanceof Shape.Edges edges) {
            return Source.toItsEnd(() -> Edges.checked(source, edges, rules));
        }
        return clusters(source, (Shape.Clusters) shape, columns, rules);
    }

    /**
     * A word of warning where ids look as if the resolver had put them into lower case: the service tells cases apart, and
     * would not know them. Identity graphs do that, so it is only looked at where ids have types.
     *
     * <p>Reads some {@value #SAMPLE} rows of the source. Addresses and hexadecimal ids are written in lower case anyway.
     *
     * @param checked as {@link #of} gives them
     */
    static Optional<String> casing(Dataset<Row> checked, Shape shape) {
        if (!(shape instanceof Shape.Clusters clusters && clusters.types().isPresent())) {
            return Optional.empty();
        }
        Row seen = Source.toItsEnd(() -> checked.filter(col("reason").isNull())
                .limit(SAMPLE)
                .selectExpr(
                        "count_if(user_id RLIKE '[g-z]' AND NOT user_id LIKE '%@%')", "count_if(user_id RLIKE '[A-Z]')")
                .first());
        boolean suspicious = seen.getLong(0) >= TELLING && seen.getLong(1) == 0;
        return suspicious
                ? Optional.of(
                        "none of " + Phrases.count(seen.getLong(0)) + " ids has a capital letter. Amplitude's ids are"
                                + " case-sensitive: if the resolver puts them into lower case, join those of the original"
                                + " table in 'source.sql'")
                : Optional.empty();
    }

    private static Dataset<Row> pairs(Dataset<Row> source, Shape.Pairs pairs, Columns columns, IdRules rules) {
        Column target = text(pairs.globalUserId());
        Column unmap = lit(false);
        Column unreadable = lit(false);
        Column deleted = lit(false);
        if (pairs.unmap().isPresent()) {
            Column word = lower(trim(text(pairs.unmap().get())));
            unmap = coalesce(word.equalTo("true"), lit(false));
            unreadable = coalesce(not(word.isin("true", "false", "")), lit(false));
        }
        Column swallowed = swallowsRows(source, text(pairs.userId()), text(pairs.globalUserId()));
        Column reason =
                when(swallowed, RowReason.UNCLOSED_QUOTE.code()).when(unreadable, RowReason.UNREADABLE_UNMAP.code());
        if (pairs.feed().isPresent()) {
            Column kind = col(Changes.KIND);
            deleted = kind.equalTo(Changes.DELETED);
            target = when(not(deleted), target);
            unmap = unmap.or(deleted);
            reason = when(kind.equalTo(Changes.UNKNOWN), RowReason.UNREADABLE_CHANGE.code())
                    .when(kind.notEqual(Changes.DELETED).and(unreadable), RowReason.UNREADABLE_UNMAP.code());
        }
        reason = reason.when(Ranks.unreadable(pairs.priority(), columns), RowReason.UNREADABLE_PRIORITY.code());
        Column problem = udf(
                        (UDF3<byte[], byte[], Boolean, String>)
                                (id, global, asked) -> code(problemOfPair(rules, id, global, asked)),
                        DataTypes.StringType)
                .apply(bytes(col("user_id")), bytes(col("target")), col("unmap"));
        Dataset<Row> checked = source.select(
                        text(pairs.userId()).as("user_id"),
                        target.as("target"),
                        unmap.as("unmap"),
                        Ranks.of(pairs.priority(), columns).as("rank"),
                        reason.as("known"),
                        deleted.as(DELETED))
                .withColumn(
                        "reason", when(col("known").isNotNull(), col("known")).otherwise(problem))
                .drop("known");
        return pairs.feed().isPresent() ? checked : checked.drop(DELETED);
    }

    private static Dataset<Row> clusters(Dataset<Row> source, Shape.Clusters clusters, Columns columns, IdRules rules) {
        Column leftOut = clusters.types()
                .map(types -> not(Ranks.isOneOf(types.column(), columns.type(types.column()), types.wanted())))
                .orElse(lit(false));
        Column swallowed = swallowsRows(source, text(clusters.id().column()), text(clusters.cluster()));
        Column reason = when(swallowed, RowReason.UNCLOSED_QUOTE.code())
                .when(leftOut, RowReason.OTHER_ID_TYPE.code())
                .when(Ranks.unreadable(clusters.priority(), columns), RowReason.UNREADABLE_PRIORITY.code());
        Column problem = udf(
                        (UDF2<byte[], byte[], String>)
                                (id, cluster) -> code(problemOfCluster(cluster).or(() -> problemOfId(rules, id))),
                        DataTypes.StringType)
                .apply(bytes(col("user_id")), bytes(col("target")));
        return source.select(
                        id(clusters.id()).as("user_id"),
                        text(clusters.cluster()).as("target"),
                        lit(false).as("unmap"),
                        Ranks.of(clusters.priority(), columns).as("rank"),
                        coalesce(reason, problemOfParts(clusters.id())).as("known"))
                .withColumn(
                        "reason", when(col("known").isNotNull(), col("known")).otherwise(problem))
                .drop("known");
    }

    /**
     * Whether one of {@code ids} is longer than any id and looks like rows of CSV: a quote that is not closed takes all rows
     * after it into one, which parses well if it is the last column. Never true of other formats.
     */
    static Column swallowsRows(Dataset<Row> source, Column... ids) {
        if (!CSV.matcher(source.queryExecution().analyzed().toString()).find()) {
            return lit(false);
        }
        Column swallows = lit(false);
        for (Column id : ids) {
            swallows = swallows.or(
                    coalesce(length(id).gt(IdRules.MAX_ID_LENGTH).and(LOOKS_LIKE_ROWS.apply(id)), lit(false)));
        }
        return swallows;
    }

    /** Whether all whole lines of {@code text}, and these are several, have as many delimiters of some kind, and have some. */
    static boolean looksLikeRows(String text) {
        List<String> lines = text.lines().toList();
        if (lines.size() < 4) {
            return false;
        }
        // The first line begins within a row, and the last one may end within one.
        List<String> whole = lines.subList(1, lines.size() - 1);
        return DELIMITERS
                .chars()
                .anyMatch(delimiter -> whole.stream()
                                        .mapToLong(line -> line.chars()
                                                .filter(one -> one == delimiter)
                                                .count())
                                        .distinct()
                                        .count()
                                == 1
                        && whole.get(0).indexOf(delimiter) >= 0);
    }

    private static Optional<RejectReason> problemOfPair(
            IdRules rules, byte @Nullable [] id, byte @Nullable [] global, boolean unmap) {
        if (!unmap && id != null && rules.isPlainlyRight(id) && global != null && rules.isPlainlyRight(global)) {
            return Optional.empty();
        }
        return rules.problemOfRow(decoded(id), decoded(global), unmap)
                .filter(reason -> reason != RejectReason.SELF_MAP);
    }

    private static Optional<RejectReason> problemOfId(IdRules rules, byte @Nullable [] id) {
        return id != null && rules.isPlainlyRight(id) ? Optional.empty() : rules.problemOfId(decoded(id));
    }

    /** A cluster may have any name but one that stands for no cluster: it would make strangers one person. */
    private static Optional<RejectReason> problemOfCluster(byte @Nullable [] cluster) {
        if (cluster == null) {
            return Optional.of(RejectReason.MISSING_ID);
        }
        if (OF_A_PART.isPlainlyRight(cluster)) {
            return Optional.empty();
        }
        String name = IdRules.decoded(cluster).strip();
        return name.isEmpty() ? Optional.of(RejectReason.EMPTY) : placeholder(name);
    }

    /** Numbers such as 0 are placeholders for users, and names of clusters and records like any other. */
    private static Optional<RejectReason> placeholder(String text) {
        return IdRules.isPlaceholder(text) && !NUMBER.matcher(text).matches()
                ? Optional.of(RejectReason.PLACEHOLDER)
                : Optional.empty();
    }

    /** The reason why the parts of a joined id make none, which the whole does not show; null if they do. */
    static Column problemOfParts(Shape.Id id) {
        return id.source()
                .map(source -> udf(
                                (UDF2<byte[], byte[], String>) (before, after) ->
                                        code(problemOfPart(decoded(before)).or(() -> problemOfPart(decoded(after)))),
                                DataTypes.StringType)
                        .apply(bytes(text(source)), bytes(text(id.column()))))
                .orElse(lit(null).cast(DataTypes.StringType));
    }

    private static Optional<RejectReason> problemOfPart(@Nullable String part) {
        return OF_A_PART
                .problemOfId(part)
                .flatMap(reason ->
                        reason == RejectReason.PLACEHOLDER && part != null ? placeholder(part) : Optional.of(reason));
    }

    @SuppressWarnings("NullAway") // Spark's word for "no reason" is null
    static String code(Optional<RejectReason> reason) {
        return reason.map(RejectReason::code).orElse(null);
    }

    /** The id as text: the column, or source and column joined. */
    static Column id(Shape.Id id) {
        return id.source()
                .map(source -> concat(text(source), lit("-"), text(id.column())))
                .orElseGet(() -> text(id.column()));
    }

    /** A text as it is in Spark, where it need not be UTF-8; a function of ours would get it mended otherwise. */
    static Column bytes(Column text) {
        return text.cast(DataTypes.BinaryType);
    }

    /** The text of {@link #bytes}, so that damage is refused. */
    static @Nullable String decoded(byte @Nullable [] bytes) {
        return bytes == null ? null : IdRules.decoded(bytes);
    }

    static Column text(String column) {
        return col(quoted(column)).cast(DataTypes.StringType);
    }

    /** The name of a column as SQL takes it, whatever is in it. */
    static String quoted(String column) {
        return "`" + column.replace("`", "``") + "`";
    }
}
