package io.usermap.client;

import io.usermap.client.AllowanceLog.Answered;
import io.usermap.client.AllowanceLog.Entry;
import io.usermap.client.AllowanceRules.Pacing;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Random;
import java.util.stream.LongStream;

/** Applications that end, in order or not, and others that start soon after, all on one service. */
final class Restarts {
    /** What a new application assumes of the window after a crash. */
    interface Seeding {
        AllowanceLog after(AllowanceRules rules, List<Answered> receipts, Instant lastSign);

        /** The mutant: what was sent after the last receipt is forgotten. */
        static AllowanceLog fromReceiptsAlone(AllowanceRules rules, List<Answered> receipts, Instant lastSign) {
            return new AllowanceLog(receipts.stream()
                    .map(request -> new Entry(request.at().plus(rules.coolDown()), request.mappings()))
                    .toList());
        }
    }

    /** By how many seconds the wall clock jumps while no application runs. */
    interface Jump {
        double seconds(Random random);
    }

    final VirtualTime time = new VirtualTime();
    final SimulatedService service = new SimulatedService(time, ServerModel.exact(1_500, 30, false));
    private final long seed;
    private final Random random;
    private final Pacing pacing;
    private final long[] rows;
    private double offset;
    private int refusedAfter;
    private int idle;
    private double longestStart;

    Restarts(long seed) {
        this.seed = seed;
        this.random = new Random(seed);
        this.pacing = random.nextBoolean() ? Pacing.BURST : Pacing.SMOOTH;
        this.rows = LongStream.generate(() -> 1_000_000)
                .limit(new int[] {1, 4, 8, 40}[random.nextInt(4)])
                .toArray();
    }

    /** So many applications one after the other, each of which saves its log at its end. */
    Restarts clean(int restarts, Jump jump) {
        AllowanceLog log = AllowanceLog.empty();
        for (int restart = 0; restart < restarts; restart++) {
            SimulatedApplication application = live(restart, log, 20 + random.nextDouble() * 100);
            log = application.save();
            application.kill();
            pause(30, jump);
        }
        return this;
    }

    /** So many applications one after the other, each of which is killed. */
    Restarts killed(int restarts, Seeding seeding, Jump jump) {
        AllowanceLog log = AllowanceLog.empty();
        for (int restart = 0; restart < restarts; restart++) {
            double started = time.seconds();
            SimulatedApplication application = live(restart, log, 20 + random.nextDouble() * 150);
            application.kill();
            log = afterCrash(application, started, time.seconds(), seeding);
            pause(30, jump);
        }
        return this;
    }

    /** After how many of the restarts there was a 429. */
    int refusedAfter() {
        return refusedAfter;
    }

    /** How many applications that lived long enough got nothing through. */
    int idle() {
        return idle;
    }

    /** The longest that an application waited for its first response, in seconds. */
    double longestStart() {
        return longestStart;
    }

    private SimulatedApplication live(int restart, AllowanceLog log, double seconds) {
        Traffic traffic = Traffic.of(pacing);
        traffic.spikes = 0.05;
        traffic.doneLost = 0.02;
        long nanos = VirtualTime.nanos(offset);
        traffic.wallClock = now -> now + nanos;
        long refusedBefore = service.throttled();
        double started = time.seconds();
        SimulatedApplication application = new SimulatedApplication(service, traffic, seed + restart, log).write(rows);
        time.runUntil(started + seconds);
        refusedAfter += service.throttled() > refusedBefore ? 1 : 0;
        if (application.receipts.isEmpty()) {
            idle += seconds > 120 ? 1 : 0;
        } else {
            Instant start = application.wall().minusNanos(VirtualTime.nanos(seconds));
            long first =
                    Duration.between(start, application.receipts.get(0).at()).toNanos();
            longestStart = Math.max(longestStart, first / 1e9);
        }
        return application;
    }

    private void pause(double most, Jump jump) {
        time.runUntil(time.seconds() + random.nextDouble() * most);
        offset += jump.seconds(random);
    }

    /** Receipts up to the last flush, a heartbeat that is up to a margin old. */
    private AllowanceLog afterCrash(SimulatedApplication application, double started, double died, Seeding seeding) {
        double margin = application.traffic.rules.margin().toNanos() / 1e9;
        boolean smooth = application.traffic.rules.pacing() == Pacing.SMOOTH;
        double flushed = died - (smooth ? 10 : 0.2) * random.nextDouble();
        double heartbeat = Math.max(started, died - margin * random.nextDouble());
        Instant start = application.wall().minusNanos(VirtualTime.nanos(died));
        Instant flush = start.plusNanos(VirtualTime.nanos(flushed));
        List<Answered> receipts = application.receipts.stream()
                .filter(receipt -> !receipt.at().isAfter(flush))
                .toList();
        Instant sign = start.plusNanos(VirtualTime.nanos(heartbeat));
        for (Answered receipt : receipts) {
            sign = receipt.at().isAfter(sign) ? receipt.at() : sign;
        }
        return seeding.after(application.traffic.rules, receipts, sign);
    }
}
