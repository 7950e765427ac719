package io.usermap.sandbox;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Base64;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/** Calls the API as curl would: forms, query strings, JSON. */
record Caller(URI endpoint) {
    private static final HttpClient HTTP =
            HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
    private static final String FORM = "application/x-www-form-urlencoded";

    /** POSTs the mapping in a form body with the key {@code 123456789}. */
    HttpResponse<String> post(String mapping) {
        return postForm(form("api_key", "123456789", "mapping", mapping));
    }

    /** The same POST as it goes over the wire. */
    String rawPost(String mapping) {
        String form = form("api_key", "123456789", "mapping", mapping);
        return "POST /usermap HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: " + FORM + "\r\nContent-Length: "
                + form.length() + "\r\n\r\n" + form;
    }

    HttpResponse<String> postForm(String form) {
        return send("/usermap", request -> request.header("Content-Type", FORM).POST(BodyPublishers.ofString(form)));
    }

    /** Asks for {@code ids} with a form body on a GET, keys {@code key} and {@code secret}. */
    HttpResponse<String> lookUp(String... ids) {
        String form = Arrays.stream(ids).map(id -> form("user_ids", id)).collect(Collectors.joining("&"));
        return send(
                "/api/2/usermap",
                request -> request.header("Content-Type", FORM)
                        .header("Authorization", basic("key:secret"))
                        .method("GET", BodyPublishers.ofString(form)));
    }

    HttpResponse<String> send(String pathAndQuery, Shape shape) {
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(endpoint + pathAndQuery));
        shape.accept(request);
        try {
            return HTTP.send(request.build(), BodyHandlers.ofString());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    /** Method, headers and body of a request. */
    interface Shape {
        void accept(HttpRequest.Builder request);
    }

    /** Names and values in turn, percent-encoded. */
    static String form(String... namesAndValues) {
        return IntStream.range(0, namesAndValues.length / 2)
                .mapToObj(i -> namesAndValues[2 * i] + "="
                        + URLEncoder.encode(namesAndValues[2 * i + 1], StandardCharsets.UTF_8))
                .collect(Collectors.joining("&"));
    }

    static String basic(String keys) {
        return "Basic " + Base64.getEncoder().encodeToString(keys.getBytes(StandardCharsets.UTF_8));
    }

    /** A mapping array of {@code count} ids that begin with {@code prefix}. */
    static String maps(int count, String prefix) {
        return IntStream.range(0, count)
                .mapToObj(i -> "{\"user_id\":\"" + prefix + "-" + i + "\",\"global_user_id\":\"everybody\"}")
                .collect(Collectors.joining(",", "[", "]"));
    }
}
