package io.usermap.job;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.Test;

/**
 * Night after night of chaos for an hour, and {@code job/docs/reports/chaos.md}. Runs by its name only; the report tells
 * how.
 */
class ChaosReport {
    private static final String HEAD = """
            # Chaos

            Night after night a new source, and `apply` in processes of its own, driver and executors on `local-cluster`, again
            and again until it ends with 0. Meanwhile processes are killed, ended, stopped and continued, the sandbox, which is a
            process too, is killed and started again, and faults of all kinds come and go, by a schedule that a seed tells; a
            request takes 50 to 800 ms without any.
            Ledger and sandbox go on from night to night. A window of 12 or 15 s outlasts a restart, so that it would be exceeded
            by whoever forgot it.

            ```bash
            mvn -q -pl job -am verify -Dit.test=ChaosReport -Dtest=None \\
                -Dsurefire.failIfNoSpecifiedTests=false -Dfailsafe.failIfNoSpecifiedTests=false
            ```

            writes this page in an hour, `-Dusermap.chaos.seconds=600` in ten minutes; `-Dusermap.chaos.seed=17` begins with
            that night. What a schedule meets is up to the machine.

            *Equal* means, at the end of a night: the sandbox's mappings are those of the source, the ledger knows the same,
            just what was planned arrived, the sandbox counted as many events as are in its log, and nothing was sent again
            needlessly. *For faults* are events that no answer had acknowledged in time; *for incidents* those whose answer came
            to somebody who was killed or stopped before its receipt was out. A sandbox that was killed has forgotten its
            window and its count; what it had stored in its last milliseconds is in its journal. Exit code 137 is a kill, 130 the end by
            SIGTERM, 143 one before the program listens.

            %s

            | seed | mode | what happened | exit codes | planned | received | for faults | for incidents | fullest window | |
            |---|---|---|---|---|---|---|---|---|---|
            """;

    private static final Duration LASTS = Duration.ofSeconds(Long.getLong("usermap.chaos.seconds", 3600));
    private static final long FIRST_SEED = Long.getLong("usermap.chaos.seed", 1);

    @Test
    void write() throws Exception {
        Path folder = Files.createTempDirectory("usermap-chaos");
        System.out.println("in " + folder);
        try (SparkSession spark = LocalSpark.session()) {
            List<ChaosNight.Result> nights = new ArrayList<>();
            JobProcess.Cluster cluster = JobProcess.Cluster.in(folder, "1,2");
            ChaosScene first = KillsReport.base(folder.resolve("first-load"), cluster);
            carryOut(first, folder, cluster, FIRST_SEED, LASTS, spark, night -> {
                System.out.println(night);
                nights.add(night);
                save(nights);
            });
            if (!nights.stream().allMatch(ChaosNight.Result::isWell)) {
                throw new AssertionError("Not all is well, see " + folder);
            }
        }
    }

    /** Takes note of a night. */
    interface Notes {
        void take(ChaosNight.Result night) throws IOException;
    }

    /**
     * Nights after {@code first}, for as long as {@code lasts}, one seed after the other; the ledger and the sandbox go on from one to the next. After three
     * in a mode come three in another. A night that is not well ends its scene, which is left to look at.
     */
    static void carryOut(
            ChaosScene first,
            Path folder,
            JobProcess.Cluster one,
            long firstSeed,
            Duration lasts,
            SparkSession spark,
            Notes notes)
            throws IOException, InterruptedException {
        JobProcess.Cluster two = new JobProcess.Cluster(one.home(), "2,1");
        List<ChaosScene.Mode> modes = List.of(
                new ChaosScene.Mode("burst", "overwrite", 100, 3),
                new ChaosScene.Mode("smooth", "overwrite", 60, 15),
                new ChaosScene.Mode("burst", "unmap-first", 80, 12));
        ChaosScene last = first;
        Instant end = Instant.now().plus(lasts);
        long seed = firstSeed;
        for (int scenes = 0; Instant.now().isBefore(end); scenes++) {
            ChaosScene.Mode mode = modes.get(scenes % modes.size());
            Path place = folder.resolve("scene-" + scenes);
            ChaosScene before = last;
            try (ChaosScene scene = ChaosScene.after(last, place, scenes % 2 == 0 ? two : one, mode)) {
                boolean well = true;
                for (int night = 0; night < 3 && well && Instant.now().isBefore(end); night++) {
                    ChaosNight.Result result = ChaosNight.carryOut(scene, seed++, spark);
                    notes.take(result);
                    well = result.isWell();
                }
                last = well ? scene : before;
            }
        }
    }

    private static String summary(List<ChaosNight.Result> nights) {
        return String.format(
                Locale.ROOT,
                "%d nights in %d minutes, %d of them equal at the end: %d incidents, %d runs, %d events planned, %d received,"
                        + " %d of them again for faults and %d for incidents; %d 429s.",
                nights.size(),
                nights.stream()
                        .map(ChaosNight.Result::took)
                        .reduce(Duration.ZERO, Duration::plus)
                        .toMinutes(),
                nights.stream().filter(ChaosNight.Result::isWell).count(),
                nights.stream().mapToInt(night -> night.happened().size()).sum(),
                nights.stream().mapToInt(night -> night.exitCodes().size()).sum(),
                nights.stream().mapToInt(ChaosNight.Result::planned).sum(),
                nights.stream().mapToLong(ChaosNight.Result::received).sum(),
                nights.stream().mapToInt(ChaosNight.Result::forFaults).sum(),
                nights.stream().mapToInt(ChaosNight.Result::forIncidents).sum(),
                nights.stream().mapToLong(ChaosNight.Result::throttled).sum());
    }

    private static void save(List<ChaosNight.Result> nights) throws IOException {
        StringBuilder text = new StringBuilder(HEAD.formatted(summary(nights)));
        for (ChaosNight.Result night : nights) {
            text.append(String.format(
                    Locale.ROOT,
                    "| %d | %s | %s | %s | %d | %d | %d | %d | %d of %d | %s |%n",
                    night.seed(),
                    night.mode(),
                    String.join(
                            "; ",
                            night.happened().stream().map(Object::toString).toList()),
                    night.exitCodes(),
                    night.planned(),
                    night.received(),
                    night.forFaults(),
                    night.forIncidents(),
                    night.mostInWindow(),
                    night.limit(),
                    night.isWell() ? "equal" : night.problems()));
        }
        Path report = Checkout.root().resolve("job/docs/reports/chaos.md");
        Files.createDirectories(report.getParent());
        Files.writeString(report, text);
    }

    /** The same without a test runner. */
    public static void main(String[] arguments) throws Exception {
        new ChaosReport().write();
        System.exit(0);
    }
}
