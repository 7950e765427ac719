package io.usermap.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.net.URI;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SettingsTest {
    private static final Setting<Integer> ROWS =
            Setting.of("maxBatchRows", ValueType.wholeNumber(1, 2_000), "2000", "The most rows of a request.");
    private static final Setting<Duration> TIMEOUT = Setting.of(
            "requestTimeout",
            ValueType.duration(Duration.ofSeconds(1), Duration.ofMinutes(5)),
            "30s",
            "The longest wait for a response.");
    private static final Setting<URI> ENDPOINT = Setting.optional("endpoint", ValueType.URL, "Where to write.");
    private static final Setting<Integer> KEY = Setting.optional("apiKey", ValueType.wholeNumber(1, 9), "The key.");
    private static final List<Setting<?>> DECLARED = List.of(ROWS, TIMEOUT, ENDPOINT, KEY);

    private final List<String> problems = new ArrayList<>();

    private Settings read(Map<String, String> given) {
        return Settings.read("option", DECLARED, given, problems);
    }

    @Test
    void whatNobodySetHasItsDefault() {
        Settings settings = read(Map.of());

        assertThat(problems).isEmpty();
        assertThat(settings.value(ROWS)).isEqualTo(2_000);
        assertThat(settings.value(TIMEOUT)).isEqualTo(Duration.ofSeconds(30));
        assertThat(settings.optional(ENDPOINT)).isEmpty();
    }

    @Test
    void asksNotForTheCaseOfAKey() {
        assertThat(read(Map.of("MAXBATCHROWS", "7")).value(ROWS)).isEqualTo(7);
        assertThat(problems).isEmpty();
    }

    @Test
    void whatHasNeitherValueNorDefaultCannotBeTaken() {
        Settings settings = read(Map.of());

        assertThatThrownBy(() -> settings.value(ENDPOINT))
                .isInstanceOf(IllegalStateException.class)
                .hasMessage("The setting endpoint has no value.");
    }

    @Test
    void tellsEveryProblemAtOnce() {
        Map<String, String> given = new LinkedHashMap<>();
        given.put("maxBatchRow", "10");
        given.put("maxBatchRows", "0");
        given.put("requestTimeout", "soon");
        given.put("endpoint", "localhost");

        read(given);

        assertThat(problems)
                .containsExactly(
                        "Cannot use option 'maxBatchRow': there is none of that name. Did you mean 'maxBatchRows'?",
                        "Cannot parse option 'maxBatchRows': '0' is out of range. Use 1 to 2000.",
                        "Cannot parse option 'requestTimeout': 'soon' is not a duration."
                                + " Use ms, s, m, h or d, for example 30s.",
                        "Cannot parse option 'endpoint': 'localhost' is not a URL. Use a base URL such as"
                                + " https://api.amplitude.com, without a path of the API.");
        assertThatThrownBy(() -> Settings.throwIfAny(problems))
                .isInstanceOf(InvalidSettingsException.class)
                .hasMessage(String.join(System.lineSeparator(), problems))
                .extracting(thrown -> ((InvalidSettingsException) thrown).problems())
                .isEqualTo(problems);
    }

    @Test
    void noProblemsAreNoError() {
        Settings.throwIfAny(Settings.problems());
    }

    @ParameterizedTest
    @CsvSource({
        "maxBatchRow, maxBatchRows",
        "requestTimout, requestTimeout",
        "REQUEST_TIMEOUT, requestTimeout",
        "end-point, endpoint",
        "apikeys, apiKey"
    })
    void namesTheNearestKnownKey(String unknown, String nearest) {
        assertThat(Settings.unknown(
                        "option", unknown, DECLARED.stream().map(Setting::key).toList()))
                .isEqualTo("Cannot use option '" + unknown + "': there is none of that name. Did you mean '" + nearest
                        + "'?");
    }

    @Test
    void neverQuotesAKey() {
        read(Map.of("apiKey", "f00ba4secret"));

        assertThat(problems)
                .containsExactly("Cannot parse option 'apiKey': its value is not a whole number. Use 1 to 9.");
    }

    @Test
    void neverQuotesThePasswordOfAUrl() {
        read(Map.of("endpoint", "https://ada:pa55word@host"));

        assertThat(problems)
                .containsExactly("Cannot parse option 'endpoint': its value is a URL with a user in it."
                        + " Leave the user out.");
    }

    @Test
    void anUnreadableValueLeavesTheSettingWithoutOne() {
        assertThat(read(Map.of("maxBatchRows", "many")).optional(ROWS)).isEmpty();
    }
}
