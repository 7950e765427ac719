package io.usermap.client;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.UUID;
import org.junit.jupiter.api.Test;

class PacerTest {
    private final Pacer pacer = Pacer.of(UUID.randomUUID().toString());

    @Test
    void aWholeWindowLeavesAtOnce() {
        assertThat(pacer.tryAcquire(1_500, 1_500, Duration.ZERO)).isTrue();
    }

    @Test
    void aHeapOfGrantsIsRefusedInsteadOfKeptPastItsDeadline() {
        assertThat(pacer.tryAcquire(1_500, 100, Duration.ZERO)).isTrue();
        assertThat(pacer.tryAcquire(1_500, 100, Duration.ofMillis(1))).isFalse();
    }

    @Test
    void waitsWithinTheLimit() {
        assertThat(pacer.tryAcquire(100, 1_000, Duration.ZERO)).isTrue();
        assertThat(pacer.tryAcquire(100, 1_000, Duration.ofSeconds(5))).isTrue();
    }

    @Test
    void oneOfAnAllowanceInAProcess() {
        assertThat(Pacer.of("same")).isSameAs(Pacer.of("same")).isNotSameAs(Pacer.of("other"));
    }
}
