package io.usermap.client;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.ServiceConfigurationError;

/**
 * Where a key is to be found: {@code env:NAME}, {@code file:PATH} or {@code secret:scope/key}.
 *
 * <p>A reference may be printed, logged and stored; what it leads to may not. Blanks and line ends around the key are not
 * part of it. Resolved on the driver only.
 */
public sealed interface SecretReference {
    /** A file with more is none with a key. */
    int MOST_BYTES = 1 << 16;

    /**
     * An environment variable of the driver.
     *
     * @param name the variable's name
     */
    record Environment(String name) implements SecretReference {}

    /**
     * A file that the driver can read.
     *
     * @param path the file
     */
    record InFile(Path path) implements SecretReference {}

    /**
     * An entry of the platform's secret store ({@link SecretStore}).
     *
     * @param scope the store's scope
     * @param key the entry in it
     */
    record InScope(String scope, String key) implements SecretReference {}

    /** Reads {@code text} as a reference; empty if it has none of the three forms and so is a plain key. */
    static Optional<SecretReference> parse(String text) {
        if (text.startsWith("env:") && text.length() > 4) {
            return Optional.of(new Environment(text.substring(4)));
        }
        if (text.startsWith("file:") && text.length() > 5) {
            return Optional.of(new InFile(Path.of(text.substring(5))));
        }
        int slash = text.indexOf('/');
        if (text.startsWith("secret:") && slash > 7 && slash < text.length() - 1) {
            return Optional.of(new InScope(text.substring(7, slash), text.substring(slash + 1)));
        }
        return Optional.empty();
    }

    /**
     * Reads the key that this reference names; blocks for the file or the platform.
     *
     * @param environment the driver's environment
     * @param store the platform's secret store
     * @throws InvalidSettingsException if nothing is there or the store fails, naming the reference and never the value
     */
    default Secret resolve(Map<String, String> environment, SecretStore store) {
        Optional<String> value;
        String missing;
        if (this instanceof Environment env) {
            value = Optional.ofNullable(environment.get(env.name()));
            missing = "the environment variable " + env.name() + " is not set. Export it where the driver starts.";
        } else if (this instanceof InFile file) {
            value = read(file.path());
            missing = "the file " + file.path()
                    + (value.isPresent()
                            ? " is empty. Write the key into it."
                            : " cannot be read, or is too large for a key. Check its path and permissions on the driver.");
        } else {
            InScope scope = (InScope) this;
            value = ask(store, scope);
            missing = "there is no secret '" + scope.key() + "' in a scope '" + scope.scope()
                    + "' here. Use env:NAME or file:PATH where the platform has no scopes.";
        }
        return value.map(String::strip)
                .filter(text -> !text.isEmpty())
                .map(Secret::of)
                .orElseThrow(() -> new InvalidSettingsException("Cannot read a key: " + missing));
    }

    private static Optional<String> ask(SecretStore store, InScope scope) {
        try {
            return store.secret(scope.scope(), scope.key());
        } catch (RuntimeException | LinkageError | ServiceConfigurationError e) {
            // Without the failure's own words, and not as its cause: they may hold the value.
            Throwable named = e.getCause() == null ? e : e.getCause();
            throw new InvalidSettingsException("Cannot read a key: the platform's secret store does not give '"
                    + scope.key() + "' of scope '" + scope.scope() + "' ("
                    + named.getClass().getName()
                    + "). Check both names, and that whoever runs this may read the scope.");
        }
    }

    private static Optional<String> read(Path path) {
        try (InputStream file = Files.newInputStream(path)) {
            byte[] bytes = file.readNBytes(MOST_BYTES + 1);
            return bytes.length > MOST_BYTES
                    ? Optional.empty()
                    : Optional.of(new String(bytes, StandardCharsets.UTF_8));
        } catch (IOException e) {
            return Optional.empty();
        }
    }
}
