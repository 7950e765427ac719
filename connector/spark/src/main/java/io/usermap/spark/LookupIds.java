package io.usermap.spark;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.usermap.client.InvalidSettingsException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.apache.spark.sql.sources.And;
import org.apache.spark.sql.sources.EqualNullSafe;
import org.apache.spark.sql.sources.EqualTo;
import org.apache.spark.sql.sources.Filter;
import org.apache.spark.sql.sources.In;
import org.apache.spark.sql.sources.Or;

/** Which ids a read is about, from its option and its conditions; pure. The service cannot list what it holds. */
final class LookupIds {
    private static final ObjectMapper JSON = new ObjectMapper();

    private LookupIds() {}

    /**
     * The ids of option {@code userIds}.
     *
     * @throws InvalidSettingsException if it is no JSON array of strings; the text is not repeated, for it holds ids
     */
    static List<String> parse(String json) {
        List<String> ids = new ArrayList<>();
        try {
            JsonNode array = JSON.readTree(json);
            if (array.isArray()) {
                for (JsonNode id : array) {
                    if (!id.isTextual()) {
                        throw unreadable("element " + (ids.size() + 1) + " is not a string");
                    }
                    ids.add(id.textValue());
                }
                return ids;
            }
        } catch (JsonProcessingException e) {
            throw unreadable("it is not JSON");
        }
        throw unreadable("it is not an array");
    }

    private static InvalidSettingsException unreadable(String fact) {
        return new InvalidSettingsException("Cannot parse option 'userIds': " + fact
                + ". Write a JSON array of strings, for example [\"ann\", \"bob\"].");
    }

    /**
     * The users who can fulfil {@code condition}; empty if it names none.
     *
     * <p>Only {@code =} and {@code IN} on {@code user_id} name users, and what {@code OR} and {@code AND} make of them:
     * {@code user_id = 'a' OR user_id IN ('b', 'c')} names three; {@code user_id = 'a' OR unmap} names nobody, because
     * anybody may be unmapped.
     */
    static Optional<Set<String>> named(Filter condition) {
        if (condition instanceof EqualTo equal) {
            return named(equal.attribute(), equal.value());
        } else if (condition instanceof EqualNullSafe equal) {
            return named(equal.attribute(), equal.value());
        } else if (condition instanceof In in) {
            return named(in.attribute(), in.values());
        } else if (condition instanceof Or or) {
            return named(or.left())
                    .flatMap(left -> named(or.right()).map(right -> {
                        Set<String> both = new LinkedHashSet<>(left);
                        both.addAll(right);
                        return both;
                    }));
        } else if (condition instanceof And and) {
            return both(named(and.left()), named(and.right()));
        }
        return Optional.empty();
    }

    /** The users whom both name; whom one names, if the other names nobody in particular. */
    static Optional<Set<String>> both(Optional<Set<String>> left, Optional<Set<String>> right) {
        if (left.isEmpty() || right.isEmpty()) {
            return left.or(() -> right);
        }
        Set<String> common = new LinkedHashSet<>(left.get());
        common.retainAll(right.get());
        return Optional.of(common);
    }

    private static Optional<Set<String>> named(String column, Object... values) {
        if (!column.equalsIgnoreCase(MappingColumns.USER_ID)) {
            return Optional.empty();
        }
        Set<String> ids = new LinkedHashSet<>();
        // Nobody is equal to null.
        Arrays.stream(values).filter(String.class::isInstance).forEach(id -> ids.add((String) id));
        return Optional.of(ids);
    }
}
