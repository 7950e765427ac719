package io.usermap.client;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.StreamSupport;

/**
 * What a look-up looks like on the wire; pure.
 *
 * @param url the look-up endpoint
 * @param authorization the header with both keys
 * @param encoding how the ids travel
 */
record LookupFormat(URI url, String authorization, LookupEncoding encoding) {
    private static final ObjectMapper JSON = new ObjectMapper();

    static LookupFormat of(URI url, Secret apiKey, Secret secretKey, LookupEncoding encoding) {
        String credentials = apiKey.reveal() + ":" + secretKey.reveal();
        return new LookupFormat(
                url,
                "Basic " + Base64.getEncoder().encodeToString(credentials.getBytes(StandardCharsets.UTF_8)),
                encoding);
    }

    /** The request that asks for {@code userIds}. */
    HttpRequest request(List<String> userIds) {
        return encoded(userIds)
                .header("Authorization", authorization)
                .header("Accept", "application/json")
                .version(HttpClient.Version.HTTP_1_1)
                .build();
    }

    private HttpRequest.Builder encoded(List<String> userIds) {
        String form = userIds.stream()
                .map(id -> "user_ids=" + new String(FormEncoder.encoded(id), StandardCharsets.US_ASCII))
                .collect(Collectors.joining("&"));
        return switch (encoding) {
            case FORM ->
                HttpRequest.newBuilder(url)
                        .header("Content-Type", "application/x-www-form-urlencoded")
                        .method("GET", BodyPublishers.ofString(form));
            case JSON ->
                HttpRequest.newBuilder(url)
                        .header("Content-Type", "application/json")
                        .method("GET", BodyPublishers.ofByteArray(json(userIds)));
            case QUERY -> HttpRequest.newBuilder(URI.create(url + "?" + form)).GET();
        };
    }

    private static byte[] json(List<String> userIds) {
        try {
            return JSON.writeValueAsBytes(Map.of("user_ids", userIds));
        } catch (JsonProcessingException e) {
            throw new UncheckedIOException(e);
        }
    }

    /**
     * The links in an answer to a request for {@code userIds}, in their order.
     *
     * @throws ServiceException if it is no object by user id
     */
    List<UserLinks> links(List<String> userIds, String body) {
        JsonNode root;
        try {
            root = JSON.readTree(body);
        } catch (JsonProcessingException e) {
            throw new ServiceException(
                    "Cannot read the answer to a look-up: it is not JSON. Check the look-up endpoint.", 200, false);
        }
        if (root == null || !root.isObject()) {
            throw new ServiceException(
                    "Cannot read the answer to a look-up: it is not an object by user id. Check the look-up endpoint.",
                    200,
                    false);
        }
        // Such as a message about an error: it must not read as if nobody were mapped.
        boolean aboutOthers = !root.isEmpty() && userIds.stream().noneMatch(root::has);
        return userIds.stream()
                .map(id -> aboutOthers ? UserLinks.untold(id) : links(id, root.path(id)))
                .toList();
    }

    private static UserLinks links(String id, JsonNode entry) {
        JsonNode to = entry.path("mapped_to");
        JsonNode from = entry.path("mapped_from");
        boolean told = (isNothing(entry) || entry.isObject())
                && (isNothing(to) || to.isArray())
                && (isNothing(from) || from.isArray());
        return told ? new UserLinks(id, users(to), users(from)) : UserLinks.untold(id);
    }

    private static boolean isNothing(JsonNode node) {
        return node.isMissingNode() || node.isNull();
    }

    private static List<UserLinks.LinkedUser> users(JsonNode list) {
        return StreamSupport.stream(list.spliterator(), false)
                // A user without an id of its own is nobody whom a mapping could name.
                .filter(user -> user.hasNonNull("user_id"))
                .map(user -> new UserLinks.LinkedUser(
                        user.path("amplitude_id").asLong(), user.path("user_id").asText()))
                .toList();
    }

    @Override
    public String toString() {
        return "LookupFormat[" + url + ", " + encoding + "]";
    }
}
