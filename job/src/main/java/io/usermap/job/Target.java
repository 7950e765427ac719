package io.usermap.job;

import io.usermap.client.Endpoints;
import io.usermap.client.InvalidSettingsException;
import io.usermap.client.Secret;
import io.usermap.sandbox.Sandbox;
import io.usermap.sandbox.SandboxOptions;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;

/**
 * The service that a command talks to: a remote one, or a sandbox inside this process that lives as long as the command.
 */
final class Target implements AutoCloseable {
    /** What an embedded sandbox is shown; it takes any key. */
    private static final Secret SANDBOX_KEY = Secret.of("sandbox");

    private final Configuration configuration;
    private final Endpoints endpoints;
    private final Optional<Sandbox> sandbox;

    private Target(Configuration configuration, Endpoints endpoints, Optional<Sandbox> sandbox) {
        this.configuration = configuration;
        this.endpoints = endpoints;
        this.sandbox = sandbox;
    }

    /** Starts the embedded sandbox if the configuration asks for one; otherwise nothing happens before the first request. */
    static Target open(Configuration configuration) {
        if (!configuration.usesSandbox()) {
            return new Target(configuration, configuration.endpoints(), Optional.empty());
        }
        Path folder = sandboxFolder(configuration);
        try {
            Sandbox sandbox = Sandbox.start(SandboxOptions.builder()
                    .path(folder)
                    .eventsPerSecond((int) Math.ceil(configuration.value(Keys.EVENTS_PER_SECOND)))
                    .window(configuration.value(Keys.WINDOW))
                    .build());
            return new Target(
                    configuration, new Endpoints(sandbox.endpoint(), sandbox.endpoint()), Optional.of(sandbox));
        } catch (IOException e) {
            throw StoppedException.failed(
                    "Cannot start the sandbox in " + folder + ": " + Source.firstLine(e)
                            + " Set 'sandbox.path' to a folder that nothing else uses.",
                    e);
        }
    }

    /**
     * Refuses an embedded sandbox for a master whose executors could not reach it.
     *
     * @throws InvalidSettingsException if tasks run in other processes
     */
    static void requireReachable(Configuration configuration, String master) {
        if (configuration.usesSandbox() && !JobSession.isLocal(master)) {
            throw new InvalidSettingsException(
                    "Cannot use configuration key 'target.endpoint': 'sandbox' listens on this"
                            + " machine's loopback, which executors of master '" + master
                            + "' do not reach. Use a local master, or start 'usermap sandbox' where they do.");
        }
    }

    private static Path sandboxFolder(Configuration configuration) {
        Optional<String> set = configuration.optional(Keys.SANDBOX_PATH);
        if (set.isPresent()) {
            return Path.of(set.get());
        }
        String ledger = configuration.value(Keys.LEDGER_PATH);
        if (ledger.contains("://") && !ledger.startsWith("file://")) {
            throw new InvalidSettingsException("Cannot keep the sandbox below the ledger: " + ledger
                    + " is not on this machine. Set 'sandbox.path'.");
        }
        return Path.of(ledger.replaceFirst("^file:(//)?", "")).resolve("sandbox");
    }

    /** The service's name in the ledger; every service on loopback is one, whatever its port. */
    static String identity(Configuration configuration) {
        if (configuration.usesSandbox()) {
            return "sandbox";
        }
        String host = configuration.endpoints().write().getHost();
        boolean loopback = host.equals("localhost") || host.startsWith("127.") || host.equals("[::1]");
        return loopback ? "loopback" : configuration.endpoints().write().toString();
    }

    /** Where the service is. */
    Endpoints endpoints() {
        return endpoints;
    }

    /** The data source's options for this service, without keys and receipts. */
    Map<String, String> writeOptions() {
        return configuration.writeOptions(endpoints);
    }

    /** The key that writes. */
    Secret apiKey() {
        return key(configuration.apiKey());
    }

    /** The key that reads. */
    Secret secretKey() {
        return key(configuration.secretKey());
    }

    private Secret key(Optional<Secret> configured) {
        return configured.orElseGet(() -> {
            if (sandbox.isEmpty()) {
                throw new IllegalStateException("the configuration was not checked for its keys");
            }
            return SANDBOX_KEY;
        });
    }

    @Override
    public void close() {
        sandbox.ifPresent(Sandbox::close);
    }
}
