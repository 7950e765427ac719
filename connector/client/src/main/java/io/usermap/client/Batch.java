package io.usermap.client;

import java.net.http.HttpRequest.BodyPublisher;
import java.net.http.HttpRequest.BodyPublishers;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/**
 * Mappings on their way out, bounded by rows and by encoded bytes, encoded as they are added.
 *
 * <p>The API takes 2,000 mappings and 1 MB a request; whether it counts the body decoded or encoded is unknown, so the
 * encoded body counts, key and field names included. Two UUIDs take about 135 bytes, so 2,000 of them are 0.27 MB; of ids
 * with 1,024 characters about 470 rows fit. Any run of rows of a batch can be sent as a request of its own without
 * encoding it again. Reused by its writer, so a writer's memory is one batch. Not thread-safe.
 */
public final class Batch {
    private static final int MOST_ROWS = 2_000;
    private static final byte[] SEPARATOR = FormEncoder.encoded(",");
    private static final byte[] CLOSE = FormEncoder.encoded("]");

    private final FormEncoder encoder = new FormEncoder();
    private final List<Mapping> mappings = new ArrayList<>();
    private final int[] starts;
    private final byte[] prefix;
    private final byte[] suffix;
    private final int maxRows;
    private final int maxBytes;

    /** What became of a mapping that was offered. */
    public enum Offer {
        /** It is in the batch. */
        ADDED,
        /** It fits only into the next batch. */
        FULL,
        /** It fits into no request at all. */
        TOO_LARGE
    }

    /**
     * An empty batch.
     *
     * @param apiKey the key that every request carries
     * @param idRules whose minimum length travels along where it is not the service's own
     * @param maxRows the most mappings, from 1 to 2,000
     * @param maxBytes the most bytes of an encoded body
     */
    public Batch(Secret apiKey, IdRules idRules, int maxRows, int maxBytes) {
        if (maxRows < 1 || maxRows > MOST_ROWS) {
            throw new IllegalArgumentException("Cannot gather batches of " + maxRows + " rows: a request takes 1 to "
                    + MOST_ROWS + ". Choose a number between.");
        }
        this.maxRows = maxRows;
        this.maxBytes = maxBytes;
        this.starts = new int[maxRows + 1];
        this.prefix = concat(
                "api_key=".getBytes(StandardCharsets.US_ASCII),
                FormEncoder.encoded(apiKey.reveal()),
                "&mapping=".getBytes(StandardCharsets.US_ASCII),
                FormEncoder.encoded("["));
        this.suffix = idRules.minIdLength() == IdRules.DEFAULT_MIN_ID_LENGTH
                ? CLOSE
                : concat(
                        CLOSE,
                        "&options=".getBytes(StandardCharsets.US_ASCII),
                        FormEncoder.encoded("{\"min_id_length\":" + idRules.minIdLength() + "}"));
    }

    /** Adds {@code mapping} if it fits. */
    public Offer offer(Mapping mapping) {
        int row = mappings.size();
        if (row == maxRows) {
            return Offer.FULL;
        }
        int start = encoder.length();
        encoder.append(mapping);
        // Without the separator behind the last row, which a request never carries.
        if (prefix.length + encoder.length() + suffix.length > maxBytes) {
            encoder.truncate(start);
            return row == 0 ? Offer.TOO_LARGE : Offer.FULL;
        }
        encoder.raw(SEPARATOR);
        mappings.add(mapping);
        starts[row + 1] = encoder.length();
        return Offer.ADDED;
    }

    /** How many mappings there are. */
    public int size() {
        return mappings.size();
    }

    /** The mapping of row {@code row}, from 0. */
    public Mapping mapping(int row) {
        return mappings.get(row);
    }

    /** The length of the body that holds rows {@code from} to before {@code to}, in bytes. */
    public int encodedBytes(int from, int to) {
        return prefix.length + starts[to] - starts[from] - SEPARATOR.length + suffix.length;
    }

    /** The request body with rows {@code from} to before {@code to}; valid until {@link #clear()}. */
    public BodyPublisher body(int from, int to) {
        int length = starts[to] - starts[from] - SEPARATOR.length;
        return BodyPublishers.concat(
                BodyPublishers.ofByteArray(prefix),
                BodyPublishers.ofByteArray(encoder.buffer(), starts[from], length),
                BodyPublishers.ofByteArray(suffix));
    }

    /** Forgets all mappings and keeps the memory. */
    public void clear() {
        mappings.clear();
        encoder.truncate(0);
    }

    private static byte[] concat(byte[]... parts) {
        FormEncoder joined = new FormEncoder();
        for (byte[] part : parts) {
            joined.raw(part);
        }
        return java.util.Arrays.copyOf(joined.buffer(), joined.length());
    }
}
