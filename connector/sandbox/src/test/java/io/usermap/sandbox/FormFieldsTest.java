package io.usermap.sandbox;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class FormFieldsTest {
    @Test
    void takesARawPlusForASpace() throws RefusedException {
        assertThat(fields("id=ann+shop@example.com").single("id")).hasValue("ann shop@example.com");
        assertThat(fields("id=ann%2Bshop@example.com").single("id")).hasValue("ann+shop@example.com");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"", "a", "a b", "+&=%", "ann@example.com", "\"{[", "\u5f20\u4f1f", "\ud83d\ude00", "\u0000"})
    void decodesWhatWasEncoded(String value) throws RefusedException {
        String encoded = "id=" + URLEncoder.encode(value, StandardCharsets.UTF_8) + "&other=1";

        assertThat(fields(encoded).single("id")).hasValue(value);
    }

    @Test
    void takesCharactersThatWereNotEncodedAsTheyAre() throws RefusedException {
        assertThat(fields("mapping={\"user_id\":\"a=b\"}").single("mapping")).hasValue("{\"user_id\":\"a=b\"}");
    }

    @Test
    void joinsQueryAndBody() throws RefusedException {
        FormFields fields = FormFields.of(bytes("a=1&&b"), bytes("a=2&c="));

        assertThat(fields.all("a")).containsExactly("1", "2");
        assertThat(fields.single("b")).hasValue("");
        assertThat(fields.single("c")).hasValue("");
        assertThat(fields.single("d")).isEmpty();
        assertThat(fields.all("d")).isEmpty();
    }

    @Test
    void refusesASingleFieldThatIsGivenTwice() throws RefusedException {
        FormFields fields = fields("api_key=1&api_key=2");

        assertThatThrownBy(() -> fields.single("api_key")).hasMessage("api_key is given 2 times");
    }

    @ParameterizedTest
    @CsvSource({
        "a=%,a % at byte 2 is not followed by two digits",
        "a=1%4,a % at byte 3 is not followed by two digits",
        "a=%zz,a % at byte 2 is not followed by two digits",
        "a=%4&b=1,a % at byte 2 is not followed by two digits",
        "a=%ff,the field at byte 2 is not UTF-8",
        "a=%ed%a0%80,the field at byte 2 is not UTF-8"
    })
    void refusesWhatIsNotEncodedProperly(String encoded, String reason) {
        assertThatThrownBy(() -> fields(encoded))
                .isInstanceOfSatisfying(
                        RefusedException.class,
                        e -> assertThat(e.reply().status()).isEqualTo(400))
                .hasMessage(reason);
    }

    private static FormFields fields(String encoded) throws RefusedException {
        return FormFields.of(bytes(encoded));
    }

    private static byte[] bytes(String encoded) {
        return encoded.getBytes(StandardCharsets.UTF_8);
    }
}
