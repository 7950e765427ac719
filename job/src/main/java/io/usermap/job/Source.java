package io.usermap.job;

import java.io.IOException;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;

/**
 * What the configuration names as the source, as a frame; nothing is read before the frame is used.
 *
 * <p>CSV comes with a header, may hold line breaks inside quotes, and every column is text, so that ids keep their leading
 * zeros. Rows of CSV and JSON that do not parse end the run rather than turn into nulls. {@code source.options} overrides
 * all of this.
 */
final class Source {
    private static final String VIEW = "source";

    private Source() {}

    /**
     * The rows that the plan is made of, {@code source.sql} applied.
     *
     * @throws StoppedException if the source is not there, or Spark cannot make sense of it
     */
    static Dataset<Row> load(SparkSession spark, Configuration configuration) {
        Dataset<Row> loaded;
        Optional<String> path = configuration.optional(Keys.SOURCE_PATH);
        if (path.isPresent()) {
            loaded = read(spark, configuration, path.get());
        } else if (configuration.optional(Keys.SOURCE_TABLE).isPresent()) {
            String table = configuration.optional(Keys.SOURCE_TABLE).get();
            loaded = analysed("read the table " + table + " ('source.table')", () -> spark.table(table));
        } else {
            loaded = analysed(
                    "run 'source.query'",
                    () -> spark.sql(configuration
                            .optional(Keys.SOURCE_QUERY)
                            .orElseThrow(() -> new IllegalStateException("no source was checked for"))));
        }
        return configuration
                .optional(Keys.SOURCE_SQL)
                .map(sql -> query(spark, loaded, sql))
                .orElse(loaded);
    }

    private static Dataset<Row> read(SparkSession spark, Configuration configuration, String path) {
        requireThere(spark, path);
        String format = configuration.optional(Keys.SOURCE_FORMAT).orElseGet(() -> formatOf(path));
        Map<String, String> options = new HashMap<>();
        switch (format.toLowerCase(Locale.ROOT)) {
            case "csv" -> {
                options.put("header", "true");
                options.put("multiLine", "true");
                options.put("escape", "\"");
                options.put("mode", "FAILFAST");
            }
            case "json" -> options.put("mode", "FAILFAST");
            default -> {}
        }
        options.putAll(configuration.sourceOptions());
        return analysed(
                "read the source " + path + " as " + format,
                () -> spark.read().format(format).options(options).load(path));
    }

    private static void requireThere(SparkSession spark, String path) {
        try {
            Path pattern = new Path(path);
            FileStatus[] found = pattern.getFileSystem(spark.sparkContext().hadoopConfiguration())
                    .globStatus(pattern);
            if (found == null || found.length == 0) {
                throw StoppedException.failed(
                        "Cannot read the source " + path
                                + ": there is no such path. Set 'source.path'; a relative one starts at the working directory.");
            }
        } catch (IOException | IllegalArgumentException e) {
            throw StoppedException.failed(
                    "Cannot read the source " + path + ": its filesystem does not answer (" + firstLine(e)
                            + "). Check 'source.path' and access to it.",
                    e);
        }
    }

    private static String formatOf(String path) {
        String lower = path.toLowerCase(Locale.ROOT).replaceAll("\\.(gz|bz2|zst)$", "");
        if (lower.endsWith(".csv")) {
            return "csv";
        }
        return lower.endsWith(".json") || lower.endsWith(".jsonl") ? "json" : "parquet";
    }

    private static Dataset<Row> query(SparkSession spark, Dataset<Row> loaded, String sql) {
        analysed("name the source for 'source.sql'", () -> {
            loaded.createTempView(VIEW);
            return loaded;
        });
        try {
            return analysed("run 'source.sql'", () -> spark.sql(sql));
        } finally {
            // The analysed query keeps what the name stood for; the session, which may be somebody's notebook, does
            // not.
            spark.catalog().dropTempView(VIEW);
        }
    }

    private interface Analysis {
        // Spark's AnalysisException is checked for Java and declared by some methods only.
        Dataset<Row> frame() throws Exception;
    }

    private static Dataset<Row> analysed(String what, Analysis analysis) {
        try {
            return analysis.frame();
        } catch (Exception e) {
            throw StoppedException.failed(
                    "Cannot " + what + ": " + firstLine(e) + " Check the keys 'source.*'; --stacktrace tells more.", e);
        }
    }

    /** The first line of what went wrong, ended by a full stop. */
    static String firstLine(Throwable e) {
        String message = Optional.ofNullable(e.getMessage()).orElse(e.getClass().getSimpleName());
        String line = message.lines().findFirst().orElse("").strip();
        return line.endsWith(".") ? line : line + ".";
    }
}
