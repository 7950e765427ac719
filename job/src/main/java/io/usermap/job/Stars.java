package io.usermap.job;

import io.usermap.job.Census.Kind;
import io.usermap.job.Election.Member;
import java.io.Serial;
import java.io.Serializable;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.Objects;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.unsafe.types.UTF8String;
import org.jspecify.annotations.Nullable;

/**
 * The second of two steps of a plan: each cluster elects its centre, and what is not yet as it should be becomes a change.
 *
 * <p>Runs on executors, over the rows of {@link Census} in the order of their cluster's key. Memory is the users of one
 * cluster.
 *
 * @param followers of few absent users all, by their target; they come to the cluster of which their target is a member
 * @param facts takes the figures
 */
record Stars(Broadcast<HashMap<UTF8String, List<UTF8String>>> followers, PlanFacts facts) implements Serializable {
    @Serial
    private static final long serialVersionUID = 1L;

    /** Users whose mapping is as it should be, in the counts. */
    static final String UNCHANGED = "unchanged";

    /** The rows of a plan. */
    static final StructType PLAN = new StructType()
            .add("op", DataTypes.StringType, false)
            .add("user_id", DataTypes.StringType)
            .add("global_user_id", DataTypes.StringType)
            .add("previous_global_user_id", DataTypes.StringType)
            .add("reason", DataTypes.StringType)
            .add("cluster", DataTypes.StringType);

    /**
     * A member with its cluster, on its way here.
     *
     * @param clusterKey what the rows are sorted by
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

        static Found of(InternalRow row) {
            return new Found(
                    row.getLong(0),
                    row.getInt(1),
                    bytes(row, 2),
                    bytes(row, 3),
                    bytes(row, 4),
                    row.getInt(5),
                    row.getDouble(6),
                    Census.text(row, 7));
        }

        private static @Nullable UTF8String bytes(InternalRow row, int column) {
            return row.isNullAt(column) ? null : UTF8String.fromBytes(row.getBinary(column));
        }

        UTF8String user() {
            return Objects.requireNonNull(id);
        }

        Member member() {
            return new Member(
                    user(),
                    (flags & Census.CANDIDATE) != 0,
                    (flags & Census.ASKED) != 0,
                    (flags & Census.KNOWN) != 0,
                    (flags & Census.FOLLOWS) != 0,
                    rank,
                    present);
        }
    }

    /**
     * The rows of the plan out of one partition; on an executor.
     *
     * @param found sorted by the cluster's key
     * @param more the same, for followers that were brought here by a shuffle
     */
    Iterator<Row> changes(int index, Iterator<InternalRow> found, Iterator<InternalRow> more) {
        return new Partition(index, new Sorted(found), new Sorted(more));
    }

    /** One side, with a look at its next row. */
    private static final class Sorted {
        private final Iterator<InternalRow> rows;
        private @Nullable Found next;

        Sorted(Iterator<InternalRow> rows) {
            this.rows = rows;
            this.next = rows.hasNext() ? Found.of(rows.next()) : null;
        }

        void drain(long key, List<Found> into) {
            while (next != null && next.clusterKey() == key) {
                into.add(next);
                next = rows.hasNext() ? Found.of(rows.next()) : null;
            }
        }
    }

    private final class Partition implements Iterator<Row> {
        private final Sorted found;
        private final Sorted more;
        private final PlanFacts.Partition figures;
        private final Deque<Row> ready = new ArrayDeque<>();
        private final List<Found> group = new ArrayList<>();
        private boolean ended;

        Partition(int index, Sorted found, Sorted more) {
            this.found = found;
            this.more = more;
            this.figures = new PlanFacts.Partition(index);
        }

        @Override
        public boolean hasNext() {
            while (ready.isEmpty() && !ended) {
                Found first = found.next;
                if (first == null) {
                    ended = true;
                    facts.add(figures);
                } else {
                    group.clear();
                    found.drain(first.clusterKey(), group);
                    if (more.next != null) {
                        more.drain(first.clusterKey(), group);
                    }
                    settle();
                }
            }
            return !ready.isEmpty();
        }

        @Override
        public Row next() {
            if (!hasNext()) {
                throw new NoSuchElementException("the partition has no more changes");
            }
            return ready.remove();
        }

        private void settle() {
            Found first = group.get(0);
            boolean one = first.kind() == Kind.MEMBER;
            for (Found row : group) {
                one &= row.kind() == Kind.MEMBER && Objects.equals(row.cluster(), first.cluster());
            }
            if (one) {
                settle(Objects.requireNonNull(first.cluster()), group);
                return;
            }
            Map<UTF8String, List<Found>> clusters = new LinkedHashMap<>();
            for (Found row : group) {
                switch (row.kind()) {
                    case Kind.MEMBER ->
                        clusters.computeIfAbsent(Objects.requireNonNull(row.cluster()), name -> new ArrayList<>())
                                .add(row);
                    case Kind.GONE -> change("unmap", row.user(), null, row.present(), "vanished", null);
                    case Kind.REJECT, Kind.SUSPICIOUS -> note(row);
                    default -> {} // absent users stay where they are
                }
            }
            clusters.forEach(this::settle);
        }

        private void settle(UTF8String cluster, List<Found> rows) {
            List<Member> members = new ArrayList<>(rows.size());
            rows.forEach(row -> members.add(row.member()));
            if (!followers.value().isEmpty()) {
                rows.forEach(row -> followers
                        .value()
                        .getOrDefault(row.user(), List.of())
                        .forEach(id -> members.add(new Member(id, false, false, true, true, Double.NaN, row.user()))));
            }
            figures.cluster(members.size());
            UTF8String centre = Election.centre(members);
            members.forEach(member -> settle(cluster, centre, member));
        }

        private void settle(UTF8String cluster, UTF8String centre, Member member) {
            UTF8String present = member.present();
            String reason = reason(member, centre);
            if (member.id().equals(centre)) {
                if (present == null && !member.asked()) {
                    return;
                }
                if (present == null && member.known()) {
                    figures.count(UNCHANGED);
                    return;
                }
                change("unmap", member.id(), null, present, reason, cluster);
                return;
            }
            if (centre.equals(present)) {
                figures.count(UNCHANGED);
                return;
            }
            change(present == null ? "map" : "remap", member.id(), centre, present, reason, cluster);
        }

        private static String reason(Member member, UTF8String centre) {
            if (member.asked()) {
                return "asked";
            }
            if (member.follows()) {
                return "follows";
            }
            if (member.id().equals(centre)) {
                return "centre";
            }
            return member.present() == null ? "new" : "moved";
        }

        private void change(
                String op,
                UTF8String user,
                @Nullable UTF8String target,
                @Nullable UTF8String previous,
                String reason,
                @Nullable UTF8String cluster) {
            figures.count(op);
            ready.add(RowFactory.create(op, text(user), text(target), text(previous), reason, text(cluster)));
        }

        private void note(Found row) {
            String op = row.kind() == Kind.REJECT ? "reject" : "suspicious";
            ready.add(RowFactory.create(op, text(row.id()), null, null, text(row.reason()), text(row.cluster())));
        }

        private static @Nullable String text(@Nullable UTF8String text) {
            return text == null ? null : text.toString();
        }
    }
}
