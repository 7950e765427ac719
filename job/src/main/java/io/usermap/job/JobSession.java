package io.usermap.job;

import io.usermap.client.Secret;
import java.nio.file.Path;
import java.security.CodeSource;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import org.apache.spark.SparkConf;
import org.apache.spark.SparkEnv;
import org.apache.spark.deploy.SparkHadoopUtil;
import org.apache.spark.sql.SparkSession;
import org.jspecify.annotations.Nullable;

/**
 * The Spark session of a command: the one that runs already, left as it is at the end, or one of our own, stopped at the
 * end. It is joined or started when it is first asked for; what only reads small files of the ledger does without.
 */
final class JobSession implements AutoCloseable {
    private static final String COMMAND_LINE = "sun.java.command";

    private final Configuration configuration;
    private @Nullable SparkSession session;
    private boolean ours;

    private JobSession(Configuration configuration) {
        this.configuration = configuration;
    }

    /** Joins the running session, or starts one; {@code spark.*} of the configuration goes to a session that we start. */
    static JobSession open(Configuration configuration) {
        JobSession session = later(configuration);
        session.spark();
        return session;
    }

    /** As {@link #open}, but when the session is first asked for. */
    static JobSession later(Configuration configuration) {
        return new JobSession(configuration);
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
        SparkSession opened = session;
        if (opened == null) {
            SparkSession.Builder builder = SparkSession.builder();
            ours = !isRunning();
            if (ours) {
                configuration.apiKey().ifPresent(JobSession::hide);
                configuration.secretKey().ifPresent(JobSession::hide);
                options(configuration).forEach(builder::config);
            }
            opened = builder.getOrCreate();
            session = opened;
        }
        return opened;
    }

    /** How to reach filesystems: as the session has it, or would have it. */
    org.apache.hadoop.conf.Configuration hadoop() {
        if (session != null || isRunning()) {
            return spark().sparkContext().hadoopConfiguration();
        }
        SparkConf settings = new SparkConf();
        options(configuration).forEach(settings::set);
        return SparkHadoopUtil.get().newConfiguration(settings);
    }

    @Override
    public void close() {
        if (ours && session != null) {
            session.stop();
        }
    }
}
