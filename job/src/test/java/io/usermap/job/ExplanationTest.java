package io.usermap.job;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

class ExplanationTest {
    @Test
    void saysThatAnIdWasToldAsSuspicious() {
        Explanation.InRun told = new Explanation.InRun(
                "20261122T041702175Z-cea1", "suspicious", null, null, "differs_only_by_case_or_blanks", null, null);

        assertThat(new Explanation("Ann@x", false, null, 0, List.of(), List.of(), Wish.Naming.USER, List.of(told))
                        .sentences(10, 1))
                .containsExactly(
                        "\"Ann@x\"",
                        "  is not mapped, as far as this ledger knows",
                        "  20261122T041702175Z-cea1: told as suspicious: another id differs from it only by case or"
                                + " blanks");
    }
}
