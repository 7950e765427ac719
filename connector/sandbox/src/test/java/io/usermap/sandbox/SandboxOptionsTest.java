package io.usermap.sandbox;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.util.Set;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;

class SandboxOptionsTest {
    @Test
    void defaultToTheDocumentedLimits() {
        SandboxOptions options = SandboxOptions.builder().build();

        assertThat(options.mappingsPerWindow()).isEqualTo(1500);
        assertThat(options.minIdLength()).isEqualTo(5);
    }

    @Test
    void roundTheLimitOfAShortWindow() {
        assertThat(SandboxOptions.builder()
                        .eventsPerSecond(5)
                        .window(Duration.ofMillis(500))
                        .build()
                        .mappingsPerWindow())
                .isEqualTo(3);
    }

    @Test
    void keepKeysOutOfTheirText() {
        SandboxOptions options = SandboxOptions.builder()
                .keys(Set.of("hush-key"))
                .secretKey("hush-secret")
                .build();

        assertThat(options.toString()).doesNotContain("hush").contains("eventsPerSecond=50");
    }

    @Test
    void refuseWhatIsOutOfRange() {
        assertRefused(options -> options.port(65_536), "Cannot set 'port': '65536' is out of range. Use 0 to 65535.");
        assertRefused(
                options -> options.eventsPerSecond(0),
                "Cannot set 'eventsPerSecond': '0' is out of range. Use 1 or more.");
        assertRefused(
                options -> options.window(Duration.ZERO),
                "Cannot set 'window': 'PT0S' is out of range. Use more than zero.");
        assertRefused(
                options -> options.window(Duration.ofDays(2)),
                "Cannot set 'window': 'PT48H' is out of range. Use a day or less.");
        assertRefused(
                options -> options.window(Duration.ofMillis(9)),
                "Cannot set 'window': 'PT0.009S' is out of range. Use one that allows at least one mapping.");
        assertRefused(
                options -> options.eventsPerSecond(1_000_000).window(Duration.ofDays(1)),
                "Cannot set 'window': 'PT24H' is out of range. Use one that allows at most 2147483647 mappings.");
        assertRefused(
                options -> options.minIdLength(0), "Cannot set 'minIdLength': '0' is out of range. Use 1 to 1024.");
        assertRefused(
                options -> options.keys(Set.of("")),
                "Cannot set 'keys': 'an empty key' is out of range. Use keys with characters.");
    }

    private static void assertRefused(UnaryOperator<SandboxOptions.Builder> change, String message) {
        SandboxOptions.Builder builder = change.apply(SandboxOptions.builder());
        assertThatThrownBy(builder::build)
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage(message);
    }
}
