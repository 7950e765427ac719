package io.usermap.job;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.Test;

/**
 * Kills 50 drivers and 50 executors at moments that seeds tell, and writes {@code job/docs/reports/kills.md}. Takes an hour,
 * so it runs by its name only; the report tells how.
 */
class KillsReport {
    private static final String HEAD = """
            # Kills

            SIGKILL at %d moments: of the driver, and of one of its executors, each a process of its own on `local-cluster`,
            against a sandbox in a third. Every run starts from a ledger with 600 mappings and plans a night's change: new
            users, others moved or gone. After a driver's death `apply` is run again until it ends with 0, in the session of the
            test; after an executor's, the same run goes on. A window of 15 s outlasts a restart, so that it would be exceeded by
            whoever forgot it. Each request takes 50 to 800 ms, so that many kills meet some.

            ```bash
            mvn -q -pl job -am verify -Dit.test=KillsReport -Dtest=None \\
                -Dsurefire.failIfNoSpecifiedTests=false -Dfailsafe.failIfNoSpecifiedTests=false
            ```

            writes this page; `-Dusermap.kills.seed=17 -Dusermap.kills=1` carries out the kills of one seed. The seed tells
            plan, mode and moment; what is in flight then is up to the machine.

            *Equal* means: the sandbox's mappings are those of the source, the ledger knows the same, what arrived is just
            what was planned, and nothing that had a receipt at the kill was sent again. In burst, only what was in flight was,
            in 4 requests at most; in smooth, at most 10 s of the allowance and what was in flight. *Before* tells how long
            before the kill the earliest answer to any of it had come: a request is in flight until its receipt is written,
            for which a busy machine has 3 s, beyond the 10 s of smooth.

            %s

            | seed | killed | mode | moment | planned | in flight | without receipt | sent again | before | fullest window | exit codes | |
            |---|---|---|---|---|---|---|---|---|---|---|---|
            """;

    private static final int EACH = Integer.getInteger("usermap.kills", 50);
    private static final int AT_A_TIME = Integer.getInteger("usermap.kills.at-a-time", 2);
    private static final long FIRST_SEED = Long.getLong("usermap.kills.seed", 1);

    @Test
    void write() throws Exception {
        Path folder = Files.createTempDirectory("usermap-kills");
        System.out.println("in " + folder);
        JobProcess.Cluster one = JobProcess.Cluster.in(folder, "1,2");
        JobProcess.Cluster two = new JobProcess.Cluster(one.home(), "2,1");
        List<Kill.Result> results = new ArrayList<>();
        ExecutorService threads = Executors.newFixedThreadPool(AT_A_TIME);
        try (SparkSession spark = LocalSpark.session();
                ChaosScene base = base(folder.resolve("base"), one)) {
            List<Future<Kill.Result>> running = new ArrayList<>();
            for (long seed = FIRST_SEED; seed < FIRST_SEED + EACH; seed++) {
                for (Kill.Victim victim : Kill.Victim.values()) {
                    long number = seed;
                    JobProcess.Cluster cluster = seed % 2 == 0 ? two : one;
                    running.add(threads.submit(() -> {
                        Kill.Result result = Kill.carryOut(
                                base, folder.resolve(victim + "-" + number), cluster, number, victim, spark);
                        System.out.println(result);
                        return result;
                    }));
                }
            }
            for (Future<Kill.Result> result : running) {
                results.add(result.get());
                save(results);
            }
        } finally {
            threads.shutdownNow();
        }
        if (!results.stream().allMatch(Kill.Result::isWell)) {
            throw new AssertionError("Not all is well, see " + folder);
        }
    }

    /** The first load, in the session of this process; closed, so that others may begin with what it holds. */
    static ChaosScene base(Path folder, JobProcess.Cluster cluster) throws IOException {
        try (ChaosScene scene = ChaosScene.in(folder, cluster, ChaosScene.Mode.AT_ONCE)) {
            scene.want(ChaosScene.users(600));
            int code = scene.applyHere();
            if (code != 0) {
                throw new AssertionError("The first load ended with " + code + ", see " + scene.log());
            }
            return scene;
        }
    }

    private static String summary(List<Kill.Result> results) {
        StringBuilder text = new StringBuilder();
        for (Kill.Victim victim : Kill.Victim.values()) {
            List<Kill.Result> of =
                    results.stream().filter(result -> result.victim() == victim).toList();
            text.append(String.format(
                    Locale.ROOT,
                    "%s: %d kills, %d of them equal at the end; %d while something was in flight; at most %d mappings sent"
                            + " again in burst and %d in smooth; %d 429s.%n%n",
                    victim == Kill.Victim.DRIVER ? "Drivers" : "Executors",
                    of.size(),
                    of.stream().filter(Kill.Result::isWell).count(),
                    of.stream().filter(result -> result.inFlight() > 0).count(),
                    mostAgain(of, false),
                    mostAgain(of, true),
                    of.stream()
                            .mapToLong(result -> result.figures().throttled())
                            .sum()));
        }
        return text.toString().strip();
    }

    private static int mostAgain(List<Kill.Result> results, boolean smooth) {
        return results.stream()
                .filter(result -> result.mode().isSmooth() == smooth)
                .mapToInt(Kill.Result::again)
                .max()
                .orElse(0);
    }

    private static void save(List<Kill.Result> results) throws IOException {
        StringBuilder text = new StringBuilder(HEAD.formatted(results.size(), summary(results)));
        for (Kill.Result result : results) {
            text.append(String.format(
                    Locale.ROOT,
                    "| %d | %s | %s | %s | %d | %d | %d | %d | %s | %d of %d | %s | %s |%n",
                    result.seed(),
                    result.victim().name().toLowerCase(Locale.ROOT),
                    result.mode(),
                    result.moment(),
                    result.planned(),
                    result.inFlight(),
                    result.unreceipted(),
                    result.again(),
                    result.again() == 0 ? "" : result.answeredBefore().toMillis() + " ms",
                    result.figures().mostInWindow(),
                    result.figures().limit(),
                    result.exitCodes(),
                    result.isWell() ? "equal" : result.problems()));
        }
        Path report = Checkout.root().resolve("job/docs/reports/kills.md");
        Files.createDirectories(report.getParent());
        Files.writeString(report, text);
    }

    /** The same without a test runner. */
    public static void main(String[] arguments) throws Exception {
        new KillsReport().write();
        System.exit(0);
    }
}
