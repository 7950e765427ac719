package io.usermap.job;

import java.io.UncheckedIOException;
import java.time.Duration;
import java.time.Instant;
import java.util.Map;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The right to send from a ledger, held by one run at a time.
 *
 * <p>Written first, then looked around: of two that begin together at least one sees the other. A claim is alive while its
 * text changes; that is watched for one term, so no two clocks are compared. Of claims that meet alive, each withdraws.
 * Only create, read, list and delete are asked of the filesystem. From
 * the moment it is taken to {@link #close} a thread of its own keeps it alive, whatever the holder does. Thread-safe.
 */
final class Claim implements AutoCloseable {
    private static final String ENDING = ".claim";
    private static final int LOOKS_PER_TERM = 20;
    private static final int BEATS_PER_TERM = 6;
    private static final Logger LOG = LoggerFactory.getLogger(Claim.class);

    /** How to let time pass; a test does not wait for it. */
    interface Pause {
        void pause(Duration duration) throws InterruptedException;
    }

    private final LedgerFolder claims;
    private final String name;
    private boolean lost;
    private final AtomicLong beats = new AtomicLong();
    private final ScheduledExecutorService heart = Executors.newSingleThreadScheduledExecutor(task -> {
        Thread thread = new Thread(task, "usermap-claim");
        thread.setDaemon(true);
        return thread;
    });

    private Claim(LedgerFolder claims, String run) {
        this.claims = claims;
        this.name = run + ENDING;
    }

    /**
     * Takes the claim; blocks for one term if there is a claim that may be dead.
     *
     * @param run the run that claims
     * @param tell takes a sentence about the wait
     * @throws StoppedException if another run is alive
     */
    static Claim take(LedgerFolder claims, String run, Duration term, Pause pause, Consumer<String> tell) {
        Claim claim = new Claim(claims, run);
        claim.beat();
        Map<String, String> others = claim.others();
        if (!others.isEmpty()) {
            String other = others.keySet().iterator().next().replace(ENDING, "");
            tell.accept("run " + other + " holds this ledger; waiting up to " + Phrases.duration(term)
                    + " for a sign of life before taking over");
            claim.watch(others, term, pause, other);
            others.keySet().forEach(claims::delete);
        }
        claim.beatEvery(term.dividedBy(BEATS_PER_TERM));
        return claim;
    }

    private void beatEvery(Duration interval) {
        // Its end is the end of this thread, so nobody asks the future.
        var unused = heart.scheduleAtFixedRate(
                this::beatOrTryAgain, interval.toMillis(), interval.toMillis(), TimeUnit.MILLISECONDS);
    }

    private synchronized void beatOrTryAgain() {
        try {
            // Whoever took over has removed it; writing it again would make two holders.
            lost = lost || !claims.has(name);
            if (!lost) {
                beat();
            }
        } catch (UncheckedIOException e) {
            LOG.warn("The claim on the ledger could not be renewed; trying again.", e);
        }
    }

    private void watch(Map<String, String> others, Duration term, Pause pause, String other) {
        try {
            for (int look = 0; look < LOOKS_PER_TERM; look++) {
                pause.pause(term.dividedBy(LOOKS_PER_TERM));
                beat();
                Map<String, String> now = others();
                if (now.isEmpty()) {
                    return;
                }
                if (now.entrySet().stream().anyMatch(entry -> !entry.getValue().equals(others.get(entry.getKey())))) {
                    close();
                    throw StoppedException.failed("Cannot use the ledger: run " + other
                            + " is at work in it right now. Wait for its end, then run the command again.");
                }
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            close();
            throw StoppedException.failed(
                    "Cannot use the ledger: the wait for run " + other + " was interrupted. Run the command again.", e);
        }
    }

    private Map<String, String> others() {
        return claims.names().stream()
                .filter(other -> other.endsWith(ENDING) && !other.equals(name))
                .collect(Collectors.toMap(
                        other -> other, other -> claims.read(other).orElse("")));
    }

    /** Shows that the holder is alive. */
    void beat() {
        claims.write(name, Instant.now() + " " + beats.incrementAndGet());
    }

    /**
     * Makes sure, before anything is sent, that nobody took over while this process was paused.
     *
     * @throws StoppedException if somebody did
     */
    synchronized void requireHeld() {
        lost = lost || !claims.has(name);
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
        claims.delete(name);
    }
}
