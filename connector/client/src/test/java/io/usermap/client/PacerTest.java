package io.usermap.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.util.UUID;
import org.junit.jupiter.api.Test;

class PacerTest {
    private final Pacer pacer = Pacer.of(UUID.randomUUID().toString());

    @Test
    void aWholeWindowLeavesAtOnce() throws Exception {
        assertThat(pacer.tryAcquire(1_500, 1_500, Duration.ZERO)).isTrue();
    }

    @Test
    void aHeapOfGrantsIsRefusedInsteadOfKeptPastItsDeadline() throws Exception {
        assertThat(pacer.tryAcquire(1_500, 100, Duration.ZERO)).isTrue();
        assertThat(pacer.tryAcquire(1_500, 100, Duration.ofMillis(1))).isFalse();
    }

    @Test
    void waitsWithinTheLimit() throws Exception {
        assertThat(pacer.tryAcquire(100, 1_000, Duration.ZERO)).isTrue();
        assertThat(pacer.tryAcquire(100, 1_000, Duration.ofSeconds(5))).isTrue();
    }

    @Test
    void anInterruptEndsTheWait() throws Exception {
        assertThat(pacer.tryAcquire(1_000, 100, Duration.ZERO)).isTrue();
        Thread.currentThread().interrupt();
        assertThatThrownBy(() -> pacer.tryAcquire(1, 100, Duration.ofSeconds(60)))
                .isInstanceOf(InterruptedException.class);
    }

    @Test
    void oneOfAnAllowanceInAProcess() {
        assertThat(Pacer.of("same")).isSameAs(Pacer.of("same")).isNotSameAs(Pacer.of("other"));
    }
}
