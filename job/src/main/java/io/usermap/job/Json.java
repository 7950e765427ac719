package io.usermap.job;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.SerializationFeature;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Optional;

/** The ledger's JSON: records in snake case, unknown fields ignored, and sealed documents that show whether they are whole. */
final class Json {
    private static final ObjectMapper MAPPER = new ObjectMapper()
            .setPropertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE)
            .disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES);
    private static final ObjectMapper PRETTY = MAPPER.copy().enable(SerializationFeature.INDENT_OUTPUT);

    private Json() {}

    /** One line. */
    static String line(Object value) {
        return write(MAPPER, value);
    }

    /** Indented, for people. */
    static String document(Object value) {
        return write(PRETTY, value) + "\n";
    }

    /** One line that carries the hash of its content, so that a torn copy is told from a whole one. */
    static String sealed(Object value) {
        String content = line(value);
        return "{\"content\":" + content + ",\"sha256\":\"" + sha256(content) + "\"}\n";
    }

    /** The content of a sealed document; empty if it is torn. */
    static <T> Optional<T> unsealed(String text, Class<T> type) {
        try {
            JsonNode document = MAPPER.readTree(text);
            JsonNode content = document.path("content");
            boolean whole =
                    sha256(content.toString()).equals(document.path("sha256").asText());
            return whole ? Optional.of(MAPPER.treeToValue(content, type)) : Optional.empty();
        } catch (JsonProcessingException e) {
            return Optional.empty();
        }
    }

    /** Reads a document as it stands; empty if it is not whole. */
    static Optional<JsonNode> tree(String text) {
        return read(text, JsonNode.class).filter(JsonNode::isContainerNode);
    }

    /** Reads a document; empty if it is not whole. */
    static <T> Optional<T> read(String text, Class<T> type) {
        try {
            return Optional.ofNullable(MAPPER.readValue(text, type));
        } catch (JsonProcessingException e) {
            return Optional.empty();
        }
    }

    private static String write(ObjectMapper mapper, Object value) {
        try {
            return mapper.writeValueAsString(value);
        } catch (JsonProcessingException e) {
            throw new IllegalArgumentException("Cannot write " + value.getClass() + " as JSON.", e);
        }
    }

    private static String sha256(String text) {
        try {
            byte[] hash = MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8));
            return HexFormat.of().formatHex(hash);
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError("every Java platform has SHA-256", e);
        }
    }
}
