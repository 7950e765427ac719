package io.usermap.job;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.TreeMap;
import java.util.regex.Pattern;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;

/**
 * Tells two sources apart without reading their rows: a hash of what is configured, the columns, and the files.
 *
 * <p>Of up to 100 files, sizes and times count as well as names; of more, names, which Spark never uses twice. A source
 * without files, such as a database, is told by its configuration and columns only. Nothing of the source can be read from
 * it.
 */
final class Fingerprint {
    private static final int MOST_FILES_TO_LOOK_AT = 100;

    /** Options that a hash must not be made of either. */
    private static final Pattern SECRET = Pattern.compile("(?i)password|secret|token|key|credential");

    private Fingerprint() {}

    /** The fingerprint of {@code source}; asks the filesystem for its files, and blocks meanwhile. */
    static String of(Dataset<Row> source, Configuration configuration) {
        MessageDigest hash = sha256();
        Keys.DECLARED.stream()
                .filter(key -> key.key().startsWith("source.") || key.key().startsWith("election."))
                .forEach(key -> add(
                        hash,
                        key.key()
                                + configuration
                                        .optional(key)
                                        .map(Object::toString)
                                        .orElse("")));
        new TreeMap<>(configuration.sourceOptions()).forEach((option, value) -> {
            if (!SECRET.matcher(option).find()) {
                // An address may end with a password.
                add(hash, option + value.replaceFirst("[?;].*", ""));
            }
        });
        add(hash, source.schema().json());
        String[] files = source.inputFiles();
        Arrays.sort(files);
        for (String file : files) {
            add(hash, file);
            if (files.length <= MOST_FILES_TO_LOOK_AT) {
                add(hash, sizeAndTime(file, source));
            }
        }
        return HexFormat.of().formatHex(hash.digest()).substring(0, 16);
    }

    private static String sizeAndTime(String file, Dataset<Row> source) {
        try {
            // Spark writes addresses as URIs, with blanks and the like escaped.
            Path path = new Path(java.net.URI.create(file));
            FileStatus status = path.getFileSystem(
                            source.sparkSession().sparkContext().hadoopConfiguration())
                    .getFileStatus(path);
            return status.getLen() + "@" + status.getModificationTime();
        } catch (IOException | IllegalArgumentException e) {
            // Some sources name things that are no files; their names count.
            return "";
        }
    }

    private static void add(MessageDigest hash, String part) {
        hash.update(part.getBytes(StandardCharsets.UTF_8));
        hash.update((byte) 0);
    }

    private static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError("every Java platform has SHA-256", e);
        }
    }
}
