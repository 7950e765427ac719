package io.usermap.job;

import java.io.IOException;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Predicate;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;

/**
 * What a source is written in, and how that is read so that a damaged source ends the run and never looks like a smaller
 * one.
 *
 * <p>CSV comes with a header, may hold line breaks inside quotes, and every column is text, so that ids keep their leading
 * zeros. Rows of CSV and JSON that do not parse, files with other headers than the first, and files that are missing or
 * cannot be read end the run.
 */
final class SourceFormat {
    private static final String DELTA_LOG = "_delta_log";

    /** Folders between a file and its table: one for each column by which the table is partitioned. */
    private static final int MOST_FOLDERS_UP = 8;

    private static final Pattern ICEBERG_METADATA = Pattern.compile("(v[0-9]+|[0-9]+-.*?)(\\.gz)?\\.metadata\\.json");

    /** Delta's option for the version that a change feed begins with. */
    static final String START_OF_DELTA = "startingVersion";

    private SourceFormat() {}

    /** Whether the source is a database behind JDBC. */
    static boolean isJdbc(Optional<String> format) {
        return format.filter("jdbc"::equalsIgnoreCase).isPresent();
    }

    /** Whether {@code format} names a table by something else than a path of the filesystem. */
    static boolean isNamedTable(String format, String path) {
        return format.equalsIgnoreCase("iceberg") && !path.contains("/");
    }

    /**
     * The format of what is at {@code path}: told by what tables leave beside their data, by the path's ending, and by the
     * endings of the files in it; Parquet otherwise.
     */
    static String at(FileSystem files, Path path) throws IOException {
        if (files.exists(new Path(path, DELTA_LOG))) {
            return "delta";
        }
        if (Looked.forIceberg(path).holds(files)) {
            return "iceberg";
        }
        return byEnding(path.getName())
                .or(() -> firstFile(files, path).flatMap(SourceFormat::byEnding))
                .orElse("parquet");
    }

    /**
     * A table whose files are not all in force.
     *
     * @param format delta or iceberg
     * @param path where it is
     */
    record Table(String format, Path path) {

        /** Whether {@code found} is the table itself, and not part of it. */
        boolean is(FileStatus[] found) {
            return found.length == 1 && found[0].getPath().equals(path);
        }

        String inWords(FileStatus[] found) {
            String table = "a table of " + (format.equals("delta") ? "Delta" : "Iceberg");
            return is(found) ? table : "in " + table + " (" + path.toUri().getPath() + ")";
        }
    }

    /** The first table that one of {@code found} is, or is part of, as far as we may look. */
    static Optional<Table> tableAround(FileSystem files, FileStatus[] found) {
        Set<Path> around = new LinkedHashSet<>();
        for (FileStatus status : found) {
            Path path =
                    status.isDirectory() ? status.getPath() : status.getPath().getParent();
            for (int up = 0; up <= MOST_FOLDERS_UP && path != null && around.add(path); up++) {
                path = path.getParent();
            }
        }
        return around.stream()
                .flatMap(path -> Stream.of(Looked.forDelta(path), Looked.forIceberg(path)))
                .filter(looked -> looked.holds(files))
                .map(looked -> new Table(looked.format(), looked.table()))
                .findFirst();
    }

    /** A folder that a table may have, with files that it then has. */
    private record Looked(String format, Path table, Path folder, Predicate<String> file) {
        static Looked forDelta(Path table) {
            return new Looked("delta", table, new Path(table, DELTA_LOG), name -> name.endsWith(".json"));
        }

        static Looked forIceberg(Path table) {
            return new Looked("iceberg", table, new Path(table, "metadata"), ICEBERG_METADATA.asMatchPredicate());
        }

        boolean holds(FileSystem files) {
            try {
                return Arrays.stream(files.listStatus(folder))
                        .anyMatch(found -> file.test(found.getPath().getName()));
            } catch (IOException e) {
                // It is not there, or is nothing that we may look into, as folders above a bucket's prefix.
                return false;
            }
        }
    }

    private static Optional<String> firstFile(FileSystem files, Path path) {
        try {
            FileStatus[] found = files.globStatus(path);
            Path first = found == null || found.length == 0 ? path : found[0].getPath();
            return Arrays.stream(files.listStatus(first))
                    .filter(FileStatus::isFile)
                    .map(file -> file.getPath().getName())
                    .filter(name -> !name.startsWith("_") && !name.startsWith("."))
                    .sorted()
                    .findFirst();
        } catch (IOException e) {
            // Spark will say what is wrong with the path when it reads it.
            return Optional.empty();
        }
    }

    private static Optional<String> byEnding(String name) {
        String lower = name.toLowerCase(Locale.ROOT).replaceAll("\\.(gz|bz2|zst)$", "");
        if (lower.endsWith(".csv")) {
            return Optional.of("csv");
        }
        if (lower.endsWith(".json") || lower.endsWith(".jsonl") || lower.endsWith(".ndjson")) {
            return Optional.of("json");
        }
        return lower.endsWith(".orc") ? Optional.of("orc") : Optional.empty();
    }

    /** The options with which we read {@code format}, before those of the configuration. */
    static Map<String, String> options(String format) {
        Map<String, String> options = new HashMap<>();
        switch (format.toLowerCase(Locale.ROOT)) {
            case "csv" -> {
                options.put("header", "true");
                options.put("multiLine", "true");
                options.put("escape", "\"");
                options.put("mode", "FAILFAST");
                // Otherwise a file with its columns in another order is read by their places.
                options.put("enforceSchema", "false");
            }
            case "json" -> options.put("mode", "FAILFAST");
            default -> {}
        }
        switch (format.toLowerCase(Locale.ROOT)) {
            case "csv", "json", "orc", "parquet", "avro" -> {
                options.put("ignoreCorruptFiles", "false");
                options.put("ignoreMissingFiles", "false");
            }
            default -> {}
        }
        return options;
    }

    /** The options that make a table's reader give its changes from {@code version} on. */
    static Map<String, String> changesFrom(String format, long version) {
        return format.equalsIgnoreCase("iceberg")
                ? Map.of("start-snapshot-id", Long.toString(version))
                : Map.of("readChangeFeed", "true", START_OF_DELTA, Long.toString(version));
    }
}
