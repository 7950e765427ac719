package io.usermap.job;

import io.usermap.job.State.Zipped;
import io.usermap.job.StateFile.Entry;
import java.io.Serial;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.Objects;
import java.util.Optional;
import java.util.TreeMap;
import java.util.UUID;
import java.util.function.Predicate;
import org.apache.hadoop.fs.Path;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.sql.Row;
import org.apache.spark.unsafe.types.UTF8String;
import org.jspecify.annotations.Nullable;

/**
 * Writes a segment of the state: each task one file, under a name of its own, which counts once the driver knows it.
 *
 * <p>A task that is run twice leaves a file that nobody names, which goes when its folder goes.
 */
final class StateWriter {
    /** So few changes are looked up one by one; for more, the whole partition of the state is read. */
    private static final int LOOKED_UP = 2_000;

    /**
     * A segment, and what it changes.
     *
     * @param segment its files are written
     * @param mapped how many users more are mapped with it
     */
    record Written(StateSegment segment, long mapped) {}

    /**
     * An entry to write.
     *
     * @param entry what is acknowledged now
     * @param mapped how many users more are mapped by it: -1, 0 or 1
     */
    record Change(Entry entry, int mapped) {}

    private record WrittenFile(int part, String name, long entries, long mapped) implements Serializable {
        @Serial
        private static final long serialVersionUID = 1L;
    }

    /** The changes of one part, in the order of their keys; on an executor. */
    interface Part<T> extends Serializable {
        Iterator<Change> changes(int part, Iterator<T> rows);
    }

    private StateWriter() {}

    /** Writes one file for each partition of {@code rows}; blocks. */
    static <T> Written write(JavaRDD<T> rows, Part<T> part, Zipped state) {
        String folder = State.DATA + UUID.randomUUID();
        List<WrittenFile> files = rows.mapPartitionsWithIndex(
                        (index, partition) -> file(index, part.changes(index, partition), folder, state), true)
                .collect();
        TreeMap<String, Integer> parts = new TreeMap<>();
        files.forEach(file -> parts.put(file.name(), file.part()));
        return new Written(
                new StateSegment(
                        folder,
                        rows.getNumPartitions(),
                        parts,
                        files.stream().mapToLong(WrittenFile::entries).sum()),
                files.stream().mapToLong(WrittenFile::mapped).sum());
    }

    private static Iterator<WrittenFile> file(int part, Iterator<Change> changes, String folder, Zipped state) {
        if (!changes.hasNext()) {
            return Collections.emptyIterator();
        }
        String name = "part-%05d-%d.parquet".formatted(part, TaskContext.get().taskAttemptId());
        Counted counted = new Counted(changes);
        StateFile.write(
                new Path(new Path(state.folder(), folder), name),
                state.hadoop().value().value(),
                counted);
        return List.of(new WrittenFile(part, name, counted.entries, counted.mapped))
                .iterator();
    }

    private static final class Counted implements Iterator<Entry> {
        private final Iterator<Change> changes;
        private long entries;
        private long mapped;

        Counted(Iterator<Change> changes) {
            this.changes = changes;
        }

        @Override
        public boolean hasNext() {
            return changes.hasNext();
        }

        @Override
        public Entry next() {
            Change change = changes.next();
            entries++;
            mapped += change.mapped();
            return change.entry();
        }
    }

    /** Iterates by looking for the next element that counts. */
    private abstract static class Search implements Iterator<Change> {
        private @Nullable Change next;
        private boolean looked;

        abstract @Nullable Change search();

        @Override
        public boolean hasNext() {
            if (!looked) {
                next = search();
                looked = true;
            }
            return next != null;
        }

        @Override
        public Change next() {
            if (!hasNext() || next == null) {
                throw new NoSuchElementException("there are no more changes");
            }
            looked = false;
            return next;
        }
    }

    /** What {@code entries} come to when written anew, without those that are not kept. */
    static Iterator<Change> rewritten(Iterator<Entry> entries, Predicate<Entry> kept) {
        return new Search() {
            @Override
            @Nullable
            Change search() {
                while (entries.hasNext()) {
                    Entry entry = entries.next();
                    if (kept.test(entry)) {
                        return new Change(entry, entry.target() == null ? 0 : 1);
                    }
                }
                return null;
            }
        };
    }

    /** All of the rows: an id, what belongs to it, the id's key; sorted by key. */
    static Iterator<Change> all(Iterator<Row> rows) {
        return new Search() {
            @Override
            @Nullable
            Change search() {
                return rows.hasNext() ? new Change(entry(rows.next()), 0) : null;
            }
        };
    }

    /**
     * Those of the rows that the state does not know yet.
     *
     * @param rows {@code user_id, global_user_id, key}, sorted by key
     */
    static Iterator<Change> unknown(Iterator<Row> rows, Zipped state, int part, int parts) {
        List<Entry> first = new ArrayList<>();
        while (rows.hasNext() && first.size() < LOOKED_UP) {
            first.add(entry(rows.next()));
        }
        if (!first.isEmpty()) {
            IdKey.requireIn(part, parts, first.get(0).key());
        }
        Iterator<Entry> known = rows.hasNext()
                ? state.entries(part, parts)
                : state.entries(
                        part, parts, first.stream().map(Entry::key).distinct().toList());
        Iterator<Entry> changes = new Iterator<>() {
            private final Iterator<Entry> early = first.iterator();

            @Override
            public boolean hasNext() {
                return early.hasNext() || rows.hasNext();
            }

            @Override
            public Entry next() {
                return early.hasNext() ? early.next() : entry(rows.next());
            }
        };
        KeyZip<Entry> zip = new KeyZip<>(changes, Entry::key, known);
        return new Search() {
            private final List<Change> ready = new ArrayList<>();

            @Override
            @Nullable
            Change search() {
                while (ready.isEmpty() && zip.advance()) {
                    while (zip.hasRow()) {
                        change(zip.row(), zip.entries()).ifPresent(ready::add);
                    }
                }
                return ready.isEmpty() ? null : ready.remove(0);
            }
        };
    }

    private static Optional<Change> change(Entry change, List<Entry> known) {
        Entry before = known.stream()
                .filter(entry -> entry.user().equals(change.user()))
                .findFirst()
                .orElse(null);
        if (before != null && Objects.equals(before.target(), change.target())) {
            return Optional.empty();
        }
        boolean was = before != null && before.target() != null;
        boolean is = change.target() != null;
        return Optional.of(new Change(change, (is ? 1 : 0) - (was ? 1 : 0)));
    }

    private static Entry entry(Row row) {
        return new Entry(
                row.getLong(2),
                UTF8String.fromString(row.getString(0)),
                row.isNullAt(1) ? null : UTF8String.fromString(row.getString(1)));
    }
}
