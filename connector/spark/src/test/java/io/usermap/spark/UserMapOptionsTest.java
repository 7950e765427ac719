package io.usermap.spark;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.usermap.client.AllowanceRules.Pacing;
import io.usermap.client.InvalidSettingsException;
import io.usermap.client.LookupEncoding;
import io.usermap.client.Setting;
import io.usermap.spark.UserMapOptions.OnConflict;
import io.usermap.spark.UserMapOptions.OnRejected;
import io.usermap.spark.UserMapOptions.StartWith;
import java.net.URI;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

class UserMapOptionsTest {
    /** Every option with a value that is not its default. */
    private static final Map<String, String> OTHER_VALUES = Map.ofEntries(
            Map.entry("apiKey", "env:KEY"),
            Map.entry("secretKey", "env:SECRET"),
            Map.entry("region", "eu"),
            Map.entry("endpoint", "http://api.example:1"),
            Map.entry("lookupEndpoint", "http://lookup.example:2"),
            Map.entry("allowInsecureEndpoint", "true"),
            Map.entry("minIdLength", "3"),
            Map.entry("eventsPerSecond", "100"),
            Map.entry("windowSeconds", "10"),
            Map.entry("guard", "2s"),
            Map.entry("allowanceShare", "0.5"),
            Map.entry("pacing", "smooth"),
            Map.entry("startWith", "full"),
            Map.entry("writers", "7"),
            Map.entry("maxBatchRows", "10"),
            Map.entry("maxBatchBytes", "20kB"),
            Map.entry("connectTimeout", "1s"),
            Map.entry("requestTimeout", "3s"),
            Map.entry("maxAttempts", "4"),
            Map.entry("onRejected", "record"),
            Map.entry("onConflict", "reject"),
            Map.entry("ignoreExtraColumns", "true"),
            Map.entry("receiptsPath", "/receipts"),
            Map.entry("userIds", "[\"a\"]"),
            Map.entry("lookupEncoding", "json"),
            Map.entry("lookupsPerSecond", "5"),
            Map.entry("lookupConcurrency", "9"));

    @Test
    void everyOptionIsReadIntoItsPlace() {
        UserMapOptions options = UserMapOptions.of(OTHER_VALUES);

        assertThat(options.apiKeyText()).contains("env:KEY");
        assertThat(options.secretKeyText()).contains("env:SECRET");
        assertThat(options.region()).hasToString("EU");
        assertThat(options.endpoints().writeUrl()).isEqualTo(URI.create("http://api.example:1/usermap"));
        assertThat(options.endpoints().lookupUrl()).isEqualTo(URI.create("http://lookup.example:2/api/2/usermap"));
        assertThat(options.idRules().minIdLength()).isEqualTo(3);
        assertThat(options.allowance().mappingsPerWindow()).isEqualTo(500);
        assertThat(options.allowance().window()).isEqualTo(Duration.ofSeconds(10));
        assertThat(options.allowance().guard()).isEqualTo(Duration.ofSeconds(2));
        assertThat(options.allowance().callTimeout()).isEqualTo(Duration.ofSeconds(3));
        assertThat(options.allowance().pacing()).isEqualTo(Pacing.SMOOTH);
        assertThat(options.startWith()).isEqualTo(StartWith.FULL);
        assertThat(options.writers(2)).isEqualTo(7);
        assertThat(options.maxBatchRows()).isEqualTo(10);
        assertThat(options.maxBatchBytes()).isEqualTo(20_000);
        assertThat(options.connectTimeout()).isEqualTo(Duration.ofSeconds(1));
        assertThat(options.requestTimeout()).isEqualTo(Duration.ofSeconds(3));
        assertThat(options.maxAttempts()).isEqualTo(4);
        assertThat(options.onRejected()).isEqualTo(OnRejected.RECORD);
        assertThat(options.onConflict()).isEqualTo(OnConflict.REJECT);
        assertThat(options.ignoreExtraColumns()).isTrue();
        assertThat(options.receiptsPath()).contains("/receipts");
        assertThat(options.userIds()).contains(List.of("a"));
        assertThat(options.lookupRules().encoding()).isEqualTo(LookupEncoding.JSON);
        assertThat(options.lookupRules().perSecond()).isEqualTo(5);
        assertThat(options.lookupRules().concurrency()).isEqualTo(9);
        assertThat(options.lookupRules().requestTimeout()).isEqualTo(Duration.ofSeconds(3));
        assertThat(options.lookupRules().retries().maxAttempts()).isEqualTo(4);
    }

    @Test
    void noOptionIsLeftOutOfTheseTests() {
        Set<String> declared = new HashSet<>();
        UserMapOptions.DECLARED.stream().map(Setting::key).forEach(declared::add);

        assertThat(OTHER_VALUES.keySet()).isEqualTo(declared);
    }

    @Test
    void defaultsAreTheDocumentedLimits() {
        UserMapOptions options = UserMapOptions.of(Map.of());

        assertThat(options.endpoints().writeUrl()).isEqualTo(URI.create("https://api.amplitude.com/usermap"));
        assertThat(options.endpoints().lookupUrl()).isEqualTo(URI.create("https://amplitude.com/api/2/usermap"));
        assertThat(options.allowance().mappingsPerWindow()).isEqualTo(1_500);
        assertThat(options.allowance().guard()).isEqualTo(Duration.ofSeconds(1));
        assertThat(options.allowance().silentHold()).isEqualTo(Duration.ofSeconds(76));
        assertThat(options.maxBatchRows()).isEqualTo(2_000);
        assertThat(options.maxBatchBytes()).isEqualTo(1_000_000);
        assertThat(options.onRejected()).isEqualTo(OnRejected.FAIL);
        assertThat(options.onConflict()).isEqualTo(OnConflict.FAIL);
    }

    @Test
    void writersAreFourButNotMoreThanTheSessionRunsAtOnce() {
        assertThat(UserMapOptions.of(Map.of()).writers(200)).isEqualTo(4);
        assertThat(UserMapOptions.of(Map.of()).writers(2)).isEqualTo(2);
    }

    @Test
    void lookupsGoWhereWritesGoUnlessToldOtherwise() {
        assertThat(UserMapOptions.of(Map.of("endpoint", "http://127.0.0.1:8080"))
                        .endpoints()
                        .lookupUrl())
                .isEqualTo(URI.create("http://127.0.0.1:8080/api/2/usermap"));
        assertThat(UserMapOptions.of(Map.of("region", "eu")).endpoints().lookupUrl())
                .isEqualTo(URI.create("https://analytics.eu.amplitude.com/api/2/usermap"));
    }

    @Test
    void whatSparkAddsItselfPasses() {
        assertThat(UserMapOptions.of(Map.of("path", "x", "checkpointLocation", "y", "queryName", "z")))
                .isNotNull();
    }

    @Test
    void anAllowanceWithoutAnyMappingIsRefused() {
        assertThatThrownBy(() -> UserMapOptions.of(Map.of("eventsPerSecond", "0.01")))
                .isInstanceOf(InvalidSettingsException.class)
                .hasMessage("Cannot send within an allowance of 0.3 mappings a window. Raise 'eventsPerSecond',"
                        + " 'windowSeconds' or 'allowanceShare'.");
    }

    @Test
    void keysDoNotPrint() {
        UserMapOptions options = UserMapOptions.of(Map.of("apiKey", "a-plain-key", "secretKey", "another-key"));

        assertThat(options.toString()).doesNotContain("a-plain-key").doesNotContain("another-key");
    }
}
