package io.usermap.job;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.spark.SparkException;
import org.apache.spark.sql.DataFrameReader;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;

/**
 * What the configuration names as the source, as a frame; nothing is read before the frame is used.
 *
 * <p>{@link SourceFormat} tells how each format is read; {@code source.options} overrides it. Options may hold a password
 * of a database: none of them is ever part of a message.
 */
final class Source {
    private static final String VIEW = "source";

    /** How Delta refuses to begin with a version that is not there yet. */
    private static final Pattern NEWEST_OF_DELTA =
            Pattern.compile("cannot be greater than the latest version of the table\\s*\\(?(\\d+)");

    private Source() {}

    /**
     * The rows that the plan is made of, {@code source.sql} applied.
     *
     * @throws StoppedException if the source is not there, or Spark cannot make sense of it
     */
    static Dataset<Row> load(SparkSession spark, Configuration configuration) {
        Dataset<Row> loaded = loaded(spark, configuration);
        return configuration
                .optional(Keys.SOURCE_SQL)
                .map(sql -> query(spark, loaded, sql))
                .orElse(loaded);
    }

    private static Dataset<Row> loaded(SparkSession spark, Configuration configuration) {
        Optional<String> format = configuration.optional(Keys.SOURCE_FORMAT);
        Optional<String> path = configuration.optional(Keys.SOURCE_PATH);
        if (path.isPresent()) {
            return read(spark, configuration, path.get());
        }
        if (SourceFormat.isJdbc(format)) {
            return database(spark, configuration);
        }
        Optional<String> table = configuration.optional(Keys.SOURCE_TABLE);
        if (table.isPresent()) {
            Map<String, String> changes =
                    changes(configuration, table.get().endsWith(".changes") ? "iceberg" : "delta");
            return analysed(
                    "read the table " + table.get() + " ('source.table')",
                    () -> loaded(
                            () -> spark.read().options(changes).options(configuration.sourceOptions()),
                            changes,
                            reader -> reader.table(table.get())));
        }
        Optional<String> query = configuration.optional(Keys.SOURCE_QUERY);
        if (query.isPresent()) {
            return analysed("run 'source.query'", () -> spark.sql(query.get()));
        }
        String named = format.orElseThrow(() -> new IllegalStateException("no source was checked for"));
        return analysed(
                "read the source as " + named,
                () -> spark.read()
                        .format(named)
                        .options(configuration.sourceOptions())
                        .load());
    }

    private static Dataset<Row> read(SparkSession spark, Configuration configuration, String path) {
        Optional<String> named = configuration.optional(Keys.SOURCE_FORMAT);
        boolean inCatalog =
                named.filter(format -> SourceFormat.isNamedTable(format, path)).isPresent();
        String format = inCatalog ? named.orElseThrow() : formatAt(spark, path, named);
        Map<String, String> options = new HashMap<>(SourceFormat.options(format));
        Map<String, String> changes = changes(configuration, format);
        options.putAll(changes);
        options.putAll(configuration.sourceOptions());
        String table = format.equalsIgnoreCase("iceberg") && !changes.isEmpty()
                ? path + (inCatalog ? ".changes" : "#changes")
                : path;
        return analysed(
                "read the source " + path + " as " + format,
                () -> loaded(
                        () -> spark.read().format(format).options(options), changes, reader -> reader.load(table)));
    }

    /**
     * What {@code load} makes of a reader. A feed of Delta that is to begin with the version after the newest one is empty:
     * so far there are no changes in it.
     */
    private static Dataset<Row> loaded(
            Supplier<DataFrameReader> reader, Map<String, String> changes, Function<DataFrameReader, Dataset<Row>> load)
            throws Exception {
        try {
            return load.apply(reader.get());
        } catch (Exception e) { // Spark's are checked for Java
            Matcher newest = NEWEST_OF_DELTA.matcher(String.valueOf(e.getMessage()));
            long version = newest.find() ? Long.parseLong(newest.group(1)) : -1;
            if (!Long.toString(version + 1).equals(changes.get(SourceFormat.START_OF_DELTA)) || version < 0) {
                throw e;
            }
            return load.apply(reader.get().option(SourceFormat.START_OF_DELTA, version))
                    .limit(0);
        }
    }

    private static Map<String, String> changes(Configuration configuration, String format) {
        return configuration
                .optional(Keys.START_VERSION)
                .map(version -> SourceFormat.changesFrom(format, version))
                .orElse(Map.of());
    }

    private static Dataset<Row> database(SparkSession spark, Configuration configuration) {
        Map<String, String> options = new HashMap<>(configuration.sourceOptions());
        configuration.optional(Keys.SOURCE_TABLE).ifPresent(table -> options.put("dbtable", table));
        configuration.optional(Keys.SOURCE_QUERY).ifPresent(query -> options.put("query", query));
        return analysed(
                "read the database of 'source.options.url'",
                () -> spark.read().format("jdbc").options(options).load());
    }

    private static String formatAt(SparkSession spark, String path, Optional<String> named) {
        try {
            Path pattern = new Path(path);
            FileSystem files = pattern.getFileSystem(spark.sparkContext().hadoopConfiguration());
            FileStatus[] found = files.globStatus(pattern);
            if (found == null || found.length == 0) {
                throw StoppedException.failed(
                        "Cannot read the source " + path
                                + ": there is no such path. Set 'source.path'; a relative one starts at the working directory.");
            }
            String format = named.isPresent() ? named.get() : SourceFormat.at(files, pattern);
            if (format.equalsIgnoreCase("parquet")) {
                Optional<SourceFormat.Table> table = SourceFormat.tableAround(files, found);
                if (table.isPresent()) {
                    throw StoppedException.failed("Cannot read the source " + path + " as parquet: it is "
                            + table.get().inWords(found) + ", which keeps files that are no longer in force. Set"
                            + " 'source.format' to " + table.get().format()
                            + (table.get().is(found)
                                    ? "."
                                    : ", 'source.path' to the table, and choose in 'source.sql'."));
                }
            }
            return format;
        } catch (IOException | IllegalArgumentException e) {
            throw StoppedException.failed(
                    "Cannot read the source " + path + ": its filesystem does not answer (" + firstLine(e)
                            + "). Check 'source.path' and access to it.",
                    e);
        }
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
                    "Cannot " + what + ": " + (e instanceof SparkException ? rootLine(e) : firstLine(e))
                            + " Check the keys 'source.*'; --stacktrace tells more.",
                    e);
        }
    }

    /** Steps that read the source. */
    interface Reading<T> {
        T result() throws Exception;
    }

    /**
     * What {@code reading} finds, if it could read all of the source.
     *
     * @throws StoppedException if the source breaks off: what was read of it until then is no smaller source
     */
    static <T> T toItsEnd(Reading<T> reading) {
        try {
            return reading.result();
        } catch (StoppedException e) {
            throw e;
        } catch (Exception e) {
            // Spark throws checked exceptions that its methods do not declare.
            throw StoppedException.failed(
                    ofTheLedger(e)
                            .orElseGet(() -> "Cannot read the source to its end: " + rootLine(e)
                                    + " Nothing was planned; --stacktrace tells more."),
                    e);
        }
    }

    /** What was said of a file of the ledger that could not be read: then the source is not to blame. */
    private static Optional<String> ofTheLedger(Throwable e) {
        for (Throwable cause = e; cause != null; cause = cause.getCause()) {
            if (cause instanceof UncheckedIOException && firstLine(cause).startsWith("Cannot ")) {
                return Optional.of(firstLine(cause));
            }
        }
        return Optional.empty();
    }

    /** The first line of what was at the bottom of what went wrong. */
    static String rootLine(Throwable e) {
        Throwable root = e;
        while (root.getCause() != null && root.getCause() != root) {
            root = root.getCause();
        }
        return firstLine(root);
    }

    /** The first line of what went wrong, ended by a full stop. */
    static String firstLine(Throwable e) {
        String message = Optional.ofNullable(e.getMessage()).orElse(e.getClass().getSimpleName());
        // What tasks threw comes with the class in front, and one may wrap another.
        String line = message.lines()
                .findFirst()
                .orElse("")
                .replaceFirst("^.*Exception: (?=.)", "")
                .strip();
        return line.endsWith(".") ? line : line + ".";
    }
}
