package io.usermap.client;

import static org.assertj.core.api.Assertions.assertThat;

import io.usermap.client.Reply.Effect;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ReplyTest {

    private static Reply of(int status) {
        return Reply.of(status, Duration.ofSeconds(7));
    }

    @ParameterizedTest
    @ValueSource(ints = {200, 201, 202, 204, 299})
    void anySuccessMeansAccepted(int status) {
        assertThat(of(status)).isEqualTo(new Reply.Accepted(status));
    }

    @ParameterizedTest
    @ValueSource(ints = {400, 403, 413})
    void aRefusalMayBeTheFaultOfSomeRow(int status) {
        assertThat(of(status)).isEqualTo(new Reply.Refused(status));
    }

    @Test
    void throttlingSaysHowLongToWait() {
        assertThat(of(429)).isEqualTo(new Reply.Throttled(Duration.ofSeconds(7)));
    }

    @ParameterizedTest
    @ValueSource(ints = {408, 500, 502, 503, 504, 599})
    void troubleOfTheServiceIsAnAnswerAfterAll(int status) {
        assertThat(of(status))
                .isEqualTo(new Reply.Unavailable(status, Effect.ANSWERED, "the service answered " + status));
    }

    @Test
    void anUnknownKeyEndsTheRunAndIsNamed() {
        assertThat(of(401))
                .isEqualTo(new Reply.Fatal(
                        401,
                        "the service does not know the API key (401). Check the key that the apiKey option or"
                                + " target.api-key refers to, and the region."));
    }

    @ParameterizedTest
    @ValueSource(ints = {301, 302, 307, 308})
    void aRedirectIsNotFollowedAndNamed(int status) {
        assertThat(of(status))
                .isEqualTo(new Reply.Fatal(
                        status,
                        "the endpoint redirects elsewhere (" + status + "). Set the endpoint to where it redirects."));
    }

    @ParameterizedTest
    @ValueSource(ints = {402, 405, 407, 410, 414, 415, 451})
    void everyOtherRefusalWouldBeTheSameForEachRequest(int status) {
        assertThat(of(status))
                .isEqualTo(new Reply.Fatal(
                        status,
                        "the service answered " + status + ", which no retry would change. Check the endpoint."));
    }

    @Test
    void aPageThatIsNotThereIsTheEndpointsFault() {
        assertThat(of(404))
                .isEqualTo(new Reply.Fatal(
                        404,
                        "the service answered 404, which no retry would change. Check the endpoint: it is a base URL,"
                                + " without the API's own path."));
    }
}
