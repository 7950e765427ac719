package io.usermap.job;

import java.util.List;
import java.util.Optional;
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
     * @param feed what makes the rows changes of such a table rather than the table itself
     * @param priority who comes first where an election is needed
     */
    record Pairs(
            String userId,
            String globalUserId,
            Optional<String> unmap,
            Optional<Feed> feed,
            Optional<Priority> priority)
            implements Shape {

        Pairs(String userId, String globalUserId, Optional<String> unmap) {
            this(userId, globalUserId, unmap, Optional.empty(), Optional.empty());
        }
    }

    /**
     * Each row puts one user into one cluster; all users of a cluster are one person.
     *
     * @param cluster column of the cluster
     * @param id the user
     * @param types which rows hold users at all
     * @param priority who comes first in the election
     */
    record Clusters(String cluster, Id id, Optional<Types> types, Optional<Priority> priority) implements Shape {

        Clusters(String cluster, String id) {
            this(cluster, new Id(Optional.empty(), id), Optional.empty(), Optional.empty());
        }
    }

    /**
     * Each row says that two users are one person; a cluster is whatever hangs together.
     *
     * @param left one of the users
     * @param right the other
     * @param score how sure it is, and how sure it must be
     * @param sources the order of sources in the election, first first; empty if there is none
     */
    record Edges(Id left, Id right, Optional<Score> score, List<String> sources) implements Shape {}

    /**
     * An id: one column, or {@code source-id} where ids are unique within their source only.
     *
     * @param source column that goes before the id
     * @param column column of the id itself
     */
    record Id(Optional<String> source, String column) {

        String inWords() {
            return source.map(name -> name + "-").orElse("") + column;
        }
    }

    /**
     * What makes rows changes: the last state of each user counts, a delete unmaps.
     *
     * @param changeType column with the kind of change
     * @param version column that orders them
     */
    record Feed(String changeType, String version) {}

    /**
     * Rows whose type is none of these hold something else than a user id of the service.
     *
     * @param column column of the type
     * @param wanted types that are user ids, without regard to case
     */
    record Types(String column, List<String> wanted) {}

    /**
     * An edge counts if its score is at least this.
     *
     * @param column column of the score
     * @param least the threshold, included
     */
    record Score(String column, double least) {}

    /**
     * Who comes first in an election.
     *
     * @param column what it is told from
     * @param order its words, first first, without regard to case; empty for the column's own order, smallest first
     */
    record Priority(String column, List<String> order) {

        String inWords() {
            return order.isEmpty() ? "smallest " + column + " first" : String.join(" before ", order) + " by " + column;
        }
    }

    /**
     * The shape of a source.
     *
     * @throws StoppedException if no shape or several fit, listing the candidates, if a column is missing or its type
     *     does not serve, or if the configuration asks for what the shape does not have
     */
    static Shape of(StructType schema, Configuration configuration) {
        return new Recognition(new Columns(schema), configuration).shape();
    }

    /** The ids that rows name, where they are more than a column's text. */
    default List<Id> ids() {
        if (this instanceof Edges edges) {
            return List.of(edges.left(), edges.right());
        }
        return this instanceof Clusters clusters ? List.of(clusters.id()) : List.of();
    }

    /** Whether the source says all there is; changes say only what became different. */
    default boolean isWhole() {
        return !(this instanceof Pairs pairs && pairs.feed().isPresent());
    }

    /** The guess in words, for the screen: {@code clusters: unique_id by cluster_id}. */
    default String inWords() {
        if (this instanceof Pairs pairs) {
            return (pairs.feed().isPresent() ? "changes: " : "pairs: ")
                    + pairs.userId()
                    + " maps to "
                    + pairs.globalUserId()
                    + pairs.unmap().map(column -> ", " + column + " unmaps").orElse("")
                    + pairs.feed()
                            .map(feed -> ", the last by " + feed.version() + " counts, a delete unmaps")
                            .orElse("")
                    + pairs.priority().map(first -> ", " + first.inWords()).orElse("");
        }
        if (this instanceof Edges edges) {
            return "edges: " + edges.left().inWords() + " with " + edges.right().inWords()
                    + edges.score()
                            .map(score -> ", " + score.column() + " at least " + score.least())
                            .orElse("")
                    + (edges.sources().isEmpty() ? "" : ", " + String.join(" before ", edges.sources()));
        }
        Clusters clusters = (Clusters) this;
        return "clusters: " + clusters.id().inWords() + " by " + clusters.cluster()
                + clusters.types()
                        .map(types -> ", where " + types.column() + " is " + String.join(" or ", types.wanted()))
                        .orElse("")
                + clusters.priority().map(first -> ", " + first.inWords()).orElse("");
    }

    /** How to say that the guess is wrong, for the screen. */
    default String howToOverride() {
        if (this instanceof Pairs pairs) {
            return "not so? 'source.shape', 'source.id-column', 'source.global-id-column', 'source.unmap-column'"
                    + (pairs.feed().isPresent() ? ", 'source.change-type-column'" : "") + " say otherwise";
        }
        if (this instanceof Edges edges) {
            return "not so? 'source.shape', 'source.left-id-column', 'source.right-id-column', 'source.score-column'"
                    + " say otherwise" + joined(edges.left(), "left-id-column");
        }
        Clusters clusters = (Clusters) this;
        return "not so? 'source.shape', 'source.cluster-column', 'source.id-column'"
                + (clusters.types().isPresent() ? ", 'source.id-type-column', 'source.id-types'" : "")
                + " say otherwise" + joined(clusters.id(), "id-column");
    }

    private static String joined(Id id, String key) {
        return id.source()
                .map(source -> "; '" + id.column() + "' alone may be two people in two of '" + source
                        + "', so both are joined with '-': 'source." + key + "' = " + id.column() + " takes it alone")
                .orElse("");
    }
}
