package io.usermap.job;

/**
 * A share that was found in a random sample, and the interval in which that of the whole lies with 95 % confidence; pure.
 *
 * <p>The interval is Clopper and Pearson's for a finite population: it holds every number of users that would not have made
 * a sample as extreme as this one, to either side, rarer than 2.5 %. It is exact, so it covers the true share at least as
 * often as it says, also where nothing was found: 0 of 1,000, of a million, is 0 to 0.37 %. A sample of everybody has an
 * interval without width.
 *
 * @param found users of the sample in question
 * @param sampled users of the sample
 * @param population users of the whole
 * @param share {@code found} of {@code sampled}
 * @param low the least share of the whole, 0 to 1
 * @param high the greatest
 */
record SampledShare(long found, long sampled, long population, double share, double low, double high) {
    static final double CONFIDENCE = 0.95;

    private static final double TAIL = (1 - CONFIDENCE) / 2;
    private static final double NEGLIGIBLE = 1e-18;

    /** The interval for {@code found} of {@code sampled} users, drawn from {@code population} without putting back. */
    static SampledShare of(long found, long sampled, long population) {
        if (sampled == 0) {
            return new SampledShare(0, 0, population, 0, 0, population == 0 ? 0 : 1);
        }
        long least = found;
        long most = population - (sampled - found);
        return new SampledShare(
                found,
                sampled,
                population,
                (double) found / sampled,
                (double) least(least, most, found, sampled, population) / population,
                (double) most(least, most, found, sampled, population) / population);
    }

    /** The fewest of the population with which {@code found} or more are not too rare. */
    private static long least(long from, long to, long found, long sampled, long population) {
        long low = from;
        long high = to;
        while (low < high) {
            long middle = low + (high - low) / 2;
            if (1 - atMost(found - 1, sampled, middle, population) > TAIL) {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        return low;
    }

    /** The most of the population with which {@code found} or fewer are not too rare. */
    private static long most(long from, long to, long found, long sampled, long population) {
        long low = from;
        long high = to;
        while (low < high) {
            long middle = low + (high - low + 1) / 2;
            if (atMost(found, sampled, middle, population) > TAIL) {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        return low;
    }

    /** How likely a sample holds at most {@code found} of {@code marked} users: the hypergeometric distribution. */
    static double atMost(long found, long sampled, long marked, long population) {
        long fewest = Math.max(0, sampled - (population - marked));
        long most = Math.min(sampled, marked);
        if (found < fewest) {
            return 0;
        } else if (found >= most) {
            return 1;
        }
        double mode = (sampled + 1.0) * (marked + 1.0) / (population + 2.0);
        // The tail away from the mode falls all the way, so that it may be cut off.
        return found < mode
                ? falling(found, fewest, -1, sampled, marked, population)
                : 1 - falling(found + 1, most, 1, sampled, marked, population);
    }

    /** The sum from {@code first} to {@code last}, in steps of 1 or -1. */
    private static double falling(long first, long last, int step, long sampled, long marked, long population) {
        double term = Math.exp(logChoose(marked, first)
                + logChoose(population - marked, sampled - first)
                - logChoose(population, sampled));
        double sum = term;
        for (long i = first; i != last && term > NEGLIGIBLE * sum; i += step) {
            term *= step > 0
                    ? (double) (marked - i) * (sampled - i) / ((i + 1.0) * (population - marked - sampled + i + 1.0))
                    : (double) i * (population - marked - sampled + i) / ((marked - i + 1.0) * (sampled - i + 1.0));
            sum += term;
        }
        return Math.min(1, sum);
    }

    private static double logChoose(long of, long taken) {
        return logFactorial(of) - logFactorial(taken) - logFactorial(of - taken);
    }

    /** Stirling's series, exact to the last digits from 16 on. */
    private static double logFactorial(long number) {
        if (number < 16) {
            double product = 1;
            for (long i = 2; i <= number; i++) {
                product *= i;
            }
            return Math.log(product);
        }
        double n = number;
        return n * Math.log(n)
                - n
                + 0.5 * Math.log(2 * Math.PI * n)
                + 1 / (12 * n)
                - 1 / (360 * n * n * n)
                + 1 / (1260 * Math.pow(n, 5))
                - 1 / (1680 * Math.pow(n, 7));
    }
}
