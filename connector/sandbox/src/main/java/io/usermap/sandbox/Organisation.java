package io.usermap.sandbox;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.usermap.sandbox.Fault.Drop;
import io.usermap.sandbox.SandboxRequest.Mapping;
import io.usermap.sandbox.Switches.Charge;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.LongSupplier;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/**
 * One organisation of the service: its mappings, its allowance, and the log of who asked for what.
 *
 * <p>One lock guards all of it. A request arrives when it has been read whole, no fault holds it any more, and it takes the
 * lock; its time stamp is taken there, so the order of stamps is the order of decisions, and a window counted by the log is
 * the window that was decided by. What a batch changes is in the journal before it is answered.
 *
 * <p>A batch is decided in this order: a fault drops it or answers in its place; no room in the window, 429; a switch refuses
 * one of its mappings, 400; the journal cannot be written, 500; else 200. Only a batch that was carried out counts towards
 * the window, and where the switches say so, one that was throttled or refused; a broken request never counts.
 */
final class Organisation implements AutoCloseable {
    private final int limit;
    private final long windowNanos;
    private final LongSupplier nanoClock;
    private final MappingStore store;
    private final @Nullable Journal journal;
    private final ExactWindow accepted;
    private final RequestLog log = new RequestLog();
    private Window charged;
    private Switches switches;
    private boolean closed;
    private long requests;
    private long received;
    private long mapped;
    private long unmapped;
    private long throttled;
    private long refused;
    private long dropped;
    private long lookups;

    /** An organisation whose state is {@code store} and goes to {@code journal}, or nowhere if there is none. */
    Organisation(SandboxOptions options, LongSupplier nanoClock, MappingStore store, @Nullable Journal journal) {
        this.limit = options.mappingsPerWindow();
        this.windowNanos = options.window().toNanos();
        this.nanoClock = nanoClock;
        this.store = store;
        this.journal = journal;
        this.accepted = new ExactWindow(limit, windowNanos);
        this.switches = Switches.DEFAULTS;
        this.charged = Window.of(switches, limit, windowNanos);
    }

    /**
     * Reads the state of earlier runs, if the options name a folder.
     *
     * @param nanoClock a monotonic clock, such as {@link System#nanoTime()}
     * @throws IOException if the folder cannot be used, saying why and what to do
     */
    static Organisation open(SandboxOptions options, LongSupplier nanoClock) throws IOException {
        MappingStore store = new MappingStore(Switches.DEFAULTS);
        Optional<Path> folder = options.path();
        Journal journal = folder.isPresent() ? Journal.open(folder.get(), store) : null;
        return new Organisation(options, nanoClock, store, journal);
    }

    /**
     * What was decided about a request.
     *
     * @param reply the answer; none if the connection is to be dropped without one
     * @param entry its place in the log
     */
    record Decision(Optional<Reply> reply, RequestLog.Entry entry) {}

    private record Outcome(int status, Optional<Reply> reply, boolean stored) {
        static Outcome of(Reply reply, boolean stored) {
            return new Outcome(reply.status(), Optional.of(reply), stored);
        }
    }

    /**
     * Decides a request, carries it out, and logs it.
     *
     * @throws IOException if the sandbox is closed: there is nobody left to answer
     */
    synchronized Decision serve(Received request, Faults.Fate fate) throws IOException {
        if (closed) {
            throw new IOException("Cannot answer: the sandbox is closed.");
        }
        long now = nanoClock.getAsLong();
        Outcome outcome = outcome(request, fate, now);
        requests++;
        count(request, fate, outcome);
        RequestLog.Entry entry = log.add(new SandboxRequest(
                requests,
                Instant.now(),
                now,
                Optional.empty(),
                request.method(),
                request.path(),
                outcome.status(),
                outcome.stored(),
                fate.names(),
                request.keyFingerprint(),
                request.bytes(),
                request.mappings(),
                request.lookedUp()));
        return new Decision(outcome.reply(), entry);
    }

    /** Notes in the log that the answer is out. */
    synchronized void finish(RequestLog.Entry entry, Duration took) {
        entry.finish(took);
    }

    /** Changes the switches. Another model of the window starts with the mappings that an exact one holds now. */
    synchronized void settle(UnaryOperator<Switches> change) {
        Switches before = switches;
        switches = change.apply(before);
        store.settle(switches);
        if (switches.windowModel() != before.windowModel()
                || !switches.tokenCapacity().equals(before.tokenCapacity())) {
            charged = Window.of(switches, limit, windowNanos);
            accepted.entries(nanoClock.getAsLong()).forEach(entry -> charged.count(entry.mappings(), entry.atNanos()));
        }
    }

    long nanos() {
        return nanoClock.getAsLong();
    }

    synchronized Switches switches() {
        return switches;
    }

    synchronized Map<String, String> mappings() {
        return store.snapshot();
    }

    synchronized Optional<String> mappedTo(String userId) {
        return store.mappedTo(userId);
    }

    synchronized List<SandboxRequest> requests() {
        return log.snapshot();
    }

    synchronized void clearRequests() {
        log.clear();
    }

    synchronized Sandbox.Counts counts() {
        return new Sandbox.Counts(requests, received, mapped, unmapped, throttled, refused, dropped, lookups);
    }

    synchronized int mostInWindow() {
        return Math.toIntExact(accepted.most());
    }

    /**
     * Figures of one moment.
     *
     * @param limit the most mappings in a window
     * @param windowNanos its length
     * @param inWindow the mappings in the exact window that ends now
     * @param mostInWindow the most that any window has held
     * @param mappings how many mappings are in force
     * @param perSecond the mappings carried out in each of the last seconds, the present one first
     * @param latest the latest requests, newest first
     */
    record Overview(
            Sandbox.Counts counts,
            int limit,
            long windowNanos,
            long inWindow,
            long mostInWindow,
            int mappings,
            List<Long> perSecond,
            List<SandboxRequest> latest) {}

    /** The figures of now, with {@code seconds} bars of the rate and up to {@code mostRequests} of the log. */
    synchronized Overview overview(int seconds, int mostRequests) {
        long now = nanoClock.getAsLong();
        long[] perSecond = new long[seconds];
        List<SandboxRequest> latest = new ArrayList<>();
        for (Iterator<SandboxRequest> newest = log.newestFirst(); newest.hasNext(); ) {
            SandboxRequest request = newest.next();
            long ago = (now - request.arrivedNanos()) / 1_000_000_000L;
            if (ago >= seconds && latest.size() >= mostRequests) {
                break;
            }
            if (ago < seconds && request.stored()) {
                perSecond[Math.toIntExact(ago)] += request.mappings().size();
            }
            if (latest.size() < mostRequests) {
                latest.add(request);
            }
        }
        List<Long> bars = Arrays.stream(perSecond).boxed().toList();
        return new Overview(
                counts(), limit, windowNanos, accepted.inWindow(now), accepted.most(), store.size(), bars, latest);
    }

    /** Waits for the request that is being decided, then closes the journal. Later requests get no answer. */
    @Override
    public synchronized void close() {
        closed = true;
        if (journal != null) {
            journal.close();
        }
    }

    private Outcome outcome(Received request, Faults.Fate fate, long now) {
        if (fate.drop().equals(Optional.of(Drop.REQUEST))) {
            return new Outcome(0, Optional.empty(), false);
        }
        if (fate.answer().isPresent() && !fate.answer().get().stored()) {
            Reply reply = fate.answer().get().reply();
            chargeUnserved(reply.status(), request.mappings().size(), now);
            return Outcome.of(reply, false);
        }
        Outcome decided = decide(request, now);
        if (fate.drop().equals(Optional.of(Drop.ANSWER))) {
            return new Outcome(decided.status(), Optional.empty(), decided.stored());
        }
        boolean isReplaced = fate.answer().isPresent() && decided.status() == 200;
        return isReplaced ? Outcome.of(fate.answer().get().reply(), decided.stored()) : decided;
    }

    private Outcome decide(Received request, long now) {
        if (request.call() instanceof Received.Call.Broken broken) {
            return Outcome.of(broken.reply(), false);
        }
        if (request.call() instanceof Received.Call.Lookup lookup) {
            return Outcome.of(links(lookup.ids()), false);
        }
        return change(request.mappings(), now);
    }

    private Reply links(List<String> ids) {
        ObjectNode links = StrictJson.MAPPER.createObjectNode();
        for (String requested : ids) {
            String id = IdRules.trimmed(requested);
            LookupCall.addLinks(
                    links,
                    requested,
                    store.mappedFrom(id),
                    store.mappedTo(id).stream().toList());
        }
        try {
            return Reply.json(StrictJson.MAPPER.writeValueAsString(links));
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("a tree of texts and numbers can be written", e);
        }
    }

    private Outcome change(List<Mapping> batch, long now) {
        if (!charged.hasRoom(batch.size(), now)) {
            chargeUnserved(429, batch.size(), now);
            Reply reply = switches.retryAfter()
                    .map(value -> Reply.THROTTLED.with("Retry-After", value))
                    .orElse(Reply.THROTTLED);
            return Outcome.of(reply, false);
        }
        MappingStore.Applied applied;
        try {
            applied = store.apply(batch);
        } catch (RefusedException e) {
            chargeUnserved(e.reply().status(), batch.size(), now);
            return Outcome.of(e.reply(), false);
        }
        try {
            if (journal != null) {
                journal.append(applied.effective());
            }
        } catch (IOException e) {
            store.revert(applied);
            return Outcome.of(
                    Reply.text(500, "Cannot write the journal: " + e.getMessage() + ". Nothing was stored."), false);
        }
        charged.count(batch.size(), now);
        accepted.count(batch.size(), now);
        long unmaps = batch.stream().filter(Mapping::isUnmap).count();
        unmapped += unmaps;
        mapped += batch.size() - unmaps;
        return Outcome.of(Reply.SUCCESS, true);
    }

    private void chargeUnserved(int status, int mappings, long now) {
        Charge charge = status == 429 ? switches.throttledCalls() : switches.refusedCalls();
        if (status >= 400 && mappings > 0 && charge == Charge.COUNTED) {
            charged.count(mappings, now);
        }
    }

    private void count(Received request, Faults.Fate fate, Outcome outcome) {
        if (fate.drop().isPresent()) {
            dropped++;
        }
        if (outcome.status() == 0) {
            return;
        }
        received += request.mappings().size();
        if (outcome.status() == 429) {
            throttled++;
        } else if (outcome.status() >= 400) {
            refused++;
        } else if (outcome.status() == 200 && request.call() instanceof Received.Call.Lookup) {
            lookups++;
        }
    }
}
