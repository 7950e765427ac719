package io.usermap.job;

import io.usermap.job.Keys.ShapeName;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.DecimalType;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;

/**
 * Which columns of a source mean what: told by the configuration, or recognised by name without regard to case.
 *
 * <p>Pure: looks at names and types, never at rows.
 */
sealed interface Shape {

    /**
     * Each row maps one user to one global user, or asks for an unmap.
     *
     * @param userId column of the user
     * @param globalUserId column of the global user
     * @param unmap boolean column that asks for an unmap, if there is one
     */
    record Pairs(String userId, String globalUserId, Optional<String> unmap) implements Shape {}

    /**
     * Each row puts one user into one cluster; all users of a cluster are one person.
     *
     * @param cluster column of the cluster
     * @param id column of the user
     */
    record Clusters(String cluster, String id) implements Shape {}

    /** Columns in which resolvers leave the cluster: Splink, generic, GraphFrames, Zingg. */
    List<String> CLUSTER_NAMES = List.of("cluster_id", "cluster", "component", "z_cluster", "zingg_id");

    /** Columns in which resolvers leave the id: Splink, GraphFrames, and what a query would name. */
    List<String> ID_NAMES = List.of("unique_id", "id", "user_id");

    /**
     * The shape of a source.
     *
     * @throws StoppedException if no shape or several fit, listing the candidates, or if a column is missing or its type
     *     cannot be an id
     */
    static Shape of(StructType schema, Configuration configuration) {
        Columns columns = new Columns(schema);
        Optional<String> cluster = configuration.optional(Keys.CLUSTER_COLUMN);
        Optional<String> global = configuration.optional(Keys.GLOBAL_ID_COLUMN);
        Optional<ShapeName> named = configuration.optional(Keys.SOURCE_SHAPE);
        boolean pairs = named.map(ShapeName.PAIRS::equals)
                .orElse(global.isPresent() || (columns.has("user_id") && columns.has("global_user_id")));
        boolean clusters = named.map(ShapeName.CLUSTERS::equals)
                .orElse(cluster.isPresent() || !columns.among(CLUSTER_NAMES).isEmpty());
        // What is configured decides; names are only guessed from.
        if (named.isEmpty() && global.isPresent() != cluster.isPresent()) {
            pairs = global.isPresent();
            clusters = cluster.isPresent();
        }
        if (pairs && clusters) {
            throw StoppedException.failed(
                    "Cannot tell the source's shape: its columns fit pairs (user_id, global_user_id)"
                            + " and clusters (" + String.join(", ", columns.among(CLUSTER_NAMES))
                            + "). Set 'source.shape' to pairs or clusters.");
        }
        if (pairs) {
            return pairs(columns, configuration);
        }
        if (clusters) {
            return new Clusters(
                    columns.id(cluster, Keys.CLUSTER_COLUMN.key(), "cluster", CLUSTER_NAMES),
                    columns.id(configuration.optional(Keys.ID_COLUMN), Keys.ID_COLUMN.key(), "user id", ID_NAMES));
        }
        throw StoppedException.failed("Cannot recognise the source's columns: " + columns.all()
                + " are neither pairs (user_id, global_user_id) nor clusters (a cluster and an id). Set 'source.shape' and"
                + " the columns, 'source.cluster-column' and 'source.id-column' for clusters.");
    }

    private static Shape pairs(Columns columns, Configuration configuration) {
        Optional<String> unmap = configuration
                .optional(Keys.UNMAP_COLUMN)
                .map(name -> columns.named(name, Keys.UNMAP_COLUMN.key()))
                .or(() -> columns.among(List.of("unmap")).stream().findFirst());
        unmap.ifPresent(columns::requireBoolean);
        return new Pairs(
                columns.id(configuration.optional(Keys.ID_COLUMN), Keys.ID_COLUMN.key(), "user id", List.of("user_id")),
                columns.id(
                        configuration.optional(Keys.GLOBAL_ID_COLUMN),
                        Keys.GLOBAL_ID_COLUMN.key(),
                        "global user id",
                        List.of("global_user_id")),
                unmap);
    }

    /**
     * The columns that a source has.
     *
     * @param schema names and types
     */
    record Columns(StructType schema) {

        private boolean has(String name) {
            return !among(List.of(name)).isEmpty();
        }

        private List<String> among(List<String> names) {
            return Arrays.stream(schema.fieldNames())
                    .filter(field -> names.contains(field.toLowerCase(Locale.ROOT)))
                    .toList();
        }

        private String all() {
            return schema.fieldNames().length == 0 ? "none" : String.join(", ", schema.fieldNames());
        }

        private String id(Optional<String> configured, String key, String meaning, List<String> names) {
            if (configured.isPresent()) {
                return requireId(named(configured.get(), key));
            }
            List<String> found = among(names);
            if (found.isEmpty()) {
                throw StoppedException.failed("Cannot find the source's column of the " + meaning + " among " + all()
                        + ". Set '" + key + "'.");
            }
            if (found.size() > 1) {
                throw StoppedException.failed("Cannot tell the source's column of the " + meaning + ": "
                        + String.join(" and ", found) + " could be it. Set '" + key + "'.");
            }
            return requireId(found.get(0));
        }

        private String named(String name, String key) {
            List<String> found = Arrays.stream(schema.fieldNames())
                    .filter(name::equalsIgnoreCase)
                    .toList();
            if (found.size() == 1) {
                return found.get(0);
            }
            throw StoppedException.failed("Cannot use column '" + name + "': the source has "
                    + (found.isEmpty() ? all() : found.size() + " of that name") + ". Set '" + key + "'.");
        }

        private String requireId(String column) {
            DataType type = type(column);
            boolean whole = List.of(DataTypes.LongType, DataTypes.IntegerType, DataTypes.ShortType, DataTypes.ByteType)
                            .contains(type)
                    || (type instanceof DecimalType decimal && decimal.scale() == 0);
            if (!type.equals(DataTypes.StringType) && !whole) {
                throw StoppedException.failed("Cannot use column '" + column + "' as an id: its type is "
                        + type.simpleString() + ", whose text is not one id. Cast it to string in 'source.sql'.");
            }
            return column;
        }

        private void requireBoolean(String column) {
            DataType type = type(column);
            if (!type.equals(DataTypes.BooleanType) && !type.equals(DataTypes.StringType)) {
                throw StoppedException.failed("Cannot use column '" + column + "' as unmap: its type is "
                        + type.simpleString() + ". Make it boolean in 'source.sql'.");
            }
        }

        private DataType type(String column) {
            return Arrays.stream(schema.fields())
                    .filter(field -> field.name().equals(column))
                    .map(StructField::dataType)
                    .findFirst()
                    .orElseThrow();
        }
    }

    /** The guess in words, for the screen. */
    default String inWords() {
        if (this instanceof Pairs pairs) {
            return "pairs: " + pairs.userId() + " maps to " + pairs.globalUserId()
                    + pairs.unmap().map(column -> ", " + column + " unmaps").orElse("");
        }
        Clusters clusters = (Clusters) this;
        return "clusters: " + clusters.id() + " by " + clusters.cluster();
    }
}
