package io.usermap.spark;

import io.usermap.client.InvalidSettingsException;
import io.usermap.client.Secret;
import io.usermap.client.SecretReference;
import io.usermap.client.SecretStore;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Turns what users wrote for a key into the key; driver only. */
final class ServiceKeys {
    private static final Logger LOG = LoggerFactory.getLogger(ServiceKeys.class);

    private ServiceKeys() {}

    /** Whether a plain key may stand in an option. */
    enum PlainKeys {
        /** With a warning, because plans show it. */
        WARN,
        /** An error, because configuration and event log show it before any code of ours runs. */
        REFUSE
    }

    /**
     * The key that {@code text} refers to, or is.
     *
     * @param option the option's name, for errors
     * @throws InvalidSettingsException if there is no text, the reference leads nowhere, or a plain key is refused
     */
    static Secret resolve(String option, Optional<String> text, PlainKeys plainKeys) {
        String written = text.orElseThrow(() -> new InvalidSettingsException("Cannot reach the service without a key:"
                + " option '" + option + "' is not set. Set it to env:NAME, file:PATH or secret:scope/key."));
        Optional<SecretReference> reference = SecretReference.parse(written);
        if (reference.isPresent()) {
            return reference.get().resolve(System.getenv(), SecretStore.ofPlatform());
        }
        if (written.matches("(env|file|secret|run):.*")) {
            throw new InvalidSettingsException("Cannot use option '" + option + "': what it refers to is not there."
                    + " Write env:NAME, file:PATH or secret:scope/key; a run's options end with the run.");
        }
        if (plainKeys == PlainKeys.REFUSE) {
            throw new InvalidSettingsException("Cannot use option '" + option + "': a plain key would be in the"
                    + " configuration and the event log. Use env:NAME, file:PATH or secret:scope/key.");
        }
        LOG.warn(
                "Option '{}' holds a plain key, which query plans and the Spark UI can show. Use env:NAME, file:PATH or"
                        + " secret:scope/key.",
                option);
        return Secret.of(written);
    }
}
