package io.usermap.sandbox;

import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import java.util.Set;

/**
 * What a {@link Sandbox} enforces, and the script of how it fails and of what the API's documentation leaves open.
 *
 * <p>Immutable. The defaults are the documented limits and no faults; start from {@link #builder()}.
 *
 * @param port the port on 127.0.0.1, 0 to 65535; 0 takes a free one
 * @param path the folder that keeps the mappings between runs; without it they are lost at the end
 * @param eventsPerSecond mappings per second, averaged over the window; 1 or more
 * @param window the length of the sliding window, longer than zero
 * @param keys the API keys that are accepted; empty accepts every key that is not empty
 * @param secretKey the secret key that look-ups must show; without it any is accepted
 * @param minIdLength the fewest characters of an id in a request that sets no {@code min_id_length}; 1 to 1,024
 * @param faults a fault script, JSON as in {@link Sandbox#addFaults}, in force from the start
 */
public record SandboxOptions(
        int port,
        Optional<Path> path,
        int eventsPerSecond,
        Duration window,
        Set<String> keys,
        Optional<String> secretKey,
        int minIdLength,
        Optional<String> faults) {

    /**
     * Checks the ranges.
     *
     * @throws IllegalArgumentException if a value is out of its range, naming it and the range, or if the script is wrong,
     *     with the position
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
        faults.ifPresent(script -> FaultScript.parse(FaultScript.UNNAMED, script));
    }

    /** A builder that holds the documented limits: 50 mappings a second over 30 s, ids of 5 characters or more. */
    public static Builder builder() {
        return new Builder();
    }

    /** The most mappings in any window: 1,500 with 50 a second over 30 s. */
    public int mappingsPerWindow() {
        return Math.toIntExact(Math.round(eventsPerSecond * (window.toNanos() / 1e9)));
    }

    /** The limits; keys and the script are left out. */
    @Override
    public String toString() {
        return "SandboxOptions[port=" + port + ", path=" + path + ", eventsPerSecond=" + eventsPerSecond + ", window="
                + window + ", minIdLength=" + minIdLength
                + (faults.isPresent() ? ", with faults]" : "]");
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
        private Optional<String> faults = Optional.empty();

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

        /** Puts the faults and the switches of a script in force, JSON as in {@link Sandbox#addFaults}. */
        public Builder faults(String script) {
            faults = Optional.of(script);
            return this;
        }

        /**
         * The options.
         *
         * @throws IllegalArgumentException if a value is out of its range or the script is wrong
         */
        public SandboxOptions build() {
            return new SandboxOptions(port, path, eventsPerSecond, window, keys, secretKey, minIdLength, faults);
        }
    }
}
