package io.usermap.client;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.ByteArrayOutputStream;
import java.net.URLDecoder;
import java.net.http.HttpRequest.BodyPublisher;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Flow;

/** Reads request bodies back with other people's decoders: {@link URLDecoder} and Jackson. */
final class Bodies {
    private static final ObjectMapper JSON = new ObjectMapper();

    private Bodies() {}

    /** The bytes that {@code body} would send. */
    static byte[] bytes(BodyPublisher body) {
        CompletableFuture<byte[]> all = new CompletableFuture<>();
        body.subscribe(new Flow.Subscriber<>() {
            private final ByteArrayOutputStream sent = new ByteArrayOutputStream();

            @Override
            public void onSubscribe(Flow.Subscription subscription) {
                subscription.request(Long.MAX_VALUE);
            }

            @Override
            public void onNext(ByteBuffer part) {
                byte[] bytes = new byte[part.remaining()];
                part.get(bytes);
                sent.writeBytes(bytes);
            }

            @Override
            public void onError(Throwable failure) {
                all.completeExceptionally(failure);
            }

            @Override
            public void onComplete() {
                all.complete(sent.toByteArray());
            }
        });
        return all.join();
    }

    /** The fields of a form. */
    static Map<String, String> form(byte[] body) {
        Map<String, String> fields = new LinkedHashMap<>();
        for (String field : new String(body, StandardCharsets.US_ASCII).split("&", -1)) {
            int equals = field.indexOf('=');
            fields.put(
                    field.substring(0, equals), URLDecoder.decode(field.substring(equals + 1), StandardCharsets.UTF_8));
        }
        return fields;
    }

    /** The mappings of a request body. */
    static List<Mapping> mappings(byte[] body) {
        return mappings(form(body).getOrDefault("mapping", "[]"));
    }

    /** The mappings of a JSON array. */
    static List<Mapping> mappings(String json) {
        List<Mapping> mappings = new ArrayList<>();
        for (JsonNode entry : tree(json)) {
            String user = entry.required("user_id").textValue();
            mappings.add(
                    entry.path("unmap").asBoolean()
                            ? Mapping.unmap(user)
                            : Mapping.map(user, entry.required("global_user_id").textValue()));
        }
        return mappings;
    }

    /** Any JSON. */
    static JsonNode tree(String json) {
        try {
            return JSON.readTree(json);
        } catch (JsonProcessingException e) {
            throw new AssertionError("the body is no JSON", e);
        }
    }
}
