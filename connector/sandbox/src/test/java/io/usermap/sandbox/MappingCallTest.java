package io.usermap.sandbox;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.usermap.sandbox.SandboxRequest.Mapping;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class MappingCallTest {
    private static final SandboxOptions OPTIONS = SandboxOptions.builder().build();

    @Test
    void readsASingleObject() throws RefusedException {
        assertThat(read("{\"user_id\":\"ann@one\",\"global_user_id\":\"ann@all\"}"))
                .containsExactly(Mapping.map("ann@one", "ann@all"));
    }

    @Test
    void readsAnArrayInItsOrder() throws RefusedException {
        String mapping = """
                [{"user_id": "ann@two", "unmap": true},
                 {"user_id": "ann@one", "global_user_id": "ann@all", "unmap": false}]""";

        assertThat(read(mapping)).containsExactly(Mapping.unmap("ann@two"), Mapping.map("ann@one", "ann@all"));
    }

    @Test
    void trimsLeadingSpacesAndKeepsTheRest() throws RefusedException {
        assertThat(read("{\"user_id\":\"  Ann One \",\"global_user_id\":\" ANN+all\"}"))
                .containsExactly(Mapping.map("Ann One ", "ANN+all"));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "{'user_id':null,'global_user_id':'ann@all'} | mapping.user_id is null",
                "{'user_id':12345,'global_user_id':'ann@all'} | mapping.user_id is not a string",
                "{'user_id':'ann@one','global_user_id':null} | mapping.global_user_id is null",
                "{'user_id':'ann@one','global_user_id':true} | mapping.global_user_id is not a string",
                "{'user_id':'ann@one'} | mapping.global_user_id is missing",
                "{'user_id':'ann@one','unmap':false} | mapping.global_user_id is missing",
                "{'global_user_id':'ann@all'} | mapping.user_id is missing",
                "{'user_id':'ann@one','unmap':'true'} | mapping.unmap is neither true nor false",
                "{'user_id':'ann@one','unmap':null} | mapping.unmap is neither true nor false",
                "{'user_id':'ann@one','global_user_id':'ann@all','unmap':true}"
                        + " | mapping has global_user_id although unmap is true",
                "{'user_id':'ann@one','global_user_id':'ann@all','userid':''}"
                        + " | mapping has a key other than global_user_id, unmap, user_id",
                "{'user_id':'anna','unmap':true} | mapping.user_id is shorter than 5 characters",
                "{'user_id':'  anna','unmap':true} | mapping.user_id is shorter than 5 characters",
                "{'user_id':'   ','unmap':true} | mapping.user_id is empty",
                "{'user_id':'ann@one','global_user_id':'\\ud800abcd'}"
                        + " | mapping.global_user_id holds half a surrogate pair",
                "[{'user_id':'ann@one','unmap':true},'ann@two'] | mapping[1] is not an object",
                "[{'user_id':'ann@one','unmap':true},{'user_id':7}] | mapping[1].user_id is not a string",
                "[] | mapping is an empty array",
                "'ann@one' | mapping is neither an object nor an array",
                "`` | mapping is empty",
                "{'user_id':'ann@one' | mapping is not valid JSON at character 20",
                "{'user_id':'ann@one','unmap':true}] | mapping is not valid JSON at character 35",
                "{'user_id':'ann@one','user_id':'ann@two','unmap':true} | mapping is not valid JSON at character 30",
            })
    void refusesABrokenMapping(String mapping, String reason) {
        assertRefused(() -> read(mapping.replace('\'', '"')), 400, reason);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "anonymous",
                "Nil",
                "NONE",
                "null",
                "N/A",
                "na",
                "undefined",
                "Unknown",
                "00000000-0000-0000-0000-000000000000",
                "{}",
                "LMY47D",
                "0",
                "-1",
                " null"
            })
    void refusesPlaceholdersWhateverTheirCase(String placeholder) {
        assertRefused(
                () -> read("{\"user_id\":\"" + placeholder + "\",\"unmap\":true}"),
                400,
                "mapping.user_id is a placeholder");
    }

    @Test
    void countsCharactersAsCodePoints() throws RefusedException {
        String longest = "\ud83d\ude00".repeat(1024);

        assertThat(read("{\"user_id\":\"" + longest + "\",\"unmap\":true}")).hasSize(1);
        assertRefused(
                () -> read("{\"user_id\":\"" + longest + "a\",\"unmap\":true}"),
                400,
                "mapping.user_id is longer than 1024 characters");
        assertRefused(
                () -> read("{\"user_id\":\"\ud83d\ude00\ud83d\ude00\ud83d\ude00\ud83d\ude00\",\"unmap\":true}"),
                400,
                "mapping.user_id is shorter than 5 characters");
    }

    @Test
    void takesTwoThousandMappingsAndNotOneMore() throws RefusedException {
        assertThat(read(unmaps(2000))).hasSize(2000);
        assertRefused(() -> read(unmaps(2001)), 400, "mapping holds 2001 mappings, more than 2000");
    }

    @Test
    void honoursTheMinimumLengthOfTheRequest() throws RefusedException {
        String mapping = "{\"user_id\":\"ann\",\"unmap\":true}";

        assertThat(read(mapping, "{\"min_id_length\":3}")).hasSize(1);
        assertRefused(
                () -> read(mapping, "{\"min_id_length\":4}"), 400, "mapping.user_id is shorter than 4 characters");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "{'min_id_length':0} | options.min_id_length is not a number from 1 to 1024",
                "{'min_id_length':'3'} | options.min_id_length is not a number from 1 to 1024",
                "{'min_id_length':1025} | options.min_id_length is not a number from 1 to 1024",
                "{'min_length':3} | options has a key other than min_id_length",
                "[3] | options is not an object",
            })
    void refusesBrokenOptions(String options, String reason) {
        assertRefused(() -> read("{\"user_id\":\"ann@one\",\"unmap\":true}", options.replace('\'', '"')), 400, reason);
    }

    @Test
    void refusesAMissingKey() {
        assertRefused(() -> MappingCall.read(fields("mapping=[]"), OPTIONS), 400, "api_key is missing");
        assertRefused(() -> MappingCall.read(fields("api_key=&mapping=[]"), OPTIONS), 400, "api_key is missing");
    }

    @Test
    void refusesAMissingMapping() {
        assertRefused(() -> MappingCall.read(fields("api_key=1"), OPTIONS), 400, "mapping is missing");
    }

    @Test
    void refusesAKeyThatItWasNotGiven() {
        SandboxOptions options = SandboxOptions.builder().keys(Set.of("right")).build();

        assertRefused(
                () -> MappingCall.read(fields("api_key=wrong&mapping=[]"), options), 401, "api_key is not accepted");
        assertRefused(
                () -> MappingCall.read(fields("api_key=right&mapping=[]"), options), 400, "mapping is an empty array");
    }

    private static void assertRefused(ThrowingCallable call, int status, String reason) {
        assertThatThrownBy(call)
                .isInstanceOfSatisfying(
                        RefusedException.class,
                        e -> assertThat(e.reply().status()).isEqualTo(status))
                .hasMessage(reason);
    }

    private static String unmaps(int count) {
        return Collections.nCopies(count, "{\"user_id\":\"ann@one\",\"unmap\":true}")
                .toString();
    }

    private static List<Mapping> read(String mapping) throws RefusedException {
        return read(mapping, "{}");
    }

    private static List<Mapping> read(String mapping, String options) throws RefusedException {
        return MappingCall.read(
                fields("api_key=1&mapping=" + URLEncoder.encode(mapping, StandardCharsets.UTF_8) + "&options="
                        + URLEncoder.encode(options, StandardCharsets.UTF_8)),
                OPTIONS);
    }

    private static FormFields fields(String encoded) throws RefusedException {
        return FormFields.of(encoded.getBytes(StandardCharsets.UTF_8));
    }
}
