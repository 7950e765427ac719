package io.usermap.job;

import io.usermap.client.Secret;
import java.nio.file.Path;
import java.security.CodeSource;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import org.apache.spark.SparkEnv;
import org.apache.spark.sql.SparkSession;

/**
 * The Spark session of a command: the one that runs already, left as it is at the end, or one of our own, stopped at the
 * end.
 */
final class JobSession implements AutoCloseable {
    private static final String COMMAND_LINE = "sun.java.command";

    private final SparkSession session;
    private final boolean ours;

    private JobSession(SparkSession session, boolean ours) {
        this.session = session;
        this.ours = ours;
    }

    /** Joins the running session, or starts one; {@code spark.*} of the configuration goes to a session that we start. */
    static JobSession open(Configuration configuration) {
        if (isRunning()) {
            return new JobSession(SparkSession.builder().getOrCreate(), false);
        }
        configuration.apiKey().ifPresent(JobSession::hide);
        configuration.secretKey().ifPresent(JobSession::hide);
        SparkSession.Builder builder = SparkSession.builder();
        options(configuration).forEach(builder::config);
        return new JobSession(builder.getOrCreate(), true);
    }

    /** Spark puts the command line, as the JVM tells it, into its environment page and event log; {@code --set} is in it. */
    private static void hide(Secret key) {
        String line = System.getProperty(COMMAND_LINE, "");
        if (line.contains(key.reveal())) {
            System.setProperty(COMMAND_LINE, line.replace(key.reveal(), key.toString()));
        }
    }

    private static Map<String, String> options(Configuration configuration) {
        String master = master(configuration);
        Map<String, String> options = new HashMap<>();
        options.put("spark.app.name", System.getProperty("spark.app.name", "usermap"));
        options.put("spark.master", master);
        options.put("spark.ui.showConsoleProgress", "false");
        if (isLocal(master)) {
            options.put("spark.sql.shuffle.partitions", System.getProperty("spark.sql.shuffle.partitions", "16"));
            options.put("spark.ui.enabled", System.getProperty("spark.ui.enabled", "false"));
        } else if (System.getProperty("spark.jars", "").isEmpty()) {
            ourJar().ifPresent(jar -> options.put("spark.jars", jar.toString()));
        }
        options.putAll(configuration.sparkOptions());
        return options;
    }

    /** The master that a session of this configuration has or would have. */
    static String master(Configuration configuration) {
        if (isRunning()) {
            return SparkSession.builder().getOrCreate().sparkContext().master();
        }
        return Optional.ofNullable(configuration.sparkOptions().get("spark.master"))
                .orElseGet(() -> System.getProperty("spark.master", "local[*]"));
    }

    /** Whether tasks run in this process. */
    static boolean isLocal(String master) {
        return master.equals("local") || master.startsWith("local[");
    }

    private static boolean isRunning() {
        return SparkEnv.get() != null;
    }

    private static Optional<Path> ourJar() {
        CodeSource source = JobSession.class.getProtectionDomain().getCodeSource();
        return Optional.ofNullable(source)
                .map(CodeSource::getLocation)
                .map(url -> Path.of(java.net.URI.create(url.toString())))
                .filter(path -> path.toString().endsWith(".jar"));
    }

    /** The session itself. */
    SparkSession spark() {
        return session;
    }

    @Override
    public void close() {
        if (ours) {
            session.stop();
        }
    }
}
