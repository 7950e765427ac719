package io.usermap.client;

import java.util.List;

/**
 * What the service says of one user: direct links only.
 *
 * @param userId the id that was asked for
 * @param mappedTo the users that it maps into, usually one
 * @param mappedFrom the users that map into it
 * @param told false if the service refuses to answer for this id, or answers something else than links; both lists are
 *     empty then and say nothing
 */
public record UserLinks(String userId, List<LinkedUser> mappedTo, List<LinkedUser> mappedFrom, boolean told) {

    /** The links of a user as the service told them. */
    public UserLinks(String userId, List<LinkedUser> mappedTo, List<LinkedUser> mappedFrom) {
        this(userId, mappedTo, mappedFrom, true);
    }

    /** A user of whom the service tells nothing. */
    public static UserLinks untold(String userId) {
        return new UserLinks(userId, List.of(), List.of(), false);
    }

    /**
     * The other end of a link.
     *
     * @param amplitudeId the service's own number of the user
     * @param userId the user's id
     */
    public record LinkedUser(long amplitudeId, String userId) {}
}
