package io.usermap.job;

import io.usermap.client.Setting;
import java.util.Arrays;
import java.util.List;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.BooleanType;
import org.apache.spark.sql.types.ByteType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DateType;
import org.apache.spark.sql.types.DecimalType;
import org.apache.spark.sql.types.IntegerType;
import org.apache.spark.sql.types.LongType;
import org.apache.spark.sql.types.MapType;
import org.apache.spark.sql.types.NumericType;
import org.apache.spark.sql.types.ShortType;
import org.apache.spark.sql.types.StringType;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.sql.types.TimestampNTZType;
import org.apache.spark.sql.types.TimestampType;

/**
 * The columns that a source has, and what their types can be used for; pure.
 *
 * @param schema names and types
 */
record Columns(StructType schema) {

    List<String> names() {
        return List.of(schema.fieldNames());
    }

    /** All names, for errors. */
    String inWords() {
        return schema.fieldNames().length == 0 ? "none" : String.join(", ", schema.fieldNames());
    }

    /** The column that {@code key} names, as the source writes it. */
    String named(String name, Setting<String> key) {
        List<String> found = names().stream().filter(name::equalsIgnoreCase).toList();
        if (found.size() == 1) {
            return found.get(0);
        }
        throw StoppedException.failed("Cannot use column '" + name + "': the source has "
                + (found.isEmpty() ? inWords() : found.size() + " of that name") + ". Set '" + key.key() + "'.");
    }

    /** Text and whole numbers: what has one text only. */
    void requireId(String column) {
        DataType type = type(column);
        if (type instanceof ArrayType || type instanceof MapType || type instanceof StructType) {
            throw StoppedException.failed("Cannot use column '" + column + "' as an id: its type is "
                    + type.simpleString() + ", which holds several values. Make it one row for each id in 'source.sql',"
                    + " for example with explode.");
        }
        if (!(type instanceof StringType) && !isWhole(type)) {
            throw StoppedException.failed("Cannot use column '" + column + "' as an id: its type is "
                    + type.simpleString() + ", whose text is not one id. Cast it to string in 'source.sql'.");
        }
    }

    void requireBoolean(String column) {
        DataType type = type(column);
        require(
                type instanceof BooleanType || type instanceof StringType,
                column,
                "unmap",
                "Make it boolean in 'source.sql'.");
    }

    void requireScore(String column) {
        DataType type = type(column);
        require(
                type instanceof NumericType || type instanceof StringType,
                column,
                "a score",
                "Make it a number in 'source.sql'.");
    }

    void requireWords(String column) {
        DataType type = type(column);
        require(
                type instanceof StringType || isListOfText(type),
                column,
                "a type of ids or of changes",
                "Make it a string in 'source.sql'.");
    }

    void requireVersion(String column) {
        require(isWhole(type(column)), column, "the order of changes", "Make it a bigint in 'source.sql'.");
    }

    void requireOrdered(String column) {
        DataType type = type(column);
        require(
                type instanceof NumericType || type instanceof StringType || isDay(type) || isInstant(type),
                column,
                "a priority",
                "Use a number, a date or a timestamp.");
    }

    private void require(boolean usable, String column, String purpose, String next) {
        if (!usable) {
            throw StoppedException.failed("Cannot use column '" + column + "' as " + purpose + ": its type is "
                    + type(column).simpleString() + ". " + next);
        }
    }

    DataType type(String column) {
        return Arrays.stream(schema.fields())
                .filter(field -> field.name().equals(column))
                .map(StructField::dataType)
                .findFirst()
                .orElseThrow();
    }

    static boolean isListOfText(DataType type) {
        return type instanceof ArrayType list && list.elementType() instanceof StringType;
    }

    static boolean isDay(DataType type) {
        return type instanceof DateType;
    }

    static boolean isInstant(DataType type) {
        return type instanceof TimestampType || type instanceof TimestampNTZType;
    }

    private static boolean isWhole(DataType type) {
        return type instanceof LongType
                || type instanceof IntegerType
                || type instanceof ShortType
                || type instanceof ByteType
                || (type instanceof DecimalType decimal && decimal.scale() == 0);
    }
}
