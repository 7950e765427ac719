package io.usermap.job;

import io.usermap.client.IdRules;
import io.usermap.client.RejectReason;
import io.usermap.job.Found.Kind;
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
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.Objects;
import java.util.Set;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.catalyst.InternalRow;
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
 * @param lookUp the keys of a small source, sorted: its users are looked up, and nobody is found to be absent; null for a
 *     source that is zipped with all of the state
 * @param mostAbsent how many absent users a partition tells the driver of
 * @param facts takes the figures
 */
record Census(Zipped state, Mode mode, @Nullable List<Long> lookUp, int mostAbsent, PlanFacts facts)
        implements Serializable {
    @Serial
    private static final long serialVersionUID = 1L;

    /** Absent users that stay mapped, in the counts. */
    static final String ABSENT = "absent";

    /** Users whose id differs from another one's, of the source or mapped already, only by case or blanks, in the counts. */
    static final String SUSPICIOUS = "suspicious";

    /** Before a reason, in the counts. */
    static final String REJECTED = "rejected ";

    /** Before the reason of rows that were left out on purpose, in the counts. */
    static final String LEFT_OUT = "left out ";

    private static final String DUPLICATE = LEFT_OUT + RowReason.DUPLICATE.code();

    /** So many clusters of one user are kept in mind; a user who is named in more is in none anyway. */
    private static final int MOST_CLAIMS = 1_000;

    private static final String CONFLICT = RejectReason.CONFLICT.code();
    private static final UTF8String VANISHED = UTF8String.fromString("vanished");
    private static final UTF8String TWIN = UTF8String.fromString("differs_only_by_case_or_blanks");

    /** What is found in one partition of the source; on an executor. */
    Iterator<Row> found(int index, int partitions, Iterator<InternalRow> rows) {
        PlanFacts.Partition figures = new PlanFacts.Partition(index);
        return new Partition(figures, zip(index, partitions, new Sightings(index, partitions, rows, figures)), null);
    }

    /**
     * The absent users of one partition that stay mapped, with the targets that they have; nothing is counted.
     *
     * @param targets those whose followers are wanted
     */
    Iterator<Row> absent(int index, int partitions, Iterator<InternalRow> rows, UserSet targets) {
        PlanFacts.Partition figures = new PlanFacts.Partition(index);
        return new Partition(figures, zip(index, partitions, new Sightings(index, partitions, rows, figures)), targets);
    }

    private KeyZip<Sighting> zip(int index, int partitions, Iterator<Sighting> sightings) {
        return new KeyZip<>(
                sightings,
                Sighting::key,
                lookUp == null
                        ? state.entries(index, partitions)
                        : state.entries(
                                index,
                                partitions,
                                lookUp.stream()
                                        .filter(key -> IdKey.partition(key, partitions) == index)
                                        .toList()));
    }

    /** The rows of the source that may take part, without repetitions of the same one. */
    private static final class Sightings implements Iterator<Sighting> {
        private final int index;
        private final int partitions;
        private final Iterator<InternalRow> rows;
        private final PlanFacts.Partition figures;
        private boolean looked;
        private @Nullable Sighting next;

        Sightings(int index, int partitions, Iterator<InternalRow> rows, PlanFacts.Partition figures) {
            this.index = index;
            this.partitions = partitions;
            this.rows = rows;
            this.figures = figures;
            this.next = another();
        }

        private @Nullable Sighting another() {
            while (rows.hasNext()) {
                figures.row();
                Sighting row = Sighting.of(rows.next());
                if (!looked) {
                    IdKey.requireIn(index, partitions, row.key());
                    looked = true;
                }
                if (row.reason() == null || !RowReason.isLeftOut(row.reason().toString())) {
                    return row;
                }
                figures.count(LEFT_OUT + row.reason());
            }
            return null;
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
        private final @Nullable UserSet targets;
        private final Deque<Row> ready = new ArrayDeque<>();
        private @Nullable Crowd crowd;
        private boolean ended;

        /** With {@code targets}, nothing but the absent users that point at one of them. */
        Partition(PlanFacts.Partition figures, KeyZip<Sighting> zip, @Nullable UserSet targets) {
            this.figures = figures;
            this.zip = zip;
            this.targets = targets;
        }

        @Override
        public boolean hasNext() {
            while (ready.isEmpty() && !ended) {
                if (crowd != null) {
                    crowd.see();
                } else if (zip.advance()) {
                    see();
                } else {
                    ended = true;
                    if (targets == null) {
                        facts.add(figures);
                    }
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
            List<Entry> entries = zip.entries();
            if (!zip.hasRow()) {
                entries.forEach(entry -> absent(entry, false));
                return;
            }
            Sighting first = zip.row();
            if (!zip.hasRow() && first.reason() == null) {
                if (entries.isEmpty()) {
                    member(first, null);
                    return;
                }
                if (entries.size() == 1 && entries.get(0).user().equals(first.id())) {
                    member(first, entries.get(0));
                    return;
                }
            }
            crowd = new Crowd();
            crowd.see(first);
        }

        /**
         * A key that has several rows. They are taken one by one, and only users and the clusters of each are kept: what is
         * rejected goes out at once, however often it occurs.
         */
        private final class Crowd {
            private final Set<UTF8String> rejected = new HashSet<>();
            private final Map<UTF8String, Claims> users = new LinkedHashMap<>();

            /** Takes the next row; after the last one, tells what has become of the users. */
            void see() {
                if (zip.hasRow()) {
                    see(zip.row());
                } else {
                    end();
                    crowd = null;
                }
            }

            void see(Sighting row) {
                if (row.reason() == null && row.id() != null) {
                    users.computeIfAbsent(row.id(), id -> new Claims()).add(row);
                    return;
                }
                reject(row, String.valueOf(row.reason()));
                if (row.id() != null) {
                    // The service takes an id with and without blanks around it for the same.
                    rejected.add(UTF8String.fromString(IdRules.stripped(row.id().toString())));
                }
            }

            private void end() {
                List<Entry> entries = zip.entries();
                users.forEach((id, claims) -> claims.settle(entries.stream()
                        .filter(entry -> entry.user().equals(id))
                        .findFirst()
                        .orElse(null)));
                if (!users.isEmpty()) {
                    Set<UTF8String> inForceToo = new LinkedHashSet<>(users.keySet());
                    entries.stream()
                            .filter(entry -> entry.target() != null)
                            .forEach(entry -> inForceToo.add(entry.user()));
                    tellSuspicious(inForceToo);
                }
                entries.stream()
                        .filter(entry -> !users.containsKey(entry.user()))
                        .forEach(entry -> absent(entry, rejected.contains(entry.user())));
            }
        }

        /** The clusters in which a user is named; if there are several, the user is in none. */
        private final class Claims {
            private final Map<UTF8String, Sighting> byCluster = new LinkedHashMap<>();
            private boolean tooMany;

            void add(Sighting row) {
                if (tooMany) {
                    reject(row, CONFLICT);
                    return;
                }
                int before = byCluster.size();
                byCluster.merge(Objects.requireNonNull(row.cluster()), row, Partition::better);
                if (byCluster.size() == before) {
                    figures.count(DUPLICATE);
                }
                if (byCluster.size() > MOST_CLAIMS) {
                    tooMany = true;
                    byCluster.values().forEach(claim -> reject(claim, CONFLICT));
                    byCluster.clear();
                }
            }

            void settle(@Nullable Entry entry) {
                if (byCluster.size() == 1) {
                    member(byCluster.values().iterator().next(), entry);
                    return;
                }
                byCluster.values().forEach(claim -> reject(claim, CONFLICT));
                if (entry != null) {
                    absent(entry, true);
                }
            }
        }

        /** Of equal rows the one with the better rank. */
        private static Sighting better(Sighting one, Sighting other) {
            return one.rank() <= other.rank() || Double.isNaN(other.rank()) ? one : other;
        }

        private void member(Sighting row, @Nullable Entry entry) {
            if (targets == null) {
                ready.add(Found.member(
                        Objects.requireNonNull(row.cluster()),
                        Objects.requireNonNull(row.id()),
                        entry == null ? null : entry.target(),
                        row.flags() | (entry == null ? 0 : Found.KNOWN),
                        row.rank()));
            }
        }

        private void absent(Entry entry, boolean named) {
            UTF8String target = entry.target();
            if (target == null || lookUp != null) {
                return;
            }
            boolean gone = mode == Mode.MIRROR && !named;
            if (targets != null) {
                if (!gone && targets.mayHave(target)) {
                    ready.add(RowFactory.create(entry.user().getBytes(), target.getBytes()));
                }
            } else if (gone) {
                other(Kind.GONE, entry.key(), null, entry.user(), target, VANISHED);
            } else {
                figures.count(ABSENT);
                figures.absent(new PlanFacts.Absent(target, entry.user()), mostAbsent);
            }
        }

        private void reject(Sighting row, String reason) {
            figures.count(REJECTED + reason);
            other(Kind.REJECT, row.key(), row.cluster(), row.id(), null, UTF8String.fromString(reason));
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
                        other(Kind.SUSPICIOUS, zip.key(), null, id, null, TWIN);
                    }));
        }

        private void other(
                int kind,
                long key,
                @Nullable UTF8String cluster,
                @Nullable UTF8String id,
                @Nullable UTF8String present,
                UTF8String reason) {
            if (targets == null) {
                ready.add(Found.row(key, kind, cluster, id, present, 0, Double.NaN, reason));
            }
        }
    }
}
