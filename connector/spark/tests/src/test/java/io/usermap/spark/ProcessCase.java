package io.usermap.spark;

import static java.util.Comparator.comparing;
import static org.assertj.core.api.Assertions.assertThat;

import io.usermap.client.AllowanceLog;
import io.usermap.client.AllowanceRules;
import io.usermap.client.Secret;
import io.usermap.sandbox.Sandbox;
import io.usermap.sandbox.SandboxOptions;
import io.usermap.sandbox.SandboxRequest;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.unsafe.hash.Murmur3_x86_32;
import org.apache.spark.unsafe.types.UTF8String;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * One Spark for all tests of a class, with two executors in processes of their own, and a fresh sandbox for each test.
 *
 * <p>Executors come and go by dynamic allocation, and slow tasks get twins. The window is 400 mappings in 1 s, so that
 * tests wait seconds for what takes minutes in earnest; the arithmetic is the same.
 */
@Timeout(240)
abstract class ProcessCase {
    static final int PER_SECOND = 400;
    static final Duration WINDOW = Duration.ofSeconds(1);
    static final int PER_WINDOW = 400;
    static final int WRITERS = 4;
    private static final int EXECUTORS = 2;
    private static final int SPARKS_HASH_SEED = 42;

    static final TaskLog tasks = new TaskLog();
    static SparkSession spark;

    @TempDir
    static Path folder;

    private static StandaloneCluster cluster;

    Sandbox sandbox;

    @BeforeAll
    static void startCluster() {
        cluster = StandaloneCluster.of(EXECUTORS, folder.resolve("work"));
        spark = cluster.session()
                .config("spark.dynamicAllocation.enabled", "true")
                .config("spark.dynamicAllocation.shuffleTracking.enabled", "true")
                .config("spark.dynamicAllocation.shuffleTracking.timeout", "5s")
                .config("spark.dynamicAllocation.executorIdleTimeout", "5s")
                .config("spark.dynamicAllocation.initialExecutors", EXECUTORS)
                .config("spark.dynamicAllocation.maxExecutors", EXECUTORS)
                // Otherwise tasks wait for the host of what they read, and one executor gets them all.
                .config("spark.locality.wait", "0")
                .config("spark.speculation", "true")
                .config("spark.speculation.quantile", "0.75")
                .config("spark.speculation.multiplier", "1.1")
                .config("spark.speculation.minTaskRuntime", "2s")
                .config("spark.speculation.efficiency.enabled", "false")
                .getOrCreate();
        spark.sparkContext().addSparkListener(tasks);
        // The first query takes so long to plan that idle executors would be released meanwhile.
        spark.range(0, 100, 1, 2 * WRITERS).count();
    }

    @AfterAll
    static void stopCluster() {
        spark.stop();
        cluster.close();
    }

    @BeforeEach
    void startSandbox() throws IOException {
        sandbox = Sandbox.start(SandboxOptions.builder()
                .eventsPerSecond(PER_SECOND)
                .window(WINDOW)
                .build());
    }

    @AfterEach
    void stopSandbox() {
        // A test that failed leaves its write behind.
        spark.sparkContext().cancelAllJobs();
        sandbox.close();
    }

    /** Both executors, idle; waits until they are there. */
    static List<ExecutorProcess> bothExecutors() {
        if (!Waiting.within(Duration.ofSeconds(1), ProcessCase::bothAreThere)) {
            // Nothing waits for them that would make Spark ask for them.
            spark.sparkContext().requestExecutors(EXECUTORS);
        }
        Waiting.until("two executors are there", ProcessCase::bothAreThere);
        tasks.clear();
        return ExecutorProcess.of(spark);
    }

    /** The one of {@code executors} that works on most partitions. */
    static ExecutorProcess busiest(List<ExecutorProcess> executors) {
        return Collections.max(
                executors,
                comparing(executor -> tasks.partitionsOn(executor.id()).size()));
    }

    private static boolean bothAreThere() {
        return registeredExecutors() == EXECUTORS && ExecutorProcess.of(spark).size() == EXECUTORS;
    }

    /** How many executors Spark has. */
    static int registeredExecutors() {
        return spark.sparkContext().statusTracker().getExecutorInfos().length - 1; // the driver is one of these
    }

    /** {@code count} users whose ids begin with {@code prefix}. */
    static Dataset<Row> users(String prefix, int count) {
        return users(spark, prefix, count);
    }

    static Dataset<Row> users(SparkSession session, String prefix, int count) {
        return session.range(count)
                .selectExpr(
                        "concat('" + prefix + "-', lpad(id, 7, '0')) AS user_id",
                        "concat('global-', id % 100) AS global_user_id");
    }

    /** Options that fit the sandbox, reached at {@code endpoint}; {@code more} are keys and values in turn. */
    static Map<String, String> options(URI endpoint, String... more) {
        Map<String, String> options = new HashMap<>(Map.of(
                "endpoint", endpoint.toString(),
                "eventsPerSecond", "" + PER_SECOND,
                "windowSeconds", "" + WINDOW.toSeconds(),
                "writers", "" + WRITERS));
        for (int i = 0; i < more.length; i += 2) {
            options.put(more[i], more[i + 1]);
        }
        return options;
    }

    static UserMapRun run(Map<String, String> options) {
        return UserMapRun.open(spark, options, Secret.of("key-of-tests"), AllowanceLog.empty());
    }

    static AllowanceRules rules(UserMapRun run) {
        return UserMapOptions.of(run.options()).allowance();
    }

    static void write(Dataset<Row> rows, UserMapRun run) {
        rows.write()
                .format("amplitude-usermap")
                .mode("append")
                .options(run.options())
                .save();
    }

    /** A write in a thread of its own; {@link #finish} waits for it. */
    static CompletableFuture<Void> start(Dataset<Row> rows, UserMapRun run) {
        return CompletableFuture.runAsync(() -> write(rows, run));
    }

    static void finish(CompletableFuture<Void> writing) throws Exception {
        writing.get(90, TimeUnit.SECONDS);
    }

    /** The partition that Spark puts the rows of {@code user} into. */
    static int partitionOf(String user) {
        UTF8String text = UTF8String.fromString(user);
        int hash = Murmur3_x86_32.hashUnsafeBytes(
                text.getBaseObject(), text.getBaseOffset(), text.numBytes(), SPARKS_HASH_SEED);
        return Math.floorMod(hash, WRITERS);
    }

    /** Nothing was refused, and no window held too much, as the sandbox counted. */
    void assertTheWindowWasKept() {
        assertThat(sandbox.counts().throttled()).isZero();
        assertThat(sandbox.counts().refused()).isZero();
        assertThat(sandbox.mostInWindow()).isLessThanOrEqualTo(PER_WINDOW);
    }

    /** The users of all requests that {@code gate} has held. */
    static Set<String> usersHeld(Gate gate) {
        return gate.held().stream().flatMap(held -> held.stream()).collect(Collectors.toSet());
    }

    /** The users of the last request of each of {@code partitions} that the sandbox has received. */
    Set<String> usersOfLastRequests(Set<Integer> partitions) {
        Map<Integer, Set<String>> last = new HashMap<>();
        for (SandboxRequest request : sandbox.requests()) {
            Set<String> users = request.mappings().stream()
                    .map(SandboxRequest.Mapping::userId)
                    .collect(Collectors.toSet());
            last.put(partitionOf(users.iterator().next()), users);
        }
        last.keySet().retainAll(partitions);
        return last.values().stream().flatMap(Set::stream).collect(Collectors.toSet());
    }

    /** How many mappings arrived between two times of the monotonic clock. */
    int arrivedBetween(long fromNanos, long toNanos) {
        return sandbox.requests().stream()
                .filter(request -> request.arrivedNanos() - fromNanos > 0 && request.arrivedNanos() - toNanos <= 0)
                .mapToInt(request -> request.mappings().size())
                .sum();
    }

    /** How many mappings arrived within the last window. */
    int inWindow() {
        long now = System.nanoTime();
        return arrivedBetween(now - WINDOW.toNanos(), now);
    }

    /** The users who arrived more than once. */
    Set<String> sentAgain() {
        return sandbox.requests().stream()
                .flatMap(request -> request.mappings().stream())
                .collect(Collectors.groupingBy(SandboxRequest.Mapping::userId, Collectors.counting()))
                .entrySet()
                .stream()
                .filter(user -> user.getValue() > 1)
                .map(Map.Entry::getKey)
                .collect(Collectors.toSet());
    }

    static void print(String measured) {
        System.out.println("Measured on Spark " + spark.version() + ": " + measured);
    }
}
