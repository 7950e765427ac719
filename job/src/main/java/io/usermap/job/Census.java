package io.usermap.job;

import io.usermap.client.RejectReason;
import io.usermap.job.Keys.Mode;
import io.usermap.job.State.Zipped;
import io.usermap.job.StateFile.Entry;
import java.io.Serial;
import java.io.Serializable;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashSet;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.Objects;
import java.util.Set;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.unsafe.types.UTF8String;
import org.jspecify.annotations.Nullable;

/**
 * The first of two steps of a plan: every user of the source and of the state is seen once, in one place.
 *
 * <p>Runs on executors. The source's rows come by {@link IdKey}, and so does the state, which needs no shuffle for it. Per
 * user it is found whether its rows agree, what its target in force is, and who is in the state only. The rows that come out
 * are brought together by cluster for the second step, {@link Stars}.
 *
 * @param state what to zip with
 * @param mode what happens to users that vanished from the source
 * @param lookUp the source is small, so its users are looked up, and nobody is found to be absent
 * @param mostAbsent how many absent users a partition tells the driver of
 * @param facts takes the figures
 */
record Census(Zipped state, Mode mode, boolean lookUp, int mostAbsent, PlanFacts facts) implements Serializable {
    @Serial
    private static final long serialVersionUID = 1L;

    /** Absent users that stay mapped, in the counts. */
    static final String ABSENT = "absent";

    /** Users whose id differs from another one's only by case or blanks, in the counts. */
    static final String SUSPICIOUS = "suspicious";

    /** Before a reason, in the counts. */
    static final String REJECTED = "rejected ";

    /** Before the reason of rows that were left out on purpose, in the counts. */
    static final String LEFT_OUT = "left out ";

    private static final String DUPLICATE = LEFT_OUT + RowReason.DUPLICATE.code();

    /** What a row of {@link #FOUND} is about. */
    static final class Kind {
        static final int MEMBER = 0;
        static final int ABSENT = 1;
        static final int GONE = 2;
        static final int REJECT = 3;
        static final int SUSPICIOUS = 4;

        private Kind() {}
    }

    static final int CANDIDATE = 1;
    static final int ASKED = 2;
    static final int KNOWN = 4;
    static final int FOLLOWS = 8;

    /** What goes in: {@code key, cluster, id, candidate, asked, rank, reason}, sorted by key. */
    private record Sighting(
            long key,
            @Nullable UTF8String cluster,
            @Nullable UTF8String id,
            int flags,
            double rank,
            @Nullable UTF8String reason) {
        static Sighting of(InternalRow row) {
            return new Sighting(
                    row.getLong(0),
                    text(row, 1),
                    text(row, 2),
                    (row.getBoolean(3) ? CANDIDATE : 0) | (row.getBoolean(4) ? ASKED : 0),
                    row.isNullAt(5) ? Double.NaN : row.getDouble(5),
                    text(row, 6));
        }
    }

    /** The text of a column, which outlives the row. */
    static @Nullable UTF8String text(InternalRow row, int column) {
        return row.isNullAt(column) ? null : row.getUTF8String(column).clone();
    }

    /** What comes out. */
    static final StructType FOUND = new StructType()
            .add("cluster_key", DataTypes.LongType, false)
            .add("kind", DataTypes.IntegerType, false)
            .add("cluster", DataTypes.BinaryType)
            .add("id", DataTypes.BinaryType)
            .add("present", DataTypes.BinaryType)
            .add("flags", DataTypes.IntegerType, false)
            .add("rank", DataTypes.DoubleType, false)
            .add("reason", DataTypes.StringType);

    /** What is found in one partition of the source; on an executor. */
    Iterator<Row> found(int index, int partitions, Iterator<InternalRow> rows) {
        PlanFacts.Partition figures = new PlanFacts.Partition(index);
        Iterator<Sighting> sightings = new Sightings(index, partitions, rows, figures);
        if (!lookUp) {
            return new Partition(figures, new KeyZip<>(sightings, Sighting::key, state.entries(index, partitions)));
        }
        List<Sighting> all = new ArrayList<>();
        sightings.forEachRemaining(all::add);
        List<Long> keys = all.stream().map(Sighting::key).distinct().toList();
        return new Partition(
                figures, new KeyZip<>(all.iterator(), Sighting::key, state.entries(index, partitions, keys)));
    }

    /** The rows of the source, without repetitions of the same good one: a million of them are one user all the same. */
    private static final class Sightings implements Iterator<Sighting> {
        private final int index;
        private final int partitions;
        private final Iterator<InternalRow> rows;
        private final PlanFacts.Partition figures;
        private @Nullable Sighting next;

        Sightings(int index, int partitions, Iterator<InternalRow> rows, PlanFacts.Partition figures) {
            this.index = index;
            this.partitions = partitions;
            this.rows = rows;
            this.figures = figures;
            this.next = another();
        }

        private @Nullable Sighting another() {
            if (!rows.hasNext()) {
                return null;
            }
            figures.row();
            Sighting row = Sighting.of(rows.next());
            if (next == null) {
                IdKey.requireIn(index, partitions, row.key());
            }
            return row;
        }

        @Override
        public boolean hasNext() {
            return next != null;
        }

        @Override
        public Sighting next() {
            Sighting now = next;
            if (now == null) {
                throw new NoSuchElementException("the partition has no more rows");
            }
            next = another();
            while (next != null && now.reason() == null && next.equals(now)) {
                figures.count(DUPLICATE);
                next = another();
            }
            return now;
        }
    }

    private final class Partition implements Iterator<Row> {
        private final KeyZip<Sighting> zip;
        private final PlanFacts.Partition figures;
        private final Deque<Row> ready = new ArrayDeque<>();
        private boolean ended;

        Partition(PlanFacts.Partition figures, KeyZip<Sighting> zip) {
            this.figures = figures;
            this.zip = zip;
        }

        @Override
        public boolean hasNext() {
            while (ready.isEmpty() && !ended) {
                if (zip.advance()) {
                    see();
                } else {
                    ended = true;
                    facts.add(figures);
                }
            }
            return !ready.isEmpty();
        }

        @Override
        public Row next() {
            if (!hasNext()) {
                throw new NoSuchElementException("the partition has no more rows");
            }
            return ready.remove();
        }

        private void see() {
            List<Sighting> rows = zip.rows();
            List<Entry> entries = zip.entries();
            if (rows.size() == 1 && rows.get(0).reason() == null) {
                Sighting only = rows.get(0);
                if (entries.isEmpty()) {
                    member(only, null);
                    return;
                }
                if (entries.size() == 1 && entries.get(0).user().equals(only.id())) {
                    member(only, entries.get(0));
                    return;
                }
            }
            if (rows.isEmpty()) {
                entries.forEach(entry -> absent(entry, false));
                return;
            }
            seeMany(rows, entries);
        }

        private void seeMany(List<Sighting> rows, List<Entry> entries) {
            Set<UTF8String> named = new HashSet<>();
            Map<UTF8String, List<Sighting>> users = new LinkedHashMap<>();
            for (Sighting row : rows) {
                if (row.reason() == null && row.id() != null) {
                    users.computeIfAbsent(row.id(), id -> new ArrayList<>()).add(row);
                } else if (RowReason.isLeftOut(String.valueOf(row.reason()))) {
                    figures.count(LEFT_OUT + row.reason());
                } else {
                    reject(row, String.valueOf(row.reason()));
                    if (row.id() != null) {
                        // The service takes an id with and without blanks around it for the same.
                        named.add(UTF8String.fromString(row.id().toString().strip()));
                    }
                }
            }
            users.forEach((id, ofUser) -> {
                named.add(id);
                seeUser(
                        ofUser,
                        entries.stream()
                                .filter(entry -> entry.user().equals(id))
                                .findFirst()
                                .orElse(null));
            });
            if (users.size() > 1) {
                tellSuspicious(users.keySet());
            }
            entries.stream()
                    .filter(entry -> !users.containsKey(entry.user()))
                    .forEach(entry -> absent(entry, named.contains(entry.user())));
        }

        private void seeUser(List<Sighting> rows, @Nullable Entry entry) {
            Map<UTF8String, Sighting> byCluster = new LinkedHashMap<>();
            rows.forEach(row -> byCluster.merge(Objects.requireNonNull(row.cluster()), row, Partition::better));
            for (int repeated = byCluster.size(); repeated < rows.size(); repeated++) {
                figures.count(DUPLICATE);
            }
            if (byCluster.size() == 1) {
                member(byCluster.values().iterator().next(), entry);
                return;
            }
            byCluster.values().forEach(row -> reject(row, RejectReason.CONFLICT.code()));
            if (entry != null) {
                absent(entry, true);
            }
        }

        /** Of equal rows the one with the better rank. */
        private static Sighting better(Sighting one, Sighting other) {
            return one.rank() <= other.rank() || Double.isNaN(other.rank()) ? one : other;
        }

        private void member(Sighting row, @Nullable Entry entry) {
            UTF8String cluster = Objects.requireNonNull(row.cluster());
            ready.add(RowFactory.create(
                    IdKey.exact(cluster),
                    Kind.MEMBER,
                    cluster.getBytes(),
                    bytes(row.id()),
                    entry == null ? null : bytes(entry.target()),
                    row.flags() | (entry == null ? 0 : KNOWN),
                    row.rank(),
                    null));
        }

        private void absent(Entry entry, boolean named) {
            if (entry.target() == null || lookUp) {
                return;
            }
            if (mode == Mode.MIRROR && !named) {
                other(Kind.GONE, entry.key(), null, entry.user(), entry.target(), "vanished");
            } else {
                figures.count(ABSENT);
                figures.absent(new PlanFacts.Absent(entry.target(), entry.user()), mostAbsent);
                other(Kind.ABSENT, entry.key(), null, entry.user(), entry.target(), null);
            }
        }

        private void reject(Sighting row, String reason) {
            figures.count(REJECTED + reason);
            other(Kind.REJECT, row.key(), row.cluster(), row.id(), null, reason);
        }

        /** Ids that share the key by chance are not told. */
        private void tellSuspicious(Set<UTF8String> ids) {
            Map<String, List<UTF8String>> twins = new LinkedHashMap<>();
            ids.forEach(id -> twins.computeIfAbsent(
                            id.toString().toLowerCase(Locale.ROOT).replaceAll("\\s", ""), text -> new ArrayList<>())
                    .add(id));
            twins.values().stream()
                    .filter(same -> same.size() > 1)
                    .forEach(same -> same.forEach(id -> {
                        figures.count(SUSPICIOUS);
                        other(Kind.SUSPICIOUS, zip.key(), null, id, null, "differs_only_by_case_or_blanks");
                    }));
        }

        private void other(
                int kind,
                long key,
                @Nullable UTF8String cluster,
                @Nullable UTF8String id,
                @Nullable UTF8String present,
                @Nullable String reason) {
            ready.add(RowFactory.create(key, kind, bytes(cluster), bytes(id), bytes(present), 0, Double.NaN, reason));
        }

        private byte @Nullable [] bytes(@Nullable UTF8String text) {
            return text == null ? null : text.getBytes();
        }
    }
}
