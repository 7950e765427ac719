package io.usermap.sandbox;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ExactWindowTest {
    private static final long WINDOW = TimeUnit.SECONDS.toNanos(30);

    private final ExactWindow window = new ExactWindow(1500, WINDOW);

    @Test
    void hasRoomForExactlyTheLimit() {
        assertThat(window.hasRoom(1500, 0)).isTrue();
        assertThat(window.hasRoom(1501, 0)).isFalse();
    }

    @Test
    void refusesWhenTheWindowIsFull() {
        window.count(1000, 0);
        window.count(500, 10);

        assertThat(window.hasRoom(1, 10)).isFalse();
        assertThat(window.hasRoom(1, WINDOW - 1)).isFalse();
    }

    @Test
    void freesAnArrivalExactlyOneWindowLater() {
        window.count(1000, 0);
        window.count(500, 10);

        assertThat(window.hasRoom(1000, WINDOW)).isTrue();
        assertThat(window.hasRoom(1001, WINDOW)).isFalse();
        assertThat(window.inWindow(WINDOW + 9)).isEqualTo(500);
        assertThat(window.inWindow(WINDOW + 10)).isZero();
    }

    @Test
    void askingCountsNothing() {
        assertThat(window.hasRoom(1500, 0)).isTrue();
        assertThat(window.hasRoom(1500, 0)).isTrue();
        assertThat(window.inWindow(0)).isZero();
    }

    @Test
    void countsPastTheLimitWhenToldTo() {
        window.count(1500, 0);
        window.count(1500, 1);

        assertThat(window.hasRoom(1, WINDOW)).isFalse();
        assertThat(window.hasRoom(1500, WINDOW + 1)).isTrue();
    }

    @Test
    void remembersTheFullestWindow() {
        window.count(100, 0);
        window.count(200, 1);
        window.count(50, WINDOW);

        assertThat(window.most()).isEqualTo(300);
    }

    @Test
    void holdsAcrossTheWrapOfTheClock() {
        long start = Long.MAX_VALUE - 5;
        window.count(1500, start);

        assertThat(window.hasRoom(1, start + WINDOW - 1)).isFalse();
        assertThat(window.hasRoom(1, start + WINDOW)).isTrue();
    }

    private record Arrival(long atNanos, int mappings) {}

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8})
    void agreesWithAnExhaustiveCount(long seed) {
        Random random = new Random(seed);
        ExactWindow small = new ExactWindow(20, 50);
        List<Arrival> accepted = new ArrayList<>();
        long now = 0;
        for (int i = 0; i < 2000; i++) {
            now += random.nextInt(10);
            long at = now;
            int mappings = 1 + random.nextInt(8);
            int before = accepted.stream()
                    .filter(arrival -> arrival.atNanos() > at - 50)
                    .mapToInt(Arrival::mappings)
                    .sum();

            boolean room = small.hasRoom(mappings, now);

            assertThat(room).as("seed %d, step %d", seed, i).isEqualTo(before + mappings <= 20);
            if (room) {
                small.count(mappings, now);
                accepted.add(new Arrival(now, mappings));
            }
        }
        assertThat(small.most()).isEqualTo(20);
    }
}
