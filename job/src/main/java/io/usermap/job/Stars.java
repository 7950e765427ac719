package io.usermap.job;

import io.usermap.job.Election.Member;
import io.usermap.job.Found.Kind;
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
 * @param mostCentres how many centres that are joined by users of others a partition tells the driver of
 * @param facts takes the figures
 */
record Stars(Broadcast<HashMap<UTF8String, List<UTF8String>>> followers, int mostCentres, PlanFacts facts)
        implements Serializable {
    @Serial
    private static final long serialVersionUID = 1L;

    /** Users whose mapping is as it should be, in the counts. */
    static final String UNCHANGED = "unchanged";

    /** Centres that some users of their cluster are mapped to already, and others come to from elsewhere, in the counts. */
    static final String JOINED = "joined";

    /** The rows of a plan. */
    static final StructType PLAN = new StructType()
            .add("op", DataTypes.StringType, false)
            .add("user_id", DataTypes.StringType)
            .add("global_user_id", DataTypes.StringType)
            .add("previous_global_user_id", DataTypes.StringType)
            .add("reason", DataTypes.StringType)
            .add("cluster", DataTypes.StringType);

    /**
     * The rows of the plan out of one partition; on an executor.
     *
     * @param found sorted by the cluster's key
     * @param more the same, for followers that were brought here by a shuffle
     */
    Iterator<Row> changes(int index, Iterator<InternalRow> found, Iterator<InternalRow> more) {
        return new Partition(index, new Merged(found, more));
    }

    /** Both sides in the order of their keys. */
    private static final class Merged {
        private final Iterator<InternalRow> found;
        private final Iterator<InternalRow> more;
        private @Nullable Found nextFound;
        private @Nullable Found nextMore;

        Merged(Iterator<InternalRow> found, Iterator<InternalRow> more) {
            this.found = found;
            this.more = more;
            this.nextFound = of(found);
            this.nextMore = of(more);
        }

        private static @Nullable Found of(Iterator<InternalRow> rows) {
            return rows.hasNext() ? Found.of(rows.next()) : null;
        }

        @Nullable
        Found next() {
            Found one = nextFound;
            Found other = nextMore;
            if (one == null || (other != null && other.clusterKey() < one.clusterKey())) {
                nextMore = of(more);
                return other;
            }
            nextFound = of(found);
            return one;
        }
    }

    private final class Partition implements Iterator<Row> {
        private final Merged rows;
        private final PlanFacts.Partition figures;
        private final Map<UTF8String, List<UTF8String>> byTarget = followers.value();
        private final Deque<Row> ready = new ArrayDeque<>();
        private final List<Found> group = new ArrayList<>();
        private boolean ended;

        Partition(int index, Merged rows) {
            this.rows = rows;
            this.figures = new PlanFacts.Partition(index);
        }

        @Override
        public boolean hasNext() {
            while (ready.isEmpty() && !ended) {
                Found row = rows.next();
                if (!group.isEmpty()
                        && (row == null || row.clusterKey() != group.get(0).clusterKey())) {
                    settle();
                    group.clear();
                }
                if (row == null) {
                    ended = true;
                    facts.add(figures);
                } else if (row.kind() == Kind.MEMBER) {
                    group.add(row);
                } else {
                    // Of one id there may be millions that were rejected: they never meet.
                    tell(row);
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
            UTF8String first = Objects.requireNonNull(group.get(0).cluster());
            boolean one = true;
            for (Found row : group) {
                one &= first.equals(row.cluster());
            }
            if (one) {
                settle(first, group);
                return;
            }
            Map<UTF8String, List<Found>> clusters = new LinkedHashMap<>();
            group.forEach(
                    row -> clusters.computeIfAbsent(Objects.requireNonNull(row.cluster()), name -> new ArrayList<>())
                            .add(row));
            clusters.forEach(this::settle);
        }

        /**
         * Whether everybody else points at one candidate that points nowhere. It is elected then: it costs nothing, and
         * any other one at least two writes. Most clusters are such stars, so they go no further.
         */
        private boolean isStar(List<Found> rows) {
            Found centre = null;
            for (Found row : rows) {
                if (!Double.isNaN(row.rank()) || (row.flags() & Found.ASKED) != 0 || byTarget.containsKey(row.user())) {
                    return false;
                }
                if (row.present() == null) {
                    if (centre != null || (row.flags() & Found.CANDIDATE) == 0) {
                        return false;
                    }
                    centre = row;
                }
            }
            if (centre == null) {
                return false;
            }
            for (Found row : rows) {
                if (row.present() != null && !row.present().equals(centre.user())) {
                    return false;
                }
            }
            return true;
        }

        private void settle(UTF8String cluster, List<Found> rows) {
            if (isStar(rows)) {
                figures.cluster(rows.size());
                figures.count(UNCHANGED, rows.size() - 1);
                return;
            }
            List<Member> members = new ArrayList<>(rows.size());
            rows.forEach(row -> members.add(row.member()));
            rows.forEach(row -> byTarget.getOrDefault(row.user(), List.of())
                    .forEach(id -> members.add(new Member(id, false, false, true, true, Double.NaN, row.user()))));
            figures.cluster(members.size());
            UTF8String centre = Election.centre(members);
            tellIfJoined(centre, members);
            members.forEach(member -> settle(cluster, centre, member));
        }

        private void tellIfJoined(UTF8String centre, List<Member> members) {
            boolean stays = false;
            boolean comes = false;
            for (Member member : members) {
                boolean there = centre.equals(member.present());
                stays |= there;
                comes |= !there && member.present() != null;
            }
            if (stays && comes) {
                figures.count(JOINED);
                figures.centre(centre, mostCentres);
            }
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

        /** What is no member: users that are gone, and rows that only tell something. */
        private void tell(Found row) {
            switch (row.kind()) {
                case Kind.GONE -> change("unmap", row.user(), null, row.present(), "vanished", null);
                case Kind.REJECT -> note("reject", row);
                case Kind.SUSPICIOUS -> note("suspicious", row);
                default -> throw new IllegalStateException("a row of kind " + row.kind() + " has no place in a plan");
            }
        }

        private void note(String op, Found row) {
            ready.add(RowFactory.create(op, text(row.id()), null, null, text(row.reason()), text(row.cluster())));
        }

        private static @Nullable String text(@Nullable UTF8String text) {
            return text == null ? null : text.toString();
        }
    }
}
