package io.usermap.job;

import java.io.UncheckedIOException;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;
import java.util.function.LongSupplier;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The right to send from a ledger, held by one run at a time.
 *
 * <p>Written first, then looked around: of two that begin together at least one sees the other. A claim is alive while its
 * text changes; that is watched for one term, so no two clocks are compared. Who meets a holder that is alive withdraws; of
 * two that are still candidates the later name does. Only create, read, list and delete are asked of the filesystem.
 *
 * <p>From the moment it is taken to {@link #close} a thread of its own keeps it alive, whatever the holder does. Each renewal
 * is a lease: it holds for one term from the moment at which its writing began, on the monotonic clock, because nobody can
 * have watched for a term before that. A holder that was paused for longer looks around again before it renews, and has lost
 * the claim if anybody else is there. Thread-safe.
 */
final class Claim implements AutoCloseable {
    private static final String ENDING = ".claim";

    /** Between a run and what tells its second claim from the first. */
    private static final String SAME_RUN = "~";

    private static final String CANDIDATE = "candidate";
    private static final String HOLDS = "holds";
    private static final int LOOKS_PER_TERM = 20;
    private static final int MOST_TERMS = 4;
    private static final int LOOKS_AT_TORN = 10;
    private static final Duration AT_TORN = Duration.ofMillis(20);
    private static final int BEATS_PER_TERM = 6;
    private static final Logger LOG = LoggerFactory.getLogger(Claim.class);

    /** How to let time pass; a test does not wait for it. */
    interface Pause {
        void pause(Duration duration) throws InterruptedException;
    }

    private final LedgerFolder claims;
    private final String name;

    /** Two processes may carry out the same run, and then write the same file. */
    private final String mark = "%08x".formatted(ThreadLocalRandom.current().nextInt());

    private final Duration term;
    private final LongSupplier nanos;
    private boolean lost;
    private String standing = CANDIDATE;
    private long beats;
    private volatile long leaseUntil;
    private final ScheduledExecutorService heart = Executors.newSingleThreadScheduledExecutor(task -> {
        Thread thread = new Thread(task, "usermap-claim");
        thread.setDaemon(true);
        return thread;
    });

    private Claim(LedgerFolder claims, String run, Duration term, LongSupplier nanos) {
        this.claims = claims;
        this.name = claims.has(run + ENDING) ? run + SAME_RUN + mark + ENDING : run + ENDING;
        this.term = term;
        this.nanos = nanos;
        this.leaseUntil = nanos.getAsLong();
    }

    /**
     * Takes the claim; blocks for one term if there is a claim that may be dead.
     *
     * @param run the run that claims
     * @param tell takes a sentence about the wait
     * @throws StoppedException if another run is alive
     */
    static Claim take(LedgerFolder claims, String run, Duration term, Pause pause, Consumer<String> tell) {
        return take(claims, run, term, pause, tell, System::nanoTime);
    }

    /** As {@link #take(LedgerFolder, String, Duration, Pause, Consumer)}, by another monotonic clock. */
    static Claim take(
            LedgerFolder claims, String run, Duration term, Pause pause, Consumer<String> tell, LongSupplier nanos) {
        Claim claim = new Claim(claims, run, term, nanos);
        claim.beat();
        Map<String, String> others = claim.others();
        if (!others.isEmpty()) {
            tell.accept("run " + runOf(others.keySet().iterator().next()) + " holds this ledger; waiting up to "
                    + Phrases.duration(claim.longest(others)) + " for a sign of life before taking over");
            others = claim.watch(others, pause);
        }
        claim.hold(others);
        claim.beatEvery(term.dividedBy(BEATS_PER_TERM));
        return claim;
    }

    /** Whoever has waited long enough, or met nobody, says that it holds; the dead go. */
    private synchronized void hold(Map<String, String> dead) {
        boolean late = hasLapsed() || !claims.has(name);
        standing = HOLDS;
        beat();
        Map<String, String> others = others();
        // One that was written anew is not dead.
        others.entrySet().removeAll(dead.entrySet());
        Optional<String> holder = others.entrySet().stream()
                .filter(other -> late || !other.getValue().startsWith(CANDIDATE + " "))
                .map(Map.Entry::getKey)
                .findFirst();
        if (holder.isPresent() || isAnothers()) {
            throw isAlive(holder.orElse(name));
        }
        dead.keySet().forEach(claims::delete);
    }

    private void beatEvery(Duration interval) {
        // Its end is the end of this thread, so nobody asks the future.
        var unused = heart.scheduleAtFixedRate(
                this::beatOrTryAgain, interval.toMillis(), interval.toMillis(), TimeUnit.MILLISECONDS);
    }

    private void beatOrTryAgain() {
        try {
            renew();
        } catch (RuntimeException e) {
            // What filesystems throw is up to them; a heart that stops here ends the run.
            LOG.warn("The claim on the ledger could not be renewed; trying again.", e);
        }
    }

    /** Renews the lease unless somebody took over. */
    synchronized void renew() {
        // Whoever took over has removed it; writing it again would make two holders.
        lost = lost || !claims.has(name) || isAnothers();
        if (lost) {
            endLease();
            return;
        }
        long began = nanos.getAsLong();
        claims.write(name, text());
        if (hasLapsed()) {
            // Somebody may have watched for a whole term meanwhile, and be about to remove what was written just now.
            lost = !others().isEmpty();
            if (lost) {
                claims.delete(name);
                return;
            }
        }
        leaseUntil = began + term.toNanos();
    }

    /**
     * Waits until the other claims are gone, or have not moved for a term.
     *
     * @return those that are dead
     */
    private Map<String, String> watch(Map<String, String> first, Pause pause) {
        Map<String, String> known = new HashMap<>(first);
        Map<String, Integer> still = new HashMap<>();
        try {
            for (int look = 0; look < MOST_TERMS * LOOKS_PER_TERM; look++) {
                pause.pause(longest(known).dividedBy(LOOKS_PER_TERM));
                beat();
                Map<String, String> now = others();
                for (Map.Entry<String, String> other : now.entrySet()) {
                    boolean moved = !other.getValue().equals(known.get(other.getKey()));
                    still.put(other.getKey(), moved ? 0 : still.getOrDefault(other.getKey(), 0) + 1);
                    if (moved && goesBefore(other.getKey(), other.getValue())) {
                        throw isAlive(other.getKey());
                    }
                }
                known = now;
                if (now.keySet().stream().allMatch(other -> still.getOrDefault(other, 0) >= LOOKS_PER_TERM)) {
                    return now;
                }
            }
            throw isAlive(known.keySet().iterator().next());
        } catch (InterruptedException e) {
            close();
            throw StoppedException.interrupted(
                    "Cannot use the ledger: the wait for another run was interrupted. Run the" + " command again.");
        }
    }

    /**
     * Whether another one that is alive has the better right: it holds already, or both are candidates. A torn text does not
     * say which; the next one will.
     */
    private boolean goesBefore(String other, String text) {
        return termOf(text).isPresent() && (!text.startsWith(CANDIDATE + " ") || other.compareTo(name) < 0);
    }

    private StoppedException isAlive(String other) {
        close();
        return StoppedException.failed("Cannot use the ledger: run " + runOf(other)
                + " is at work in it right now. Wait for its end, then run the command again.");
    }

    /** The longest of the terms of all who claim: theirs stand in their texts. */
    private Duration longest(Map<String, String> others) {
        return others.values().stream()
                .flatMap(text -> termOf(text).stream())
                .filter(theirs -> theirs.compareTo(term) > 0)
                .max(Duration::compareTo)
                .orElse(term);
    }

    private static Optional<Duration> termOf(String text) {
        String[] words = text.split(" ", -1);
        return words.length == 3 && words[2].matches("[0-9]{1,9}")
                ? Optional.of(Duration.ofMillis(Long.parseLong(words[2])))
                : Optional.empty();
    }

    private Map<String, String> others() {
        return claims.names().stream()
                .filter(other -> other.endsWith(ENDING) && !other.equals(name))
                .flatMap(other -> text(other).map(text -> Map.entry(other, text)).stream())
                .collect(Collectors.toMap(Map.Entry::getKey, Map.Entry::getValue));
    }

    /**
     * The text of another claim; empty if it is gone. One that is being written is torn for a moment, one that was cut short
     * for ever.
     */
    private Optional<String> text(String other) {
        Optional<String> text = claims.read(other);
        for (int look = 0;
                look < LOOKS_AT_TORN && text.isPresent() && termOf(text.get()).isEmpty();
                look++) {
            LockSupport.parkNanos(AT_TORN.toNanos());
            text = claims.read(other);
        }
        return text;
    }

    /** Shows that the holder is alive. */
    synchronized void beat() {
        long began = nanos.getAsLong();
        claims.write(name, text());
        leaseUntil = began + term.toNanos();
    }

    /** For example {@code holds 1f00ba47.17 30000}: what it is, its mark and beat, the term in milliseconds. */
    private String text() {
        return standing + " " + mark + "." + ++beats + " " + term.toMillis();
    }

    /** Whether another process of the same run has written the file since; a torn text is our own. */
    private boolean isAnothers() {
        return claims.read(name)
                .filter(text -> termOf(text).isPresent() && !text.contains(" " + mark + "."))
                .isPresent();
    }

    private static String runOf(String claim) {
        return claim.replaceFirst("(" + SAME_RUN + "[0-9a-f]+)?" + Pattern.quote(ENDING) + "$", "");
    }

    /** Until when nobody else can have taken over, as {@link System#nanoTime()} tells it. */
    long leaseUntil() {
        return leaseUntil;
    }

    /** A machine that was suspended as a whole may find the claim gone while its monotonic clock has hardly moved. */
    private void endLease() {
        if (!hasLapsed()) {
            leaseUntil = nanos.getAsLong();
        }
    }

    private boolean hasLapsed() {
        return nanos.getAsLong() - leaseUntil >= 0;
    }

    /** Whether nobody can have taken over; looks around where the lease has lapsed. */
    synchronized boolean isHeld() {
        if (hasLapsed()) {
            renew();
        }
        return !hasLapsed();
    }

    /**
     * Makes sure, before anything is sent or published, that nobody took over while this process was paused.
     *
     * @throws StoppedException if somebody did
     */
    synchronized void requireHeld() {
        if (hasLapsed()) {
            renew();
        }
        lost = lost || !claims.has(name) || isAnothers();
        if (lost) {
            throw StoppedException.failed(
                    "Cannot use the ledger: another run took it over, because this one showed no sign of"
                            + " life for a term. Run the command again once that run has ended.");
        }
    }

    /** Gives the claim back, once a beat that is being written has landed. */
    @Override
    public void close() {
        heart.shutdown();
        try {
            if (!heart.awaitTermination(10, TimeUnit.SECONDS)) {
                heart.shutdownNow();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        try {
            if (!isAnothers()) {
                claims.delete(name);
            }
        } catch (UncheckedIOException e) {
            LOG.warn("The claim on the ledger could not be given back; whoever comes next waits for a term.", e);
        }
    }
}
