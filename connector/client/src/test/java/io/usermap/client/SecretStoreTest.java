package io.usermap.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import com.databricks.dbutils_v1.DBUtilsHolder;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Where {@code secret:scope/key} leads on a platform; Databricks is a stand-in of the shape that programs call there. */
class SecretStoreTest {
    private static final String ABSENT = "Cannot read a key: there is no secret 'api' in a scope 'prod' here."
            + " Use env:NAME or file:PATH where the platform has no scopes.";

    private final ClassLoader loader = Thread.currentThread().getContextClassLoader();

    @AfterEach
    void restoreTheLoader() {
        Thread.currentThread().setContextClassLoader(loader);
    }

    private static Secret key() {
        return SecretReference.parse("secret:prod/api").orElseThrow().resolve(Map.of(), SecretStore.ofPlatform());
    }

    /** A store as a jar brings it. */
    public static final class Vault implements SecretStore {
        @Override
        public Optional<String> secret(String scope, String key) {
            return scope.equals("prod") && key.equals("api") ? Optional.of("from-the-vault") : Optional.empty();
        }
    }

    /** A store that cannot be made. */
    public static final class Shut implements SecretStore {
        public Shut() {
            throw new IllegalStateException("s3cr3t");
        }

        @Override
        public Optional<String> secret(String scope, String key) {
            return Optional.empty();
        }
    }

    private static void bring(Class<? extends SecretStore> store, Path folder) throws IOException {
        Path services = Files.createDirectories(folder.resolve("META-INF/services"));
        Files.writeString(services.resolve(SecretStore.class.getName()), store.getName());
        URL[] urls = {folder.toUri().toURL()};
        Thread.currentThread().setContextClassLoader(new URLClassLoader(urls, SecretStoreTest.class.getClassLoader()));
    }

    @Test
    void asksTheScopesOfDatabricks() {
        DBUtilsHolder.on(
                (scope, key) -> scope + "-" + key + "-7391\n",
                () -> assertThat(key().reveal()).isEqualTo("prod-api-7391"));
    }

    @Test
    void asksAStoreThatAJarBringsBeforeThePlatform(@TempDir Path folder) throws IOException {
        bring(Vault.class, folder);

        DBUtilsHolder.on(
                (scope, key) -> "from-the-platform",
                () -> assertThat(key().reveal()).isEqualTo("from-the-vault"));
    }

    @Test
    void whatTheJarsStoreDoesNotHaveThePlatformMayHave(@TempDir Path folder) throws IOException {
        bring(Vault.class, folder);
        SecretReference other = SecretReference.parse("secret:test/api").orElseThrow();

        DBUtilsHolder.on(
                (scope, key) -> "from-the-platform",
                () -> assertThat(other.resolve(Map.of(), SecretStore.ofPlatform())
                                .reveal())
                        .isEqualTo("from-the-platform"));
    }

    @Test
    void saysWhatToUseWhereThereIsNoPlatform() {
        assertThatThrownBy(SecretStoreTest::key)
                .isInstanceOf(InvalidSettingsException.class)
                .hasMessage(ABSENT);

        Thread.currentThread().setContextClassLoader(ClassLoader.getPlatformClassLoader());
        assertThatThrownBy(SecretStoreTest::key)
                .isInstanceOf(InvalidSettingsException.class)
                .hasMessage(ABSENT);
    }

    @Test
    void anEmptySecretIsNone() {
        DBUtilsHolder.on(
                (scope, key) -> " \n",
                () -> assertThatThrownBy(SecretStoreTest::key).hasMessage(ABSENT));
        DBUtilsHolder.on(
                (scope, key) -> null,
                () -> assertThatThrownBy(SecretStoreTest::key).hasMessage(ABSENT));
    }

    @Test
    void tellsOfAFailureItsClassAndNotItsWords(@TempDir Path folder) throws IOException {
        DBUtilsHolder.on(
                (scope, key) -> {
                    throw new SecurityException("s3cr3t must not be read by ann");
                },
                () -> assertThat(allThatIsTold())
                        .contains("Cannot read a key: the platform's secret store does not give 'api' of scope 'prod'"
                                + " (java.lang.SecurityException). Check both names, and that whoever runs this may read"
                                + " the scope.")
                        .doesNotContain("s3cr3t"));

        bring(Shut.class, folder);
        assertThat(allThatIsTold())
                .contains("does not give 'api' of scope 'prod' (java.lang.IllegalStateException)")
                .doesNotContain("s3cr3t");
    }

    private static String allThatIsTold() {
        Throwable thrown = catchThrowable(SecretStoreTest::key);
        assertThat(thrown).isInstanceOf(InvalidSettingsException.class);
        StringWriter text = new StringWriter();
        thrown.printStackTrace(new PrintWriter(text));
        return text.toString();
    }
}
