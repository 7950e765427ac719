package io.usermap.client;

import java.util.Optional;
import java.util.ServiceLoader;

/**
 * A platform's store of secrets, in which {@code secret:scope/key} is looked up; asked on the driver only.
 *
 * <p>On Databricks nothing needs to be done. For another platform put a jar on the driver's class path that implements this
 * interface and names the implementation in {@code META-INF/services/io.usermap.client.SecretStore}, as
 * {@link ServiceLoader} has it. For example a store {@code (scope, key) -> Optional.ofNullable(vault.read(scope, key))}.
 */
@FunctionalInterface
public interface SecretStore {

    /**
     * The secret of that name, or empty if there is none; may block.
     *
     * <p>May throw whatever it likes. Of a failure nothing but its class is told, because its message may hold the secret.
     *
     * @param scope the store's scope
     * @param key the entry in it
     */
    Optional<String> secret(String scope, String key);

    /**
     * What there is where this runs: the stores that {@link ServiceLoader} finds, in their order, then Databricks; the first
     * that has the secret gives it. They are looked for with each question, through the thread's class loader, which knows the
     * jars that were added to the application.
     */
    static SecretStore ofPlatform() {
        return (scope, key) -> {
            ClassLoader ofThread = Thread.currentThread().getContextClassLoader();
            ClassLoader loader = ofThread == null ? SecretStore.class.getClassLoader() : ofThread;
            return ServiceLoader.load(SecretStore.class, loader).stream()
                    .flatMap(found -> found.get().secret(scope, key).stream())
                    .findFirst()
                    .or(() -> new DatabricksSecrets(loader).secret(scope, key));
        };
    }
}
