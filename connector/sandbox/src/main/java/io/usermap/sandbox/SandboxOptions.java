package io.usermap.sandbox;

import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import java.util.Set;

/**
 * What a {@link Sandbox} enforces, and how it settles the points that the API's documentation leaves open.
 *
 * <p>Immutable. The defaults are the documented limits; start from {@link #builder()}. The four switches at the end stand
 * for behaviour that nobody outside the service knows: their defaults are choices, not facts.
 *
 * @param port the port on 127.0.0.1, 0 to 65535; 0 takes a free one
 * @param path the folder that keeps the mappings between runs; without it they are lost at the end
 * @param eventsPerSecond mappings per second, averaged over the window; 1 or more
 * @param window the length of the sliding window, longer than zero
 * @param keys the API keys that are accepted; empty accepts every key that is not empty
 * @param secretKey the secret key that look-ups must show; without it any is accepted
 * @param minIdLength the fewest characters of an id in a request that sets no {@code min_id_length}; 1 to 1,024
 * @param throttledCalls whether a call answered with 429 counts towards the window
 * @param remaps what happens to a mapping of an id that is mapped to another id
 * @param chains what happens to a mapping onto a mapped id, or of an id that others are mapped to
 * @param selfMaps what happens to a mapping of an id to itself
 */
public record SandboxOptions(
        int port,
        Optional<Path> path,
        int eventsPerSecond,
        Duration window,
        Set<String> keys,
        Optional<String> secretKey,
        int minIdLength,
        ThrottledCalls throttledCalls,
        Treatment remaps,
        Treatment chains,
        Treatment selfMaps) {

    /** Whether a call that is answered with 429 counts towards the window. The documentation does not say. */
    public enum ThrottledCalls {
        /** Only what was accepted counts. */
        FREE,
        /** The mappings of a refused call count too, so a sender that does not pause stays locked out. */
        COUNTED
    }

    /** What happens to a mapping whose effect the documentation does not describe. */
    public enum Treatment {
        /** It is stored, in place of the one that the id had. */
        STORE,
        /** The call succeeds and this mapping has no effect. */
        IGNORE,
        /** The whole batch is answered with 400 and nothing of it is stored. */
        REFUSE
    }

    /**
     * Checks the ranges.
     *
     * @throws IllegalArgumentException if a value is out of its range, naming it and the range
     */
    public SandboxOptions {
        keys = Set.copyOf(keys);
        require(port >= 0 && port <= 65_535, "port", port, "Use 0 to 65535.");
        require(eventsPerSecond > 0, "eventsPerSecond", eventsPerSecond, "Use 1 or more.");
        require(window.compareTo(Duration.ZERO) > 0, "window", window, "Use more than zero.");
        require(window.compareTo(Duration.ofDays(1)) <= 0, "window", window, "Use a day or less.");
        require(minIdLength >= 1 && minIdLength <= IdRules.MAX_LENGTH, "minIdLength", minIdLength, "Use 1 to 1024.");
        require(keys.stream().noneMatch(String::isEmpty), "keys", "an empty key", "Use keys with characters.");
        long limit = Math.round(eventsPerSecond * (window.toNanos() / 1e9));
        require(limit > 0, "window", window, "Use one that allows at least one mapping.");
        require(limit <= Integer.MAX_VALUE, "window", window, "Use one that allows at most 2147483647 mappings.");
    }

    /** A builder that holds the documented limits: 50 mappings a second over 30 s, ids of 5 characters or more. */
    public static Builder builder() {
        return new Builder();
    }

    /** The most mappings in any window: 1,500 with 50 a second over 30 s. */
    public int mappingsPerWindow() {
        return Math.toIntExact(Math.round(eventsPerSecond * (window.toNanos() / 1e9)));
    }

    /** The limits and the switches; keys are left out. */
    @Override
    public String toString() {
        return "SandboxOptions[port=" + port + ", path=" + path + ", eventsPerSecond=" + eventsPerSecond + ", window="
                + window + ", minIdLength=" + minIdLength + ", throttledCalls=" + throttledCalls + ", remaps=" + remaps
                + ", chains=" + chains + ", selfMaps=" + selfMaps + "]";
    }

    private static void require(boolean holds, String name, Object value, String next) {
        if (!holds) {
            throw new IllegalArgumentException("Cannot set '" + name + "': '" + value + "' is out of range. " + next);
        }
    }

    /** Collects options; every setter returns the builder. Not safe for use by several threads. */
    public static final class Builder {
        private int port;
        private Optional<Path> path = Optional.empty();
        private int eventsPerSecond = 50;
        private Duration window = Duration.ofSeconds(30);
        private Set<String> keys = Set.of();
        private Optional<String> secretKey = Optional.empty();
        private int minIdLength = 5;
        private ThrottledCalls throttledCalls = ThrottledCalls.FREE;
        private Treatment remaps = Treatment.STORE;
        private Treatment chains = Treatment.STORE;
        private Treatment selfMaps = Treatment.STORE;

        private Builder() {}

        /** Listens on {@code value}; 0, the default, takes a free port. */
        public Builder port(int value) {
            port = value;
            return this;
        }

        /** Keeps the mappings in {@code folder}, which is created if it is missing. */
        public Builder path(Path folder) {
            path = Optional.of(folder);
            return this;
        }

        /** Accepts {@code value} mappings a second, averaged over the window. */
        public Builder eventsPerSecond(int value) {
            eventsPerSecond = value;
            return this;
        }

        /** Counts mappings over {@code value}. */
        public Builder window(Duration value) {
            window = value;
            return this;
        }

        /** Accepts only these API keys; others are answered with 401. */
        public Builder keys(Set<String> values) {
            keys = values;
            return this;
        }

        /** Accepts only this secret key in look-ups. */
        public Builder secretKey(String value) {
            secretKey = Optional.of(value);
            return this;
        }

        /** Refuses ids of fewer characters, unless the request sets {@code min_id_length} itself. */
        public Builder minIdLength(int value) {
            minIdLength = value;
            return this;
        }

        /** Says whether refused calls count towards the window. */
        public Builder throttledCalls(ThrottledCalls value) {
            throttledCalls = value;
            return this;
        }

        /** Says what a mapping of an id that is mapped elsewhere does. */
        public Builder remaps(Treatment value) {
            remaps = value;
            return this;
        }

        /** Says what a mapping that makes a chain does. */
        public Builder chains(Treatment value) {
            chains = value;
            return this;
        }

        /** Says what a mapping of an id to itself does. */
        public Builder selfMaps(Treatment value) {
            selfMaps = value;
            return this;
        }

        /**
         * The options.
         *
         * @throws IllegalArgumentException if a value is out of its range
         */
        public SandboxOptions build() {
            return new SandboxOptions(
                    port,
                    path,
                    eventsPerSecond,
                    window,
                    keys,
                    secretKey,
                    minIdLength,
                    throttledCalls,
                    remaps,
                    chains,
                    selfMaps);
        }
    }
}
