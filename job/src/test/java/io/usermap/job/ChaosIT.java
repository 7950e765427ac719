package io.usermap.job;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.time.Duration;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.CleanupMode;
import org.junit.jupiter.api.io.TempDir;

/**
 * A minute of what {@link ChaosReport} does in an hour, and beside it one of the kills of {@link KillsReport}.
 *
 * <p>{@code -Dusermap.chaos.seed} begins with another night, {@code -Dusermap.kills.seed} carries out the kill of another
 * seed, {@code -Dusermap.kills.victim} says of whom: {@code DRIVER} or {@code EXECUTOR}.
 */
class ChaosIT {
    /** A night that has begun by then goes on to its end: over a minute in all, beside the kill. */
    private static final Duration LASTS = Duration.ofSeconds(45);

    /** A night with kills of driver, executor and sandbox. */
    private static final long FIRST_NIGHT = Long.getLong("usermap.chaos.seed", 443);

    /** Kills that meet requests in flight: of the driver in burst; of an executor in smooth, with 5 s of receipts not out. */
    private static final Map<Kill.Victim, Long> KILLS = Map.of(Kill.Victim.DRIVER, 20L, Kill.Victim.EXECUTOR, 7L);

    @TempDir(cleanup = CleanupMode.ON_SUCCESS)
    private Path folder;

    /** One of them on even days, the other on odd ones; the night tries both, if it lives to see them. */
    private static Kill.Victim victim() {
        boolean even = LocalDate.now(ZoneOffset.UTC).getDayOfYear() % 2 == 0;
        Kill.Victim today = even ? Kill.Victim.DRIVER : Kill.Victim.EXECUTOR;
        return Kill.Victim.valueOf(System.getProperty("usermap.kills.victim", today.name()));
    }

    @Test
    void neitherChaosNorKillsLoseOrRepeatAnything() throws Exception {
        ExecutorService threads = Executors.newSingleThreadExecutor();
        List<ChaosNight.Result> nights = new ArrayList<>();
        try (SparkSession spark = LocalSpark.session()) {
            JobProcess.Cluster cluster = JobProcess.Cluster.in(folder, "1,2");
            ChaosScene first = KillsReport.base(folder.resolve("first-load"), cluster);
            Kill.Victim victim = victim();
            long seed = Long.getLong("usermap.kills.seed", KILLS.get(victim));
            Future<Kill.Result> kill = threads.submit(
                    () -> Kill.carryOut(first, folder.resolve("" + victim), cluster, seed, victim, spark));
            ChaosReport.carryOut(first, folder, cluster, FIRST_NIGHT, LASTS, spark, night -> {
                System.out.println(night);
                nights.add(night);
            });

            assertThat(nights)
                    .isNotEmpty()
                    .as("in %s; repeat a night with -Dit.test=ChaosIT -Dusermap.chaos.seed=SEED", folder)
                    .allMatch(ChaosNight.Result::isWell);
            if (FIRST_NIGHT == 443) {
                assertThat(nights.get(0).happened().stream().map(ChaosSchedule.Incident::kind))
                        .contains(ChaosSchedule.Kind.KILL_EXECUTOR, ChaosSchedule.Kind.RESTART_SANDBOX);
            }
            Kill.Result result = kill.get(5, TimeUnit.MINUTES);
            System.out.println(result);
            assertThat(result)
                    .as("in %s; repeat it with -Dit.test=ChaosIT -Dusermap.kills.victim=%s", folder, victim)
                    .matches(Kill.Result::isWell);
        } finally {
            threads.shutdownNow();
        }
    }
}
