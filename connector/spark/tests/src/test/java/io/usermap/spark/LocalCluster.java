package io.usermap.spark;

import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.apache.spark.sql.SparkSession;

/**
 * A Spark whose executors are processes of their own, with nothing but Spark on their class path.
 *
 * <p>The connector reaches them the way it does in production: as the one built jar, through {@code spark.jars}.
 */
final class LocalCluster {
    private LocalCluster() {}

    /** A session with so many executors of two cores each; the caller stops it. */
    static SparkSession.Builder of(int executors) {
        return at("local-cluster[" + executors + ",2,1024]");
    }

    /** A session on the cluster at {@code master}; the caller stops it. */
    static SparkSession.Builder at(String master) {
        Path home = sparkHome();
        return SparkSession.builder()
                .master(master)
                .appName("usermap tests on a cluster")
                .config("spark.ui.enabled", "false")
                .config("spark.jars", jar().toString())
                .config("spark.driver.host", "127.0.0.1")
                .config("spark.driver.bindAddress", "127.0.0.1")
                .config("spark.sql.shuffle.partitions", "4")
                .config("spark.executor.memory", "512m")
                .config("spark.executor.extraJavaOptions", System.getProperty("usermap.quick.jvm.flags"))
                .config("spark.executorEnv.SPARK_HOME", home.toString());
    }

    /** The connector as it was built. */
    static Path jar() {
        Path jar = Path.of(System.getProperty("usermap.jar")).normalize();
        if (!Files.isRegularFile(jar)) {
            throw new IllegalStateException("There is no " + jar + ". Build it with mvn package first.");
        }
        return jar;
    }

    /** A folder that Spark takes for its home: the jars of this test's Spark, and nothing of ours. */
    private static Path sparkHome() {
        Path home = Path.of(System.getenv("SPARK_HOME"));
        try {
            Path jars = Files.createDirectories(home.resolve("jars"));
            Files.writeString(home.resolve("RELEASE"), "");
            for (Path jar : classPath()) {
                Path link = jars.resolve(jar.getFileName());
                if (!Files.exists(link)) {
                    Files.createSymbolicLink(link, jar);
                }
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return home;
    }

    private static List<Path> classPath() {
        String path = System.getProperty("surefire.test.class.path", System.getProperty("java.class.path"));
        return Arrays.stream(path.split(File.pathSeparator))
                .filter(entry -> entry.endsWith(".jar") && !entry.contains("usermap"))
                .map(entry -> Path.of(entry).toAbsolutePath())
                .filter(Files::isRegularFile)
                .toList();
    }
}
