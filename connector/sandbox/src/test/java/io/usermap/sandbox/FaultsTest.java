package io.usermap.sandbox;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.usermap.sandbox.SandboxRequest.Mapping;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** Which fault befalls which request; time is given. */
class FaultsTest {
    private final Faults faults = new Faults();

    @Test
    void aRangeOfRequestsIsNumberedFromTheMomentItWasSet() {
        befall("/usermap", 5);
        add("{'requests': '2-3', 'status': 503}");

        assertThat(befall("/usermap", 5)).containsExactly("", "fault-1", "fault-1", "", "");
    }

    @Test
    void aFaultNumbersTheRequestsOfItsPathOnly() {
        add("{'path': 'lookup', 'requests': 2, 'status': 503}");

        assertThat(befall("/api/2/usermap", 1)).containsExactly("");
        assertThat(befall("/usermap", 3)).containsExactly("", "", "");
        assertThat(befall("/api/2/usermap", 2)).containsExactly("fault-1", "");
        assertThat(befall("/elsewhere", 1)).containsExactly("");
    }

    @Test
    void aFaultNumbersRequestsThatAnotherOneDecidesToo() {
        add("{'requests': 1, 'status': 500}", "{'requests': '1-3', 'status': 503}");

        assertThat(befall("/usermap", 4)).containsExactly("fault-1", "fault-2", "fault-2", "");
    }

    @Test
    void delaysAddUpUntilOneDecides() {
        add(
                "{'delay_answer': '1ms'}",
                "{'requests': 2, 'delay_request': '1ms'}",
                "{'requests': 2, 'status': 500}",
                "{'delay_answer': '1ms'}");

        assertThat(befall("/usermap", 2)).containsExactly("fault-1,fault-4", "fault-1,fault-2,fault-3");
    }

    @Test
    void actsBetweenItsTimes() {
        faults.add(parse("{'from': '10s', 'until': '20s', 'status': 500}").faults(), seconds(100));

        assertThat(befallAt(seconds(110) - 1)).isEmpty();
        assertThat(befallAt(seconds(110))).containsExactly("fault-1");
        assertThat(befallAt(seconds(120) - 1)).containsExactly("fault-1");
        assertThat(befallAt(seconds(120))).isEmpty();
        assertThat(faults.inForce().get(0).isSpent(seconds(119))).isFalse();
        assertThat(faults.inForce().get(0).isSpent(seconds(120))).isTrue();
    }

    @Test
    void chanceIsDrawnFromTheSeed() {
        String fault = "{'name': 'rare', 'probability': 0.1, 'status': 500}";
        List<String> first = drawn("{'seed': 1, 'faults': [" + fault + "]}");

        assertThat(first).filteredOn("rare"::equals).hasSizeBetween(60, 140);
        assertThat(drawn("{'seed': 1, 'faults': [" + fault + "]}")).isEqualTo(first);
        assertThat(drawn("{'seed': 2, 'faults': [" + fault + "]}")).isNotEqualTo(first);
        List<String> renamed = drawn("{'seed': 1, 'faults': [" + fault.replace("rare", "other") + "]}");
        assertThat(renamed.stream().map(String::isEmpty).toList())
                .isNotEqualTo(first.stream().map(String::isEmpty).toList());
    }

    @Test
    void latencyIsDrawnEvenlyFromItsRange() {
        Fault fault = parse("{'delay_request': '100ms-300ms'}").faults().get(0);

        double mean = IntStream.range(0, 1000)
                .mapToLong(
                        number -> fault.requestDelay().nanos(fault.draws(number).nextDouble()))
                .peek(nanos -> assertThat(nanos).isBetween(100_000_000L, 300_000_000L))
                .average()
                .orElseThrow();
        assertThat(mean).isBetween(190e6, 210e6);
    }

    @Test
    void befallsWhoeverHoldsAPoisonIdOrKey() {
        add(
                "{'name': 'exact', 'ids': ['poison', 'venom'], 'status': 400}",
                "{'name': 'pattern', 'id_pattern': '@evil\\\\.example$', 'status': 403}",
                "{'name': 'key', 'key': 'bad', 'status': 401}");

        assertThat(befall(batch(Mapping.map("ann@one", "ann@all")))).isEmpty();
        assertThat(befall(batch(Mapping.map("ann@one", "ann@all"), Mapping.unmap("venom"))))
                .containsExactly("exact");
        assertThat(befall(batch(Mapping.map("ann@one", "poison")))).containsExactly("exact");
        assertThat(befall(batch(Mapping.map("x@evil.example", "poisonous")))).containsExactly("pattern");
        assertThat(befall(new Received.Call.Lookup(List.of("fine", "poison")))).containsExactly("exact");
        Received keyed = new Received(
                "POST", "/usermap", 1, Optional.of(Received.fingerprint("bad")), batch(Mapping.unmap("ann@one")));
        assertThat(faults.befall(keyed, 0).names()).containsExactly("key");
    }

    @Test
    void neverBefallsMoreThanItMayHoweverManyComeAtOnce() {
        add("{'name': 'late', 'delay_answer': '0ms-1ms', 'requests': 'every 3'}", "{'times': 100, 'status': 503}");

        List<Faults.Fate> fates = IntStream.range(0, 3000)
                .parallel()
                .mapToObj(i -> faults.befall(request("/usermap"), 0))
                .toList();

        assertThat(fates).filteredOn(fate -> fate.answer().isPresent()).hasSize(100);
        assertThat(fates).filteredOn(fate -> fate.names().contains("late")).hasSize(1000);
        assertThat(faults.inForce()).extracting(Faults.Active::befallen).containsExactly(1000L, 100L);
        assertThat(faults.inForce().get(1).isSpent(0)).isTrue();
    }

    @Test
    void numbersThoseWithoutANameAmongAllEverSet() {
        add("{'status': 500}", "{'name': 'two', 'status': 500}");
        add("{'status': 500}");
        faults.clear();
        add("{'status': 500}");

        assertThat(faults.inForce()).extracting(active -> active.fault().name()).containsExactly("fault-4");
    }

    @Test
    void addsAllFaultsOrNone() {
        add("{'name': 'one', 'status': 500}");

        assertThatThrownBy(() -> add("{'name': 'two', 'status': 500}", "{'name': 'one', 'status': 500}"))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("Cannot add fault 'one': there is one in force of that name."
                        + " Name it, or remove the other one.");
        assertThat(faults.inForce()).hasSize(1);
        assertThat(faults.remove("two")).isFalse();
        assertThat(faults.remove("one")).isTrue();
        assertThat(faults.inForce()).isEmpty();
    }

    private List<String> drawn(String script) {
        faults.clear();
        faults.add(FaultScript.parse("script", script.replace('\'', '"')).faults(), 0);
        return befall("/usermap", 1000);
    }

    private void add(String... written) {
        faults.add(parse(written).faults(), 0);
    }

    private static FaultScript parse(String... written) {
        return FaultScript.parse("script", ("{'faults': [" + String.join(",", written) + "]}").replace('\'', '"'));
    }

    private List<String> befall(String path, int requests) {
        List<String> names = new ArrayList<>();
        for (int i = 0; i < requests; i++) {
            names.add(String.join(",", faults.befall(request(path), 0).names()));
        }
        return names;
    }

    private List<String> befallAt(long nanos) {
        return faults.befall(request("/usermap"), nanos).names();
    }

    private List<String> befall(Received.Call call) {
        return faults.befall(new Received("POST", "/usermap", 1, Optional.empty(), call), 0)
                .names();
    }

    private static Received request(String path) {
        return new Received("POST", path, 1, Optional.empty(), batch(Mapping.unmap("ann@one")));
    }

    private static Received.Call.Change batch(Mapping... mappings) {
        return new Received.Call.Change(List.of(mappings));
    }

    private static long seconds(long seconds) {
        return Duration.ofSeconds(seconds).toNanos();
    }
}
