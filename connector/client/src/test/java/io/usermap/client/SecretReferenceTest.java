package io.usermap.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SecretReferenceTest {

    private static Secret resolve(String reference, Map<String, String> environment) {
        return SecretReference.parse(reference)
                .orElseThrow()
                .resolve(
                        environment,
                        (scope, key) -> scope.equals("prod") && key.equals("amplitude/api")
                                ? Optional.of("from-scope")
                                : Optional.empty());
    }

    @Test
    void readsAKeyFromTheEnvironment() {
        assertThat(resolve("env:AMPLITUDE_KEY", Map.of("AMPLITUDE_KEY", "k3y")).reveal())
                .isEqualTo("k3y");
    }

    @Test
    void readsAKeyFromAFileWithoutItsLastLineEnd(@TempDir Path directory) throws IOException {
        Path file = Files.writeString(directory.resolve("key"), "k3y\r\n");

        assertThat(resolve("file:" + file, Map.of()).reveal()).isEqualTo("k3y");
    }

    @Test
    void readsAKeyFromAScopeWhoseKeyMayHoldASlash() {
        assertThat(SecretReference.parse("secret:prod/amplitude/api"))
                .contains(new SecretReference.InScope("prod", "amplitude/api"));
        assertThat(resolve("secret:prod/amplitude/api", Map.of()).reveal()).isEqualTo("from-scope");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"", "0123456789abcdef", "env:", "file:", "secret:", "secret:scope", "secret:/key", "secret:a/"})
    void takesEverythingElseAsAPlainKey(String text) {
        assertThat(SecretReference.parse(text)).isEmpty();
    }

    @Test
    void namesTheVariableThatIsNotSet() {
        assertThatThrownBy(() -> resolve("env:AMPLITUDE_KEY", Map.of()))
                .isInstanceOf(InvalidSettingsException.class)
                .hasMessage("Cannot read a key: the environment variable AMPLITUDE_KEY is not set."
                        + " Export it where the driver starts.");
    }

    @Test
    void aBlankVariableCountsAsNotSet() {
        assertThatThrownBy(() -> resolve("env:AMPLITUDE_KEY", Map.of("AMPLITUDE_KEY", " ")))
                .isInstanceOf(InvalidSettingsException.class)
                .hasMessageStartingWith("Cannot read a key: the environment variable AMPLITUDE_KEY is not set.");
    }

    @Test
    void namesTheFileThatIsNotThere(@TempDir Path directory) {
        Path file = directory.resolve("nothing");

        assertThatThrownBy(() -> resolve("file:" + file, Map.of()))
                .isInstanceOf(InvalidSettingsException.class)
                .hasMessage("Cannot read a key: the file " + file
                        + " cannot be read, or is too large for a key. Check its path and permissions on the"
                        + " driver.");
    }

    @Test
    void namesTheFileThatHoldsNothing(@TempDir Path directory) throws IOException {
        Path file = Files.writeString(directory.resolve("key"), " \n");

        assertThatThrownBy(() -> resolve("file:" + file, Map.of()))
                .isInstanceOf(InvalidSettingsException.class)
                .hasMessage("Cannot read a key: the file " + file + " is empty. Write the key into it.");
    }

    @Test
    void readsNoMoreOfAFileThanAKeyMayHave() {
        assertThatThrownBy(() -> resolve("file:/dev/zero", Map.of()))
                .isInstanceOf(InvalidSettingsException.class)
                .hasMessageContaining("is too large for a key");
    }

    @Test
    void namesTheScopeThatHasNoSuchSecret() {
        assertThatThrownBy(() -> resolve("secret:prod/other", Map.of()))
                .isInstanceOf(InvalidSettingsException.class)
                .hasMessage("Cannot read a key: there is no secret 'other' in a scope 'prod'"
                        + " here. Use env:NAME or file:PATH where the platform has no scopes.");
    }

    @Test
    void aSecretNeverPrintsItself() {
        Secret secret = Secret.of("k3y");

        assertThat(secret).hasToString("***").isEqualTo(Secret.of("k3y")).isNotEqualTo(Secret.of("other"));
        assertThat(secret.fingerprint())
                .hasSize(16)
                .doesNotContain("k3y")
                .isEqualTo(Secret.of("k3y").fingerprint());
    }

    @Test
    void anEmptyKeyIsNoSecret() {
        assertThatThrownBy(() -> Secret.of(" "))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("Cannot use an empty key. Set the variable or file that it comes from.");
    }

    @Test
    void aSecretTravelsToExecutors() throws IOException, ClassNotFoundException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (ObjectOutputStream out = new ObjectOutputStream(bytes)) {
            out.writeObject(Secret.of("k3y"));
        }
        try (ObjectInputStream in = new ObjectInputStream(new ByteArrayInputStream(bytes.toByteArray()))) {
            assertThat(in.readObject()).isEqualTo(Secret.of("k3y"));
        }
    }
}
