package io.usermap.sandbox;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.usermap.sandbox.SandboxOptions.ThrottledCalls;
import io.usermap.sandbox.SandboxRequest.Mapping;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * One organisation of the service: its mappings, its allowance, and the log of who asked for what.
 *
 * <p>One lock guards all of it. A request arrives when it has been read whole and takes the lock; its time stamp is taken
 * there, so the order of stamps is the order of decisions, and a window counted by the log is the window that was decided
 * by. What a batch changes is in the journal before it is answered.
 *
 * <p>A batch is decided in this order: no room in the window, 429; a switch refuses one of its mappings, 400; the journal
 * cannot be written, 500; else 200. What is not answered with 200 has stored nothing. Only what is answered with 200
 * counts towards the window, or also what is answered with 429, by {@link SandboxOptions#throttledCalls()}; a broken
 * request never counts.
 */
final class Organisation implements AutoCloseable {
    private final SandboxOptions options;
    private final LongSupplier nanoClock;
    private final MappingStore store;
    private final @Nullable Journal journal;
    private final ExactWindow charged;
    private final ExactWindow accepted;
    private final RequestLog log = new RequestLog();
    private boolean closed;
    private long requests;
    private long mapped;
    private long unmapped;
    private long throttled;
    private long refused;
    private long lookups;

    /** An organisation whose state is {@code store} and goes to {@code journal}, or nowhere if there is none. */
    Organisation(SandboxOptions options, LongSupplier nanoClock, MappingStore store, @Nullable Journal journal) {
        this.options = options;
        this.nanoClock = nanoClock;
        this.store = store;
        this.journal = journal;
        long windowNanos = options.window().toNanos();
        charged = new ExactWindow(options.mappingsPerWindow(), windowNanos);
        accepted = new ExactWindow(options.mappingsPerWindow(), windowNanos);
    }

    /**
     * Reads the state of earlier runs, if the options name a folder.
     *
     * @param nanoClock a monotonic clock, such as {@link System#nanoTime()}
     * @throws IOException if the folder cannot be used, saying why and what to do
     */
    static Organisation open(SandboxOptions options, LongSupplier nanoClock) throws IOException {
        MappingStore store = new MappingStore(options);
        Optional<Path> folder = options.path();
        Journal journal = folder.isPresent() ? Journal.open(folder.get(), store) : null;
        return new Organisation(options, nanoClock, store, journal);
    }

    /**
     * Decides a well-formed batch, carries it out, and logs it.
     *
     * @throws IOException if the sandbox is closed: there is nobody left to answer
     */
    synchronized Reply change(String method, String path, List<Mapping> batch) throws IOException {
        requireOpen();
        long now = nanoClock.getAsLong();
        Reply reply = decide(batch, now);
        record(now, method, path, reply, batch, List.of());
        return reply;
    }

    /**
     * The direct links of {@code ids}, keyed by the ids as they were asked for.
     *
     * @throws IOException if the sandbox is closed
     */
    synchronized Reply lookup(String method, String path, List<String> ids) throws IOException {
        requireOpen();
        ObjectNode links = StrictJson.MAPPER.createObjectNode();
        for (String requested : ids) {
            String id = IdRules.trimmed(requested);
            LookupCall.addLinks(
                    links,
                    requested,
                    store.mappedFrom(id),
                    store.mappedTo(id).stream().toList());
        }
        Reply reply = Reply.json(StrictJson.MAPPER.writeValueAsString(links));
        lookups++;
        record(nanoClock.getAsLong(), method, path, reply, List.of(), ids);
        return reply;
    }

    /** Logs a request that was refused before it got here. */
    synchronized Reply refuse(String method, String path, Reply reply) {
        refused++;
        record(nanoClock.getAsLong(), method, path, reply, List.of(), List.of());
        return reply;
    }

    synchronized Map<String, String> mappings() {
        return store.snapshot();
    }

    synchronized List<SandboxRequest> requests() {
        return log.snapshot();
    }

    synchronized void clearRequests() {
        log.clear();
    }

    synchronized Sandbox.Counts counts() {
        return new Sandbox.Counts(requests, mapped, unmapped, throttled, refused, lookups);
    }

    synchronized int mostInWindow() {
        return Math.toIntExact(accepted.most());
    }

    /** Waits for the request that is being decided, then closes the journal. Later requests get no answer. */
    @Override
    public synchronized void close() {
        closed = true;
        if (journal != null) {
            journal.close();
        }
    }

    private Reply decide(List<Mapping> batch, long now) {
        if (!charged.hasRoom(batch.size(), now)) {
            throttled++;
            if (options.throttledCalls() == ThrottledCalls.COUNTED) {
                charged.count(batch.size(), now);
            }
            return Reply.THROTTLED;
        }
        MappingStore.Applied applied;
        try {
            applied = store.apply(batch);
        } catch (RefusedException e) {
            refused++;
            return e.reply();
        }
        try {
            if (journal != null) {
                journal.append(applied.effective());
            }
        } catch (IOException e) {
            store.revert(applied);
            refused++;
            return Reply.text(500, "Cannot write the journal: " + e.getMessage() + ". Nothing was stored.");
        }
        charged.count(batch.size(), now);
        accepted.count(batch.size(), now);
        long unmaps = batch.stream().filter(Mapping::isUnmap).count();
        unmapped += unmaps;
        mapped += batch.size() - unmaps;
        return Reply.SUCCESS;
    }

    private void record(long now, String method, String path, Reply reply, List<Mapping> batch, List<String> lookedUp) {
        requests++;
        log.add(new SandboxRequest(Instant.now(), now, method, path, reply.status(), batch, lookedUp));
    }

    private void requireOpen() throws IOException {
        if (closed) {
            throw new IOException("Cannot answer: the sandbox is closed.");
        }
    }
}
