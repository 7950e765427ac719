package io.usermap.job;

import static org.apache.spark.sql.functions.array;
import static org.apache.spark.sql.functions.arrays_overlap;
import static org.apache.spark.sql.functions.coalesce;
import static org.apache.spark.sql.functions.expr;
import static org.apache.spark.sql.functions.lit;
import static org.apache.spark.sql.functions.lower;
import static org.apache.spark.sql.functions.split;
import static org.apache.spark.sql.functions.trim;
import static org.apache.spark.sql.functions.when;

import java.util.List;
import java.util.Locale;
import java.util.Optional;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StringType;

/**
 * Priorities as numbers: whoever has the smallest comes first.
 *
 * <p>A priority by order is the word's place in it. A priority by column is its number, or the time that it tells in days
 * (dates) or microseconds (timestamps); text is read as a number, and as a timestamp where it is none. Whoever has no
 * priority, or one that the order does not name, comes after all others, at infinity; {@code null} is for a plan without
 * priorities.
 */
final class Ranks {
    private static final Column LAST = lit(Double.POSITIVE_INFINITY);

    private Ranks() {}

    /** The rank of each row: {@code null} without a priority. */
    static Column of(Optional<Shape.Priority> priority, Columns columns) {
        return priority.map(first -> {
                    if (!first.order().isEmpty()) {
                        return place(words(first.column(), columns.type(first.column())), first.order());
                    }
                    return coalesce(number(first.column(), columns.type(first.column())), LAST);
                })
                .orElse(lit(null).cast(DataTypes.DoubleType));
    }

    /** Whether a row has a priority that says nothing. */
    static Column unreadable(Optional<Shape.Priority> priority, Columns columns) {
        return priority.filter(first -> first.order().isEmpty())
                .map(first -> {
                    String column = CheckedRows.quoted(first.column());
                    return expr("trim(cast(" + column + " AS string)) <> ''")
                            .and(number(first.column(), columns.type(first.column()))
                                    .isNull());
                })
                .map(unreadable -> coalesce(unreadable, lit(false)))
                .orElse(lit(false));
    }

    /** The place of a source in the order. */
    static Column ofSource(Shape.Id id, List<String> order) {
        return id.source()
                .filter(source -> !order.isEmpty())
                .map(source -> place(array(lower(trim(CheckedRows.text(source)))), order))
                .orElse(lit(null).cast(DataTypes.DoubleType));
    }

    /** Whether one of the words of {@code column}, alone or in a list, is among {@code wanted}. */
    static Column isOneOf(String column, DataType type, List<String> wanted) {
        return coalesce(arrays_overlap(words(column, type), literals(wanted)), lit(false));
    }

    /** The words of a column in lower case: of a list, of text with commas between them, or the only one. */
    private static Column words(String column, DataType type) {
        return Columns.isListOfText(type)
                ? expr("transform(" + CheckedRows.quoted(column) + ", word -> lower(trim(word)))")
                : split(lower(trim(CheckedRows.text(column))), "\\s*,\\s*");
    }

    private static Column literals(List<String> words) {
        return array(words.stream()
                .map(word -> lit(word.strip().toLowerCase(Locale.ROOT)))
                .toArray(Column[]::new));
    }

    private static Column place(Column words, List<String> order) {
        Column place = LAST;
        for (int i = order.size() - 1; i >= 0; i--) {
            place = when(arrays_overlap(words, literals(List.of(order.get(i)))), lit((double) i))
                    .otherwise(place);
        }
        return place;
    }

    private static Column number(String name, DataType type) {
        String column = CheckedRows.quoted(name);
        if (Columns.isDay(type)) {
            return expr("cast(unix_date(" + column + ") AS double)");
        }
        if (Columns.isInstant(type)) {
            return expr("cast(unix_micros(cast(" + column + " AS timestamp)) AS double)");
        }
        if (type instanceof StringType) {
            return expr("coalesce(try_cast(" + column + " AS double), cast(unix_micros(try_cast(" + column
                    + " AS timestamp)) AS double))");
        }
        return expr("cast(" + column + " AS double)");
    }
}
