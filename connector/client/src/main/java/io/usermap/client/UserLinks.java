package io.usermap.client;

import java.util.List;

/**
 * What the service says of one user: direct links only.
 *
 * @param userId the id that was asked for
 * @param mappedTo the users that it maps into, usually one
 * @param mappedFrom the users that map into it
 */
public record UserLinks(String userId, List<LinkedUser> mappedTo, List<LinkedUser> mappedFrom) {

    /**
     * The other end of a link.
     *
     * @param amplitudeId the service's own number of the user
     * @param userId the user's id
     */
    public record LinkedUser(long amplitudeId, String userId) {}
}
