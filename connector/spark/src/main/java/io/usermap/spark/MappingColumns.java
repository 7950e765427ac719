package io.usermap.spark;

import io.usermap.client.IdRules;
import io.usermap.client.InvalidSettingsException;
import io.usermap.client.Settings;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;
import org.jspecify.annotations.Nullable;

/**
 * Where the fields of a mapping stand in the rows of a write; -1 for a column that is not there.
 *
 * @param userId position of {@code user_id}
 * @param globalUserId position of {@code global_user_id}
 * @param unmap position of {@code unmap}
 * @param userIdName how the rows spell {@code user_id}
 */
record MappingColumns(int userId, int globalUserId, int unmap, String userIdName) implements Serializable {
    static final String USER_ID = "user_id";
    static final String GLOBAL_USER_ID = "global_user_id";
    static final String UNMAP = "unmap";

    /** The schema of a mapping. */
    static final StructType SCHEMA = new StructType()
            .add(USER_ID, DataTypes.StringType, false)
            .add(GLOBAL_USER_ID, DataTypes.StringType)
            .add(UNMAP, DataTypes.BooleanType);

    private static final Set<String> KNOWN = Set.of(USER_ID, GLOBAL_USER_ID, UNMAP);

    /**
     * Finds the columns by name, without regard to case.
     *
     * @throws InvalidSettingsException if one is missing, there twice, of another type, or superfluous
     */
    static MappingColumns of(StructType rows, UserMapOptions options) {
        List<String> problems = Settings.problems();
        int[] positions = {-1, -1, -1};
        List<String> extra = new ArrayList<>();
        StructField[] fields = rows.fields();
        for (int i = 0; i < fields.length; i++) {
            String name = fields[i].name().toLowerCase(Locale.ROOT);
            if (!KNOWN.contains(name)) {
                extra.add(fields[i].name());
                continue;
            }
            int column = name.equals(USER_ID) ? 0 : name.equals(GLOBAL_USER_ID) ? 1 : 2;
            if (positions[column] >= 0) {
                problems.add("Cannot write mappings: the rows have two columns '" + name + "'. Drop one.");
            }
            positions[column] = i;
            checkType(name, fields[i].dataType(), problems);
        }
        MappingColumns columns = new MappingColumns(
                positions[0], positions[1], positions[2], positions[0] < 0 ? USER_ID : fields[positions[0]].name());
        String present = String.join(", ", rows.fieldNames());
        if (columns.userId < 0) {
            problems.add("Cannot write mappings: the rows have no column 'user_id' (they have: " + present
                    + "). Rename one with withColumnRenamed or AS user_id.");
        }
        if (columns.globalUserId < 0 && columns.unmap < 0) {
            problems.add("Cannot write mappings: the rows have no column 'global_user_id' (they have: " + present
                    + "). Rename one with withColumnRenamed or AS global_user_id.");
        }
        if (!extra.isEmpty() && !options.ignoreExtraColumns()) {
            problems.add("Cannot write mappings: the rows have columns that no mapping has: " + String.join(", ", extra)
                    + ". Drop them, or set option 'ignoreExtraColumns' to true.");
        }
        Settings.throwIfAny(problems);
        return columns;
    }

    /** The user's id; null where there is none. */
    @Nullable
    String userId(InternalRow row) {
        return text(row, userId);
    }

    /** The global user's id; null where there is none. */
    @Nullable
    String globalUserId(InternalRow row) {
        return text(row, globalUserId);
    }

    /** Whether the row asks to unmap its user. */
    boolean unmap(InternalRow row) {
        return unmap >= 0 && !row.isNullAt(unmap) && row.getBoolean(unmap);
    }

    /** Null where there is no value. Bytes that are no UTF-8 yield an id that is refused as such. */
    private static @Nullable String text(InternalRow row, int column) {
        if (column < 0 || row.isNullAt(column)) {
            return null;
        }
        return IdRules.decoded(row.getUTF8String(column).getBytes());
    }

    private static void checkType(String name, DataType type, List<String> problems) {
        // A string with a collation sorts otherwise than it compares here: equal ids need not be adjacent.
        boolean right = type.equals(name.equals(UNMAP) ? DataTypes.BooleanType : DataTypes.StringType);
        if (!right) {
            String wanted = name.equals(UNMAP) ? "boolean" : "string";
            problems.add("Cannot write mappings: column '" + name + "' is of type " + type.simpleString() + ", not "
                    + wanted + ". Cast it with CAST(" + name + " AS " + wanted.toUpperCase(Locale.ROOT) + ").");
        }
    }
}
