package io.usermap.job;

import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.spark.unsafe.types.UTF8String;
import org.jspecify.annotations.Nullable;

/**
 * Who stands for a cluster: the candidate of the best rank, where ranks are configured; then the one that costs the fewest
 * writes, then one in force, then the smallest id.
 *
 * <p>With centre c, every other member needs a write unless it is mapped to c already, and c needs one if it is mapped
 * itself. So the cost is members - 1 - votes(c) + mapped(c), where the votes are the members that are mapped to c now: what
 * differs between the candidates of a cluster is only mapped(c) - votes(c). Example: m and n are mapped to g; now {m, n, u}
 * is one cluster and {g} another. In the first, m costs 3 writes (unmap m, map n, map u), u costs 2 (remap m and n).
 *
 * <p>Ids are compared by their UTF-8 bytes; the result does not depend on the order of the members. Pure.
 */
final class Election {

    /**
     * A user of a cluster.
     *
     * @param id the user
     * @param candidate may become the centre
     * @param asked the source asks for its unmap
     * @param known the state has heard of it, mapped or unmapped
     * @param follows it is not in the source, and comes along because its target is
     * @param rank smaller is better; NaN if none is configured
     * @param present its target in force
     */
    record Member(
            UTF8String id,
            boolean candidate,
            boolean asked,
            boolean known,
            boolean follows,
            double rank,
            @Nullable UTF8String present) {}

    private record Candidate(Member member, int votes) {
        /** Ranks below infinity come first, the missing ones last. */
        double rank() {
            return Double.isNaN(member.rank()) ? Double.POSITIVE_INFINITY : member.rank();
        }

        int cost() {
            return (member.present() == null ? 0 : 1) - votes;
        }

        boolean isNew() {
            return votes == 0;
        }
    }

    private static final Comparator<Candidate> BEST_FIRST = Comparator.comparingDouble(Candidate::rank)
            .thenComparingInt(Candidate::cost)
            .thenComparing(Candidate::isNew)
            .thenComparing(candidate -> candidate.member().id());

    private Election() {}

    /** The centre of a cluster; at least one of its members is a candidate. */
    static UTF8String centre(List<Member> members) {
        Map<UTF8String, Integer> votes = new HashMap<>();
        for (Member member : members) {
            if (member.present() != null) {
                votes.merge(member.present(), 1, Integer::sum);
            }
        }
        Candidate best = null;
        for (Member member : members) {
            if (member.candidate()) {
                Candidate candidate = new Candidate(member, votes.getOrDefault(member.id(), 0));
                best = best == null || BEST_FIRST.compare(candidate, best) < 0 ? candidate : best;
            }
        }
        if (best == null) {
            throw new IllegalArgumentException("a cluster has no candidate for its centre");
        }
        return best.member().id();
    }
}
