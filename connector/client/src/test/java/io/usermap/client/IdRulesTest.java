package io.usermap.client;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Random;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class IdRulesTest {
    private static final String FOUR_BYTES = "\uD83D\uDE80";

    private final IdRules rules = new IdRules(IdRules.DEFAULT_MIN_ID_LENGTH);

    @ParameterizedTest
    @ValueSource(
            strings = {
                "anonymous",
                "ANONYMOUS",
                "Nil",
                "nOnE",
                "NULL",
                "N/A",
                "n/a",
                "Na",
                "UnDeFiNeD",
                "Unknown",
                "00000000-0000-0000-0000-000000000000",
                "{}",
                "LMY47D",
                "lmy47d",
                "0",
                "-1"
            })
    void refusesAPlaceholderInAnyCase(String id) {
        assertThat(rules.problemOfId(id)).contains(RejectReason.PLACEHOLDER);
        assertThat(IdRules.isPlaceholder(id)).isTrue();
        assertThat(new IdRules(1).isPlainlyRight(id.getBytes(UTF_8))).isFalse();
    }

    @Test
    void whatIsPlainlyRightIsRight() {
        long seed = Long.getLong("usermap.seed", 20261122L);
        Random random = new Random(seed);
        String units = "abcdefXYZ09-_@/ ~\t\u007f\u0085\u00e9";
        int plain = 0;
        for (int round = 0; round < 20_000; round++) {
            String id = random.ints(random.nextInt(round % 100 == 0 ? 1_100 : 14), 0, units.length())
                    .mapToObj(at -> units.substring(at, at + 1))
                    .collect(Collectors.joining());
            IdRules some = new IdRules(1 + random.nextInt(14));
            if (some.isPlainlyRight(id.getBytes(UTF_8))) {
                plain++;
                assertThat(some.problemOfId(id))
                        .as("seed %d: '%s', %s", seed, id, some)
                        .isEmpty();
            }
        }
        assertThat(plain).as("seed %d", seed).isPositive();
    }

    @ParameterizedTest
    @ValueSource(strings = {"unknown1", "nullable", "00000000-0000-0000-0000-000000000001", "-10000", "{null}"})
    void takesWhatOnlyLooksLikeAPlaceholder(String id) {
        assertThat(rules.problemOfId(id)).isEmpty();
    }

    @Test
    void placeholdersDoNotDependOnTheLanguageOfTheMachine() {
        java.util.Locale before = java.util.Locale.getDefault();
        java.util.Locale.setDefault(java.util.Locale.forLanguageTag("tr"));
        try {
            assertThat(IdRules.isPlaceholder("NIL")).isTrue();
            assertThat(IdRules.isPlaceholder("UNDEFINED")).isTrue();
        } finally {
            java.util.Locale.setDefault(before);
        }
    }

    @Test
    void refusesAMissingAndAnEmptyId() {
        assertThat(rules.problemOfId(null)).contains(RejectReason.MISSING_ID);
        assertThat(rules.problemOfId("")).contains(RejectReason.EMPTY);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                " ", "\t", "\n", "\u00A0", "\u0085", "\u1680", "\u2003", "\u2028", "\u202F", "\u205F", "\u3000",
                "\uFEFF"
            })
    void refusesABlankAtEitherEndAndTakesOneInside(String blank) {
        assertThat(rules.problemOfId(blank + "abcde")).contains(RejectReason.SURROUNDING_BLANKS);
        assertThat(rules.problemOfId("abcde" + blank)).contains(RejectReason.SURROUNDING_BLANKS);
        assertThat(rules.problemOfId(blank)).contains(RejectReason.SURROUNDING_BLANKS);
        assertThat(rules.problemOfId("abc" + blank + "de")).isEmpty();
        assertThat(IdRules.stripped(blank + blank + "ab" + blank + "c" + blank)).isEqualTo("ab" + blank + "c");
        assertThat(IdRules.stripped(blank)).isEmpty();
    }

    @Test
    void countsLengthInCodePoints() {
        assertThat(rules.problemOfId("abcd")).contains(RejectReason.TOO_SHORT);
        assertThat(rules.problemOfId("abcde")).isEmpty();
        assertThat(rules.problemOfId(FOUR_BYTES.repeat(4))).contains(RejectReason.TOO_SHORT);
        assertThat(rules.problemOfId("a" + FOUR_BYTES.repeat(3))).contains(RejectReason.TOO_SHORT);
        assertThat(rules.problemOfId(FOUR_BYTES.repeat(5))).isEmpty();
    }

    @Test
    void takesUpTo1024CodePointsAndNotOneMore() {
        assertThat(rules.problemOfId("x".repeat(1024))).isEmpty();
        assertThat(rules.problemOfId("x".repeat(1025))).contains(RejectReason.TOO_LONG);
        assertThat(rules.problemOfId(FOUR_BYTES.repeat(1024))).isEmpty();
        assertThat(rules.problemOfId(FOUR_BYTES.repeat(1025))).contains(RejectReason.TOO_LONG);
    }

    @Test
    void takesShorterIdsWhereTheServiceWasTold() {
        assertThat(new IdRules(1).problemOfId("7")).isEmpty();
        assertThat(new IdRules(1).problemOfId("0")).contains(RejectReason.PLACEHOLDER);
        assertThat(new IdRules(1).problemOfId(FOUR_BYTES)).isEmpty();
        assertThat(new IdRules(2).problemOfId(FOUR_BYTES)).contains(RejectReason.TOO_SHORT);
    }

    @ParameterizedTest
    @ValueSource(ints = {0, -1, 1025})
    void refusesAMinimumThatNoIdCanMeet(int minIdLength) {
        assertThatThrownBy(() -> new IdRules(minIdLength))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("Cannot use a minimum id length of " + minIdLength + ". Use 1 to 1024.");
    }

    @Test
    void refusesHalfOfASurrogatePairWhereverItStands() {
        // Made at run time: a lone surrogate in a constant does not survive the compiler.
        String high = String.valueOf((char) 0xD83D);
        String low = String.valueOf((char) 0xDE80);
        for (String broken :
                new String[] {high + "abcde", "abcde" + high, "abc" + low + "de", low + "abcde", low + high}) {
            assertThat(new IdRules(1).problemOfId(broken)).contains(RejectReason.INVALID_TEXT);
        }
    }

    @Test
    void bytesThatAreNoUtf8AreRefusedAndAReplacementCharacterIsACharacter() {
        String whole = "ab\uFFFD\uD83D\uDE80-\u65E5";
        assertThat(IdRules.decoded(whole.getBytes(UTF_8))).isEqualTo(whole);
        assertThat(rules.problemOfId(whole)).isEmpty();

        byte[][] broken = {
            {'a', 'b', 'c', 'd', (byte) 0xED, (byte) 0xA0, (byte) 0x80, 'e'},
            {'a', 'b', 'c', 'd', 'e', (byte) 0xF0, (byte) 0x9F, (byte) 0x98},
            {'a', 'b', 'c', 'd', 'e', (byte) 0xC0, (byte) 0x80},
            {(byte) 0xFF, 'a', 'b', 'c', 'd', 'e', (byte) 0xEF, (byte) 0xBF, (byte) 0xBD}
        };
        for (byte[] bytes : broken) {
            assertThat(rules.problemOfId(IdRules.decoded(bytes))).contains(RejectReason.INVALID_TEXT);
        }
    }

    @Test
    void anUnmapMustNotHaveATarget() {
        assertThat(rules.problemOfRow("ada-1", null, true)).isEmpty();
        assertThat(rules.problemOfRow("ada-1", "person-1", true)).contains(RejectReason.UNMAP_WITH_TARGET);
        assertThat(rules.problemOfRow("ada-1", "", true)).contains(RejectReason.UNMAP_WITH_TARGET);
    }

    @Test
    void aMapNeedsAnotherUserAsItsTarget() {
        assertThat(rules.problemOfRow("ada-1", "person-1", false)).isEmpty();
        assertThat(rules.problemOfRow("ada-1", null, false)).contains(RejectReason.MISSING_ID);
        assertThat(rules.problemOfRow("ada-1", "null", false)).contains(RejectReason.PLACEHOLDER);
        assertThat(rules.problemOfRow("ada-1", "ada-1", false)).contains(RejectReason.SELF_MAP);
        assertThat(rules.problemOfRow("ada-1", "ADA-1", false)).isEmpty();
    }

    @Test
    void theUserIsJudgedBeforeItsTarget() {
        assertThat(rules.problemOfRow("ada", null, false)).contains(RejectReason.TOO_SHORT);
        assertThat(rules.problemOfRow(null, "person-1", true)).contains(RejectReason.MISSING_ID);
    }

    @Test
    void reasonsHaveACodeAndASentence() {
        assertThat(RejectReason.TOO_SHORT.code()).isEqualTo("too_short");
        assertThat(RejectReason.TOO_SHORT.sentence()).isEqualTo("an id is shorter than the service takes");
    }
}
