package io.usermap.spark;

import static org.assertj.core.api.Assertions.assertThat;

import io.usermap.client.Mapping;
import io.usermap.spark.AdjacentRows.Finding;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class AdjacentRowsTest {
    private static final Mapping ADA = Mapping.map("ada-1", "person-1");
    private static final Mapping OTHER_ADA = Mapping.map("ada-1", "person-2");
    private static final Mapping NO_ADA = Mapping.unmap("ada-1");
    private static final Mapping BEA = Mapping.map("bea-1", "person-3");

    private final AdjacentRows rows = new AdjacentRows();

    private static Finding sends(Mapping mapping) {
        return new Finding(Optional.of(mapping), false, List.of());
    }

    private static Finding contradiction(Mapping... mappings) {
        return new Finding(Optional.empty(), false, List.of(mappings));
    }

    private static final Finding NOTHING = new Finding(Optional.empty(), false, List.of());
    private static final Finding REPEATED = new Finding(Optional.empty(), true, List.of());

    @Test
    void aRowIsSentWhenARowOfAnotherUserFollows() {
        assertThat(rows.next(ADA)).isEqualTo(NOTHING);
        assertThat(rows.next(BEA)).isEqualTo(sends(ADA));
        assertThat(rows.release()).contains(BEA);
        assertThat(rows.release()).isEmpty();
    }

    @Test
    void equalRowsCountOnce() {
        rows.next(ADA);

        assertThat(rows.next(ADA)).isEqualTo(REPEATED);
        assertThat(rows.next(ADA)).isEqualTo(REPEATED);
        assertThat(rows.next(BEA)).isEqualTo(sends(ADA));
    }

    @Test
    void ofRowsThatContradictEachOtherNoneIsSent() {
        rows.next(ADA);

        assertThat(rows.next(OTHER_ADA)).isEqualTo(contradiction(ADA, OTHER_ADA));
        assertThat(rows.next(NO_ADA)).isEqualTo(contradiction(NO_ADA));
        assertThat(rows.next(ADA)).isEqualTo(contradiction(ADA));
        assertThat(rows.next(BEA)).isEqualTo(NOTHING);
        assertThat(rows.release()).contains(BEA);
    }

    @Test
    void afterAnEarlyReleaseItsUserIsStillKnown() {
        rows.next(ADA);
        assertThat(rows.release()).contains(ADA);

        assertThat(rows.next(ADA)).isEqualTo(REPEATED);
        assertThat(rows.next(OTHER_ADA)).isEqualTo(contradiction(OTHER_ADA));
        assertThat(rows.next(BEA)).isEqualTo(NOTHING);
    }
}
