package io.usermap.job;

import io.usermap.client.Setting;
import io.usermap.job.Keys.ShapeName;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/**
 * Who leaves which columns in a warehouse: the table from which shapes are recognised.
 *
 * <p>Names are those that the producers' documentation or source shows, matched without regard to case; {@code *_main_id}
 * stands for any beginning. A producer of no name is a convention that anybody may follow, and the one whose columns may
 * be overridden freely. Pure data and matching; knows no rows.
 *
 * @param name as people call it; empty for a convention
 * @param shape what its rows are
 * @param needs columns without which it is not recognised, the most telling role first
 * @param takes columns that are used where they are
 */
record Producer(String name, ShapeName shape, List<Column> needs, List<Column> takes) {

    /** What a column may be to us, and the key that names another one for it. */
    enum Role {
        CLUSTER("cluster"),
        GLOBAL("global user id"),
        LEFT("left id"),
        RIGHT("right id"),
        ID("user id"),
        ID_TYPE("type of the id"),
        SCORE("score"),
        UNMAP("unmap"),
        /** Where the record of the id comes from; without it the id alone may mean two people. */
        SOURCE("record's source"),
        LEFT_SOURCE("left record's source"),
        RIGHT_SOURCE("right record's source");

        private final String meaning;

        Role(String meaning) {
            this.meaning = meaning;
        }

        String meaning() {
            return meaning;
        }

        Optional<Setting<String>> key() {
            return switch (this) {
                case CLUSTER -> Optional.of(Keys.CLUSTER_COLUMN);
                case GLOBAL -> Optional.of(Keys.GLOBAL_ID_COLUMN);
                case LEFT -> Optional.of(Keys.LEFT_ID_COLUMN);
                case RIGHT -> Optional.of(Keys.RIGHT_ID_COLUMN);
                case ID -> Optional.of(Keys.ID_COLUMN);
                case ID_TYPE -> Optional.of(Keys.ID_TYPE_COLUMN);
                case SCORE -> Optional.of(Keys.SCORE_COLUMN);
                case UNMAP -> Optional.of(Keys.UNMAP_COLUMN);
                case SOURCE, LEFT_SOURCE, RIGHT_SOURCE -> Optional.empty();
            };
        }
    }

    /**
     * A column by its role.
     *
     * @param role what it is to us
     * @param names the names that it may have, in lower case
     */
    record Column(Role role, List<String> names) {

        boolean isNamed(String field) {
            String lower = field.toLowerCase(Locale.ROOT);
            return names.stream()
                    .anyMatch(name -> name.startsWith("*") ? lower.endsWith(name.substring(1)) : lower.equals(name));
        }
    }

    /** Every producer that is known, those with more telling columns first. */
    static final List<Producer> ALL = List.of(
            of("Senzing", ShapeName.CLUSTERS)
                    .needs(Role.CLUSTER, "cluster_id")
                    .needs(Role.SOURCE, "data_source")
                    .needs(Role.ID, "record_id"),
            of("RudderStack", ShapeName.CLUSTERS)
                    .needs(Role.CLUSTER, "*_main_id")
                    .needs(Role.ID, "other_id")
                    .needs(Role.ID_TYPE, "other_id_type"),
            // The package named the column "edge" before it named it "node".
            of("RudderStack's dbt package", ShapeName.CLUSTERS)
                    .needs(Role.CLUSTER, "rudder_id")
                    .needs(Role.ID, "node", "edge")
                    .needs(Role.ID_TYPE, "labels"),
            of("Segment", ShapeName.CLUSTERS)
                    .needs(Role.CLUSTER, "canonical_segment_id")
                    .needs(Role.ID, "value")
                    .needs(Role.ID_TYPE, "type"),
            of("Segment", ShapeName.CLUSTERS)
                    .needs(Role.CLUSTER, "canonical_segment_id")
                    .needs(Role.ID, "external_id_value")
                    .needs(Role.ID_TYPE, "external_id_type"),
            of("Snowplow", ShapeName.CLUSTERS)
                    .needs(Role.CLUSTER, "active_snowplow_id")
                    .needs(Role.ID, "id_value")
                    .needs(Role.ID_TYPE, "id_type"),
            of("Hightouch", ShapeName.CLUSTERS)
                    .needs(Role.CLUSTER, "ht_id")
                    .needs(Role.SOURCE, "source")
                    .needs(Role.ID, "primary_key"),
            of("Hightouch", ShapeName.CLUSTERS)
                    .needs(Role.CLUSTER, "ht_id")
                    .needs(Role.ID, "value")
                    .needs(Role.ID_TYPE, "identifier"),
            of("AWS Entity Resolution", ShapeName.CLUSTERS)
                    .needs(Role.CLUSTER, "matchid")
                    .needs(Role.ID, "recordid"),
            of("Salesforce", ShapeName.CLUSTERS)
                    .needs(Role.CLUSTER, "unifiedrecordid__c")
                    .needs(Role.ID, "sourcerecordid__c"),
            of("Splink", ShapeName.CLUSTERS)
                    .needs(Role.CLUSTER, "cluster_id")
                    .needs(Role.ID, "unique_id")
                    .takes(Role.SOURCE, "source_dataset"),
            of("GraphFrames", ShapeName.CLUSTERS)
                    .needs(Role.CLUSTER, "component")
                    .needs(Role.ID, "id"),
            of("", ShapeName.CLUSTERS)
                    .needs(Role.CLUSTER, "cluster_id", "cluster", "component", "z_cluster", "zingg_id")
                    .needs(Role.ID, "unique_id", "id", "user_id")
                    .takes(Role.ID_TYPE),
            of("Splink", ShapeName.EDGES)
                    .needs(Role.LEFT, "unique_id_l")
                    .needs(Role.RIGHT, "unique_id_r")
                    .takes(Role.SCORE, "match_probability", "clerical_match_score")
                    .takes(Role.LEFT_SOURCE, "source_dataset_l")
                    .takes(Role.RIGHT_SOURCE, "source_dataset_r"),
            of("", ShapeName.EDGES)
                    .needs(Role.LEFT, "unique_id_l", "src")
                    .needs(Role.RIGHT, "unique_id_r", "dst")
                    .takes(Role.SCORE, "match_probability", "clerical_match_score", "score"),
            of("", ShapeName.PAIRS)
                    .needs(Role.GLOBAL, "global_user_id")
                    .needs(Role.ID, "user_id")
                    .takes(Role.UNMAP, "unmap"));

    private static Producer of(String name, ShapeName shape) {
        return new Producer(name, shape, List.of(), List.of());
    }

    private Producer needs(Role role, String... names) {
        return new Producer(name, shape, with(needs, role, names), takes);
    }

    private Producer takes(Role role, String... names) {
        return new Producer(name, shape, needs, with(takes, role, names));
    }

    private static List<Column> with(List<Column> columns, Role role, String... names) {
        List<Column> all = new ArrayList<>(columns);
        all.add(new Column(role, List.of(names)));
        return List.copyOf(all);
    }

    /** Whether this is a convention, whose columns may have other names where the configuration says so. */
    boolean isConvention() {
        return name.isEmpty();
    }

    /** Whether rows of this shape have such a column at all. */
    boolean knows(Role role) {
        return needs.stream().anyMatch(column -> column.role() == role)
                || takes.stream().anyMatch(column -> column.role() == role);
    }

    /**
     * Every way to read {@code fields} as this producer's; empty if something is missing.
     *
     * @param fields the source's columns
     * @param pinned columns that the configuration names; a convention takes any, others only what they would write
     */
    List<Map<Role, String>> readings(List<String> fields, Map<Role, String> pinned) {
        if (!pinned.keySet().stream().allMatch(this::knows)) {
            return List.of();
        }
        List<Map<Role, String>> readings = List.of(Map.of());
        for (Column column : needs) {
            readings = extended(readings, column.role(), found(column, fields, pinned));
        }
        for (Column column : takes) {
            List<String> found = found(column, fields, pinned);
            readings = found.isEmpty() ? readings : extended(readings, column.role(), found);
        }
        return readings;
    }

    private static List<Map<Role, String>> extended(List<Map<Role, String>> readings, Role role, List<String> found) {
        return readings.stream()
                .flatMap(reading -> found.stream().map(field -> {
                    Map<Role, String> longer = new LinkedHashMap<>(reading);
                    longer.put(role, field);
                    return Collections.unmodifiableMap(longer);
                }))
                .toList();
    }

    private List<String> found(Column column, List<String> fields, Map<Role, String> pinned) {
        String field = pinned.get(column.role());
        if (field == null) {
            return fields.stream().filter(column::isNamed).toList();
        }
        return isConvention() || column.isNamed(field) ? List.of(field) : List.of();
    }

    /**
     * The first needed role for which there is no column.
     *
     * @param certain whether the source is known to be of this shape; otherwise its telling column must be there
     */
    Optional<Role> missing(List<String> fields, Map<Role, String> pinned, boolean certain) {
        if (!certain && found(needs.get(0), fields, pinned).isEmpty()) {
            return Optional.empty();
        }
        return needs.stream()
                .filter(column -> found(column, fields, pinned).isEmpty())
                .map(Column::role)
                .findFirst();
    }
}
