package com.databricks.dbutils_v1;

/**
 * A stand-in for the class of that name on drivers of Databricks, of the shape that programs there call; without a platform
 * until a test brings one.
 */
public final class DBUtilsHolder {
    private static volatile DBUtilsV1 platform;

    private DBUtilsHolder() {}

    /** What a driver's program is given. */
    public interface DBUtilsV1 {
        SecretUtils secrets();
    }

    /** The secret scopes. */
    @FunctionalInterface
    public interface SecretUtils {
        String get(String scope, String key);
    }

    /** The utilities of the thread; null where there are none. */
    public static DBUtilsV1 dbutils() {
        return platform;
    }

    /** Runs {@code work} on a platform whose scopes are {@code scopes}. */
    public static void on(SecretUtils scopes, Runnable work) {
        // A class that is not public, as the platform's own are.
        platform = new Utilities(scopes);
        try {
            work.run();
        } finally {
            platform = null;
        }
    }

    private record Utilities(SecretUtils secrets) implements DBUtilsV1 {}
}
