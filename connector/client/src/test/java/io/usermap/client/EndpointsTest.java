package io.usermap.client;

import static org.assertj.core.api.Assertions.assertThat;

import io.usermap.client.Endpoints.Region;
import java.net.URI;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class EndpointsTest {

    private static Endpoints of(String write, String lookup) {
        return new Endpoints(URI.create(write), URI.create(lookup));
    }

    private static List<String> insecure(Endpoints endpoints) {
        return endpoints.insecure("option", "endpoint", "lookupEndpoint", "allowInsecureEndpoint");
    }

    @Test
    void knowsTheDocumentedEndpointsOfBothRegions() {
        assertThat(Endpoints.of(Region.US).writeUrl()).isEqualTo(URI.create("https://api.amplitude.com/usermap"));
        assertThat(Endpoints.of(Region.US).lookupUrl()).isEqualTo(URI.create("https://amplitude.com/api/2/usermap"));
        assertThat(Endpoints.of(Region.EU).writeUrl()).isEqualTo(URI.create("https://api.eu.amplitude.com/usermap"));
        assertThat(Endpoints.of(Region.EU).lookupUrl())
                .isEqualTo(URI.create("https://analytics.eu.amplitude.com/api/2/usermap"));
    }

    @Test
    void lookUpsGoWhereWritesGoUnlessTheyAreSentElsewhere() {
        Optional<URI> local = Optional.of(URI.create("http://127.0.0.1:8080"));
        Optional<URI> other = Optional.of(URI.create("https://read.example.com"));

        assertThat(Endpoints.of(Region.EU, local, Optional.empty()))
                .isEqualTo(of("http://127.0.0.1:8080", "http://127.0.0.1:8080"));
        assertThat(Endpoints.of(Region.EU, local, other))
                .isEqualTo(of("http://127.0.0.1:8080", "https://read.example.com"));
        assertThat(Endpoints.of(Region.EU, Optional.empty(), other))
                .isEqualTo(of("https://api.eu.amplitude.com", "https://read.example.com"));
        assertThat(Endpoints.of(Region.EU, Optional.empty(), Optional.empty())).isEqualTo(Endpoints.of(Region.EU));
    }

    @ParameterizedTest
    @CsvSource({
        "http://127.0.0.1:8080, http://127.0.0.1:8080/usermap",
        "http://127.0.0.1:8080/, http://127.0.0.1:8080/usermap",
        "https://proxy.example.com/amplitude/, https://proxy.example.com/amplitude/usermap"
    })
    void putsThePathOfTheApiUnderTheBase(String base, URI expected) {
        assertThat(of(base, base).writeUrl()).isEqualTo(expected);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "localhost",
                "LOCALHOST",
                "127.0.0.1",
                "127.8.9.10",
                "127.1",
                "[::1]",
                "[0:0:0:0:0:0:0:1]",
                "[::ffff:127.0.0.1]"
            })
    void knowsTheFormsOfLoopback(String host) {
        assertThat(Endpoints.isLoopback(host)).isTrue();
        assertThat(insecure(of("http://127.0.0.1", "HTTP://LocalHost:1"))).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "0.0.0.0",
                "128.0.0.1",
                "10.0.0.1",
                "[::]",
                "[fe80::1]",
                "localhost.example.com",
                "127.0.0.1.nip.io",
                "loopback",
                "12.700.0.1"
            })
    void takesNothingElseForLoopback(String host) {
        assertThat(Endpoints.isLoopback(host)).isFalse();
    }

    @Test
    void refusesClearTextToOtherMachines() {
        assertThat(insecure(of("http://api.example.com", "http://api.example.com")))
                .containsExactly(
                        "Cannot use option 'endpoint': plain http to api.example.com would send the key in clear"
                                + " text. Use https, or set 'allowInsecureEndpoint' to true.");
    }

    @Test
    void judgesBothEndpoints() {
        assertThat(insecure(of("http://a.example.com", "http://b.example.com")))
                .containsExactly(
                        "Cannot use option 'endpoint': plain http to a.example.com would send the key in clear text."
                                + " Use https, or set 'allowInsecureEndpoint' to true.",
                        "Cannot use option 'lookupEndpoint': plain http to b.example.com would send the key in clear"
                                + " text. Use https, or set 'allowInsecureEndpoint' to true.");
        assertThat(insecure(of("https://a.example.com", "http://b.example.com")))
                .containsExactly("Cannot use option 'lookupEndpoint': plain http to b.example.com would send the key in"
                        + " clear text. Use https, or set 'allowInsecureEndpoint' to true.");
        assertThat(insecure(of("https://a.example.com", "https://b.example.com")))
                .isEmpty();
    }
}
