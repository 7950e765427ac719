package io.usermap.spark;

import io.usermap.client.Batch;
import io.usermap.client.Mapping;
import io.usermap.client.SendLog.Exchange;
import io.usermap.spark.Receipt.Outcome;
import java.io.Closeable;
import java.io.IOException;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * What one writer notes of its rows, where receipts are kept at all; otherwise nothing happens here.
 *
 * @param folder where they are kept
 */
record WriterReceipts(Optional<ReceiptFolder> folder) implements Closeable {

    /** Looks for what other attempts had acknowledged, once this one is the only one that sends. */
    void lookThrough() throws IOException {
        if (folder.isPresent()) {
            folder.get().lookThrough();
        }
    }

    /** Whether there is anything to compare with. */
    boolean hasEarlier() {
        return folder.isPresent() && folder.get().hasEarlier();
    }

    /** Those of {@code mappings} that need no sending. */
    Set<Mapping> acknowledged(List<Mapping> mappings) throws IOException {
        return folder.isPresent() ? folder.get().acknowledged(mappings) : Set.of();
    }

    /** Notes a row that was not sent. */
    void add(Receipt receipt, String reason) throws IOException {
        if (folder.isPresent()) {
            folder.get().add(receipt, reason, null, 0);
        }
    }

    /** Notes rows {@code from} to before {@code to} of {@code sent}, which had an answer. */
    void add(Batch sent, int from, int to, Outcome outcome, @Nullable String reason, Exchange exchange)
            throws IOException {
        if (folder.isPresent()) {
            for (int row = from; row < to; row++) {
                folder.get()
                        .add(
                                Receipt.of(sent.mapping(row), outcome, exchange.at()),
                                reason,
                                exchange.id(),
                                exchange.attempt());
            }
        }
    }

    /** Makes what was noted visible: at once, or soon where requests are small and many. */
    void publish(boolean smooth) throws IOException {
        if (folder.isPresent()) {
            folder.get().publish(smooth ? ReceiptFolder.Pace.SOON : ReceiptFolder.Pace.EVERY_REQUEST);
        }
    }

    @Override
    public void close() throws IOException {
        if (folder.isPresent()) {
            folder.get().close();
        }
    }
}
