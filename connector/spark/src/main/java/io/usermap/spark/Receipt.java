package io.usermap.spark;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.usermap.client.Mapping;
import java.io.IOException;
import java.io.OutputStream;
import java.time.DateTimeException;
import java.time.Instant;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * What became of one row: a line of JSON.
 *
 * <p>For example {@code {"user_id":"ann@shop","global_user_id":"ann","unmap":false,"outcome":"accepted",
 * "request":"...","at":"2026-01-31T09:00:00.123Z","attempt":1}}. Rows that were not sent have no {@code request};
 * {@code reason} says why a row was rejected or skipped.
 */
record Receipt(@Nullable String userId, @Nullable String globalUserId, boolean unmap, Outcome outcome, Instant at) {

    /** How a row ended. */
    enum Outcome {
        /** The service acknowledged it. */
        ACCEPTED("accepted"),
        /** It was not sent, or the service refused it. */
        REJECTED("rejected"),
        /** It needed no sending. */
        SKIPPED("skipped");

        private final String word;

        Outcome(String word) {
            this.word = word;
        }

        static Optional<Outcome> of(String word) {
            for (Outcome outcome : values()) {
                if (outcome.word.equals(word)) {
                    return Optional.of(outcome);
                }
            }
            return Optional.empty();
        }
    }

    /** Why a row was skipped: an equal row of the same write is on its way. */
    static final String DUPLICATE = "duplicate";

    /** Why a row was skipped: an earlier receipt acknowledges it. */
    static final String ACKNOWLEDGED = "acknowledged";

    private static final JsonFactory JSON = new ObjectMapper().getFactory();

    /** Whether this is a receipt for what {@code mapping} asks for. */
    boolean isFor(Mapping mapping) {
        boolean sameTarget = mapping instanceof Mapping.MapTo map
                ? !unmap && map.globalUserId().equals(globalUserId)
                : unmap;
        return sameTarget && mapping.userId().equals(userId);
    }

    /** A receipt for {@code mapping}. */
    static Receipt of(Mapping mapping, Outcome outcome, Instant at) {
        String global = mapping instanceof Mapping.MapTo map ? map.globalUserId() : null;
        return new Receipt(mapping.userId(), global, mapping instanceof Mapping.Unmap, outcome, at);
    }

    /** The same receipt, of {@code earliest} if its own time is before that. */
    Receipt notBefore(Instant earliest) {
        return at.isBefore(earliest) ? new Receipt(userId, globalUserId, unmap, outcome, earliest) : this;
    }

    /** Writes the receipt as a line, with what only readers of the files want to know. */
    void write(OutputStream out, @Nullable String reason, @Nullable String request, int attempt) throws IOException {
        try (JsonGenerator json = JSON.createGenerator(out).disable(JsonGenerator.Feature.AUTO_CLOSE_TARGET)) {
            json.disable(JsonGenerator.Feature.FLUSH_PASSED_TO_STREAM);
            json.writeStartObject();
            json.writeStringField("user_id", userId);
            json.writeStringField("global_user_id", globalUserId);
            json.writeBooleanField("unmap", unmap);
            json.writeStringField("outcome", outcome.word);
            json.writeStringField("reason", reason);
            json.writeStringField("request", request);
            json.writeStringField("at", at.toString());
            json.writeNumberField("attempt", attempt);
            json.writeEndObject();
            json.writeRaw('\n');
        }
    }

    /** Reads a line; empty if it is torn, or of a row that was rejected before anybody was asked. */
    static Optional<Receipt> read(String line) {
        String userId = null;
        String globalUserId = null;
        boolean unmap = false;
        boolean asked = false;
        Outcome outcome = null;
        Instant at = null;
        try (JsonParser json = JSON.createParser(line)) {
            if (json.nextToken() != JsonToken.START_OBJECT) {
                return Optional.empty();
            }
            while (json.nextToken() == JsonToken.FIELD_NAME) {
                String field = json.getCurrentName();
                json.nextToken();
                switch (field) {
                    case "user_id" -> userId = json.getValueAsString();
                    case "global_user_id" -> globalUserId = json.getValueAsString();
                    case "unmap" -> unmap = json.getValueAsBoolean();
                    case "outcome" ->
                        outcome = Outcome.of(json.getValueAsString("")).orElse(null);
                    case "request" -> asked = json.currentToken() == JsonToken.VALUE_STRING;
                    case "at" -> at = Instant.parse(json.getValueAsString(""));
                    default -> json.skipChildren();
                }
            }
            if (json.currentToken() != JsonToken.END_OBJECT || outcome == null || at == null) {
                return Optional.empty();
            }
            if (outcome == Outcome.REJECTED && !asked) {
                return Optional.empty();
            }
            return Optional.of(new Receipt(userId, globalUserId, unmap, outcome, at));
        } catch (IOException | DateTimeException e) {
            return Optional.empty();
        }
    }
}
