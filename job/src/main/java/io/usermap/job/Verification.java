package io.usermap.job;

import static org.apache.spark.sql.functions.array_distinct;
import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.lit;
import static org.apache.spark.sql.functions.pmod;
import static org.apache.spark.sql.functions.size;
import static org.apache.spark.sql.functions.when;
import static org.apache.spark.sql.functions.xxhash64;

import io.usermap.client.LookupRules;
import io.usermap.spark.UserMapLookup;
import java.time.Duration;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.functions;

/**
 * Looks users up on the executors and compares what the service says with what should be.
 *
 * <p>A look-up tells direct links only, so it is compared with the direct target. Of each user it is found that it
 *
 * <ul>
 *   <li>{@code agreed}: maps to the one target that it should, or to none and should to none;
 *   <li>{@code missing}: maps to none and should to one;
 *   <li>{@code different}: maps to another one, or to several, the right one among them or not, or to one and should to none;
 *   <li>{@code unknown}: is refused by the service, or answered in a form that is not the documented one.
 * </ul>
 *
 * <p>Rows are written to the run's folder part by part, so that what was looked up in hours is not lost with the process,
 * and progress can be told.
 */
final class Verification {
    static final String AGREED = "agreed";
    static final String MISSING = "missing";
    static final String DIFFERENT = "different";
    static final String UNKNOWN = "unknown";

    private static final Duration SHORTEST_PART = Duration.ofSeconds(30);
    private static final Duration LONGEST_PART = Duration.ofMinutes(10);
    private static final int PARTS = 100;

    /**
     * What should be.
     *
     * @param of what it is, in words
     * @param users {@code user_id, global_user_id}, every user once; no target for one who should have none
     */
    record Expected(String of, Dataset<Row> users) {}

    private final SparkSession spark;
    private final LookupRules rules;
    private final UserMapLookup lookup;
    private final Console console;
    private final Claim.Pause pause;
    private final Duration shortestPart;

    Verification(SparkSession spark, Configuration configuration, Target target, Console console, Claim.Pause pause) {
        this(spark, configuration, target, console, pause, SHORTEST_PART);
    }

    /** As the other one, with parts of another length at least. */
    Verification(
            SparkSession spark,
            Configuration configuration,
            Target target,
            Console console,
            Claim.Pause pause,
            Duration shortestPart) {
        this.spark = spark;
        this.rules = configuration.lookupRules();
        this.lookup = UserMapLookup.on(target.writeOptions(), target.apiKey(), target.secretKey());
        this.console = console;
        this.pause = pause;
        this.shortestPart = shortestPart;
    }

    /**
     * Looks up all users, or so many of them drawn at random, and writes {@link #findings}. The same users of the same state
     * or plan are drawn each time. Blocks for as long as the rate of look-ups asks for.
     *
     * @throws StoppedException if the service tells nothing of anybody
     */
    Verified look(LedgerRun run, Expected expected, Optional<Integer> sample) throws InterruptedException {
        Dataset<Row> all = expected.users().select("user_id", "global_user_id").persist();
        Dataset<Row> drawn =
                sample.map(most -> drawn(all, expected.of(), most).persist()).orElse(all);
        try {
            long population = all.count();
            long users = drawn.count();
            lookUp(run, drawn, users, population, expected.of());
            Verified found = count(run, expected.of(), population);
            if (users > 0 && found.unknown() == users) {
                throw StoppedException.failed("Cannot verify: the service told nothing of any of the "
                        + Phrases.count(users) + " users looked up. Check the look-up endpoint and 'lookup.encoding'.");
            }
            return found;
        } finally {
            drawn.unpersist();
            all.unpersist();
        }
    }

    private static Dataset<Row> drawn(Dataset<Row> all, String seed, int most) {
        // The users with the smallest hashes are as good as drawn by lot.
        return all.orderBy(xxhash64(lit(seed), col("user_id")), col("user_id")).limit(most);
    }

    private void lookUp(LedgerRun run, Dataset<Row> drawn, long users, long population, String of)
            throws InterruptedException {
        int parts = parts(rules.leastTime(users), shortestPart);
        Duration whole = rules.leastTime(users, readers(parts));
        console.event("verify: looking up " + Phrases.count(users) + " of " + Phrases.count(population) + " users of "
                + of + " takes about " + Phrases.duration(whole) + ", with 'lookup.per-second' at "
                + rules.perSecond());
        long done = 0;
        for (int part = 0; part < parts; part++) {
            long start = System.nanoTime();
            Dataset<Row> some = parts == 1
                    ? drawn
                    : drawn.filter(pmod(xxhash64(lit("part"), col("user_id")), lit(parts))
                            .equalTo(part));
            Dataset<Row> links = lookup.lookup(some, "user_id");
            // A broadcast would have to be ready in minutes, and the links take hours.
            LedgerRun.write(
                    some.hint("merge")
                            .join(links, new String[] {"user_id"})
                            .withColumn("finding", finding())
                            .select("user_id", "global_user_id", "finding", "mapped_to", "mapped_from")
                            .write()
                            .mode("append"),
                    run.findingsAddress());
            if (part < parts - 1) {
                long ids = some.count();
                done += ids;
                tell(done, users, parts - 1 - part);
                pause(rules.leastTime(ids, readers(1)).minusNanos(System.nanoTime() - start));
            }
        }
    }

    /** Parts of a hundredth each, but of no less than {@code shortest} and no more than ten minutes. */
    static int parts(Duration whole, Duration shortest) {
        Duration each = whole.dividedBy(PARTS);
        each = each.compareTo(shortest) < 0 ? shortest : each.compareTo(LONGEST_PART) > 0 ? LONGEST_PART : each;
        return (int) Math.max(1, (whole.toMillis() + each.toMillis() - 1) / each.toMillis());
    }

    /** How many tasks read in so many parts. */
    private long readers(int parts) {
        return (long) parts * rules.concurrency();
    }

    private void tell(long done, long users, int parts) {
        Duration left = rules.leastTime(users - done, readers(parts));
        Map<String, Object> fields = new LinkedHashMap<>();
        fields.put("looked_up", done);
        fields.put("total", users);
        fields.put("seconds_left", left.toSeconds());
        console.event(
                "progress",
                "verify: " + Phrases.count(done) + " of " + Phrases.count(users) + " looked up, about "
                        + Phrases.duration(left) + " left",
                fields);
    }

    private void pause(Duration left) throws InterruptedException {
        if (left.toMillis() > 0) {
            pause.pause(left);
        }
    }

    private static Column finding() {
        Column targets = targets();
        Column expected = col("global_user_id");
        return when(col("mapped_to").isNull(), UNKNOWN)
                .when(expected.isNull(), when(size(targets).equalTo(0), AGREED).otherwise(DIFFERENT))
                .when(size(targets).equalTo(0), MISSING)
                .when(size(targets).equalTo(1).and(first().equalTo(expected)), AGREED)
                .otherwise(DIFFERENT);
    }

    /** The target, or one of several; null if there is none. */
    static Column first() {
        return functions.get(targets(), lit(0));
    }

    /** The users whom a row of findings says that its user maps to. */
    static Column targets() {
        return array_distinct(col("mapped_to.user_id"));
    }

    /**
     * What was found, one row per user: {@code user_id, global_user_id} as it should be, {@code finding}, and {@code mapped_to,
     * mapped_from} as the service told them.
     */
    static Dataset<Row> findings(SparkSession spark, LedgerRun run) {
        return spark.read().parquet(run.findingsAddress());
    }

    private Verified count(LedgerRun run, String of, long population) {
        Map<String, Long> counts = new HashMap<>();
        findings(spark, run)
                .groupBy("finding")
                .count()
                .collectAsList()
                .forEach(row -> counts.put(row.getString(0), row.getLong(1)));
        return Verified.of(
                of,
                population,
                counts.getOrDefault(AGREED, 0L),
                counts.getOrDefault(MISSING, 0L),
                counts.getOrDefault(DIFFERENT, 0L),
                counts.getOrDefault(UNKNOWN, 0L));
    }
}
