package io.usermap.client;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Random;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The judges of the simulation, judged. */
class ServerModelTest {

    static LongStream seeds() {
        return Seeds.first(20);
    }

    private static long seconds(double seconds) {
        return VirtualTime.nanos(seconds);
    }

    @Test
    void theDocumentedWindowIsFreeAgainAfterItsLength() {
        ServerModel server = ServerModel.exact(1_500, 30, false);

        assertThat(server.takes(0, 1_500)).isTrue();
        assertThat(server.takes(seconds(30) - 1, 1)).isFalse();
        assertThat(server.takes(seconds(30), 1_500)).isTrue();
    }

    @Test
    void refusedCallsCountWhereTheServiceCountsThem() {
        ServerModel counts = ServerModel.exact(1_500, 30, true);
        ServerModel forgets = ServerModel.exact(1_500, 30, false);
        for (ServerModel server : new ServerModel[] {counts, forgets}) {
            assertThat(server.takes(0, 1_500)).isTrue();
            assertThat(server.takes(seconds(20), 1_500)).isFalse();
        }

        assertThat(counts.takes(seconds(31), 1)).isFalse();
        assertThat(forgets.takes(seconds(31), 1)).isTrue();
    }

    @Test
    void wholeSecondsRememberLongerThanAWindow() {
        ServerModel server = ServerModel.wholeSeconds(1_500, 30, false);

        assertThat(server.takes(seconds(0.9), 1_500)).isTrue();
        assertThat(server.takes(seconds(30.95), 1)).isFalse();
        assertThat(server.takes(seconds(31), 1)).isTrue();
    }

    @Test
    void twoBucketsWeighTheOlderOne() {
        ServerModel server = ServerModel.twoBuckets(1_500, 30, false);

        assertThat(server.takes(seconds(22.6), 1_500)).isTrue();
        assertThat(server.takes(seconds(22.7 + 15), 760)).isFalse();
        assertThat(server.takes(seconds(22.7 + 15), 740)).isTrue();
    }

    @Test
    void aTokenBucketRefillsEvenly() {
        ServerModel server = ServerModel.tokenBucket(1_500, 30, 50, false);

        assertThat(server.takes(0, 50)).isTrue();
        assertThat(server.takes(seconds(0.5), 26)).isFalse();
        assertThat(server.takes(seconds(0.5), 25)).isTrue();
        assertThat(server.takes(seconds(1e6), 51)).isFalse();
    }

    @ParameterizedTest
    @MethodSource("seeds")
    void theOracleFindsTheFullestWindow(long seed) {
        Random random = new Random(seed);
        ArrivalLog log = new ArrivalLog();
        long[] times = random.longs(300, 0, seconds(200)).sorted().toArray();
        int[] counts = random.ints(300, 1, 100).toArray();
        for (int i = 0; i < 300; i++) {
            log.add(times[i], counts[i]);
        }
        long most = 0;
        for (long end : times) {
            long sum = 0;
            for (int i = 0; i < 300; i++) {
                sum += times[i] <= end && times[i] > end - seconds(30) ? counts[i] : 0;
            }
            most = Math.max(most, sum);
        }

        assertThat(log.mostInAnyWindow(30)).isEqualTo(most);
        assertThat(log.requests()).isEqualTo(300);
    }
}
