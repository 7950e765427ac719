package io.usermap.spark;

import io.usermap.client.ServiceException;
import io.usermap.client.UserLinks;
import io.usermap.client.UserLinks.LinkedUser;
import java.util.List;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.GenericInternalRow;
import org.apache.spark.sql.catalyst.util.ArrayData;
import org.apache.spark.sql.catalyst.util.GenericArrayData;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.unsafe.types.UTF8String;
import org.jspecify.annotations.Nullable;

/** As which rows links are read. */
enum LookupRows {
    /** One row for each user asked for, with its links; both lists are null where the service tells nothing. */
    LINKS,
    /** One row for each direct target, as a mapping would be written; none for a user without one. */
    MAPPINGS;

    private static final DataType LINKED = DataTypes.createArrayType(
            new StructType().add("amplitude_id", DataTypes.LongType, false).add("user_id", DataTypes.StringType, false),
            false);

    /** The schema of {@link #LINKS}. */
    static final StructType LINKS_SCHEMA = new StructType()
            .add("user_id", DataTypes.StringType, false)
            .add("mapped_to", LINKED)
            .add("mapped_from", LINKED);

    StructType schema() {
        return this == LINKS ? LINKS_SCHEMA : MappingColumns.SCHEMA;
    }

    /**
     * The rows of one user.
     *
     * @throws ServiceException if mappings are asked for and the service tells nothing: no row would say that there are none
     */
    List<InternalRow> internal(UserLinks links) {
        UTF8String user = UTF8String.fromString(links.userId());
        if (this == LINKS) {
            return List.of(row(
                    user,
                    links.told() ? array(links.mappedTo()) : null,
                    links.told() ? array(links.mappedFrom()) : null));
        }
        if (!links.told()) {
            throw new ServiceException(
                    "Cannot read the mappings of all users asked for: of one of them the service tells nothing. Read"
                            + " table 'lookup' instead, where it is the row without lists.",
                    0,
                    false);
        }
        return links.mappedTo().stream()
                .map(target -> row(user, UTF8String.fromString(target.userId()), false))
                .toList();
    }

    private static ArrayData array(List<LinkedUser> users) {
        return new GenericArrayData(users.stream()
                .map(user -> row(user.amplitudeId(), UTF8String.fromString(user.userId())))
                .toArray());
    }

    private static InternalRow row(@Nullable Object... values) {
        return new GenericInternalRow(values);
    }

    /** The row of {@link #LINKS} for one user. */
    static Row external(UserLinks links) {
        return RowFactory.create(
                links.userId(),
                links.told() ? rows(links.mappedTo()) : null,
                links.told() ? rows(links.mappedFrom()) : null);
    }

    private static Row[] rows(List<LinkedUser> users) {
        return users.stream()
                .map(user -> RowFactory.create(user.amplitudeId(), user.userId()))
                .toArray(Row[]::new);
    }
}
