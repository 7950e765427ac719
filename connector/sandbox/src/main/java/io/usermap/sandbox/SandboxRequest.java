package io.usermap.sandbox;

import java.time.Instant;
import java.util.List;
import java.util.Optional;

/**
 * One request as the sandbox saw it, for tests to assert on.
 *
 * @param arrivedAt wall-clock time of the arrival
 * @param arrivedNanos monotonic time of the arrival, comparable between the requests of one sandbox; never decreases
 *     from one request to the next, and the window is counted by it
 * @param method the HTTP method
 * @param path the path without its query
 * @param status the status of the answer
 * @param mappings the mappings of a well-formed map or unmap call in the order received, whatever the answer; else empty
 * @param lookedUp the ids of a look-up in the order received; else empty
 */
public record SandboxRequest(
        Instant arrivedAt,
        long arrivedNanos,
        String method,
        String path,
        int status,
        List<Mapping> mappings,
        List<String> lookedUp) {

    /** Copies the lists. */
    public SandboxRequest {
        mappings = List.copyOf(mappings);
        lookedUp = List.copyOf(lookedUp);
    }

    /** How many of the mappings set a global user id. */
    public int maps() {
        return mappings.size() - unmaps();
    }

    /** How many of the mappings are unmaps. */
    public int unmaps() {
        return Math.toIntExact(mappings.stream().filter(Mapping::isUnmap).count());
    }

    /**
     * One element of the {@code mapping} field, leading spaces trimmed.
     *
     * @param userId the id to map or to unmap
     * @param globalUserId the id that it is mapped to; empty for an unmap
     */
    public record Mapping(String userId, Optional<String> globalUserId) {

        /** A mapping of {@code userId} to {@code globalUserId}. */
        public static Mapping map(String userId, String globalUserId) {
            return new Mapping(userId, Optional.of(globalUserId));
        }

        /** The removal of whatever mapping {@code userId} has. */
        public static Mapping unmap(String userId) {
            return new Mapping(userId, Optional.empty());
        }

        /** Whether this removes a mapping. */
        public boolean isUnmap() {
            return globalUserId.isEmpty();
        }
    }
}
