package io.usermap.sandbox;

import io.usermap.sandbox.SandboxRequest.Mapping;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.Iterator;
import java.util.List;

/**
 * The latest requests, bounded: past {@link #MAX_REQUESTS} requests, {@link #MAX_IDS} mappings and looked-up ids in all, or
 * {@link #MAX_CHARACTERS} of ids, the oldest are forgotten. The latest one is always kept. Not thread-safe: its owner calls
 * it under a lock.
 */
final class RequestLog {
    static final int MAX_REQUESTS = 20_000;
    static final int MAX_IDS = 500_000;
    static final long MAX_CHARACTERS = 100_000_000;

    private final Deque<Entry> entries = new ArrayDeque<>();
    private long ids;
    private long characters;

    /** A place in the log, whose request is finished later than it is logged. */
    static final class Entry {
        private final long characters;
        private SandboxRequest request;

        private Entry(SandboxRequest request) {
            this.request = request;
            long sum = 0;
            for (Mapping mapping : request.mappings()) {
                sum += mapping.userId().length()
                        + mapping.globalUserId().orElse("").length();
            }
            for (String id : request.lookedUp()) {
                sum += id.length();
            }
            characters = sum;
        }

        /** Notes that the answer is out. */
        void finish(Duration took) {
            request = request.finishedAfter(took);
        }
    }

    Entry add(SandboxRequest request) {
        Entry entry = new Entry(request);
        entries.addLast(entry);
        ids += request.rows();
        characters += entry.characters;
        while (entries.size() > MAX_REQUESTS
                || ((ids > MAX_IDS || characters > MAX_CHARACTERS) && entries.size() > 1)) {
            Entry oldest = entries.removeFirst();
            ids -= oldest.request.rows();
            characters -= oldest.characters;
        }
        return entry;
    }

    /** A copy, oldest first. */
    List<SandboxRequest> snapshot() {
        List<SandboxRequest> requests = new ArrayList<>(entries.size());
        entries.forEach(entry -> requests.add(entry.request));
        return List.copyOf(requests);
    }

    /** The requests, newest first, while nothing is added. */
    Iterator<SandboxRequest> newestFirst() {
        Iterator<Entry> backwards = entries.descendingIterator();
        return new Iterator<>() {
            @Override
            public boolean hasNext() {
                return backwards.hasNext();
            }

            @Override
            public SandboxRequest next() {
                return backwards.next().request;
            }
        };
    }

    void clear() {
        entries.clear();
        ids = 0;
        characters = 0;
    }
}
