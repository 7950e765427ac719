package io.usermap.job;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.MathContext;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SampledShareTest {

    /** Probabilities in exact arithmetic, for every number of marked users in a small population. */
    @ParameterizedTest
    @CsvSource({"60, 12", "61, 30", "40, 39", "25, 1"})
    void coversTheTruthAtLeastAsOftenAsItSaysWhateverTheTruthIs(int population, int sampled) {
        for (int marked = 0; marked <= population; marked++) {
            double covered = 0;
            double below = 0;
            for (int found = 0; found <= Math.min(sampled, marked); found++) {
                double likely = exactly(found, sampled, marked, population);
                below += likely;
                assertThat(SampledShare.atMost(found, sampled, marked, population))
                        .as("at most %d of %d, %d of %d marked", found, sampled, marked, population)
                        .isEqualTo(below, within(1e-12));
                SampledShare share = SampledShare.of(found, sampled, population);
                double truth = (double) marked / population;
                covered += share.low() <= truth && truth <= share.high() ? likely : 0;
            }
            assertThat(covered).as("%d of %d marked", marked, population).isGreaterThanOrEqualTo(0.95 - 1e-12);
        }
    }

    private static double exactly(int found, int sampled, int marked, int population) {
        BigInteger ways = choose(marked, found).multiply(choose(population - marked, sampled - found));
        return new BigDecimal(ways)
                .divide(new BigDecimal(choose(population, sampled)), MathContext.DECIMAL128)
                .doubleValue();
    }

    private static BigInteger choose(int of, int taken) {
        if (taken < 0 || taken > of) {
            return BigInteger.ZERO;
        }
        BigInteger ways = BigInteger.ONE;
        for (int i = 1; i <= taken; i++) {
            ways = ways.multiply(BigInteger.valueOf(of - taken + i)).divide(BigInteger.valueOf(i));
        }
        return ways;
    }

    @ParameterizedTest
    @CsvSource({"0", "1", "7", "40", "300", "1000", "1999"})
    void coversTheTruthInDrawnSamples(int marked) {
        int population = 2_000;
        int sampled = 200;
        int draws = 2_000;
        long seed = 20_260_101L + marked;
        Random random = new Random(seed);
        int covered = 0;
        double width = 0;
        for (int draw = 0; draw < draws; draw++) {
            int found = 0;
            for (int i = 0; i < sampled; i++) {
                // The next one drawn is marked as often as marked ones are among those that are left.
                found += random.nextInt(population - i) < marked - found ? 1 : 0;
            }
            SampledShare share = SampledShare.of(found, sampled, population);
            double truth = (double) marked / population;
            covered += share.low() <= truth && truth <= share.high() ? 1 : 0;
            width += share.high() - share.low();
        }
        double truth = (double) marked / population;
        double deviation = Math.sqrt(truth * (1 - truth) / sampled * (population - sampled) / (population - 1.0));

        assertThat((double) covered / draws).as("seed %d", seed).isGreaterThanOrEqualTo(0.94);
        assertThat(width / draws)
                .as("not much wider than the normal approximation, and some samples")
                .isLessThan(2 * 1.96 * deviation * 1.15 + 3.7 / sampled);
    }

    @Test
    void hasTheValuesOfTheTextbook() {
        // Of an endless population, none of n: 1 - 0.025^(1/n); of a finite one a little less.
        assertThat(SampledShare.of(0, 1_000, 1_000_000_000L).high())
                .isEqualTo(1 - Math.pow(0.025, 0.001), within(1e-7));
        assertThat(SampledShare.of(0, 1_000, 1_000_000).high()).isBetween(0.00367, 0.003683);
        // Clopper and Pearson for 10 of 100.
        SampledShare ten = SampledShare.of(10, 100, 1_000_000_000L);
        assertThat(ten.low()).isEqualTo(0.0490, within(1e-4));
        assertThat(ten.high()).isEqualTo(0.1762, within(1e-4));
        assertThat(ten.share()).isEqualTo(0.1);
    }

    @Test
    void isAPointWhereEverybodyWasLookedAtAndEverythingWhereNobodyWas() {
        assertThat(SampledShare.of(3, 48, 48)).isEqualTo(new SampledShare(3, 48, 48, 0.0625, 0.0625, 0.0625));
        assertThat(SampledShare.of(0, 0, 48)).isEqualTo(new SampledShare(0, 0, 48, 0, 0, 1));
        assertThat(SampledShare.of(0, 0, 0)).isEqualTo(new SampledShare(0, 0, 0, 0, 0, 0));
    }

    @Test
    void holdsForLargeNumbersAtOnce() {
        SampledShare share = SampledShare.of(300_000, 1_000_000, 10_000_000);
        assertThat(share.low()).isBetween(0.2990, 0.2999);
        assertThat(share.high()).isBetween(0.3001, 0.3010);
    }
}
