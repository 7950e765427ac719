package io.usermap.job;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

/** The key is part of the ledger's format: these numbers stay. */
class IdKeyTest {
    @Test
    void isTheSameInEveryVersion() {
        assertThat(IdKey.of("user-1")).isEqualTo(3245521771936779939L);
        assertThat(IdKey.of("用户-一二三")).isEqualTo(-6339413809102763752L);
        assertThat(IdKey.partition(IdKey.of("user-1"), 64)).isEqualTo(9);
    }

    @Test
    void ignoresTheCaseOfAsciiLettersAndBlanks() {
        assertThat(IdKey.of("Ann\t@Sh op")).isEqualTo(IdKey.of("ann@shop"));
        assertThat(IdKey.of("ÉVE@shop")).isNotEqualTo(IdKey.of("éve@shop"));
        assertThat(IdKey.of("ann@shop")).isNotEqualTo(IdKey.of("ann@shoq"));
    }

    @Test
    void aPowerOfTwoOfPartitionsIsAPartOfALargerOne() {
        for (int user = 0; user < 1_000; user++) {
            long key = IdKey.of("user-" + user);
            assertThat(IdKey.partition(key, 64) % 8).isEqualTo(IdKey.partition(key, 8));
        }
    }

    @Test
    void rowsInTheWrongPartitionAreNotMistaken() {
        long key = IdKey.of("user-1");
        int right = IdKey.partition(key, 8);

        assertThatCode(() -> IdKey.requireIn(right, 8, key)).doesNotThrowAnyException();
        assertThatThrownBy(() -> IdKey.requireIn((right + 1) % 8, 8, key))
                .isInstanceOf(IllegalStateException.class)
                .hasMessage(
                        "Cannot read the state: this version of Spark spreads rows over partitions in another way than the"
                                + " state's files are. Use a version of Spark that README names.");
    }
}
