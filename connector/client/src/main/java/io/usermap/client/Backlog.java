package io.usermap.client;

import java.util.ArrayDeque;
import java.util.Comparator;
import java.util.Deque;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * The rows that a sender has taken and that have no outcome yet, in the order in which they are to be sent.
 *
 * <p>Batch after batch: what is to be repeated of one goes before the rest of it, and before all of the next. A batch is
 * here until its last row and all rows taken before it are resolved, so batches leave in the order in which they came: with
 * one left, that is the one taken last, even where its rows were answered before those of its predecessor. Not
 * thread-safe.
 */
final class Backlog {

    /** A batch, where its outcomes are written, and what of it waits for its turn. */
    static final class Load {
        final Batch batch;
        final SendLog log;
        private final Deque<Part> waiting = new ArrayDeque<>();
        private int unresolved;

        private Load(Batch batch, SendLog log, long now) {
            this.batch = batch;
            this.log = log;
            this.unresolved = batch.size();
            waiting.add(new Part(this, 0, batch.size(), 0, 0, now));
        }
    }

    /**
     * Rows {@code from} to before {@code to} of a batch.
     *
     * @param sent how often they were sent, as far as the service may have seen it
     * @param failed how often no usable answer came
     * @param notBefore when they may be sent, by the monotonic clock
     */
    record Part(Load load, int from, int to, int sent, int failed, long notBefore) {
        int size() {
            return to - from;
        }

        Part rows(int first, int end) {
            return new Part(load, first, end, sent, failed, notBefore);
        }

        /** The same rows, after they were sent once more. */
        Part sentOnce() {
            return new Part(load, from, to, sent + 1, failed, notBefore);
        }

        /** The same rows, after one more failure. */
        Part failedOnce() {
            return new Part(load, from, to, sent, failed + 1, notBefore);
        }

        /** The same rows, at {@code nanos} at the earliest. */
        Part notBefore(long nanos) {
            return new Part(load, from, to, sent, failed, nanos);
        }
    }

    private final Deque<Load> loads = new ArrayDeque<>();

    /** Adds all rows of {@code batch}; an empty one has nothing to resolve. */
    void take(Batch batch, SendLog log, long now) {
        if (batch.size() > 0) {
            loads.addLast(new Load(batch, log, now));
        }
    }

    /** What is to be sent next, if anything waits. */
    Optional<Part> next() {
        return loads.stream()
                .filter(load -> !load.waiting.isEmpty())
                .findFirst()
                .map(load -> load.waiting.getFirst());
    }

    /** {@code next} is on its way. */
    void remove(Part next) {
        next.load().waiting.removeFirst();
    }

    /** {@code part} is to be sent before everything else of its batch. */
    void putFirst(Part part) {
        part.load().waiting.addFirst(part);
    }

    /** One row from the midst of most of those of {@code load} that wait side by side goes first, alone. */
    void rowFromElsewhereFirst(Load load) {
        Optional<Part> most = load.waiting.stream().max(Comparator.comparingInt(Part::size));
        most.filter(part -> part.size() > 1).ifPresent(part -> {
            int middle = part.from() + part.size() / 2;
            load.waiting.remove(part);
            Stream.of(part.rows(middle + 1, part.to()), part.rows(part.from(), middle), part.rows(middle, middle + 1))
                    .filter(rows -> rows.size() > 0)
                    .forEach(this::putFirst);
        });
    }

    /** The rows of {@code part} have their outcome. */
    void resolved(Part part) {
        part.load().unresolved -= part.size();
        while (!loads.isEmpty() && loads.getFirst().unresolved == 0) {
            loads.removeFirst();
        }
    }

    /** How many batches, the last ones taken, must be left alone: from the oldest that is not resolved on. */
    int batches() {
        return loads.size();
    }

    /** Nothing of all this will be sent any more. */
    void clear() {
        loads.clear();
    }
}
