package io.usermap.job;

import io.usermap.client.Setting;
import io.usermap.client.ValueType;
import io.usermap.job.Keys.Mode;
import io.usermap.job.Keys.ShapeName;
import io.usermap.job.Producer.Role;
import java.util.ArrayList;
import java.util.Collection;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/**
 * The way from a source's columns to its shape.
 *
 * <p>Every producer that could have written the columns gives readings of them. What the configuration names is settled
 * and no guess; a reading that uses only some of another one's columns says less, and goes. If more than one is left, a
 * person decides. Pure.
 */
final class Recognition {
    private static final String CHANGE_TYPE = "_change_type";
    private static final List<String> CHANGE_VERSIONS = List.of("_commit_version", "_change_ordinal");
    private static final List<String> USER_ID_TYPES = List.of("user_id");

    private final Columns columns;
    private final Configuration configuration;
    private final Optional<ShapeName> named;
    private final Map<Role, String> pinned = new EnumMap<>(Role.class);

    /**
     * Columns by role, as one producer would have meant them.
     *
     * @param producer who writes such columns
     * @param roles the columns, the most telling first
     */
    private record Reading(Producer producer, Map<Role, String> roles) {

        String inWords() {
            return ValueType.word(producer.shape()) + " (" + String.join(", ", roles.values()) + ")";
        }

        Optional<String> column(Role role) {
            return Optional.ofNullable(roles.get(role));
        }

        String needed(Role role) {
            return column(role).orElseThrow();
        }

        boolean saysLessThan(Reading other) {
            Collection<String> more = other.roles.values();
            return producer.shape() == other.producer.shape()
                    && more.size() > roles.size()
                    && more.containsAll(roles.values());
        }
    }

    Recognition(Columns columns, Configuration configuration) {
        this.columns = columns;
        this.configuration = configuration;
        this.named = configuration.optional(Keys.SOURCE_SHAPE);
        for (Role role : Role.values()) {
            role.key()
                    .flatMap(key -> configuration.optional(key).map(name -> columns.named(name, key)))
                    .ifPresent(column -> pinned.put(role, column));
        }
    }

    /** The shape, as {@link Shape#of} says. */
    Shape shape() {
        Optional<String> changeType = changeType();
        List<Reading> readings = readings();
        if (readings.isEmpty()) {
            throw nothing();
        }
        if (readings.size() > 1) {
            throw StoppedException.failed("Cannot tell the source's shape: its columns can be read as "
                    + String.join(
                            " or as ", readings.stream().map(Reading::inWords).toList())
                    + ". Set " + deciding(readings) + ".");
        }
        Reading reading = readings.get(0);
        Shape shape = switch (reading.producer().shape()) {
            case CLUSTERS -> clusters(reading);
            case EDGES -> edges(reading);
            case PAIRS, CHANGES -> pairs(reading, changeType);
        };
        if (changeType.isPresent() && shape.isWhole()) {
            throw StoppedException.failed("Cannot plan from a change feed of " + reading.inWords()
                    + ": rows that did not change are not in it, and they decide who stands for whom. Read the table"
                    + " itself, or keep a table of pairs and read its changes.");
        }
        checkThatNothingIsSetInVain(shape);
        return shape;
    }

    /** The column with the kind of change, if the source is a feed and nobody says that it is not. */
    private Optional<String> changeType() {
        if (named.isPresent() && named.get() != ShapeName.CHANGES) {
            return Optional.empty();
        }
        Optional<String> found = configuration
                .optional(Keys.CHANGE_TYPE_COLUMN)
                .map(name -> columns.named(name, Keys.CHANGE_TYPE_COLUMN))
                .or(() -> among(List.of(CHANGE_TYPE)));
        if (found.isEmpty() && named.isPresent()) {
            throw StoppedException.failed(
                    "Cannot find the source's column of the kind of change among " + columns.inWords()
                            + ". Set 'source.start-version' to read a table's change feed, or 'source.change-type-column'.");
        }
        return found;
    }

    private Optional<String> among(List<String> names) {
        return columns.names().stream()
                .filter(field -> names.contains(field.toLowerCase(Locale.ROOT)))
                .findFirst();
    }

    private boolean mayBe(Producer producer) {
        return named.isEmpty()
                || named.get() == producer.shape()
                || (named.get() == ShapeName.CHANGES && producer.shape() == ShapeName.PAIRS);
    }

    private List<Reading> readings() {
        Map<Map<Role, String>, Reading> different = new LinkedHashMap<>();
        Producer.ALL.stream()
                .filter(this::mayBe)
                .forEach(producer -> producer.readings(columns.names(), pinned)
                        .forEach(roles -> different.putIfAbsent(new HashMap<>(roles), new Reading(producer, roles))));
        return different.values().stream()
                .filter(reading -> different.values().stream().noneMatch(reading::saysLessThan))
                .toList();
    }

    /** The keys that would settle what the readings do not agree about. */
    private static String deciding(List<Reading> readings) {
        if (readings.stream()
                        .map(reading -> reading.producer().shape())
                        .distinct()
                        .count()
                > 1) {
            return "'source.shape'";
        }
        List<String> keys = new ArrayList<>();
        for (Role role : Role.values()) {
            long columns = readings.stream()
                    .map(reading -> reading.column(role))
                    .distinct()
                    .count();
            if (columns > 1) {
                role.key().map(Setting::key).ifPresent(key -> keys.add("'" + key + "'"));
            }
        }
        return String.join(" and ", keys);
    }

    private StoppedException nothing() {
        return Producer.ALL.stream()
                .filter(Producer::isConvention)
                .filter(this::mayBe)
                .flatMap(producer -> producer.missing(columns.names(), pinned, named.isPresent()).stream())
                .findFirst()
                .map(role -> StoppedException.failed("Cannot find the source's column of the " + role.meaning()
                        + " among " + columns.inWords() + ". Set '"
                        + role.key().map(Setting::key).orElse(Keys.SOURCE_SHAPE.key()) + "'."))
                .orElseGet(() -> StoppedException.failed("Cannot recognise the source's columns: " + columns.inWords()
                        + " are neither pairs (user_id, global_user_id) nor clusters (a cluster and an id) nor edges"
                        + " (two ids). Set 'source.shape' and the columns, for example 'source.cluster-column' and"
                        + " 'source.id-column' for clusters."));
    }

    private Shape pairs(Reading reading, Optional<String> changeType) {
        reading.column(Role.UNMAP).ifPresent(columns::requireBoolean);
        return new Shape.Pairs(
                id(reading, Role.ID),
                id(reading, Role.GLOBAL),
                reading.column(Role.UNMAP),
                changeType.map(this::feed),
                priority(Optional.empty()));
    }

    private Shape.Feed feed(String changeType) {
        columns.requireWords(changeType);
        String version = among(CHANGE_VERSIONS)
                .orElseThrow(() -> StoppedException.failed("Cannot tell the order of changes: the source has none of "
                        + String.join(", ", CHANGE_VERSIONS)
                        + ". Name the column that counts the commits _commit_version in 'source.sql'."));
        columns.requireVersion(version);
        if (configuration.value(Keys.MODE) == Mode.MIRROR) {
            throw StoppedException.failed("Cannot plan changes with 'plan.mode' = mirror: users that did not change are"
                    + " not in the source, and mirror would unmap them. Set it to upsert, or read the table itself.");
        }
        return new Shape.Feed(changeType, version);
    }

    private Shape clusters(Reading reading) {
        Optional<Shape.Types> types = reading.column(Role.ID_TYPE)
                .map(column -> new Shape.Types(
                        column, configuration.optional(Keys.ID_TYPES).orElse(USER_ID_TYPES)));
        types.ifPresent(filter -> columns.requireWords(filter.column()));
        return new Shape.Clusters(
                id(reading, Role.CLUSTER),
                joinedId(reading, Role.ID, Role.SOURCE),
                types,
                priority(types.map(Shape.Types::column).or(() -> reading.column(Role.SOURCE))));
    }

    private Shape edges(Reading reading) {
        Optional<Double> least = configuration.optional(Keys.MIN_SCORE);
        Optional<String> column = reading.column(Role.SCORE);
        column.ifPresent(columns::requireScore);
        if (column.isPresent() && least.isEmpty()) {
            throw StoppedException.failed("Cannot use edges of any score: the source has '" + column.get()
                    + "', and one weak edge makes two people one. Set 'source.min-score' to the least that counts.");
        }
        if (configuration.optional(Keys.PRIORITY_COLUMN).isPresent()) {
            throw StoppedException.failed("Cannot use 'election.priority-column': the source's shape is edges, whose"
                    + " columns describe two users each. Leave it out.");
        }
        List<String> order = configuration.optional(Keys.PRIORITY).orElse(List.of());
        if (!order.isEmpty()
                && !(reading.column(Role.LEFT_SOURCE).isPresent()
                        && reading.column(Role.RIGHT_SOURCE).isPresent())) {
            throw noColumnForThePriority();
        }
        return new Shape.Edges(
                joinedId(reading, Role.LEFT, Role.LEFT_SOURCE),
                joinedId(reading, Role.RIGHT, Role.RIGHT_SOURCE),
                column.map(score -> new Shape.Score(score, least.orElseThrow())),
                order);
    }

    private String id(Reading reading, Role role) {
        String column = reading.needed(role);
        columns.requireId(column);
        return column;
    }

    /** An id that a person named is taken as it is. */
    private Shape.Id joinedId(Reading reading, Role role, Role source) {
        Optional<String> before = pinned.containsKey(role) ? Optional.empty() : reading.column(source);
        before.ifPresent(columns::requireId);
        return new Shape.Id(before, id(reading, role));
    }

    private Optional<Shape.Priority> priority(Optional<String> described) {
        Optional<Shape.Priority> byColumn = configuration
                .optional(Keys.PRIORITY_COLUMN)
                .map(name -> new Shape.Priority(columns.named(name, Keys.PRIORITY_COLUMN), List.of()));
        byColumn.ifPresent(priority -> columns.requireOrdered(priority.column()));
        return byColumn.or(() -> configuration
                .optional(Keys.PRIORITY)
                .map(order -> new Shape.Priority(described.orElseThrow(Recognition::noColumnForThePriority), order)));
    }

    private static StoppedException noColumnForThePriority() {
        return StoppedException.failed("Cannot order users by 'election.priority': the source has no column of id types"
                + " or sources. Set 'source.id-type-column', or 'election.priority-column'.");
    }

    private void checkThatNothingIsSetInVain(Shape shape) {
        requireMeaning(Keys.START_VERSION, !shape.isWhole(), shape, "'source.shape' to changes");
        requireMeaning(
                Keys.MIN_SCORE,
                shape instanceof Shape.Edges edges && edges.score().isPresent(),
                shape,
                "'source.score-column'");
        requireMeaning(
                Keys.ID_TYPES,
                shape instanceof Shape.Clusters clusters && clusters.types().isPresent(),
                shape,
                "'source.id-type-column'");
    }

    private void requireMeaning(Setting<?> key, boolean meaning, Shape shape, String other) {
        if (!meaning && configuration.optional(key).isPresent()) {
            throw StoppedException.failed("Cannot use '" + key.key() + "': the source is read as " + shape.inWords()
                    + ". Leave it out, or set " + other + ".");
        }
    }
}
