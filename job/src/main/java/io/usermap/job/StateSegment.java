package io.usermap.job;

import io.usermap.job.StateFile.Entry;
import java.io.Serial;
import java.io.Serializable;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Deque;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.Objects;
import java.util.Optional;
import java.util.PriorityQueue;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.jspecify.annotations.Nullable;

/**
 * A part of the state that was published at once: the base, or what a run has changed.
 *
 * <p>Its entries are spread by {@link IdKey#partition} over {@code parts} files, a power of two; a part without entries has
 * no file. Of several segments the newest that knows a user is right; one alone may have several entries of one id, as one
 * that is sorted by target does.
 *
 * @param folder of the files, below the state's
 * @param parts how many files there may be
 * @param files the part of each file, by its name
 * @param entries rows in all files
 */
record StateSegment(String folder, int parts, Map<String, Integer> files, long entries) implements Serializable {
    @Serial
    private static final long serialVersionUID = 1L;

    /** How many files {@code entries} are spread over: a power of two, for about 100,000 in each. */
    static int partsFor(long entries) {
        long wanted = Math.min(1_024, entries / 100_000);
        return wanted <= 1 ? 1 : Integer.highestOneBit((int) wanted * 2 - 1);
    }

    /**
     * The entries in partition {@code index} of {@code partitions}, in the order of their keys, every user once.
     *
     * <p>Runs on an executor; memory is a page of each file and the entries of one key.
     *
     * @param segments the oldest first
     * @param partitions a power of two
     * @param keys only these, sorted; empty for all
     */
    static Iterator<Entry> read(
            List<StateSegment> segments,
            String state,
            Configuration hadoop,
            int index,
            int partitions,
            Optional<List<Long>> keys) {
        PriorityQueue<Open> open = new PriorityQueue<>(Comparator.comparingLong(Open::key));
        for (int age = 0; age < segments.size(); age++) {
            StateSegment segment = segments.get(age);
            int common = Math.min(segment.parts(), partitions);
            for (Map.Entry<String, Integer> file : segment.files().entrySet()) {
                if (file.getValue() % common != index % common) {
                    continue;
                }
                Optional<List<Long>> there = keys.map(all -> all.stream()
                        .filter(key -> IdKey.partition(key, segment.parts()) == file.getValue())
                        .toList());
                if (there.isPresent() && there.get().isEmpty()) {
                    continue;
                }
                Path path = new Path(new Path(state, segment.folder()), file.getKey());
                StateFile.Reader reader = there.map(some -> StateFile.read(path, hadoop, some))
                        .orElseGet(() -> StateFile.read(path, hadoop));
                Open source = new Open(reader, age, segment.parts() < partitions ? partitions : 1, index);
                if (source.advance()) {
                    open.add(source);
                }
            }
        }
        // Most of a state is in its base: what is sorted already needs no merging.
        return open.size() == 1 ? open.remove() : new Merged(open);
    }

    /** A file that is being read; its head is the next entry of the wanted partition. */
    private static final class Open implements Iterator<Entry> {
        private final StateFile.Reader reader;
        private final int age;
        private final int partitions;
        private final int index;
        private @Nullable Entry head;

        Open(StateFile.Reader reader, int age, int partitions, int index) {
            this.reader = reader;
            this.age = age;
            this.partitions = partitions;
            this.index = index;
        }

        long key() {
            return head().key();
        }

        Entry head() {
            return Objects.requireNonNull(head);
        }

        boolean advance() {
            while (reader.hasNext()) {
                Entry entry = reader.next();
                if (partitions == 1 || IdKey.partition(entry.key(), partitions) == index) {
                    head = entry;
                    return true;
                }
            }
            head = null;
            return false;
        }

        @Override
        public boolean hasNext() {
            return head != null;
        }

        @Override
        public Entry next() {
            if (head == null) {
                throw new NoSuchElementException("the partition has no more entries");
            }
            Entry entry = head;
            advance();
            return entry;
        }
    }

    /** One sequence out of several sorted ones; of the entries of one user the newest. */
    private static final class Merged implements Iterator<Entry> {
        private record Aged(Entry entry, int age) {}

        private final PriorityQueue<Open> open;
        private final Deque<Entry> ready = new ArrayDeque<>();

        Merged(PriorityQueue<Open> open) {
            this.open = open;
        }

        @Override
        public boolean hasNext() {
            if (ready.isEmpty() && !open.isEmpty()) {
                fill();
            }
            return !ready.isEmpty();
        }

        @Override
        public Entry next() {
            if (!hasNext()) {
                throw new NoSuchElementException("the partition has no more entries");
            }
            return ready.remove();
        }

        private void fill() {
            Open first = open.remove();
            Entry entry = first.head();
            putBack(first);
            Open next = open.peek();
            if (next == null || next.key() != entry.key()) {
                ready.add(entry);
                return;
            }
            List<Aged> same = new ArrayList<>();
            same.add(new Aged(entry, first.age));
            for (; next != null && next.key() == entry.key(); next = open.peek()) {
                open.remove();
                same.add(new Aged(next.head(), next.age));
                putBack(next);
            }
            same.sort(Comparator.comparingInt(Aged::age).reversed());
            if (same.get(0).age() == same.get(same.size() - 1).age()) {
                same.forEach(aged -> ready.add(aged.entry()));
                return;
            }
            for (Aged aged : same) {
                if (ready.stream()
                        .noneMatch(known -> known.user().equals(aged.entry().user()))) {
                    ready.add(aged.entry());
                }
            }
        }

        private void putBack(Open source) {
            if (source.advance()) {
                open.add(source);
            }
        }
    }
}
