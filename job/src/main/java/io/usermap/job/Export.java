package io.usermap.job;

import java.io.BufferedWriter;
import java.io.IOException;
import java.io.OutputStreamWriter;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;

/**
 * {@code usermap export}: every mapping that the ledger knows to be in force, ordered by user id.
 *
 * <p>CSV and JSON are written row by row by the driver, whose heap holds one partition at a time; Parquet is written by
 * the executors, as a folder. Ids stand in CSV exactly as they are, so that the file can be a source again; where some
 * would be formulas in a spreadsheet, a line on standard error says so.
 */
final class Export {

    /** How the rows are written. */
    enum Format {
        /** With a header; quoted where needed, as RFC 4180 says. */
        CSV,
        /** One object a line. */
        JSON,
        /** A folder of Spark's files. */
        PARQUET
    }

    private final Format format;
    private final Optional<String> output;
    private final Console console;

    Export(Format format, Optional<String> output, Console console) {
        this.format = format;
        this.output = output;
        this.console = console;
    }

    /**
     * Makes sure, before anything is read, that there is a place to write to.
     *
     * @throws StoppedException if something stands at the output already, or Parquet has none
     */
    void requireRoom(Configuration hadoop) throws IOException {
        if (output.isEmpty()) {
            if (format == Format.PARQUET) {
                throw StoppedException.failed(
                        "Cannot export as parquet to standard output: it is a folder. Name one with --output.");
            }
            return;
        }
        Path path = new Path(output.get());
        if (path.getFileSystem(hadoop).exists(path)) {
            throw StoppedException.failed("Cannot export to " + output.get()
                    + ": something is there already. Remove it, or name another --output.");
        }
    }

    /** Writes {@code user_id, global_user_id}; blocks. */
    void write(Dataset<Row> mappings) throws IOException {
        Dataset<Row> ordered = mappings.orderBy("user_id");
        if (output.isEmpty()) {
            Writer out = new BufferedWriter(new OutputStreamWriter(console.out(), StandardCharsets.UTF_8));
            rows(ordered, out);
            out.flush();
            return;
        }
        Path path = new Path(output.get());
        FileSystem files =
                path.getFileSystem(mappings.sparkSession().sparkContext().hadoopConfiguration());
        if (format == Format.PARQUET) {
            ordered.write().parquet(output.get());
            return;
        }
        try (Writer out =
                new BufferedWriter(new OutputStreamWriter(files.create(path, false), StandardCharsets.UTF_8))) {
            rows(ordered, out);
        }
    }

    private void rows(Dataset<Row> ordered, Writer out) throws IOException {
        if (format == Format.CSV) {
            out.write("user_id,global_user_id\n");
        }
        long formulas = 0;
        for (Iterator<Row> rows = ordered.toLocalIterator(); rows.hasNext(); ) {
            Row row = rows.next();
            String user = row.getString(0);
            String global = row.getString(1);
            out.write(format == Format.CSV ? csv(user) + "," + csv(global) + "\n" : json(user, global) + "\n");
            formulas += isFormula(user) || isFormula(global) ? 1 : 0;
        }
        if (format == Format.CSV && formulas > 0) {
            console.event(Phrases.count(formulas) + " rows hold an id that a spreadsheet would take for a formula;"
                    + " import the columns as text there");
        }
    }

    private static String json(String user, String global) {
        Map<String, String> object = new LinkedHashMap<>();
        object.put("user_id", user);
        object.put("global_user_id", global);
        return Json.line(object);
    }

    /** A field of CSV; quoted where it holds a separator, a quote, a line break, or a blank at its end. */
    static String csv(String id) {
        boolean plain =
                id.chars().noneMatch(c -> c == ',' || c == '"' || c == '\n' || c == '\r') && id.equals(id.strip());
        return plain ? id : '"' + id.replace("\"", "\"\"") + '"';
    }

    private static boolean isFormula(String id) {
        return !id.isEmpty() && "=+-@\t\r".indexOf(id.charAt(0)) >= 0;
    }
}
