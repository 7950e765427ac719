package io.usermap.spark;

import io.usermap.client.Batch;
import io.usermap.client.Mapping;
import io.usermap.client.SendLog.Exchange;
import io.usermap.spark.Receipt.Outcome;
import java.io.Closeable;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * What one writer notes of its rows, where receipts are kept at all; otherwise nothing happens here.
 *
 * <p>What cannot be noted does not throw: Spark would try the partition again, which would send again what has no receipt.
 *
 * @param folder where they are kept
 * @param lost hears of each note that could not be written
 */
record WriterReceipts(Optional<ReceiptFolder> folder, Consumer<IOException> lost) implements Closeable {

    private interface Writing {
        void to(ReceiptFolder folder) throws IOException;
    }

    private void write(Writing writing) {
        if (folder.isPresent()) {
            try {
                writing.to(folder.get());
            } catch (IOException e) {
                lost.accept(e);
            }
        }
    }

    /** Looks for what other attempts had acknowledged, once this one is the only one that sends. */
    void lookThrough() throws IOException {
        if (folder.isPresent()) {
            folder.get().lookThrough();
        }
    }

    /** Takes out of {@code batch} what other attempts had an answer for, and returns it. */
    Map<Mapping, Outcome> takeSettled(Batch batch) throws IOException {
        if (folder.isEmpty() || !folder.get().hasEarlier()) {
            return Map.of();
        }
        List<Mapping> all =
                IntStream.range(0, batch.size()).mapToObj(batch::mapping).toList();
        Map<Mapping, Outcome> settled = folder.get().settled(all);
        if (!settled.isEmpty()) {
            batch.clear();
            all.stream().filter(mapping -> !settled.containsKey(mapping)).forEach(batch::offer);
        }
        return settled;
    }

    /** Notes a row that was not sent. */
    void add(Receipt receipt, String reason) {
        write(to -> to.add(receipt, reason, null, 0));
    }

    /** Notes rows {@code from} to before {@code to} of {@code sent}, which had an answer. */
    void add(Batch sent, int from, int to, Outcome outcome, @Nullable String reason, Exchange exchange) {
        write(file -> {
            for (int row = from; row < to; row++) {
                file.add(
                        Receipt.of(sent.mapping(row), outcome, exchange.at()),
                        reason,
                        exchange.id(),
                        exchange.attempt());
            }
        });
    }

    /** Makes what was noted visible: at once, or soon where requests are small and many. */
    void publish(boolean smooth) {
        write(to -> to.publish(smooth ? ReceiptFolder.Pace.SOON : ReceiptFolder.Pace.EVERY_REQUEST));
    }

    @Override
    public void close() {
        write(ReceiptFolder::close);
    }
}
