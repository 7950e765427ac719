package io.usermap.sandbox;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;

/** JSON without leniency: no key twice in an object, nothing after the value. Safe for use by several threads. */
final class StrictJson {
    static final JsonMapper MAPPER = JsonMapper.builder()
            .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
            .disable(StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION)
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .build();

    private StrictJson() {}

    /**
     * The JSON value in {@code text}.
     *
     * @throws RefusedException with 400 if there is none, naming {@code field} and the position
     */
    static JsonNode read(String field, String text) throws RefusedException {
        JsonNode value;
        try {
            value = MAPPER.readTree(text);
        } catch (JsonProcessingException e) {
            // The parser's own words quote the input; the position is enough to find the place.
            throw RefusedException.badRequest(field + " is not valid JSON" + position(e));
        }
        if (value == null || value.isMissingNode()) {
            throw RefusedException.badRequest(field + " is empty");
        }
        return value;
    }

    private static String position(JsonProcessingException e) {
        return e.getLocation() == null ? "" : " at character " + e.getLocation().getCharOffset();
    }
}
