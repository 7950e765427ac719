package io.usermap.client;

import static java.util.Objects.requireNonNull;

/**
 * One change that the API is asked for: map a user to a global user, or unmap it.
 *
 * <p>Invariants hold from the factories on: an unmap has no target and a map has one that differs from its user. Whether
 * an id is acceptable to the service is for {@link IdRules} to say, before a mapping is made.
 */
public sealed interface Mapping {

    /** The user whose mapping changes; never null. */
    String userId();

    /**
     * A user mapped to a global user.
     *
     * @param userId the user who is mapped
     * @param globalUserId the user who stands for the person afterwards
     */
    record MapTo(String userId, String globalUserId) implements Mapping {
        public MapTo {
            requireNonNull(userId, "userId");
            requireNonNull(globalUserId, "globalUserId");
            if (userId.equals(globalUserId)) {
                throw new IllegalArgumentException("Cannot map a user to itself. Leave the row out.");
            }
        }

        @Override
        public String toString() {
            return "MapTo[ids withheld]";
        }
    }

    /**
     * A user whose mapping is removed.
     *
     * @param userId the user who is unmapped
     */
    record Unmap(String userId) implements Mapping {
        public Unmap {
            requireNonNull(userId, "userId");
        }

        @Override
        public String toString() {
            return "Unmap[id withheld]";
        }
    }

    /** A mapping of {@code userId} to {@code globalUserId}; throws {@link IllegalArgumentException} if they are equal. */
    static Mapping map(String userId, String globalUserId) {
        return new MapTo(userId, globalUserId);
    }

    /** The removal of whatever {@code userId} is mapped to. */
    static Mapping unmap(String userId) {
        return new Unmap(userId);
    }
}
