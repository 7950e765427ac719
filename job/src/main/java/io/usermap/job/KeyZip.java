package io.usermap.job;

import io.usermap.job.StateFile.Entry;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.Objects;
import java.util.function.ToLongFunction;
import org.jspecify.annotations.Nullable;

/**
 * Rows and entries of the state, both in the order of their {@link IdKey}, key by key.
 *
 * <p>Runs on an executor, in the task's thread; memory is a row, and the entries of one key. The rows of a key are seen one
 * by one, however many there are.
 *
 * @param <R> a row; knows its key
 */
final class KeyZip<R> {
    private final Iterator<R> moreRows;
    private final ToLongFunction<R> keyOf;
    private final Iterator<Entry> moreEntries;
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

    /** Goes to the next key that either side has, once all rows of this one were taken; false at the end. */
    boolean advance() {
        entries.clear();
        if (nextRow == null && nextEntry == null) {
            return false;
        }
        key = smallest();
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

    /** Whether there is one more row of the key. */
    boolean hasRow() {
        return nextRow != null && keyOf.applyAsLong(nextRow) == key;
    }

    /** The next row of the key. */
    R row() {
        R row = nextRow;
        if (row == null || !hasRow()) {
            throw new NoSuchElementException("the key has no more rows");
        }
        nextRow = moreRows.hasNext() ? moreRows.next() : null;
        return row;
    }

    /** The entries of the key, every user once; valid until the next step. */
    List<Entry> entries() {
        return entries;
    }
}
