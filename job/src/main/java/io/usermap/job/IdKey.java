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
        byte[] bytes = id.getBytes(StandardCharsets.UTF_8);
        int length = 0;
        for (byte unit : bytes) {
            boolean blank = unit == ' ' || (unit >= '\t' && unit <= '\r');
            if (!blank) {
                bytes[length++] = unit >= 'A' && unit <= 'Z' ? (byte) (unit + ('a' - 'A')) : unit;
            }
        }
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
