package io.usermap.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.usermap.client.AllowanceRules.Pacing;
import java.net.URI;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ValueTypeTest {
    private static final ValueType<Duration> DURATION = ValueType.duration(Duration.ofMillis(1), Duration.ofDays(2));
    private static final ValueType<Integer> SIZE = ValueType.size(1_000, 1_000_000);

    @ParameterizedTest
    @CsvSource({
        "30s, PT30S",
        "500 ms, PT0.5S",
        "1.5s, PT1.5S",
        "2h, PT2H",
        "1 Day, PT24H",
        "3 minutes, PT3M",
        "7m, PT7M"
    })
    void readsADurationWithItsUnit(String text, Duration expected) {
        assertThat(DURATION.parse().apply(text)).isEqualTo(expected);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "s", "30", "-5s", "30 parsecs", "1.s", "1,5s", "30s30", "1e3s", "٣s"})
    void refusesADurationWithoutAKnownUnitOrNumber(String text) {
        assertThatThrownBy(() -> DURATION.parse().apply(text))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("is not a duration. Use ms, s, m, h or d, for example 30s.");
    }

    @ParameterizedTest
    @ValueSource(strings = {"0s", "0.5ms", "49h", "99999999999999999999d"})
    void refusesADurationOutOfItsRange(String text) {
        assertThatThrownBy(() -> DURATION.parse().apply(text))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("is out of range. Use 1ms to 2d.");
    }

    @ParameterizedTest
    @CsvSource({"1000, 1000", "1000B, 1000", "1 kB, 1000", "0.5MB, 500000", "1mb, 1000000", "2 KiB, 2048"})
    void readsASizeWithOrWithoutUnit(String text, int expected) {
        assertThat(SIZE.parse().apply(text)).isEqualTo(expected);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "1MBs", "MB", "-1kB", "1 000", "1GB"})
    void refusesASizeThatIsNone(String text) {
        assertThatThrownBy(() -> SIZE.parse().apply(text))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("is not a size. Use B, kB or MB, at most 1000000B.");
    }

    @ParameterizedTest
    @ValueSource(strings = {"999B", "0", "1000001", "1MiB", "99999999999MB"})
    void refusesASizeOutOfItsRange(String text) {
        assertThatThrownBy(() -> SIZE.parse().apply(text))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("is out of range. Use 1000B to 1000000B.");
    }

    @Test
    void aTypoInABooleanIsNoFalse() {
        assertThat(ValueType.BOOLEAN.parse().apply(" TRUE ")).isTrue();
        assertThat(ValueType.BOOLEAN.parse().apply("False")).isFalse();
        assertThatThrownBy(() -> ValueType.BOOLEAN.parse().apply("ture"))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("is not a boolean. Use true or false.");
    }

    @Test
    void readsWholeNumbersWithinTheirRange() {
        ValueType<Integer> rows = ValueType.wholeNumber(1, 2_000);

        assertThat(rows.parse().apply(" 2000 ")).isEqualTo(2_000);
        assertThatThrownBy(() -> rows.parse().apply("2001"))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("is out of range. Use 1 to 2000.");
        assertThatThrownBy(() -> rows.parse().apply("1.5"))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("is not a whole number. Use 1 to 2000.");
        assertThatThrownBy(() -> rows.parse().apply("99999999999"))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("is not a whole number. Use 1 to 2000.");
    }

    @Test
    void readsNumbersAboveALimit() {
        ValueType<Double> share = ValueType.numberAbove(0, 1);

        assertThat(share.parse().apply("0.25")).isEqualTo(0.25);
        assertThat(share.parse().apply("1")).isEqualTo(1.0);
        assertThatThrownBy(() -> share.parse().apply("0"))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("is out of range. Use a number above 0 and at most 1.");
        assertThat(ValueType.number(0, 1).parse().apply("0")).isEqualTo(0.0);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "half", "0,5", "0.5d", "0x1p-1", "NaN", "Infinity"})
    void refusesNumbersThatOnlyJavaUnderstands(String text) {
        assertThatThrownBy(() -> ValueType.number(0, 1).parse().apply(text))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("is not a number. Use 0 to 1.");
    }

    @Test
    void readsOneOfSeveralWords() {
        ValueType<Pacing> pacing = ValueType.choice(Pacing.class);

        assertThat(pacing.name()).isEqualTo("burst | smooth");
        assertThat(pacing.parse().apply(" Smooth")).isEqualTo(Pacing.SMOOTH);
        assertThatThrownBy(() -> pacing.parse().apply("bursty"))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("is none of burst | smooth.");
    }

    @Test
    void readsABaseUrl() {
        assertThat(ValueType.URL.parse().apply(" http://127.0.0.1:8080 "))
                .isEqualTo(URI.create("http://127.0.0.1:8080"));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "api.amplitude.com",
                "ftp://host",
                "https://",
                "https://host?x=1",
                "https://host#x",
                "ht tp://x"
            })
    void refusesWhatIsNoBaseUrl(String text) {
        assertThatThrownBy(() -> ValueType.URL.parse().apply(text))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage(
                        "is not a URL. Use a base URL such as https://api.amplitude.com, without a path of the API.");
    }

    @ParameterizedTest
    @CsvSource({"PT30S, 30s", "PT0.5S, 500ms", "PT90S, 90s", "PT2M, 2m", "PT2H, 2h", "PT48H, 2d", "PT0S, 0ms"})
    void showsADurationInTheLargestUnitThatDividesIt(Duration duration, String text) {
        assertThat(ValueType.show(duration)).isEqualTo(text);
    }
}
