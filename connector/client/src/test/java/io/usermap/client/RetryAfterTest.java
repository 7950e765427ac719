package io.usermap.client;

import static org.assertj.core.api.Assertions.assertThat;

import java.net.http.HttpHeaders;
import java.time.Duration;
import java.time.ZoneOffset;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class RetryAfterTest {

    private static Duration of(String header) {
        return UserMapClient.retryAfter(HttpHeaders.of(Map.of("retry-after", List.of(header)), (name, value) -> true));
    }

    @Test
    void readsSeconds() {
        assertThat(of("30")).isEqualTo(Duration.ofSeconds(30));
        assertThat(of(" 0 ")).isEqualTo(Duration.ZERO);
    }

    @Test
    void readsADate() {
        String inAMinute = DateTimeFormatter.RFC_1123_DATE_TIME.format(
                ZonedDateTime.now(ZoneOffset.UTC).plusMinutes(1));

        assertThat(of(inAMinute)).isBetween(Duration.ofSeconds(50), Duration.ofSeconds(60));
        assertThat(of("Thu, 01 Jan 1970 00:00:00 GMT")).isEqualTo(Duration.ZERO);
    }

    @ParameterizedTest
    @ValueSource(ints = {-5, 5})
    void aDateIsReadByTheClockOfTheServiceWhichThisOneMayBeFarFrom(int hours) {
        ZonedDateTime there = ZonedDateTime.now(ZoneOffset.UTC).plusHours(hours);
        HttpHeaders headers = HttpHeaders.of(
                Map.of(
                        "date",
                        List.of(DateTimeFormatter.RFC_1123_DATE_TIME.format(there)),
                        "retry-after",
                        List.of(DateTimeFormatter.RFC_1123_DATE_TIME.format(there.plusSeconds(40)))),
                (name, value) -> true);

        assertThat(UserMapClient.retryAfter(headers)).isEqualTo(Duration.ofSeconds(40));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "soon", "-5", "1.5", "1e3", "12345678901234567890", "2026-01-01T00:00:00Z"})
    void whatCannotBeReadIsNoWait(String header) {
        assertThat(of(header)).isEqualTo(Duration.ZERO);
    }

    @ParameterizedTest
    @ValueSource(strings = {"999999999", "Fri, 31 Dec 9999 23:59:59 GMT"})
    void agesAreCutToADay(String header) {
        assertThat(of(header)).isEqualTo(Duration.ofDays(1));
    }

    @Test
    void aServiceThatDoesNotSayMeansNoWait() {
        assertThat(UserMapClient.retryAfter(HttpHeaders.of(Map.of(), (name, value) -> true)))
                .isEqualTo(Duration.ZERO);
    }
}
