package io.usermap.sandbox;

import static io.usermap.sandbox.SandboxRequest.Mapping.map;
import static io.usermap.sandbox.SandboxRequest.Mapping.unmap;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.usermap.sandbox.SandboxRequest.Mapping;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class MappingStoreTest {
    @Test
    void linksBothWays() throws RefusedException {
        MappingStore store = new MappingStore(Switches.DEFAULTS);
        store.apply(List.of(map("b", "all"), map("a", "all")));

        assertThat(store.mappedTo("a")).hasValue("all");
        assertThat(store.mappedFrom("all")).containsExactly("a", "b");
        assertThat(store.mappedTo("all")).isEmpty();
        assertThat(store.mappedFrom("nobody")).isEmpty();
    }

    @Test
    void unmappingAnIdThatIsNotMappedDoesNothing() throws RefusedException {
        MappingStore store = new MappingStore(Switches.DEFAULTS);
        store.apply(List.of(unmap("a")));

        assertThat(store.snapshot()).isEmpty();
    }

    @Test
    void aLaterMappingOfAnIdWins() throws RefusedException {
        MappingStore store = new MappingStore(Switches.DEFAULTS);
        store.apply(List.of(map("a", "x"), map("a", "y"), map("b", "x"), unmap("b")));

        assertThat(store.snapshot()).isEqualTo(Map.of("a", "y"));
        assertThat(store.mappedFrom("x")).isEmpty();
    }

    @Test
    void keepsChainsAndSelfMapsAsTheyAre() throws RefusedException {
        MappingStore store = new MappingStore(Switches.DEFAULTS);
        store.apply(List.of(map("a", "b"), map("b", "c"), map("d", "d")));

        assertThat(store.snapshot()).isEqualTo(Map.of("a", "b", "b", "c", "d", "d"));
        assertThat(store.mappedFrom("c")).containsExactly("b");
    }

    @Test
    void refusesARemapWhenToldToAndStoresNothingOfItsBatch() throws RefusedException {
        MappingStore store = new MappingStore(settled("remaps", "refuse"));
        store.apply(List.of(map("a", "x")));

        assertThatThrownBy(() -> store.apply(List.of(unmap("a"), map("b", "x"), map("b", "y"))))
                .isInstanceOf(RefusedException.class)
                .hasMessage("mapping[2] maps an id that is mapped to another one");
        assertThat(store.snapshot()).isEqualTo(Map.of("a", "x"));
        assertThat(store.mappedFrom("x")).containsExactly("a");
    }

    @Test
    void aMappingSentAgainIsNoRemap() throws RefusedException {
        MappingStore store = new MappingStore(settled("remaps", "refuse"));
        store.apply(List.of(map("a", "x"), map("a", "x")));
        store.apply(List.of(unmap("a"), map("a", "y")));

        assertThat(store.snapshot()).isEqualTo(Map.of("a", "y"));
    }

    @Test
    void refusesChainsInEitherOrderWhenToldTo() throws RefusedException {
        MappingStore store = new MappingStore(settled("chains", "refuse"));

        assertThatThrownBy(() -> store.apply(List.of(map("a", "b"), map("b", "c"))))
                .hasMessage("mapping[1] makes a chain");
        assertThatThrownBy(() -> store.apply(List.of(map("b", "c"), map("a", "b"))))
                .hasMessage("mapping[1] makes a chain");
        assertThat(store.snapshot()).isEmpty();
    }

    @Test
    void refusesSelfMapsWhenToldTo() {
        MappingStore store = new MappingStore(settled("self_maps", "refuse"));

        assertThatThrownBy(() -> store.apply(List.of(map("a", "a")))).hasMessage("mapping[0] maps an id to itself");
    }

    @Test
    void ignoredMappingsHaveNoEffectAndAreNotReported() throws RefusedException {
        MappingStore store = new MappingStore(settled("remaps", "ignore", "self_maps", "ignore"));

        MappingStore.Applied applied = store.apply(List.of(map("a", "x"), map("a", "y"), map("b", "b")));

        assertThat(applied.effective()).containsExactly(map("a", "x"));
        assertThat(store.snapshot()).isEqualTo(Map.of("a", "x"));
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4})
    void agreesWithAPlainMapAndRevertsWholly(long seed) throws RefusedException {
        Random random = new Random(seed);
        MappingStore store = new MappingStore(Switches.DEFAULTS);
        Map<String, String> expected = new HashMap<>();
        for (int i = 0; i < 300; i++) {
            List<Mapping> batch = random.ints(5, 0, 12)
                    .mapToObj(id -> new Mapping(
                            "u" + id,
                            random.nextInt(4) == 0 ? Optional.empty() : Optional.of("u" + random.nextInt(12))))
                    .toList();
            MappingStore.Applied applied = store.apply(batch);
            if (random.nextBoolean()) {
                store.revert(applied);
            } else {
                batch.forEach(mapping -> mapping.globalUserId()
                        .ifPresentOrElse(
                                to -> expected.put(mapping.userId(), to), () -> expected.remove(mapping.userId())));
            }
            assertThat(store.snapshot()).as("seed %d, step %d", seed, i).isEqualTo(expected);
        }
        for (int id = 0; id < 12; id++) {
            String target = "u" + id;
            assertThat(store.mappedFrom(target))
                    .as("seed %d", seed)
                    .containsExactlyElementsOf(expected.entrySet().stream()
                            .filter(link -> link.getValue().equals(target))
                            .map(Map.Entry::getKey)
                            .sorted()
                            .toList());
        }
    }

    private static Switches settled(String... namesAndValues) {
        StringBuilder script = new StringBuilder();
        for (int i = 0; i < namesAndValues.length; i += 2) {
            script.append(script.isEmpty() ? "" : ",")
                    .append("\"%s\": \"%s\"".formatted(namesAndValues[i], namesAndValues[i + 1]));
        }
        return FaultScript.parse("script", "{\"switches\": {" + script + "}}")
                .switches()
                .apply(Switches.DEFAULTS);
    }
}
