package io.usermap.spark;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import org.junit.jupiter.api.Test;

class LeasesTest {
    private static final Duration MOST = Duration.ofSeconds(5);

    private final Leases leases = new Leases();

    @Test
    void shortensWhatIsGrantedJustBeforeItsEnd() {
        leases.renew("write", Duration.ofSeconds(30).toNanos());

        assertThat(leases.left("write", 0, MOST)).isEqualTo(MOST);
        assertThat(leases.left("write", Duration.ofSeconds(28).toNanos(), MOST)).isEqualTo(Duration.ofSeconds(2));
        assertThat(leases.left("without", Duration.ofDays(1).toNanos(), MOST)).isEqualTo(MOST);
    }

    @Test
    void tellsOnceWhoseTimeIsOver() {
        leases.renew("first", 10);
        leases.renew("second", 20);
        leases.renew("ended", 10);
        leases.end("ended");

        assertThat(leases.over(9)).isEmpty();
        assertThat(leases.over(10)).containsExactly("first");
        assertThat(leases.over(11)).isEmpty();
        leases.renew("second", 30);
        assertThat(leases.over(20)).isEmpty();
    }

    @Test
    void countsOnAcrossTheClocksOverflow() {
        leases.renew("write", Long.MIN_VALUE + 5);

        assertThat(leases.over(Long.MAX_VALUE - 5)).isEmpty();
        assertThat(leases.over(Long.MIN_VALUE + 5)).containsExactly("write");
    }
}
