package io.usermap.job;

import io.usermap.job.StateFile.Entry;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Objects;
import java.util.function.ToLongFunction;
import org.jspecify.annotations.Nullable;

/**
 * Rows and entries of the state, both in the order of their {@link IdKey}, key by key.
 *
 * <p>Runs on an executor, in the task's thread; memory is what one key has.
 *
 * @param <R> a row; knows its key
 */
final class KeyZip<R> {
    private final Iterator<R> moreRows;
    private final ToLongFunction<R> keyOf;
    private final Iterator<Entry> moreEntries;
    private final List<R> rows = new ArrayList<>();
    private final List<Entry> entries = new ArrayList<>();
    private @Nullable R nextRow;
    private @Nullable Entry nextEntry;
    private long key;

    KeyZip(Iterator<R> rows, ToLongFunction<R> keyOf, Iterator<Entry> entries) {
        this.moreRows = rows;
        this.keyOf = keyOf;
        this.moreEntries = entries;
        this.nextRow = rows.hasNext() ? rows.next() : null;
        this.nextEntry = entries.hasNext() ? entries.next() : null;
    }

    /** Goes to the next key that either side has; false at the end. */
    boolean advance() {
        rows.clear();
        entries.clear();
        if (nextRow == null && nextEntry == null) {
            return false;
        }
        key = smallest();
        while (nextRow != null && keyOf.applyAsLong(nextRow) == key) {
            rows.add(nextRow);
            nextRow = moreRows.hasNext() ? moreRows.next() : null;
        }
        while (nextEntry != null && nextEntry.key() == key) {
            entries.add(nextEntry);
            nextEntry = moreEntries.hasNext() ? moreEntries.next() : null;
        }
        return true;
    }

    private long smallest() {
        if (nextRow == null) {
            return Objects.requireNonNull(nextEntry).key();
        }
        long ofRow = keyOf.applyAsLong(nextRow);
        return nextEntry == null ? ofRow : Math.min(ofRow, nextEntry.key());
    }

    long key() {
        return key;
    }

    /** The rows of the key; valid until the next step. */
    List<R> rows() {
        return rows;
    }

    /** The entries of the key, every user once; valid until the next step. */
    List<Entry> entries() {
        return entries;
    }
}
