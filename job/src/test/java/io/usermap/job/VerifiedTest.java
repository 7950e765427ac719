package io.usermap.job;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import org.junit.jupiter.api.Test;

class VerifiedTest {

    @Test
    void tellsASampleWithItsInterval() {
        assertThat(Verified.of("state 3", 48_211, 991, 6, 3, 2).summary("20260131T041702175Z-cea1"))
                .isEqualTo("""
                        verify 20260131T041702175Z-cea1: 1,002 of 48,211 users of state 3 looked up
                          agreed              991
                          missing               6  to be mapped, and the service has no mapping
                          different             3  mapped elsewhere, or mapped and not to be
                          unknown               2  the service told nothing
                          drift 0.90 %; of all 0.42 % to 1.69 % with 95 % confidence (Clopper-Pearson, finite population)\
                        """);
    }

    @Test
    void tellsEverybodyWithoutOne() {
        assertThat(Verified.of("plan x", 10, 9, 0, 0, 1).summary("y"))
                .startsWith("verify y: 10 users of plan x looked up\n")
                .endsWith("\n  drift 0.00 %");
    }

    @Test
    void isWorkedOffInHundredthsOfAtLeastAndAtMostSoLong() {
        Duration shortest = Duration.ofSeconds(30);
        assertThat(Verification.parts(Duration.ZERO, shortest)).isEqualTo(1);
        assertThat(Verification.parts(Duration.ofSeconds(90), shortest)).isEqualTo(3);
        assertThat(Verification.parts(Duration.ofHours(2), shortest)).isEqualTo(100);
        assertThat(Verification.parts(Duration.ofHours(28), shortest)).isEqualTo(168);
    }
}
