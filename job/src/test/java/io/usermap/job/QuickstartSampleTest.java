package io.usermap.job;

import static org.assertj.core.api.Assertions.assertThat;

import io.usermap.client.IdRules;
import io.usermap.client.RejectReason;
import io.usermap.job.QuickstartSample.Row;
import java.io.IOException;
import java.nio.file.Files;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

/** The sample is what its generator makes, and holds each kind of id that it is said to hold. */
class QuickstartSampleTest {
    private static final List<Row> ROWS = QuickstartSample.rows(QuickstartSample.csv());

    private static long ids(Predicate<String> kind) {
        return ROWS.stream().map(Row::userId).filter(kind).distinct().count();
    }

    private static boolean anyCodePoint(String id, Predicate<Integer> kind) {
        return id.codePoints().boxed().anyMatch(kind);
    }

    @Test
    void isTheFileThatIsCheckedIn() throws IOException {
        assertThat(Files.readString(ReadmeFiles.inRepository(QuickstartSample.FILE)))
                .as(
                        "conf/quickstart.csv differs from its generator; run QuickstartSample.main in the repository's root")
                .isEqualTo(QuickstartSample.csv());
    }

    @Test
    void isSmallEnoughToBeCheckedIn() throws IOException {
        assertThat(Files.size(ReadmeFiles.inRepository(QuickstartSample.FILE))).isLessThan(250_000);
    }

    @Test
    void isTheSameEveryTime() {
        assertThat(QuickstartSample.csv()).isEqualTo(QuickstartSample.csv());
    }

    @Test
    void comesFromThreeProductsThatCallNobodyAlike() {
        assertThat(ROWS.stream().map(Row::product).distinct()).containsExactlyInAnyOrder("shop", "app", "support");
        assertThat(ROWS.stream().map(Row::userId).filter(id -> !id.equals(QuickstartSample.IN_TWO_CLUSTERS)))
                .doesNotHaveDuplicates();
    }

    @Test
    void holdsIdsThatCarelessProgramsBreak() {
        assertThat(ids(id -> id.contains("+") && id.contains("@"))).isEqualTo(150);
        assertThat(ids(id -> anyCodePoint(id, QuickstartSampleTest::isCjk))).isEqualTo(4);
        assertThat(ids(id -> anyCodePoint(id, Character::isSupplementaryCodePoint)))
                .isEqualTo(2);
        assertThat(ids(id -> id.contains("'") || id.contains("\""))).isEqualTo(2);
        assertThat(ids(id -> id.contains(",") || id.contains("\\") || id.contains("&")))
                .isEqualTo(3);
    }

    private static boolean isCjk(int codePoint) {
        return Set.of(Character.UnicodeScript.HAN, Character.UnicodeScript.HIRAGANA, Character.UnicodeScript.HANGUL)
                .contains(Character.UnicodeScript.of(codePoint));
    }

    @Test
    void holdsThreePlaceholdersOneShortIdAndOneConflictAndNothingElseThatIsWrong() {
        IdRules rules = new IdRules(IdRules.DEFAULT_MIN_ID_LENGTH);
        Map<RejectReason, Long> wrong = ROWS.stream()
                .flatMap(row -> rules.problemOfId(row.userId()).stream())
                .collect(Collectors.groupingBy(reason -> reason, Collectors.counting()));

        assertThat(wrong).isEqualTo(Map.of(RejectReason.PLACEHOLDER, 3L, RejectReason.TOO_SHORT, 1L));
        assertThat(ROWS.stream().filter(row -> row.userId().equals(QuickstartSample.IN_TWO_CLUSTERS)))
                .extracting(Row::cluster)
                .hasSize(2)
                .doesNotHaveDuplicates();
    }

    @Test
    void needsThreeWindowsAtTheDefaultLimits() {
        assertThat(QuickstartSample.mappings()).isBetween(3_100L, 4_400L);
    }
}
