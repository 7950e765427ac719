package io.usermap.job;

import java.nio.charset.StandardCharsets;
import org.apache.spark.sql.catalyst.expressions.XXH64;
import org.apache.spark.unsafe.Platform;
import org.apache.spark.unsafe.hash.Murmur3_x86_32;
import org.apache.spark.unsafe.types.UTF8String;

/**
 * The 64-bit key by which ids are spread over partitions and sorted in them.
 *
 * <p>Equal for ids that differ only by the case of ASCII letters or by ASCII blanks, so that suspicious twins meet in one
 * place; other ids share a key about once in 10<sup>19</sup> pairs, so whoever compares keys compares ids too. The state's
 * files are sorted by it: another function needs another format of the ledger. Pure.
 */
final class IdKey {
    private static final long SEED = 42;
    private static final int SPARK_SEED = 42;

    private IdKey() {}

    /** The key of an id. */
    static long of(String id) {
        return of(id.getBytes(StandardCharsets.UTF_8));
    }

    /** The key of an id in UTF-8. */
    static long of(byte[] id) {
        int length = 0;
        while (length < id.length && !isBlank(id[length]) && !isCapital(id[length])) {
            length++;
        }
        if (length == id.length) {
            return hash(id, length);
        }
        byte[] plain = id.clone();
        for (int at = length; at < id.length; at++) {
            if (!isBlank(id[at])) {
                plain[length++] = isCapital(id[at]) ? (byte) (id[at] + ('a' - 'A')) : id[at];
            }
        }
        return hash(plain, length);
    }

    private static boolean isBlank(byte unit) {
        return unit == ' ' || (unit >= '\t' && unit <= '\r');
    }

    private static boolean isCapital(byte unit) {
        return unit >= 'A' && unit <= 'Z';
    }

    private static long hash(byte[] bytes, int length) {
        return XXH64.hashUnsafeBytes(bytes, Platform.BYTE_ARRAY_OFFSET, length, SEED);
    }

    /** A hash of a name as it is, for names of clusters. */
    static long exact(UTF8String name) {
        return XXH64.hashUTF8String(name, SEED);
    }

    /** The partition of {@code partitions} in which Spark puts a row that is repartitioned by its key. */
    static int partition(long key, int partitions) {
        return Math.floorMod(Murmur3_x86_32.hashLong(key, SPARK_SEED), partitions);
    }

    /**
     * Makes sure that Spark has spread its rows as the state's files are.
     *
     * @throws IllegalStateException if it has not
     */
    static void requireIn(int index, int partitions, long key) {
        if (partition(key, partitions) != index) {
            throw new IllegalStateException(
                    "Cannot read the state: this version of Spark spreads rows over partitions in"
                            + " another way than the state's files are. Use a version of Spark that README names.");
        }
    }
}
