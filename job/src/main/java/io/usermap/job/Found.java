package io.usermap.job;

import io.usermap.job.Election.Member;
import java.util.Objects;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.unsafe.Platform;
import org.apache.spark.unsafe.types.UTF8String;
import org.jspecify.annotations.Nullable;

/**
 * What {@link Census} has found out about a user, on its way to {@link Stars}.
 *
 * <p>Travels as two columns, the key to sort by and all the rest in one: ten million of them are shuffled, and columns that
 * are mostly null are a third of what they weigh.
 *
 * @param clusterKey what the rows are brought together and sorted by
 * @param kind what it is about, one of {@link Kind}
 * @param cluster the cluster of a member; of a rejected row the target or cluster that it names
 * @param id the user
 * @param present its target in force
 * @param flags of {@link #CANDIDATE}, {@link #ASKED}, {@link #KNOWN} and {@link #FOLLOWS}
 * @param rank smaller is better; NaN if none is configured
 * @param reason of a rejected or suspicious row
 */
record Found(
        long clusterKey,
        int kind,
        @Nullable UTF8String cluster,
        @Nullable UTF8String id,
        @Nullable UTF8String present,
        int flags,
        double rank,
        @Nullable UTF8String reason) {

    /** What a row is about. */
    static final class Kind {
        static final int MEMBER = 0;
        static final int GONE = 1;
        static final int REJECT = 2;
        static final int SUSPICIOUS = 3;

        private Kind() {}
    }

    static final int CANDIDATE = 1;
    static final int ASKED = 2;
    static final int KNOWN = 4;
    static final int FOLLOWS = 8;

    /** The two columns. */
    static final StructType COLUMNS =
            new StructType().add("cluster_key", DataTypes.LongType, false).add("found", DataTypes.BinaryType, false);

    /** Beside the flags: there is a rank. */
    private static final int RANKED = 16;

    /** A text that is null. */
    private static final int NO_TEXT = 0xff;

    /** A text of so many bytes and more has its length in four bytes more. */
    private static final int LONG_TEXT = 0xfe;

    /** A member of a cluster, in the two columns. */
    static Row member(UTF8String cluster, UTF8String id, @Nullable UTF8String present, int flags, double rank) {
        return row(IdKey.exact(cluster), Kind.MEMBER, cluster, id, present, flags, rank, null);
    }

    /** A row, in the two columns. */
    static Row row(
            long clusterKey,
            int kind,
            @Nullable UTF8String cluster,
            @Nullable UTF8String id,
            @Nullable UTF8String present,
            int flags,
            double rank,
            @Nullable UTF8String reason) {
        boolean ranked = !Double.isNaN(rank);
        byte[] packed =
                new byte[2 + (ranked ? Double.BYTES : 0) + size(cluster) + size(id) + size(present) + size(reason)];
        packed[0] = (byte) kind;
        packed[1] = (byte) (flags | (ranked ? RANKED : 0));
        int at = 2;
        if (ranked) {
            Platform.putDouble(packed, Platform.BYTE_ARRAY_OFFSET + (long) at, rank);
            at += Double.BYTES;
        }
        at = put(packed, at, cluster);
        at = put(packed, at, id);
        at = put(packed, at, present);
        put(packed, at, reason);
        return RowFactory.create(clusterKey, packed);
    }

    private static int size(@Nullable UTF8String text) {
        int bytes = text == null ? 0 : text.numBytes();
        return 1 + bytes + (bytes < LONG_TEXT ? 0 : Integer.BYTES);
    }

    private static int put(byte[] packed, int at, @Nullable UTF8String text) {
        int end = at + size(text);
        if (text == null) {
            packed[at] = (byte) NO_TEXT;
            return end;
        }
        int bytes = text.numBytes();
        packed[at] = (byte) Math.min(bytes, LONG_TEXT);
        if (bytes >= LONG_TEXT) {
            Platform.putInt(packed, Platform.BYTE_ARRAY_OFFSET + at + 1L, bytes);
        }
        text.writeToMemory(packed, Platform.BYTE_ARRAY_OFFSET + (long) end - bytes);
        return end;
    }

    /** Out of the two columns; outlives {@code row}. */
    static Found of(InternalRow row) {
        byte[] packed = row.getBinary(1);
        boolean ranked = (packed[1] & RANKED) != 0;
        int at = ranked ? 2 + Double.BYTES : 2;
        UTF8String cluster = text(packed, at);
        at += size(cluster);
        UTF8String id = text(packed, at);
        at += size(id);
        UTF8String present = text(packed, at);
        at += size(present);
        return new Found(
                row.getLong(0),
                packed[0],
                cluster,
                id,
                present,
                packed[1] & ~RANKED,
                ranked ? Platform.getDouble(packed, Platform.BYTE_ARRAY_OFFSET + 2L) : Double.NaN,
                text(packed, at));
    }

    private static @Nullable UTF8String text(byte[] packed, int at) {
        int bytes = packed[at] & 0xff;
        if (bytes == NO_TEXT) {
            return null;
        }
        return bytes == LONG_TEXT
                ? UTF8String.fromBytes(
                        packed, at + 1 + Integer.BYTES, Platform.getInt(packed, Platform.BYTE_ARRAY_OFFSET + at + 1L))
                : UTF8String.fromBytes(packed, at + 1, bytes);
    }

    UTF8String user() {
        return Objects.requireNonNull(id);
    }

    Member member() {
        return new Member(
                user(),
                (flags & CANDIDATE) != 0,
                (flags & ASKED) != 0,
                (flags & KNOWN) != 0,
                (flags & FOLLOWS) != 0,
                rank,
                present);
    }
}
