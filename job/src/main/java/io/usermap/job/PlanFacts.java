package io.usermap.job;

import java.io.Serial;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.spark.unsafe.types.UTF8String;
import org.apache.spark.util.AccumulatorV2;

/**
 * What the tasks of a plan have counted on the way, exact also when tasks are run again.
 *
 * <p>Spark adds an accumulator up once more when a task of a shuffle is repeated. So each partition hands in its figures as
 * a whole, under its number, and a repetition replaces them by the same ones. Has no name for Spark, which shows the values
 * of accumulators that have one.
 */
final class PlanFacts extends AccumulatorV2<PlanFacts.Partition, Map<Integer, PlanFacts.Partition>> {
    @Serial
    private static final long serialVersionUID = 1L;

    /** A user of the state that is not in the source, and the target that it has. */
    record Absent(UTF8String present, UTF8String id) implements Serializable {
        @Serial
        private static final long serialVersionUID = 1L;
    }

    /** The figures of one partition; filled by one task. */
    static final class Partition implements Serializable {
        @Serial
        private static final long serialVersionUID = 1L;

        private final int number;
        private final TreeMap<String, Long> counts = new TreeMap<>();
        private final ArrayList<Absent> absent = new ArrayList<>();
        private final ArrayList<UTF8String> centres = new ArrayList<>();
        private long rows;
        private long largest;

        Partition(int number) {
            this.number = number;
        }

        void count(String what) {
            count(what, 1);
        }

        void count(String what, long many) {
            if (many > 0) {
                counts.merge(what, many, Long::sum);
            }
        }

        void row() {
            rows++;
        }

        /** Keeps {@code user} in mind, unless there are {@code most} already. */
        void absent(Absent user, int most) {
            if (absent.size() < most) {
                absent.add(user);
            }
        }

        /** Keeps {@code centre} in mind, unless there are {@code most} already. */
        void centre(UTF8String centre, int most) {
            if (centres.size() < most) {
                centres.add(centre.clone());
            }
        }

        void cluster(long users) {
            largest = Math.max(largest, users);
        }
    }

    private final TreeMap<Integer, Partition> partitions = new TreeMap<>();

    /** How often {@code what} was counted. */
    long count(String what) {
        return partitions.values().stream()
                .mapToLong(partition -> partition.counts.getOrDefault(what, 0L))
                .sum();
    }

    /** Rows of the source. */
    long rows() {
        return partitions.values().stream()
                .mapToLong(partition -> partition.rows)
                .sum();
    }

    /** Counts of everything whose name begins with {@code prefix}, without the prefix. */
    Map<String, Long> counts(String prefix) {
        Map<String, Long> found = new TreeMap<>();
        partitions
                .values()
                .forEach(partition -> partition.counts.forEach((what, many) -> {
                    if (what.startsWith(prefix)) {
                        found.merge(what.substring(prefix.length()), many, Long::sum);
                    }
                }));
        return found;
    }

    /** The users that were kept in mind. */
    List<Absent> absent() {
        return partitions.values().stream()
                .flatMap(partition -> partition.absent.stream())
                .toList();
    }

    /** The centres that were kept in mind. */
    List<UTF8String> centres() {
        return partitions.values().stream()
                .flatMap(partition -> partition.centres.stream())
                .toList();
    }

    /** Users of the largest cluster. */
    long largestCluster() {
        return partitions.values().stream()
                .mapToLong(partition -> partition.largest)
                .max()
                .orElse(0);
    }

    @Override
    public boolean isZero() {
        return partitions.isEmpty();
    }

    @Override
    public PlanFacts copy() {
        PlanFacts copy = new PlanFacts();
        copy.partitions.putAll(partitions);
        return copy;
    }

    @Override
    public void reset() {
        partitions.clear();
    }

    @Override
    public void add(Partition partition) {
        partitions.put(partition.number, partition);
    }

    @Override
    public void merge(AccumulatorV2<Partition, Map<Integer, Partition>> other) {
        partitions.putAll(other.value());
    }

    @Override
    public Map<Integer, Partition> value() {
        return partitions;
    }
}
