package io.usermap.spark;

import io.usermap.client.AllowanceLog;
import io.usermap.client.AllowanceRules;
import io.usermap.client.Secret;
import io.usermap.client.Tally;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.rpc.RpcEnv;
import org.apache.spark.sql.SparkSession;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The driver's side of one run: seeds the allowance, watches it, hands out its log, ends it.
 *
 * <p>Open a run, write with {@link #options()}, save {@link #allowanceLog()}, close. Thread-safe; every method but
 * {@link #awaitWriters} answers at once.
 */
public final class UserMapRun implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(UserMapRun.class);
    private static final String REFERENCE = "run:";
    private static final Duration LOOKS_FOR_WRITERS = Duration.ofMillis(50);

    /** Runs that are open in this JVM: the key must reach the write, and may be in no option on the way. */
    private static final Map<String, UserMapRun> OPEN = new ConcurrentHashMap<>();

    private final String reference = REFERENCE + UUID.randomUUID();
    private final Map<String, String> options;
    private final AllowanceRules rules;
    private final String allowanceName;
    private final Secret apiKey;
    private final Optional<AllowanceDesk> desk;
    private final Set<String> writes = new LinkedHashSet<>();
    private final Map<String, LeaseFile> leaseFiles = new HashMap<>();
    private final Set<String> stopped = new HashSet<>();
    private long renewals;
    private String cancelled = "";
    private String lastDone = "";
    private Tally doneLast = Tally.NONE;
    private Tally doneBefore = Tally.NONE;
    private OptionalLong leaseUntil = OptionalLong.empty();

    private UserMapRun(
            Map<String, String> options,
            AllowanceRules rules,
            String allowanceName,
            Secret apiKey,
            Optional<AllowanceDesk> desk) {
        Map<String, String> withReference = new HashMap<>(options);
        withReference.put(UserMapOptions.API_KEY.key(), reference);
        this.options = Map.copyOf(withReference);
        this.rules = rules;
        this.allowanceName = allowanceName;
        this.apiKey = apiKey;
        this.desk = desk;
    }

    /**
     * What a run has done so far.
     *
     * @param accepted mappings that the service acknowledged
     * @param rejected rows that were not sent or were refused
     * @param skipped rows that needed no sending: equal duplicates, and what an earlier receipt acknowledges
     * @param requests requests that were sent
     * @param resent mappings that were sent more than once
     * @param throttled answers with status 429
     * @param encodedBytes bytes of all request bodies
     * @param mostInWindow the most mappings that were away at any instant: sent within the last window, or in flight
     * @param usedShare mappings acknowledged, of what the window allowed from the first grant to the last reply; 0 to 1
     * @param waitingUntil when the next grant is due, if somebody waits for the allowance
     */
    public record Progress(
            long accepted,
            long rejected,
            long skipped,
            long requests,
            long resent,
            long throttled,
            long encodedBytes,
            int mostInWindow,
            double usedShare,
            Optional<Instant> waitingUntil) {}

    /**
     * Opens a run on the driver and sets up, or joins, the coordinator of this application for the endpoint and key.
     *
     * @param session the session that will write; its application is the coordinator's
     * @param options options of the data source, without keys
     * @param apiKey the API key itself; it appears in no option, plan or log
     * @param seed what of the window is used up already
     * @throws io.usermap.client.InvalidSettingsException if the options are wrong
     */
    public static UserMapRun open(SparkSession session, Map<String, String> options, Secret apiKey, AllowanceLog seed) {
        return open(session, options, apiKey, seed, AllowanceDesk::driversRpc);
    }

    /** As the public one; {@code rpc} reaches the driver's RPC, and throws where the platform keeps it. */
    static UserMapRun open(
            SparkSession session, Map<String, String> options, Secret apiKey, AllowanceLog seed, Supplier<RpcEnv> rpc) {
        UserMapOptions parsed = UserMapOptions.of(options);
        session.sparkContext().assertNotStopped();
        String name = AllowanceDesk.nameOf(parsed.endpoints(), apiKey);
        Optional<AllowanceDesk> desk = AllowanceDesk.tryOpen(rpc, name, parsed, seed);
        if (desk.isEmpty()) {
            SoleWriter.of(name).learn(AllowanceDesk.startOf(parsed), seed);
        }
        UserMapRun run = new UserMapRun(options, parsed.allowance(), name, apiKey, desk);
        OPEN.put(run.reference, run);
        return run;
    }

    /** The open run that an {@code apiKey} option refers to. */
    static Optional<UserMapRun> find(String apiKeyText) {
        return apiKeyText.startsWith(REFERENCE) ? Optional.ofNullable(OPEN.get(apiKeyText)) : Optional.empty();
    }

    /** The options to write with: those given at opening, and a reference to this run in place of the key. */
    public Map<String, String> options() {
        return options;
    }

    Secret apiKey() {
        return apiKey;
    }

    /** A write of this run begins. */
    synchronized void writes(String writeId) {
        writes.add(writeId);
        desk.ifPresent(known -> leaseUntil.ifPresent(until -> known.lease(writeId, until)));
        if (!cancelled.isEmpty()) {
            desk.ifPresent(known -> known.stop(writeId, cancelled));
        }
    }

    /**
     * How the writer of {@code writeId} hears of lease and cancel where there is no coordinator on the driver; empty if it
     * keeps no receipts, beside which that is written.
     */
    synchronized Optional<LeaseFile> leaseFile(String writeId, Optional<String> receipts, Configuration hadoop) {
        Optional<LeaseFile> file =
                receipts.map(folder -> LeaseFile.of(folder, writeId, leaseUntil.isPresent(), hadoop));
        file.ifPresent(known -> leaseFiles.put(writeId, known));
        tell();
        return file;
    }

    /**
     * What the writer of a write, or of an epoch of it, has done, where there is no coordinator on the driver; may be said
     * again until the next one has begun.
     */
    synchronized void did(String id, Tally all) {
        if (!id.equals(lastDone)) {
            doneBefore = doneBefore.plus(doneLast);
            lastDone = id;
        }
        doneLast = all;
    }

    /** The writer of {@code writeId} is over, where there is no coordinator on the driver. */
    synchronized void over(String writeId) {
        LeaseFile file = leaseFiles.remove(writeId);
        if (file != null) {
            try {
                file.delete();
            } catch (IOException e) {
                LOG.debug("A lease could not be removed; nobody looks at it any more.", e);
            }
        }
    }

    /** Writes down what holds now; what cannot be written is tried again with the next renewal or cancel. */
    private void tell() {
        leaseFiles.forEach((write, file) -> {
            try {
                if (!cancelled.isEmpty() && !stopped.contains(write)) {
                    file.stop(cancelled);
                    stopped.add(write);
                } else if (cancelled.isEmpty() && leaseUntil.isPresent()) {
                    file.renew(++renewals, Duration.ofNanos(leaseUntil.getAsLong() - System.nanoTime()));
                }
            } catch (IOException | RuntimeException e) {
                LOG.warn("A writer could not be told for how long it may send; trying again.", e);
            }
        });
    }

    /**
     * What was done so far. Where the platform has no coordinator on the driver, that is what the writes have done that came
     * to their end in order, and nothing is known of the window.
     */
    public Progress progress() {
        List<String> known;
        Tally told;
        synchronized (this) {
            known = List.copyOf(writes);
            told = doneBefore.plus(doneLast);
        }
        long[] figures = desk.map(coordinator -> coordinator.progress(known)).orElse(new long[0]);
        if (figures.length == 0) {
            return progress(told, 0, 0, Optional.empty());
        }
        Tally tally = Tally.of(figures, 0);
        int behind = tally.figures().length;
        double windows = (double) figures[behind + 1] / rules.window().toNanos();
        long waitNanos = figures[behind + 2];
        return progress(
                tally,
                (int) figures[behind],
                Math.min(1, tally.accepted() / (rules.mappingsPerWindow() * (windows + 1))),
                waitNanos < 0 ? Optional.empty() : Optional.of(Instant.now().plus(Duration.ofNanos(waitNanos))));
    }

    private static Progress progress(Tally tally, int mostInWindow, double usedShare, Optional<Instant> waitingUntil) {
        return new Progress(
                tally.accepted(),
                tally.rejected(),
                tally.skipped(),
                tally.requests(),
                tally.resent(),
                tally.throttled(),
                tally.bytes(),
                mostInWindow,
                usedShare,
                waitingUntil);
    }

    /** What of the window is used up now, permits in flight included, for the next run's seed. */
    public AllowanceLog allowanceLog() {
        return desk.map(AllowanceDesk::log)
                .orElseGet(() -> SoleWriter.of(allowanceName).used(rules));
    }

    /**
     * Says until when the run may send, for whoever holds a right to that which runs out. Before the first call, it may
     * always. A write whose time is over, because this was not called again soon enough, is stopped for good: nothing more
     * of it is granted, and no grant is good for longer. Where the platform has no coordinator on the driver, the writer is
     * told by a small file beside its receipts, and holds the lease for over some seconds too early, never too late; it does
     * not begin before it has seen two renewals, so renew often. Without {@code receiptsPath} it hears nothing there, and
     * sends until its Spark job ends.
     *
     * @param untilNanos an instant as {@link System#nanoTime()} of this JVM tells it, which passes while the process is
     *     stopped, too
     */
    public synchronized void leaseUntil(long untilNanos) {
        leaseUntil = OptionalLong.of(untilNanos);
        desk.ifPresent(known -> writes.forEach(write -> known.lease(write, untilNanos)));
        tell();
    }

    /**
     * Stops the run's writes: no more grants; requests in flight are answered and receipted. Idempotent. Where the platform
     * has no coordinator on the driver, the writer hears of it within a second from the file beside its receipts, as with
     * {@link #leaseUntil}.
     */
    public synchronized void cancel(String reason) {
        cancelled = reason;
        desk.ifPresent(known -> writes.forEach(write -> known.stop(write, reason)));
        tell();
    }

    /**
     * Blocks until every writer of the run's writes has ended and its receipts are closed. For a write that failed: Spark
     * hands the failure on while it still ends tasks, and these wait for the answers to their requests in flight, for at most
     * the request time-out and a margin. Where the platform has no coordinator on the driver, nobody says when the one task
     * has ended, so that this time passes unless the write came to its end in order.
     *
     * @param most how long to wait
     * @return whether all of them have ended, or cannot be writing any more
     */
    public boolean awaitWriters(Duration most) throws InterruptedException {
        List<String> known;
        synchronized (this) {
            known = List.copyOf(writes);
        }
        long until = System.nanoTime() + most.toNanos();
        while (isWriting(known)) {
            if (System.nanoTime() - until >= 0) {
                return false;
            }
            TimeUnit.NANOSECONDS.sleep(LOOKS_FOR_WRITERS.toNanos());
        }
        return true;
    }

    private boolean isWriting(List<String> known) {
        return desk.map(coordinator -> coordinator.writers(known) > 0)
                .orElseGet(() -> SoleWriter.of(allowanceName).mayStillWrite());
    }

    /** Forgets the run's key; the coordinator and its window outlive the run, within the application. */
    @Override
    public void close() {
        OPEN.remove(reference);
    }

    @Override
    public String toString() {
        return "UserMapRun[" + rules.mappingsPerWindow() + " mappings in "
                + rules.window().toSeconds() + " s]";
    }
}
