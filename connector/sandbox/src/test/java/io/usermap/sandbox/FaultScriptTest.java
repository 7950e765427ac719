package io.usermap.sandbox;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.usermap.sandbox.Fault.Delay;
import io.usermap.sandbox.Fault.Drop;
import io.usermap.sandbox.Fault.Numbers;
import io.usermap.sandbox.Fault.Target;
import io.usermap.sandbox.Switches.Charge;
import io.usermap.sandbox.Switches.Treatment;
import io.usermap.sandbox.Switches.WindowModel;
import java.time.Duration;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class FaultScriptTest {
    @Test
    void readsEveryKeyOfAFault() {
        FaultScript script = parse("""
                {"seed": 7, "faults": [{"name": "all of it", "path": "map", "requests": "every 4 from 2",
                  "from": "10s", "until": "2m", "probability": 0.25, "times": 3, "key": "hush", "ids": ["ann@one"],
                  "id_pattern": "^bob", "delay_request": "50ms-2s", "delay_answer": "1s", "status": 503,
                  "body": "later", "retry_after": 9, "stored": true, "drop": "body", "byte_delay": "10ms",
                  "endless_body": true}]}""");

        Fault fault = script.faults().get(0);
        assertThat(fault.name()).isEqualTo("all of it");
        assertThat(fault.seed()).isEqualTo(7);
        assertThat(fault.when().target()).hasValue(Target.MAP);
        assertThat(fault.when().numbers()).isEqualTo(new Numbers(2, 4, Long.MAX_VALUE));
        assertThat(fault.when().from()).isEqualTo(Duration.ofSeconds(10));
        assertThat(fault.when().until()).hasValue(Duration.ofMinutes(2));
        assertThat(fault.when().probability()).isEqualTo(0.25);
        assertThat(fault.when().times()).hasValue(3);
        assertThat(fault.when().key()).hasValue(Received.fingerprint("hush"));
        assertThat(fault.when().ids()).containsExactly("ann@one");
        assertThat(fault.when().idPattern())
                .hasValueSatisfying(pattern -> assertThat(pattern.pattern()).isEqualTo("^bob"));
        assertThat(fault.requestDelay()).isEqualTo(new Delay(Duration.ofMillis(50), Duration.ofSeconds(2)));
        assertThat(fault.answerDelay()).isEqualTo(new Delay(Duration.ofSeconds(1), Duration.ofSeconds(1)));
        Fault.Answer answer = fault.answer().orElseThrow();
        assertThat(answer.stored()).isTrue();
        assertThat(answer.reply()).isEqualTo(Reply.text(503, "later").with("Retry-After", "9"));
        assertThat(fault.drop()).hasValue(Drop.BODY);
        assertThat(fault.body()).isEqualTo(new Fault.Body(Duration.ofMillis(10), true));
        assertThat(script.toString()).doesNotContain("hush");
    }

    @Test
    void readsEverySwitchAndLeavesTheOthersAlone() {
        Switches all = parse("""
                        {"switches": {"window_model": "token_bucket", "token_capacity": 50, "throttled_calls": "counted",
                          "refused_calls": "counted", "retry_after": "soon", "remaps": "refuse", "chains": "ignore",
                          "self_maps": "refuse"}}""").switches().apply(Switches.DEFAULTS);

        assertThat(all)
                .isEqualTo(new Switches(
                        WindowModel.TOKEN_BUCKET,
                        OptionalInt.of(50),
                        Charge.COUNTED,
                        Charge.COUNTED,
                        Optional.of("soon"),
                        Treatment.REFUSE,
                        Treatment.IGNORE,
                        Treatment.REFUSE));
        assertThat(parse("{}").switches().apply(all)).isEqualTo(all);
        assertThat(parse("{\"switches\": {\"remaps\": \"store\"}}")
                        .switches()
                        .apply(all)
                        .windowModel())
                .isEqualTo(WindowModel.TOKEN_BUCKET);
        assertThat(parse("{\"switches\": {\"window_model\": \"exact\"}}")
                        .switches()
                        .apply(all)
                        .tokenCapacity())
                .isEmpty();
    }

    @ParameterizedTest
    @CsvSource({
        "3, 3",
        "3-5, 3 4 5",
        "8-, 8 9 10 11 12",
        "every 4, 4 8 12",
        "every 4 from 2, 2 6 10",
    })
    void numbersRequests(String text, String numbers) {
        Numbers parsed = parse("{\"faults\": [{\"requests\": \"" + text + "\", \"status\": 500}]}")
                .faults()
                .get(0)
                .when()
                .numbers();

        assertThat(IntStream.rangeClosed(0, 12)
                        .filter(parsed::contain)
                        .mapToObj(String::valueOf)
                        .collect(Collectors.joining(" ")))
                .isEqualTo(numbers);
    }

    @Test
    void redirectsWith307UnlessToldOtherwise() {
        Fault fault = parse("{\"faults\": [{\"redirect\": \"http://127.0.0.1:1/usermap\"}]}")
                .faults()
                .get(0);

        assertThat(fault.answer().orElseThrow().reply().status()).isEqualTo(307);
        assertThat(fault.answer().orElseThrow().reply().headers())
                .containsEntry("Location", "http://127.0.0.1:1/usermap");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '~',
            value = {
                "{`faults`: [{`staus`: 503}]} | line 1, column 14: there is no key 'staus' in a fault. Use 'status'.",
                "{`fault`: []} | line 1, column 2: there is no key 'fault' in a script. Use 'faults'.",
                "{`quite_else`: []} | line 1, column 2: there is no key 'quite_else' in a script."
                        + " Use seed, switches, faults.",
                "{`switches`: {`self_map`: `refuse`}} | line 1, column 15: there is no key 'self_map' in 'switches'."
                        + " Use 'self_maps'.",
                "{`faults`: [{`status`: 500},NEWLINE{`status`: 700}]} | line 2, column 2: 'status' is 700."
                        + " Use a whole number from 200 to 599.",
                "{`faults`: [{`status`: `500`}]} | line 1, column 14: 'status' is \"500\"."
                        + " Use a whole number from 200 to 599.",
                "{`faults`: [{`status`: 500.5}]} | line 1, column 14: 'status' is 500.5."
                        + " Use a whole number from 200 to 599.",
                "{`faults`: [{`status`: 500, `status`: 503}]} | line 1, column 37: it is not valid JSON."
                        + " Mend it there or just before.",
                "{`faults`: [{`status`: 500}] | line 1, column 29: it is not valid JSON. Mend it there or just before.",
                "{`faults`: [{`status`: 500}]} x | line 1, column 32: it is not valid JSON. Mend it there or just before.",
                "[] | line 1, column 1: [] is not an object. Write {...}.",
                "{`faults`: [7]} | line 1, column 13: 7 is not an object. Write {...}.",
                "{`faults`: {}} | line 1, column 2: 'faults' is {}. Use a list of objects.",
                "{`faults`: [{`ids`: [1], `status`: 400}]} | line 1, column 22: 1 is not a text.",
                "{`faults`: [{`ids`: [], `status`: 400}]} | line 1, column 14: 'ids' is []. Use a list of texts.",
                "{`faults`: [{`requests`: `0`, `status`: 400}]} | line 1, column 14: '0' numbers no requests."
                        + " Use 3, \"3-5\", \"3-\", \"every 4\" or \"every 4 from 2\".",
                "{`faults`: [{`requests`: `5-3`, `status`: 400}]} | line 1, column 14: '5-3' numbers no requests."
                        + " Use 3, \"3-5\", \"3-\", \"every 4\" or \"every 4 from 2\".",
                "{`faults`: [{`probability`: 0, `status`: 400}]} | line 1, column 14: 'probability' is 0."
                        + " Use a number above 0 up to 1.",
                "{`faults`: [{`delay_answer`: `2 s`}]} | line 1, column 14: '2 s' is not a time."
                        + " Use ms, s or m, at most 60m, for example 200ms.",
                "{`faults`: [{`delay_answer`: `61m`}]} | line 1, column 14: '61m' is not a time."
                        + " Use ms, s or m, at most 60m, for example 200ms.",
                "{`faults`: [{`delay_answer`: `2s-1s`}]} | line 1, column 14: '2s-1s' ends before it begins.",
                "{`faults`: [{`from`: `2s`, `until`: `2s`, `status`: 400}]} | line 1, column 28: 'until' is not after"
                        + " 'from'. Use a later time.",
                "{`faults`: [{`drop`: `late`}]} | line 1, column 14: 'drop' is \"late\". Use one of request, answer, body.",
                "{`faults`: [{`drop`: `answer`, `status`: 500}]} | line 1, column 14: a dropped connection has no status."
                        + " Leave one of them out.",
                "{`faults`: [{`body`: `x`}]} | line 1, column 14: 'body' needs a status. Add one.",
                "{`faults`: [{`status`: 429, `retry_after`: `1\\r\\nX: y`}]} | line 1, column 29: 'retry_after' is no value"
                        + " of a header. Use up to 200 characters of ASCII.",
                "{`faults`: [{`redirect`: `ftp://x`}]} | line 1, column 14: 'redirect' is no address."
                        + " Use http://, https:// or a path.",
                "{`faults`: [{`redirect`: `/x`, `status`: 200}]} | line 1, column 32: a redirect has a status from 300 to"
                        + " 399. Use 307 or leave it out.",
                "{`faults`: [{`id_pattern`: `(`, `status`: 400}]} | line 1, column 14: 'id_pattern' is no regular"
                        + " expression: Unclosed group. Mend it.",
                "{`faults`: [{`name`: `a`, `status`: 500}, {`name`: `a`, `status`: 500}]} | line 1, column 44: there are"
                        + " two faults 'a'. Rename one of them.",
                "{`faults`: [{`name`: `<b>`, `status`: 500}]} | line 1, column 14: 'name' holds other characters."
                        + " Use 1 to 60 letters, digits, blanks and any of _.:+-",
                "{`faults`: [{`times`: 3}]} | line 1, column 13: the fault does nothing. Use delay_request,"
                        + " delay_answer, status, redirect, drop, byte_delay or endless_body.",
                "{`switches`: {`token_capacity`: 5}} | line 1, column 15: 'token_capacity' needs"
                        + " \"window_model\": \"token_bucket\". Add it.",
                "{`switches`: {`window_model`: `fuzzy`}} | line 1, column 15: 'window_model' is \"fuzzy\"."
                        + " Use one of exact, two_buckets, second_buckets, token_bucket.",
            })
    void tellsWhereAndWhatIsWrong(String script, String problem) {
        assertThatThrownBy(() -> FaultScript.parse(
                        "faults.json", script.replace('`', '"').replace("NEWLINE", "\n")))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("Cannot read faults.json: " + problem);
    }

    @Test
    void refusesMoreFaultsAndCharactersThanItHolds() {
        String faults = IntStream.rangeClosed(0, FaultScript.MAX_FAULTS)
                .mapToObj(i -> "{\"status\": 500}")
                .collect(Collectors.joining(",", "{\"faults\": [", "]}"));

        assertThatThrownBy(() -> parse(faults))
                .hasMessageEndingWith("there are more than 1000 faults. Leave some out.");
        assertThatThrownBy(() -> parse(" ".repeat(FaultScript.MAX_LENGTH + 1)))
                .hasMessage("Cannot read script: it has 1000001 characters. Use at most 1000000.");
    }

    @Test
    void refusesAnEmptyScript() {
        assertThatThrownBy(() -> parse(" ")).hasMessage("Cannot read script: it is empty. Write {} at least.");
    }

    @Test
    void notesNoPositionsDeeperThanScriptsGo() {
        String deep = "[".repeat(900) + "1,".repeat(400_000) + "1" + "]".repeat(900);

        assertThatThrownBy(() -> parse("{\"faults\": [{\"ids\": " + deep + "}]}"))
                .hasMessageStartingWith("Cannot read script: line 1, column 22: [[[[[");
    }

    @Test
    void quotesHostileKeysInPrintableForm() {
        assertThatThrownBy(() -> parse("{\"\u009b31m\\u001b[2J" + "x".repeat(100) + "\": 1}"))
                .hasMessageStartingWith(
                        "Cannot read script: line 1, column 2: there is no key '\\u009b31m\\u001b[2Jxxx")
                .hasMessageEndingWith("\u2026' in a script. Use seed, switches, faults.");
    }

    private static FaultScript parse(String script) {
        return FaultScript.parse("script", script);
    }
}
