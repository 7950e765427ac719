package io.usermap.sandbox;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Starting, stopping, and what stays in between. */
class SandboxLifeTest {
    @TempDir
    private Path folder;

    @Test
    void keepsMappingsInItsFolder() throws IOException {
        try (Sandbox first = Sandbox.start(SandboxOptions.builder().path(folder).build())) {
            new Caller(first.endpoint()).post(Caller.maps(3, "ann"));
            new Caller(first.endpoint()).post("{\"user_id\":\"ann-1\",\"unmap\":true}");
        }

        try (Sandbox second =
                Sandbox.start(SandboxOptions.builder().path(folder).build())) {
            assertThat(second.mappings()).isEqualTo(Map.of("ann-0", "everybody", "ann-2", "everybody"));
            assertThat(second.requests()).isEmpty();
        }
    }

    @Test
    void keepsWhatTookEffectWhateverTheSwitchesAreLater() throws IOException {
        SandboxOptions ignoring = SandboxOptions.builder()
                .path(folder)
                .faults("{\"switches\": {\"remaps\": \"ignore\"}}")
                .build();
        try (Sandbox first = Sandbox.start(ignoring)) {
            new Caller(first.endpoint()).post(Caller.maps(1, "ann"));
            new Caller(first.endpoint()).post(Caller.maps(1, "ann").replace("everybody", "somebody"));
        }

        try (Sandbox second =
                Sandbox.start(SandboxOptions.builder().path(folder).build())) {
            assertThat(second.mappings()).isEqualTo(Map.of("ann-0", "everybody"));
        }
    }

    @Test
    void refusesAPortThatIsTakenAndFreesTheFolder() throws IOException {
        Sandbox other = Sandbox.start(SandboxOptions.builder().build());
        int port = other.endpoint().getPort();
        SandboxOptions options =
                SandboxOptions.builder().port(port).path(folder).build();
        try (other) {
            assertThatThrownBy(() -> Sandbox.start(options))
                    .isInstanceOf(IOException.class)
                    .hasMessage("Cannot listen on 127.0.0.1:" + port
                            + ": Address already in use. Choose another port, or 0 for a free one.");
        }

        try (Sandbox sandbox = Sandbox.start(options)) {
            assertThat(sandbox.endpoint()).hasToString("http://127.0.0.1:" + port);
        }
    }

    @Test
    void storesNothingThatItCannotWriteDown() throws IOException {
        SandboxOptions options = SandboxOptions.builder().build();
        MappingStore store = new MappingStore(Switches.DEFAULTS);
        Journal journal = Journal.open(folder, store);
        Organisation organisation = new Organisation(options, () -> 0, store, journal);
        journal.close();

        Received.Call change = new Received.Call.Change(List.of(SandboxRequest.Mapping.map("ann@one", "ann@all")));
        Received request = new Received("POST", "/usermap", 0, Optional.empty(), change);
        Reply reply = organisation.serve(request, Faults.Fate.NONE).reply().orElseThrow();

        assertThat(reply.status()).isEqualTo(500);
        assertThat(reply.body()).isEqualTo("Cannot write the journal: Stream Closed. Nothing was stored.");
        assertThat(organisation.mappings()).isEmpty();
        assertThat(organisation.mostInWindow()).isZero();
        assertThat(organisation.counts()).isEqualTo(new Sandbox.Counts(1, 1, 0, 0, 0, 1, 0, 0));
    }

    @Test
    void answersNobodyAfterItsEnd() throws IOException {
        Sandbox sandbox = Sandbox.start(SandboxOptions.builder().path(folder).build());
        Caller caller = new Caller(sandbox.endpoint());

        sandbox.close();
        sandbox.close();

        assertThatThrownBy(() -> caller.post(Caller.maps(1, "ann")))
                .isInstanceOf(UncheckedIOException.class)
                .hasMessageContaining("ConnectException");
        assertThat(sandbox.mappings()).isEmpty();
    }
}
