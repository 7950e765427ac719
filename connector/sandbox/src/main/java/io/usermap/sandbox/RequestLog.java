package io.usermap.sandbox;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;

/**
 * The latest requests, bounded: past {@link #MAX_REQUESTS} requests or {@link #MAX_IDS} mappings and looked-up ids in
 * all, the oldest are forgotten. The latest one is always kept. Not thread-safe: its owner calls it under a lock.
 */
final class RequestLog {
    static final int MAX_REQUESTS = 20_000;
    static final int MAX_IDS = 500_000;

    private final Deque<SandboxRequest> requests = new ArrayDeque<>();
    private int ids;

    void add(SandboxRequest request) {
        requests.addLast(request);
        ids += idsOf(request);
        while (requests.size() > MAX_REQUESTS || (ids > MAX_IDS && requests.size() > 1)) {
            ids -= idsOf(requests.removeFirst());
        }
    }

    /** A copy, oldest first. */
    List<SandboxRequest> snapshot() {
        return List.copyOf(requests);
    }

    void clear() {
        requests.clear();
        ids = 0;
    }

    private static int idsOf(SandboxRequest request) {
        return request.mappings().size() + request.lookedUp().size();
    }
}
