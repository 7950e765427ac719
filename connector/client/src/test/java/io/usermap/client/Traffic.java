package io.usermap.client;

import io.usermap.client.AllowanceRules.Pacing;
import java.time.Duration;
import java.util.function.LongUnaryOperator;

/** What a simulated application has to do with: figures, network, faults. Fields are set before the start. */
final class Traffic {
    /** The time of one leg of a request, there or back, by the time it starts. */
    interface SlowDown {
        double factor(double seconds);
    }

    AllowanceRules rules = rules(1, Pacing.BURST);
    Coordinator.Factory coordinator = Coordinator::real;

    int batchRows = 2_000;
    int writersPerExecutor = 4;

    double leastRoundTrip = 0.05;
    double mostRoundTrip = 0.5;
    double spikes = 0.01;
    double spikeSeconds = 5;
    SlowDown slowDown = seconds -> 1;

    double doneLost;
    double doneLate;
    double serviceErrors;
    double executorLossesAnHour;
    double executorPausesAnHour;
    double longestExecutorPause = 120;
    double driverPausesAnHour;
    double longestDriverPause = 20;
    double twins;

    /** The share of questions and of answers that get lost on the way or come twice; they are asked again. */
    double linesBreak;

    /** How often dynamic allocation brings an executor, or takes one away in good order. */
    double resizesAnHour;

    /** What the wall clock shows, in nanoseconds since the start, at a true time. */
    LongUnaryOperator wallClock = nanos -> nanos;

    /** A sender that does not look at the age of a grant: wrong, for the mutants. */
    boolean usesLateGrants;

    /** A driver that takes the permits of a lost executor back at once: wrong, for the mutants. */
    boolean freesOnLoss;

    static AllowanceRules rules(double share, Pacing pacing) {
        return AllowanceRules.of(
                50, share, Duration.ofSeconds(30), Duration.ofSeconds(1), Duration.ofSeconds(30), pacing);
    }

    static Traffic of(Pacing pacing) {
        Traffic traffic = new Traffic();
        traffic.rules = rules(1, pacing);
        return traffic;
    }

    double meanRoundTrip() {
        return (leastRoundTrip + mostRoundTrip) / 2 + spikes * spikeSeconds;
    }

    /** W / (W + guard + round trip) of the rate: what no coordinator of this kind can exceed. */
    double boundPerSecond() {
        double cycle = rules.coolDown().toNanos() / 1e9 + meanRoundTrip();
        return rules.mappingsPerWindow() / cycle;
    }
}
