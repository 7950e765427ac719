package io.usermap.sandbox;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.util.Collections;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class LookupTest {
    private static final String PATH = "/api/2/usermap";

    private Sandbox sandbox;
    private Caller caller;

    @BeforeEach
    void start() throws IOException {
        sandbox = Sandbox.start(SandboxOptions.builder()
                .keys(Set.of("key", "123456789"))
                .secretKey("secret")
                .build());
        caller = new Caller(sandbox.endpoint());
        caller.post("""
                [{"user_id":"ann@one","global_user_id":"ann@all"},
                 {"user_id":"ann@two","global_user_id":"ann@all"},
                 {"user_id":"ann@all","global_user_id":"ann@end"}]""");
    }

    @AfterEach
    void stop() {
        sandbox.close();
    }

    @Test
    void answersDirectLinksOfEveryRequestedId() throws JsonProcessingException {
        JsonNode answer = json(caller.lookUp("ann@one", "ann@all", "nobody"));

        assertThat(answer.fieldNames()).toIterable().containsExactly("ann@one", "ann@all", "nobody");
        assertThat(ids(answer, "ann@one", "mapped_to")).containsExactly("ann@all");
        assertThat(ids(answer, "ann@one", "mapped_from")).isEmpty();
        assertThat(ids(answer, "ann@all", "mapped_to")).containsExactly("ann@end");
        assertThat(ids(answer, "ann@all", "mapped_from")).containsExactly("ann@one", "ann@two");
        assertThat(ids(answer, "nobody", "mapped_to")).isEmpty();
        assertThat(ids(answer, "nobody", "mapped_from")).isEmpty();
    }

    @Test
    void givesAnIdTheSameNumberEverywhere() throws JsonProcessingException {
        JsonNode answer = json(caller.lookUp("ann@one", "ann@two"));
        JsonNode one = answer.at("/ann@one/mapped_to/0/amplitude_id");

        assertThat(one.isIntegralNumber()).isTrue();
        assertThat(one.longValue())
                .isPositive()
                .isEqualTo(answer.at("/ann@two/mapped_to/0/amplitude_id").longValue());
        assertThat(LookupCall.amplitudeId("ann@one")).isNotEqualTo(one.longValue());
    }

    @Test
    void keysTheAnswerByTheIdAsItWasAskedFor() throws JsonProcessingException {
        JsonNode answer = json(caller.lookUp(" ann@one"));

        assertThat(ids(answer, " ann@one", "mapped_to")).containsExactly("ann@all");
    }

    @Test
    void readsIdsFromAJsonBody() throws JsonProcessingException {
        HttpResponse<String> response = caller.send(
                PATH,
                request -> request.header("Authorization", Caller.basic("key:secret"))
                        .header("Content-Type", "application/json")
                        .method("GET", BodyPublishers.ofString("{\"user_ids\": [\"ann@one\", \"nobody\"]}")));

        assertThat(json(response).fieldNames()).toIterable().containsExactly("ann@one", "nobody");
    }

    @ParameterizedTest
    @ValueSource(strings = {"?user_ids=ann%40one&user_ids=nobody", "?user_ids=%5B%22ann%40one%22%2C%20%22nobody%22%5D"})
    void readsIdsFromAQueryString(String query) throws JsonProcessingException {
        HttpResponse<String> response = caller.send(
                PATH + query,
                request -> request.header("Authorization", Caller.basic("key:secret"))
                        .GET());

        assertThat(json(response).fieldNames()).toIterable().containsExactly("ann@one", "nobody");
    }

    @Test
    void takesOneToAHundredIds() {
        String[] hundred = Collections.nCopies(100, "ann@one").toArray(String[]::new);
        String[] more = Collections.nCopies(101, "ann@one").toArray(String[]::new);

        assertThat(caller.lookUp(hundred).statusCode()).isEqualTo(200);
        assertRefused(caller.lookUp(more), 400, "user_ids holds 101 ids, more than 100");
        assertRefused(caller.lookUp(), 400, "user_ids is missing or empty");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "{'user_ids': []} | user_ids is missing or empty",
                "{'ids': ['a']} | user_ids is missing or empty",
                "{'user_ids': 'ann@one'} | user_ids is not an array",
                "{'user_ids': ['ann@one', 7]} | user_ids[1] is not a string",
                "{'user_ids': | the body is not valid JSON at character 12",
            })
    void refusesABrokenJsonBody(String body, String reason) {
        HttpResponse<String> response = caller.send(
                PATH,
                request -> request.header("Authorization", Caller.basic("key:secret"))
                        .method("GET", BodyPublishers.ofString(body.replace('\'', '"'))));

        assertRefused(response, 400, reason);
    }

    @ParameterizedTest
    @CsvSource({
        "key:wrong,secret key is not accepted",
        "key:,secret key is not accepted",
        "wrong:secret,API key is not accepted",
        ":secret,Basic authentication holds no API key",
        "key,Basic authentication holds no API key"
    })
    void refusesWrongKeys(String keys, String reason) {
        HttpResponse<String> response = caller.send(
                PATH + "?user_ids=ann@one",
                request -> request.header("Authorization", Caller.basic(keys)).GET());

        assertRefused(response, 401, reason);
        assertThat(response.headers().firstValue("WWW-Authenticate")).hasValue("Basic realm=\"usermap sandbox\"");
    }

    @Test
    void refusesACallWithoutKeys() {
        assertRefused(
                caller.send(PATH + "?user_ids=ann@one", request -> request.GET()),
                401,
                "Basic authentication with API key and secret key is missing");
        assertRefused(
                caller.send(
                        PATH,
                        request -> request.header("Authorization", "Basic !").GET()),
                401,
                "Basic authentication is not Base64");
    }

    @Test
    void refusesAPost() {
        assertRefused(
                caller.send(PATH, request -> request.POST(BodyPublishers.noBody())),
                405,
                "Method not allowed. Use GET.");
    }

    private static Iterable<String> ids(JsonNode answer, String id, String direction) {
        return answer.path(id).path(direction).findValuesAsText("user_id");
    }

    private static JsonNode json(HttpResponse<String> response) throws JsonProcessingException {
        assertThat(response.statusCode()).as(response.body()).isEqualTo(200);
        assertThat(response.headers().firstValue("Content-Type")).hasValue("application/json");
        return StrictJson.MAPPER.readTree(response.body());
    }

    private static void assertRefused(HttpResponse<String> response, int status, String reason) {
        assertThat(response.body()).isEqualTo(reason);
        assertThat(response.statusCode()).isEqualTo(status);
    }
}
