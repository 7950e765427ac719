package io.usermap.job;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.usermap.client.InvalidSettingsException;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

class GuardsTest {
    private static final Configuration DEFAULTS = Configuration.of(Map.of(), Set.of(), Map.of());

    private static Plan plan(
            long sourceRows,
            long lastSourceRows,
            long acknowledged,
            long remap,
            long unmap,
            long largest,
            long placeholders) {
        return SamplePlan.of(
                new Plan.Counts(sourceRows, lastSourceRows, acknowledged, 0, 0, remap, unmap, 0, 0, largest, 0),
                Plan.Changes.NONE,
                Map.of("placeholder", placeholders));
    }

    private static List<String> messages(Plan plan, String... allowed) {
        return Guards.tripped(plan, DEFAULTS, Set.of(allowed)).stream()
                .map(Guards.Tripped::message)
                .toList();
    }

    @Test
    void letsAnOrdinaryPlanPass() {
        assertThat(messages(plan(800, 1000, 1000, 200, 100, 1000, 8))).isEmpty();
    }

    @Test
    void stopsAnEmptySource() {
        assertThat(messages(plan(0, 0, 0, 0, 0, 0, 0)))
                .containsExactly(
                        "Cannot apply the plan: the source has 0 rows, fewer than 1. If that is right, run it with"
                                + " --allow min-source-rows, or set 'guards.min-source-rows'.");
    }

    @Test
    void letsADayWithoutChangesPass() {
        assertThat(messages(SamplePlan.feed(new Plan.Counts(0, 0, 1000, 0, 0, 0, 0, 0, 0, 0, 0))))
                .isEmpty();
    }

    @Test
    void stopsASourceThatHasShrunk() {
        assertThat(messages(plan(799, 1000, 1000, 0, 0, 2, 0)))
                .containsExactly(
                        "Cannot apply the plan: 20.1 % of the source's rows are gone, more than 20.0 %. If that is"
                                + " right, run it with --allow max-shrink, or set 'guards.max-shrink'.");
    }

    @Test
    void stopsTooManyUnmapsAndRemaps() {
        assertThat(messages(plan(1000, 1000, 1000, 201, 101, 2, 0)))
                .containsExactly(
                        "Cannot apply the plan: 10.1 % of the acknowledged mappings would be removed, more than 10.0 %. If"
                                + " that is right, run it with --allow max-unmap-share, or set 'guards.max-unmap-share'.",
                        "Cannot apply the plan: 20.1 % of the acknowledged mappings would get another target, more than"
                                + " 20.0 %. If that is right, run it with --allow max-remap-share, or set"
                                + " 'guards.max-remap-share'.");
    }

    @Test
    void judgesWhatABudgetLeavesToLaterRunsToo() {
        Plan inSmallPieces = SamplePlan.of(
                new Plan.Counts(1000, 1000, 1000, 0, 0, 1, 1, 0, 0, 2, 0), new Plan.Changes(0, 200, 100), Map.of());

        assertThat(messages(inSmallPieces))
                .hasSize(2)
                .anyMatch(message -> message.contains("10.1 % of the acknowledged mappings would be removed"))
                .anyMatch(message -> message.contains("20.1 % of the acknowledged mappings would get another"));
    }

    @Test
    void refusesANameThatNoGuardHas() {
        assertThatThrownBy(() -> Guards.allowed(List.of("max-shrink", "max-unmaps-share")))
                .isInstanceOf(InvalidSettingsException.class)
                .hasMessage("Cannot use guard 'max-unmaps-share': there is none of that name. Did you mean"
                        + " 'max-unmap-share'? There are max-cluster-size, max-placeholder-share, max-remap-share,"
                        + " max-shrink, max-unmap-share, min-source-rows.");
        assertThat(Guards.allowed(List.of("max-shrink"))).containsExactly("max-shrink");
    }

    @Test
    void stopsHugeClustersAndManyPlaceholders() {
        assertThat(messages(plan(1000, 0, 0, 0, 0, 1001, 11)))
                .containsExactly(
                        "Cannot apply the plan: the largest cluster has 1,001 users, more than 1,000. If that is right, run"
                                + " it with --allow max-cluster-size, or set 'guards.max-cluster-size'.",
                        "Cannot apply the plan: 1.1 % of the source's rows hold placeholders, more than 1.0 %. If that is"
                                + " right, run it with --allow max-placeholder-share, or set"
                                + " 'guards.max-placeholder-share'.");
    }

    @Test
    void namesTheCommandThatLiftsAGuardForAPlanThatIsNotOfTheSource() {
        Plan undo = SamplePlan.undo(new Plan.Counts(5, 5, 5, 0, 0, 0, 5, 0, 0, 0, 0));

        assertThat(messages(undo))
                .containsExactly(
                        "Cannot apply the plan: 100.0 % of the acknowledged mappings would be removed, more than"
                                + " 10.0 %. If that is right, run 'usermap apply " + undo.run()
                                + " --allow max-unmap-share', or set 'guards.max-unmap-share'.");
    }

    @Test
    void isLiftedByNameForOneRun() {
        assertThat(messages(plan(1000, 0, 0, 0, 0, 1001, 11), "max-cluster-size", "max-placeholder-share"))
                .isEmpty();
    }

    @Test
    void knowsEveryGuardsName() {
        assertThat(Keys.DECLARED)
                .extracting("key", String.class)
                .filteredOn(key -> key.startsWith("guards."))
                .containsExactlyInAnyOrderElementsOf(
                        Guards.NAMES.stream().map(name -> "guards." + name).toList());
    }
}
