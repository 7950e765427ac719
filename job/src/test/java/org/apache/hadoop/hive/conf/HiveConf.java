package org.apache.hadoop.hive.conf;

/**
 * Stands where spark-testing-base looks for Hive.
 *
 * <p>Its suite names this class in a method that nothing here calls; Java resolves it as soon as it looks at the suite's
 * methods, which JUnit and Java's serialisation do. Hive itself is not among the dependencies.
 */
public final class HiveConf {
    private HiveConf() {}

    /** The settings of Hive, of which there are none. */
    public enum ConfVars {}
}
