package io.usermap.sandbox;

import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;

/**
 * One request as the sandbox saw it, for tests to assert on.
 *
 * @param number its place among all requests since the start, from 1, in the order of arrival
 * @param arrivedAt wall-clock time of the arrival; a request that a fault held arrives when it is let go
 * @param arrivedNanos monotonic time of the arrival, comparable between the requests of one sandbox; never decreases
 *     from one request to the next, and the window is counted by it
 * @param took the time from the end of reading it to the end of the answer, holds included; empty as long as it lasts
 * @param method the HTTP method, at most 20 characters of it
 * @param path the path without its query, at most 200 characters of it
 * @param status the status of the answer; 0 if a fault dropped the connection before there was one
 * @param stored whether its mappings were carried out, which a fault can make differ from the status
 * @param faults the names of the faults that befell it
 * @param keyFingerprint tells its API key apart from others without giving it away; empty if it had none
 * @param bytes the size of query and body, as encoded
 * @param mappings the mappings of a well-formed map or unmap call in the order received, whatever the answer; else empty
 * @param lookedUp the ids of a look-up in the order received; else empty
 */
public record SandboxRequest(
        long number,
        Instant arrivedAt,
        long arrivedNanos,
        Optional<Duration> took,
        String method,
        String path,
        int status,
        boolean stored,
        List<String> faults,
        Optional<String> keyFingerprint,
        long bytes,
        List<Mapping> mappings,
        List<String> lookedUp) {

    /** Copies the lists. */
    public SandboxRequest {
        faults = List.copyOf(faults);
        mappings = List.copyOf(mappings);
        lookedUp = List.copyOf(lookedUp);
    }

    /** How many mappings or looked-up ids it holds. */
    public int rows() {
        return mappings.size() + lookedUp.size();
    }

    /** How many of the mappings set a global user id. */
    public int maps() {
        return mappings.size() - unmaps();
    }

    /** How many of the mappings are unmaps. */
    public int unmaps() {
        return Math.toIntExact(mappings.stream().filter(Mapping::isUnmap).count());
    }

    SandboxRequest finishedAfter(Duration duration) {
        return new SandboxRequest(
                number,
                arrivedAt,
                arrivedNanos,
                Optional.of(duration),
                method,
                path,
                status,
                stored,
                faults,
                keyFingerprint,
                bytes,
                mappings,
                lookedUp);
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
