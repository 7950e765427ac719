package io.usermap.sandbox;

import static org.assertj.core.api.Assertions.assertThat;

import io.usermap.sandbox.Switches.WindowModel;
import java.util.Locale;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class WindowTest {
    private static final long SECOND = TimeUnit.SECONDS.toNanos(1);
    private static final long WINDOW = 30 * SECOND;

    @ParameterizedTest
    @EnumSource
    void everyModelTakesAWholeWindowAtOnceWhenItIsIdle(WindowModel model) {
        Window window = window(model);

        assertThat(window.hasRoom(1500, 7 * SECOND)).isTrue();
        assertThat(window.hasRoom(1501, 7 * SECOND)).isFalse();
        window.count(1500, 7 * SECOND);
        assertThat(window.hasRoom(1, 7 * SECOND)).isFalse();
    }

    @ParameterizedTest
    @EnumSource
    void everyModelIsIdleAgainAfterTwoWindows(WindowModel model) {
        Window window = window(model);
        window.count(1500, -5 * SECOND);

        assertThat(window.hasRoom(1500, 55 * SECOND)).isTrue();
    }

    @Test
    void twoBucketsWeightTheOlderOne() {
        Window window = window(WindowModel.TWO_BUCKETS);
        window.count(1500, 29 * SECOND);

        assertThat(window.hasRoom(50, 31 * SECOND)).isTrue();
        assertThat(window.hasRoom(51, 31 * SECOND)).isFalse();
        assertThat(window.hasRoom(750, 45 * SECOND)).isTrue();
        assertThat(window.hasRoom(751, 45 * SECOND)).isFalse();
    }

    @Test
    void twoBucketsLetMoreThroughThanAnExactWindowHolds() {
        Window window = window(WindowModel.TWO_BUCKETS);
        window.count(1500, 29 * SECOND);

        assertThat(window.hasRoom(1400, 58 * SECOND)).isTrue();
    }

    @Test
    void secondBucketsHoldAMappingUntilItsSecondIsOver() {
        Window window = window(WindowModel.SECOND_BUCKETS);
        window.count(1500, 9 * SECOND / 10);

        assertThat(window.hasRoom(1, 31 * SECOND - 1)).isFalse();
        assertThat(window.hasRoom(1500, 31 * SECOND)).isTrue();
    }

    @Test
    void secondBucketsNeverHoldLessThanAnExactWindow() {
        long seed = Long.getLong("usermap.seed", 5);
        Random random = new Random(seed);
        Window buckets = new Window.SecondBuckets(100, 59);
        ExactWindow exact = new ExactWindow(100, 59);
        long now = -1000;
        for (int i = 0; i < 20_000; i++) {
            now += random.nextInt(20);
            int mappings = 1 + random.nextInt(40);
            if (buckets.hasRoom(mappings, now)) {
                assertThat(exact.hasRoom(mappings, now))
                        .as("seed %d, step %d", seed, i)
                        .isTrue();
                buckets.count(mappings, now);
                exact.count(mappings, now);
            }
        }
        assertThat(exact.most()).isGreaterThan(90);
    }

    @Test
    void tokensComeBackAtAnEvenRateUpToTheCapacity() {
        Window window = new Window.TokenBucket(1500, WINDOW, 50);

        assertThat(window.hasRoom(51, 100 * SECOND)).isFalse();
        window.count(50, 100 * SECOND);
        assertThat(window.hasRoom(25, 100 * SECOND + SECOND / 2)).isTrue();
        assertThat(window.hasRoom(26, 100 * SECOND + SECOND / 2)).isFalse();
    }

    @Test
    void aDebtOfTokensIsBounded() {
        Window window = new Window.TokenBucket(1500, WINDOW, 50);
        window.count(50, 0);
        window.count(2000, 0);

        assertThat(window.hasRoom(1, SECOND)).isFalse();
        assertThat(window.hasRoom(50, 2 * SECOND + 1)).isTrue();
    }

    private static Window window(WindowModel model) {
        Switches switches = FaultScript.parse(
                        "script",
                        "{\"switches\": {\"window_model\": \"" + model.name().toLowerCase(Locale.ROOT) + "\"}}")
                .switches()
                .apply(Switches.DEFAULTS);
        return Window.of(switches, 1500, WINDOW);
    }
}
