package io.usermap.client;

import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.PriorityQueue;
import java.util.Set;

/**
 * The exact log of an allowance: which mappings are away and when they come back.
 *
 * <p>A permit is away from its grant until one window and guard after its response; one that nothing is heard of, until
 * its request can no longer be counted. Memory grows with the requests in one window. Not thread-safe.
 */
final class PermitLog {
    private static final int MOST_LOST = 10_000;
    private static final Allowance.Writer NOBODY = new Allowance.Writer("", -1, -1);

    /** Mappings that may have been sent and are not free yet. */
    static final class Permit {
        final long id;
        final String request;
        final Allowance.Writer writer;
        final int mappings;
        final long granted;
        private long freeAt;
        private boolean inFlight = true;

        private Permit(long id, String request, Allowance.Writer writer, int mappings, long granted) {
            this.id = id;
            this.request = request;
            this.writer = writer;
            this.mappings = mappings;
            this.granted = granted;
        }

        /** Whether nothing has been heard of it yet. */
        boolean inFlight() {
            return inFlight;
        }
    }

    private record Free(long at, Permit permit) {}

    private final Map<Long, Permit> permits = new HashMap<>();
    private final Map<String, Permit> flyingByRequest = new HashMap<>();
    private final PriorityQueue<Free> returns = new PriorityQueue<>((a, b) -> Long.compare(a.at(), b.at()));
    // In the order of their grants. Requests that took longer than any call may take count no more, though held.
    private final Set<Permit> flights = new LinkedHashSet<>();
    private final Map<Long, Permit> lost = new LinkedHashMap<>();
    private long lastId;
    private int held;
    private int mostHeld;

    /** An empty log whose permits are numbered from {@code lastId + 1}. */
    PermitLog(long lastId) {
        this.lastId = lastId;
    }

    /** An empty log whose permits are numbered from 1. */
    PermitLog() {
        this(0);
    }

    /** Mappings of an earlier process that are away until {@code freeAt}. */
    void seed(int mappings, long freeAt) {
        Permit permit = new Permit(++lastId, "", NOBODY, mappings, freeAt);
        permit.inFlight = false;
        hold(permit, freeAt);
    }

    /** A log that goes on with other figures: what is away stays away for {@code longerNanos} more. */
    PermitLog carriedOver(long longerNanos) {
        PermitLog next = new PermitLog(lastId);
        permits.values().forEach(permit -> next.seed(permit.mappings, permit.freeAt + longerNanos));
        return next;
    }

    /** A new permit, away until {@code freeAt} unless something is heard of it. */
    Permit grant(String request, Allowance.Writer writer, int mappings, long now, long freeAt) {
        Permit permit = new Permit(++lastId, request, writer, mappings, now);
        flights.add(permit);
        flyingByRequest.put(request, permit);
        hold(permit, freeAt);
        return permit;
    }

    /** The permit of that number, unless it came back. */
    Optional<Permit> find(long id) {
        return Optional.ofNullable(permits.get(id));
    }

    /** The permit that was granted for {@code request} and of which nothing has been heard. */
    Optional<Permit> findByRequest(String request) {
        return Optional.ofNullable(flyingByRequest.get(request));
    }

    /** The permit's request was answered or given up; it comes back at {@code freeAt}. */
    void land(Permit permit, long freeAt) {
        lift(permit);
        hold(permit, freeAt);
    }

    /** The permit was not used and comes back at once. */
    void giveBack(Permit permit) {
        lift(permit);
        release(permit);
    }

    /** A permit that was given up for lost was used after all: it counts again until {@code freeAt}. Empty if unknown. */
    Optional<Permit> landLate(long id, long freeAt) {
        Optional<Permit> found = Optional.ofNullable(lost.remove(id));
        found.ifPresent(permit -> hold(permit, freeAt));
        return found;
    }

    /** Takes back what is due at {@code now}; returns the permits of which nothing was ever heard. */
    List<Permit> returnDue(long now) {
        List<Permit> silent = new ArrayList<>();
        for (Free free = returns.peek(); free != null && free.at() <= now; free = returns.peek()) {
            returns.remove();
            Permit permit = free.permit();
            // A permit whose time was changed has a later entry of its own.
            if (permits.containsKey(permit.id) && permit.freeAt == free.at()) {
                release(permit);
                if (permit.inFlight) {
                    lift(permit);
                    lost.put(permit.id, permit);
                    silent.add(permit);
                }
            }
        }
        if (lost.size() > MOST_LOST) {
            lost.remove(lost.keySet().iterator().next());
        }
        return silent;
    }

    /** How many requests granted after {@code since} are in flight. */
    int inFlightSince(long since) {
        while (!flights.isEmpty() && oldestFlight() <= since) {
            flights.remove(flights.iterator().next());
        }
        return flights.size();
    }

    /** When the oldest request that still counts as in flight was granted; only if there is one. */
    long oldestFlight() {
        return flights.iterator().next().granted;
    }

    /** When the next permit comes back; {@link Long#MAX_VALUE} if none is away. */
    long nextReturn() {
        Free next = returns.peek();
        return next == null ? Long.MAX_VALUE : next.at();
    }

    /** How many mappings are away. */
    int held() {
        return held;
    }

    /** The most mappings that were ever away at once. */
    int mostHeld() {
        return mostHeld;
    }

    /** How many entries are kept in memory, of all kinds. */
    int kept() {
        return permits.size() + flyingByRequest.size() + returns.size() + flights.size() + lost.size();
    }

    /** What is away, in wall-clock time. */
    AllowanceLog log(Instant now, long nowNanos) {
        return new AllowanceLog(permits.values().stream()
                .map(permit -> new AllowanceLog.Entry(now.plusNanos(permit.freeAt - nowNanos), permit.mappings))
                .toList());
    }

    private void hold(Permit permit, long freeAt) {
        if (permits.put(permit.id, permit) == null) {
            held += permit.mappings;
            mostHeld = Math.max(mostHeld, held);
        }
        permit.freeAt = freeAt;
        returns.add(new Free(freeAt, permit));
    }

    private void release(Permit permit) {
        if (permits.remove(permit.id) != null) {
            held -= permit.mappings;
        }
    }

    private void lift(Permit permit) {
        permit.inFlight = false;
        flights.remove(permit);
        flyingByRequest.remove(permit.request, permit);
    }
}
