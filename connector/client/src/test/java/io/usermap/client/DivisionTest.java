package io.usermap.client;

import static org.assertj.core.api.Assertions.assertThat;

import io.usermap.client.Allowance.Writer;
import org.junit.jupiter.api.Test;

class DivisionTest {
    private final Division division = new Division(1_500);

    private static Writer writer(String write, int partition) {
        return new Writer(write, partition, 0);
    }

    private void want(String write, int writers, int demand) {
        for (int partition = 0; partition < writers; partition++) {
            division.want(writer(write, partition), demand);
        }
    }

    @Test
    void writesShareFirstAndThenTheWritersOfEach() {
        want("big", 40, 2_000);
        want("small", 1, 2_000);

        assertThat(division.of("small", 1_500)).isEqualTo(750);
        assertThat(division.of("big", 1_500)).isEqualTo(18);
    }

    @Test
    void whatASmallWriteDoesNotNeedTheOthersDivide() {
        want("small", 2, 50);
        want("one", 2, 2_000);
        want("two", 1, 2_000);

        assertThat(division.of("small", 1_500)).isGreaterThanOrEqualTo(50);
        assertThat(division.of("one", 1_500)).isEqualTo(350);
        assertThat(division.of("two", 1_500)).isEqualTo(700);
    }

    @Test
    void aWriteThatIsAloneDividesEverything() {
        want("big", 3, 2_000);

        assertThat(division.of("big", 1_500)).isEqualTo(500);
        assertThat(division.of("unknown", 1_500)).isEqualTo(1_500);
    }

    @Test
    void aWriteWhoseWritersLeftMakesRoom() {
        want("big", 2, 2_000);
        want("small", 1, 2_000);
        division.leave(writer("small", 0));
        division.leave(writer("small", 0));
        assertThat(division.of("big", 1_500)).isEqualTo(750);

        division.leave(writer("big", 1));
        assertThat(division.of("big", 1_500)).isEqualTo(1_500);
    }

    @Test
    void aVeryLargeAllowanceNeedsNoMoreMemoryAndGivesABatchToEach() {
        Division large = new Division(Integer.MAX_VALUE);
        large.want(writer("one", 0), 2_000);
        large.want(writer("two", 0), 2_000);

        assertThat(large.of("one", 1_000_000)).isGreaterThanOrEqualTo(2_000);
    }
}
