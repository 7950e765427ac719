package io.usermap.client;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.Random;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class FairShareTest {

    static LongStream seeds() {
        return Seeds.first(50);
    }

    /** The definition, step by step: raise everybody's level by one as long as the budget lasts. */
    private static int bruteForce(int[] demands, int budget) {
        int level = 0;
        while (level < 3_000) {
            int next = level + 1;
            int sum =
                    Arrays.stream(demands).map(demand -> Math.min(demand, next)).sum();
            if (sum > budget || next > Arrays.stream(demands).max().orElse(0)) {
                break;
            }
            level = next;
        }
        return Math.max(1, level);
    }

    private static FairShare<Integer> wanting(int... demands) {
        FairShare<Integer> shares = new FairShare<>(2_000);
        for (int i = 0; i < demands.length; i++) {
            shares.want(i, demands[i]);
        }
        return shares;
    }

    @Test
    void whoeverWantsLittleGetsItAndTheOthersDivideTheRest() {
        assertThat(wanting(100, 2_000, 2_000).of(1_500)).isEqualTo(700);
        assertThat(wanting(2_000, 2_000).of(1_500)).isEqualTo(750);
        assertThat(wanting(2_000, 10, 10, 10).of(1_500)).isEqualTo(1_470);
    }

    @Test
    void aLoneWriterGetsEverything() {
        assertThat(wanting(2_000).of(1_500)).isEqualTo(1_500);
        assertThat(wanting().of(1_500)).isEqualTo(1_500);
    }

    @Test
    void whereThereIsEnoughNobodyIsCutShort() {
        assertThat(wanting(10, 20, 30).of(1_500)).isGreaterThanOrEqualTo(30);
    }

    @Test
    void theShareIsAtLeastOne() {
        FairShare<Integer> shares = new FairShare<>(2_000);
        for (int writer = 0; writer < 10_000; writer++) {
            shares.want(writer, 2_000);
        }

        assertThat(shares.of(1_500)).isEqualTo(1);
        assertThat(shares.writers()).isEqualTo(10_000);
    }

    @Test
    void demandsOutOfRangeCountAsTheNearestInIt() {
        assertThat(wanting(5_000, 5_000).of(10_000))
                .isEqualTo(wanting(2_000, 2_000).of(10_000));
        assertThat(wanting(0, 2_000).of(1_500)).isEqualTo(1_499);
        assertThat(wanting(-7, 2_000).of(1_500)).isEqualTo(1_499);
    }

    @Test
    void whoeverLeavesMakesRoomAndMayLeaveTwice() {
        FairShare<Integer> shares = wanting(2_000, 2_000);
        shares.leave(0);
        shares.leave(0);
        shares.leave(99);

        assertThat(shares.of(1_500)).isEqualTo(1_500);
        assertThat(shares.writers()).isEqualTo(1);
    }

    @ParameterizedTest
    @MethodSource("seeds")
    void agreesWithTheDefinitionWhateverComesAndGoes(long seed) {
        Random random = new Random(seed);
        int largest = 1 + random.nextInt(random.nextBoolean() ? 20 : 2_000);
        FairShare<Integer> shares = new FairShare<>(largest);
        Map<Integer, Integer> wanted = new HashMap<>();
        for (int step = 0; step < 150; step++) {
            int writer = random.nextInt(30);
            if (random.nextInt(4) == 0) {
                shares.leave(writer);
                wanted.remove(writer);
            } else {
                int demand = 1 + random.nextInt(largest);
                shares.want(writer, demand);
                wanted.put(writer, demand);
            }
            int budget = 1 + random.nextInt(2_500);
            int[] demands = wanted.values().stream().mapToInt(Integer::intValue).toArray();
            int share = shares.of(budget);
            int expected = bruteForce(demands, budget);
            for (int demand : demands) {
                assertThat(Math.min(demand, share)).as("step %d", step).isEqualTo(Math.min(demand, expected));
            }
        }
    }
}
