package io.usermap.client;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Random;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class FormEncoderTest {

    static LongStream seeds() {
        return Seeds.first(20);
    }

    private static String encoded(Mapping mapping) {
        FormEncoder encoder = new FormEncoder();
        encoder.append(mapping);
        return new String(Arrays.copyOf(encoder.buffer(), encoder.length()), StandardCharsets.US_ASCII);
    }

    @Test
    void writesAMapAsPercentEncodedJson() {
        assertThat(encoded(Mapping.map("a+b@x.org", "p-1")))
                .isEqualTo("%7B%22user_id%22%3A%22a%2Bb%40x.org%22%2C%22global_user_id%22%3A%22p-1%22%7D");
    }

    @Test
    void writesAnUnmapWithoutTarget() {
        assertThat(encoded(Mapping.unmap("ada_1~")))
                .isEqualTo("%7B%22user_id%22%3A%22ada_1~%22%2C%22unmap%22%3Atrue%7D");
    }

    @Test
    void everyCharacterUpToTheLastOneOfTheFirstPlaneSurvives() {
        StringBuilder all = new StringBuilder();
        for (int codePoint = 0; codePoint <= 0xFFFF; codePoint++) {
            if (codePoint < Character.MIN_SURROGATE || codePoint > Character.MAX_SURROGATE) {
                all.appendCodePoint(codePoint);
            }
        }
        assertSurvives(Mapping.unmap(all.toString()));
    }

    @Test
    void charactersBeyondTheFirstPlaneSurvive() {
        StringBuilder some = new StringBuilder();
        for (int codePoint = 0x10000; codePoint <= Character.MAX_CODE_POINT; codePoint += 61) {
            some.appendCodePoint(codePoint);
        }
        some.appendCodePoint(Character.MAX_CODE_POINT);
        assertSurvives(Mapping.unmap(some.toString()));
    }

    @ParameterizedTest
    @MethodSource("seeds")
    void hostileIdsSurvive(long seed) {
        Random random = new Random(seed);
        for (int i = 0; i < 500; i++) {
            String user = HostileText.next(random, 40);
            assertSurvives(
                    random.nextBoolean()
                            ? Mapping.unmap(user)
                            : Mapping.map(user, "x" + HostileText.next(random, 40) + user));
        }
    }

    @ParameterizedTest
    @MethodSource("seeds")
    void constantsSurviveWithoutEscapes(long seed) {
        Random random = new Random(seed);
        for (int i = 0; i < 200; i++) {
            String text = HostileText.next(random, 60);
            String sent = new String(FormEncoder.encoded(text), StandardCharsets.US_ASCII);
            assertThat(sent).matches("[A-Za-z0-9._~%-]*");
            assertThat(URLDecoder.decode(sent, StandardCharsets.UTF_8)).isEqualTo(text);
        }
    }

    @Test
    void growsWithoutLosingWhatIsThere() {
        FormEncoder encoder = new FormEncoder();
        encoder.append(Mapping.unmap("first"));
        int first = encoder.length();
        encoder.append(Mapping.unmap("\u65E5".repeat(1024 * 64)));
        encoder.truncate(first);

        assertThat(new String(encoder.buffer(), 0, encoder.length(), StandardCharsets.US_ASCII))
                .isEqualTo(encoded(Mapping.unmap("first")));
    }

    private static void assertSurvives(Mapping mapping) {
        String sent = encoded(mapping);
        assertThat(sent).matches("[A-Za-z0-9._~%-]*");
        JsonNode read = Bodies.tree(URLDecoder.decode(sent, StandardCharsets.UTF_8));
        assertThat(read.path("user_id").textValue()).isEqualTo(mapping.userId());
        if (mapping instanceof Mapping.MapTo map) {
            assertThat(read.path("global_user_id").textValue()).isEqualTo(map.globalUserId());
            assertThat(read.size()).isEqualTo(2);
        } else {
            assertThat(read.path("unmap").isBoolean()).isTrue();
            assertThat(read.path("unmap").booleanValue()).isTrue();
            assertThat(read.size()).isEqualTo(2);
        }
    }
}
