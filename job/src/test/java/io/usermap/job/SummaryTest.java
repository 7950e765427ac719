package io.usermap.job;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class SummaryTest {
    private static final Plan PLAN = SamplePlan.of(
            "unmap-first",
            new Plan.Counts(5500, 5000, 3000, 1200, 3624, 20, 7, 12, 1, 41, 4),
            new Plan.Changes(100, 0, 2),
            Map.of("conflict", 2L, "too_short", 1L));

    @Test
    void tellsAPlanSoThatItIsJudgedInTenSeconds() {
        assertThat(Summary.ofPlan(PLAN, List.of(), List.of())).isEqualTo("""
                        plan 20261122T041702175Z-cea1
                          source rows       5,500  clusters: user_id by cluster_id
                          unchanged         1,200
                          to map            3,624
                          to remap             20  unmapped first
                          to unmap              7
                          carried over        102  left to the next run: 100 to map, 0 to remap, 2 to unmap
                          rejected              3  2: rows of one user contradict each other; 1: an id is shorter than the service takes
                          left out             11  4: another row says the same; 7: a user is mapped to itself
                          suspicious            4  planned, but differ from another id only by case or blanks
                          12 merges and 1 split of known persons; the largest cluster has 41 users
                        sending takes about 1m 2s; usermap apply 20261122T041702175Z-cea1 carries it out""");
    }

    @Test
    void namesTheGuardsThatStopItAndShowsExamplesWhereThereAreAny() {
        List<Guards.Tripped> tripped =
                List.of(new Guards.Tripped("max-shrink", "..."), new Guards.Tripped("max-unmap-share", "..."));

        assertThat(Summary.ofPlan(PLAN, tripped, List.of("map " + Phrases.id("a\u001b[2J\"b") + " to \"g\"")))
                .contains("\n    map \"a\\u{1b}[2J\\\"b\" to \"g\"\n")
                .endsWith("sending takes about 1m 2s; stopped by max-shrink, max-unmap-share");
    }

    @Test
    void saysSoWhereThereIsNothingToDo() {
        Plan nothing = SamplePlan.of(new Plan.Counts(10, 10, 5, 5, 0, 0, 0, 0, 0, 2, 0), Plan.Changes.NONE, Map.of());

        assertThat(Summary.ofPlan(nothing, List.of(), List.of()))
                .contains("no merge and no split of known persons; the largest cluster has 2 users")
                .doesNotContain("carried over")
                .doesNotContain("suspicious")
                .endsWith("\nnothing to do");
    }
}
