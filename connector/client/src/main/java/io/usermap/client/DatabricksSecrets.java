package io.usermap.client;

import java.lang.reflect.Method;
import java.util.Optional;

/**
 * The secret scopes of Databricks, as the JVM of a driver there has them:
 * {@code com.databricks.dbutils_v1.DBUtilsHolder.dbutils().secrets().get(scope, key)}, called by reflection because the class
 * is only there. Tested against a stand-in of that name and shape, not on the platform itself.
 */
final class DatabricksSecrets implements SecretStore {
    private static final String HOLDER = "com.databricks.dbutils_v1.DBUtilsHolder";

    private final ClassLoader loader;

    DatabricksSecrets(ClassLoader loader) {
        this.loader = loader;
    }

    /**
     * Asks the platform; empty where this is not Databricks, or a thread that its utilities do not serve.
     *
     * @throws IllegalStateException if the platform refuses, as for a name that it does not know; the cause says why
     */
    @Override
    public Optional<String> secret(String scope, String key) {
        Class<?> holder;
        try {
            holder = Class.forName(HOLDER, false, loader);
        } catch (ClassNotFoundException e) {
            return Optional.empty();
        }
        try {
            // By the declared types, which are public; those of the objects may not be.
            Method utilities = holder.getMethod("dbutils");
            Object present = utilities.invoke(null);
            if (present == null) {
                return Optional.empty();
            }
            Method secrets = utilities.getReturnType().getMethod("secrets");
            Method get = secrets.getReturnType().getMethod("get", String.class, String.class);
            return Optional.ofNullable((String) get.invoke(secrets.invoke(present), scope, key));
        } catch (ReflectiveOperationException e) {
            Throwable cause = e.getCause() == null ? e : e.getCause();
            throw new IllegalStateException("Databricks does not give the secret.", cause);
        }
    }
}
