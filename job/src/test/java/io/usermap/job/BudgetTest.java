package io.usermap.job;

import static org.assertj.core.api.Assertions.assertThat;

import io.usermap.client.AllowanceRules;
import io.usermap.job.Budget.Group;
import io.usermap.job.Budget.Part;
import io.usermap.job.Budget.Quota;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class BudgetTest {
    private static final AllowanceRules BURST = configuration().allowance();

    private static Configuration configuration(String... keysAndValues) {
        Map<String, String> texts = new HashMap<>();
        for (int i = 0; i < keysAndValues.length; i += 2) {
            texts.put(keysAndValues[i], keysAndValues[i + 1]);
        }
        return Configuration.of(texts, Set.of(), Map.of());
    }

    @Test
    void takesWholeClustersTheMostValuableAndTheLargerFirst() {
        Group six = new Group(0, 6, 2);
        Group three = new Group(0, 3, 1);
        Group single = new Group(2, 1, 500);

        Budget.Division division = new Budget(10).divide(List.of(single, three, six));

        assertThat(division.quotas()).containsExactly(new Quota(six, 1), new Quota(three, 1), new Quota(single, 1));
        assertThat(division.part()).isEmpty();
    }

    @Test
    void takesTheBeginningOfAClusterThatIsLargerThanAllOfIt() {
        Group fits = new Group(1, 4, 1);
        Budget.Division division = new Budget(10).divide(List.of(new Group(1, 12, 2), fits, new Group(2, 1, 50)));

        assertThat(division.quotas()).containsExactly(new Quota(fits, 1));
        assertThat(division.part()).contains(new Part(1, 6));
    }

    @Test
    void neverTakesMoreThanThereIsAndLeavesNothingThatFits() {
        long seed = Long.getLong("usermap.seed", 4L);
        Random random = new Random(seed);
        for (int round = 0; round < 2_000; round++) {
            Budget budget = new Budget(1 + random.nextInt(60));
            List<Group> groups = new ArrayList<>();
            for (int value = 0; value < 3; value++) {
                for (int size = 1; size < 30; size++) {
                    if (random.nextInt(4) == 0) {
                        groups.add(new Group(value, size, 1 + random.nextInt(4)));
                    }
                }
            }
            Budget.Division division = budget.divide(groups);
            Collections.shuffle(groups, random);
            assertThat(budget.divide(groups)).as("whatever the order").isEqualTo(division);

            long taken = division.part().map(Part::writes).orElse(0L);
            Map<Group, Long> whole = new HashMap<>();
            for (Quota quota : division.quotas()) {
                assertThat(quota.taken()).isBetween(1L, quota.group().clusters());
                taken += quota.taken() * quota.group().size();
                whole.put(quota.group(), quota.taken());
            }
            long left = budget.writes() - taken;
            assertThat(left).as("seed %d, round %d", seed, round).isNotNegative();
            assertThat(groups)
                    .as("seed %d, round %d, %d left", seed, round, left)
                    .allSatisfy(group -> assertThat(
                                    group.size() > left || whole.getOrDefault(group, 0L) == group.clusters())
                            .isTrue());
        }
    }

    @ParameterizedTest
    @CsvSource({"1s, 1500", "30s, 1500", "31s, 3000", "62s, 4500", "1h, 175500"})
    void fitsIntoADuration(String duration, long writes) {
        Optional<Budget> budget = Budget.of(configuration("plan.max-duration", duration));

        assertThat(budget).contains(new Budget(writes));
        Duration limit = configuration("plan.max-duration", duration)
                .optional(Keys.MAX_DURATION)
                .orElseThrow();
        assertThat(Plan.leastTime(writes, BURST)).isLessThanOrEqualTo(limit);
        assertThat(Plan.leastTime(writes + 1, BURST)).isGreaterThan(limit);
    }

    @Test
    void isTheSmallerOfTheTwoAndNoneWhereNoneIsSet() {
        assertThat(Budget.of(configuration())).isEmpty();
        assertThat(Budget.of(configuration("plan.max-writes", "2000", "plan.max-duration", "1s")))
                .contains(new Budget(1500));
        assertThat(Budget.of(configuration("plan.max-writes", "20", "plan.max-duration", "1s")))
                .contains(new Budget(20));
    }

    @Test
    void leavesTimeToWaitBetweenTheStepsOfARemap() {
        assertThat(Budget.of(configuration("plan.max-duration", "107s", "plan.remap", "unmap-first")))
                .contains(new Budget(4500));
    }

    @Test
    void aRemapInTwoStepsCountsTwiceAndWaits() {
        Plan.Changes changes = new Plan.Changes(0, 1_000, 0);

        assertThat(Plan.leastTime(changes, false, BURST)).isZero();
        assertThat(Plan.leastTime(changes, true, BURST)).isEqualTo(Duration.ofSeconds(31 + 45));
        assertThat(Plan.leastTime(new Plan.Changes(2_000, 1_000, 0), true, BURST))
                .as("others are sent meanwhile")
                .isEqualTo(Duration.ofSeconds(62 + 14));
        assertThat(Plan.leastTime(new Plan.Changes(2_000, 0, 0), true, BURST)).isEqualTo(Duration.ofSeconds(31));
    }
}
