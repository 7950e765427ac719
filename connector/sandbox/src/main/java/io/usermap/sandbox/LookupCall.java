package io.usermap.sandbox;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collection;
import java.util.List;
import java.util.Optional;

/**
 * Reads a call of {@code /api/2/usermap} and writes its answer.
 *
 * <p>The ids come in any of the encodings that clients use: a form body on the GET with {@code user_ids} repeated (the
 * documented sample), a JSON body {@code {"user_ids": [...]}}, a query string with {@code user_ids} repeated. In a form
 * or a query, a single value that is a JSON array is taken as the list. The answer holds direct links only.
 */
final class LookupCall {
    /** Documented: "Minimum 1 user id, maximum 100 user ids in a single request". */
    static final int MAX_IDS = 100;

    private LookupCall() {}

    /** API key and secret key as they were shown; neither is ever printed. */
    record Credentials(String apiKey, String secretKey) {

        /**
         * Checks both keys.
         *
         * @throws RefusedException with 401 if they are others than the accepted ones
         */
        void check(SandboxOptions options) throws RefusedException {
            if (!options.keys().isEmpty() && !options.keys().contains(apiKey)) {
                throw unauthorized("API key is not accepted");
            }
            if (options.secretKey().isPresent() && !options.secretKey().get().equals(secretKey)) {
                throw unauthorized("secret key is not accepted");
            }
        }

        @Override
        public String toString() {
            return "Credentials[***]";
        }
    }

    /**
     * The keys in the header {@code Authorization}.
     *
     * @throws RefusedException with 401 if it is missing or is not Basic
     */
    static Credentials credentials(Optional<String> authorization) throws RefusedException {
        String[] schemeAndKeys = authorization.orElse("").trim().split(" +", 2);
        if (schemeAndKeys.length < 2 || !schemeAndKeys[0].equalsIgnoreCase("Basic")) {
            throw unauthorized("Basic authentication with API key and secret key is missing");
        }
        String keys = decoded(schemeAndKeys[1]);
        int colon = keys.indexOf(':');
        if (colon < 1) {
            throw unauthorized("Basic authentication holds no API key");
        }
        return new Credentials(keys.substring(0, colon), keys.substring(colon + 1));
    }

    /**
     * The ids asked for, in the order received, as received.
     *
     * @throws RefusedException with 400 if there are none or more than 100, or if they are not strings
     */
    static List<String> read(byte[] query, byte[] body) throws RefusedException {
        List<String> ids = body.length > 0 && body[0] == '{' ? fromJson(body) : fromFields(FormFields.of(query, body));
        if (ids.isEmpty()) {
            throw RefusedException.badRequest("user_ids is missing or empty");
        }
        if (ids.size() > MAX_IDS) {
            throw RefusedException.badRequest("user_ids holds " + ids.size() + " ids, more than " + MAX_IDS);
        }
        return ids;
    }

    /** Adds to {@code answer} the links of one id. */
    static void addLinks(ObjectNode answer, String requestedId, Collection<String> from, Collection<String> to) {
        ObjectNode links = answer.putObject(requestedId);
        addUsers(links.putArray("mapped_from"), from);
        addUsers(links.putArray("mapped_to"), to);
    }

    /** A number that an id always has: positive, below 2^53 so that every JSON reader keeps it whole. */
    static long amplitudeId(String userId) {
        try {
            byte[] hash = MessageDigest.getInstance("SHA-256").digest(userId.getBytes(StandardCharsets.UTF_8));
            return Math.max(1, ByteBuffer.wrap(hash).getLong() >>> 11);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("Every Java platform has SHA-256.", e);
        }
    }

    private static void addUsers(ArrayNode users, Collection<String> ids) {
        for (String id : ids) {
            users.addObject().put("amplitude_id", amplitudeId(id)).put("user_id", id);
        }
    }

    private static List<String> fromJson(byte[] body) throws RefusedException {
        String text;
        try {
            text = StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(body))
                    .toString();
        } catch (CharacterCodingException e) {
            throw RefusedException.badRequest("the body is not UTF-8");
        }
        JsonNode ids = StrictJson.read("the body", text).path("user_ids");
        return ids.isMissingNode() ? List.of() : strings(ids);
    }

    private static List<String> fromFields(FormFields fields) throws RefusedException {
        List<String> values = fields.all("user_ids");
        if (values.size() == 1 && values.get(0).startsWith("[")) {
            return strings(StrictJson.read("user_ids", values.get(0)));
        }
        return values;
    }

    private static List<String> strings(JsonNode ids) throws RefusedException {
        if (!ids.isArray()) {
            throw RefusedException.badRequest("user_ids is not an array");
        }
        List<String> strings = new ArrayList<>(ids.size());
        for (JsonNode id : ids) {
            if (!id.isTextual()) {
                throw RefusedException.badRequest("user_ids[" + strings.size() + "] is not a string");
            }
            strings.add(id.textValue());
        }
        return strings;
    }

    private static String decoded(String base64) throws RefusedException {
        try {
            return new String(Base64.getDecoder().decode(base64), StandardCharsets.UTF_8);
        } catch (IllegalArgumentException e) {
            throw unauthorized("Basic authentication is not Base64");
        }
    }

    private static RefusedException unauthorized(String reason) {
        return new RefusedException(
                Reply.text(401, reason).with("WWW-Authenticate", "Basic realm=\"usermap sandbox\""));
    }
}
