package io.usermap.job;

import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.lit;
import static org.apache.spark.sql.functions.lower;
import static org.apache.spark.sql.functions.rank;
import static org.apache.spark.sql.functions.trim;
import static org.apache.spark.sql.functions.when;

import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.expressions.Window;

/**
 * A change feed of a table of pairs, reduced to what became of each user.
 *
 * <p>The words are those of Delta ({@code insert, update_preimage, update_postimage, delete}) and Iceberg ({@code INSERT,
 * UPDATE_BEFORE, UPDATE_AFTER, DELETE}). A row that an update replaces counts as deleted, so that a user whose id itself
 * was changed is unmapped under the old one. Within one version what came outweighs what went: a commit that rewrites a
 * row deletes and inserts it. The same feed may be read again from an earlier version: the last state is the same.
 */
final class Changes {
    /** The column that {@link #last} adds: what happened to the user. */
    static final String KIND = "__usermap_kind";

    /** The user has no row any more. */
    static final int DELETED = 0;

    /** The user's row is this one. */
    static final int PRESENT = 1;

    /** A word that is none of those above; it counts for more than any other, so that it is not overlooked. */
    static final int UNKNOWN = 2;

    private static final String PLACE = "__usermap_place";

    private Changes() {}

    /** The rows that tell the last state of each user, with {@link #KIND}; several if they contradict each other. */
    static Dataset<Row> last(Dataset<Row> source, Shape.Pairs pairs, Shape.Feed feed) {
        Column word = lower(trim(CheckedRows.text(feed.changeType())));
        Column kind = when(word.isin("delete", "update_preimage", "update_before"), lit(DELETED))
                .when(word.isin("insert", "update_postimage", "update_after"), lit(PRESENT))
                .otherwise(lit(UNKNOWN));
        Column unknownFirst = when(col(KIND).equalTo(UNKNOWN), lit(0)).otherwise(lit(1));
        Column user = CheckedRows.text(pairs.userId());
        Column place = rank().over(Window.partitionBy(user)
                .orderBy(
                        unknownFirst,
                        col(CheckedRows.quoted(feed.version())).desc(),
                        col(KIND).desc()));
        return source.withColumn(KIND, kind)
                .withColumn(PLACE, place)
                .filter(col(PLACE).equalTo(1).or(user.isNull()))
                .drop(PLACE);
    }
}
