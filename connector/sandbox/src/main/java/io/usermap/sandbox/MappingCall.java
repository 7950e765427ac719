package io.usermap.sandbox;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import io.usermap.sandbox.SandboxRequest.Mapping;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Set;

/**
 * Reads a call of {@code /usermap}: fields {@code api_key} and {@code mapping}, and optionally {@code options}.
 *
 * <p>All or nothing: the first thing that is wrong refuses the whole batch, and nothing of it is stored. The
 * documentation says what a mapping must look like and not what becomes of a batch with a broken one; this is a choice.
 */
final class MappingCall {
    /** Documented: "Max of 2000 requests/events in a batch". That more of them give 400 is a choice. */
    static final int MAX_MAPPINGS = 2000;

    private static final Set<String> KEYS = Set.of("user_id", "global_user_id", "unmap");

    private MappingCall() {}

    /**
     * The mappings of the call, in the order received, ids trimmed.
     *
     * @throws RefusedException with 401 if the key is not accepted, with 400 and the position if anything else is wrong
     */
    static List<Mapping> read(FormFields fields, SandboxOptions options) throws RefusedException {
        checkKey(fields, options.keys());
        IdRules rules = new IdRules(minIdLength(fields, options.minIdLength()));
        String text = fields.single("mapping").orElseThrow(() -> RefusedException.badRequest("mapping is missing"));
        JsonNode mapping = StrictJson.read("mapping", text);
        if (mapping.isObject()) {
            return List.of(readOne(mapping, "mapping", rules));
        }
        if (mapping instanceof ArrayNode batch) {
            return readBatch(batch, rules);
        }
        throw RefusedException.badRequest("mapping is neither an object nor an array");
    }

    private static void checkKey(FormFields fields, Set<String> keys) throws RefusedException {
        String key = fields.single("api_key").orElse("");
        if (key.isEmpty()) {
            throw RefusedException.badRequest("api_key is missing");
        }
        if (!keys.isEmpty() && !keys.contains(key)) {
            throw RefusedException.unauthorized("api_key is not accepted");
        }
    }

    private static int minIdLength(FormFields fields, int byDefault) throws RefusedException {
        String text = fields.single("options").orElse("{}");
        JsonNode options = StrictJson.read("options", text);
        if (!options.isObject()) {
            throw RefusedException.badRequest("options is not an object");
        }
        refuseOtherKeys(options, "options", Set.of("min_id_length"));
        JsonNode length = options.get("min_id_length");
        if (length == null) {
            return byDefault;
        }
        if (!length.isInt() || length.intValue() < 1 || length.intValue() > IdRules.MAX_LENGTH) {
            throw RefusedException.badRequest("options.min_id_length is not a number from 1 to " + IdRules.MAX_LENGTH);
        }
        return length.intValue();
    }

    private static List<Mapping> readBatch(ArrayNode batch, IdRules rules) throws RefusedException {
        if (batch.isEmpty()) {
            throw RefusedException.badRequest("mapping is an empty array");
        }
        if (batch.size() > MAX_MAPPINGS) {
            throw RefusedException.badRequest("mapping holds " + batch.size() + " mappings, more than " + MAX_MAPPINGS);
        }
        List<Mapping> mappings = new ArrayList<>(batch.size());
        for (int i = 0; i < batch.size(); i++) {
            mappings.add(readOne(batch.get(i), "mapping[" + i + "]", rules));
        }
        return mappings;
    }

    private static Mapping readOne(JsonNode mapping, String where, IdRules rules) throws RefusedException {
        if (!mapping.isObject()) {
            throw RefusedException.badRequest(where + " is not an object");
        }
        refuseOtherKeys(mapping, where, KEYS);
        String userId = rules.check(required(mapping, "user_id", where), where + ".user_id");
        if (isUnmap(mapping, where)) {
            if (mapping.has("global_user_id")) {
                throw RefusedException.badRequest(where + " has global_user_id although unmap is true");
            }
            return Mapping.unmap(userId);
        }
        return Mapping.map(userId, rules.check(required(mapping, "global_user_id", where), where + ".global_user_id"));
    }

    private static JsonNode required(JsonNode mapping, String key, String where) throws RefusedException {
        JsonNode value = mapping.get(key);
        if (value == null) {
            throw RefusedException.badRequest(where + "." + key + " is missing");
        }
        return value;
    }

    private static boolean isUnmap(JsonNode mapping, String where) throws RefusedException {
        JsonNode unmap = mapping.get("unmap");
        if (unmap != null && !unmap.isBoolean()) {
            throw RefusedException.badRequest(where + ".unmap is neither true nor false");
        }
        return unmap != null && unmap.booleanValue();
    }

    private static void refuseOtherKeys(JsonNode object, String where, Set<String> allowed) throws RefusedException {
        for (Iterator<String> names = object.fieldNames(); names.hasNext(); ) {
            // The name itself may be an id that was put in the wrong place: it stays out of the reason.
            if (!allowed.contains(names.next())) {
                throw RefusedException.badRequest(where + " has a key other than "
                        + String.join(", ", allowed.stream().sorted().toList()));
            }
        }
    }
}
