package io.usermap.client;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.net.httpserver.HttpExchange;
import io.usermap.client.BatchSender.Result;
import java.io.IOException;
import java.time.Duration;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentSkipListSet;
import java.util.function.IntConsumer;

/** A sender, its server and its log, put together for a test. */
final class Sending implements AutoCloseable {
    final ScriptedServer server = new ScriptedServer();
    final ScriptedLine line;
    final SendTally tally = new SendTally();
    final Pacer pacer = Pacer.of("test-" + System.identityHashCode(this));
    final TreeMap<Integer, Integer> acceptedAttempt = new TreeMap<>();
    final Set<Integer> refused = new TreeSet<>();
    IntConsumer onAccepted = row -> {};
    private final BatchSender sender;

    Sending(ScriptedLine line) {
        this(line, Duration.ofSeconds(20), () -> {});
    }

    Sending(ScriptedLine line, Duration requestTimeout, BatchSender.Cancellation cancellation) {
        this.line = line;
        this.sender = new BatchSender(
                "w-0",
                UserMapClient.of(server.endpoints(), Duration.ofSeconds(5), requestTimeout),
                line,
                pacer,
                new RetrySchedule(Duration.ofMillis(1), Duration.ofMillis(5), 4),
                tally,
                cancellation);
    }

    static Batch batch(int rows) {
        return batch(0, rows);
    }

    static Batch batch(int first, int rows) {
        Batch batch = new Batch(Secret.of("key"), new IdRules(5), Math.max(1, rows), 1_000_000);
        for (int row = first; row < first + rows; row++) {
            batch.offer(Mapping.map("user-" + row, "person-" + row));
        }
        return batch;
    }

    /** Refuses every request that holds one of these rows. */
    ScriptedServer.Answer poisonedBy(int status, Integer... rows) {
        Set<Integer> poison = new ConcurrentSkipListSet<>(Set.of(rows));
        return (HttpExchange exchange, byte[] body) -> {
            boolean bad = Bodies.mappings(body).stream()
                    .anyMatch(mapping ->
                            poison.contains(Integer.valueOf(mapping.userId().substring(5))));
            ScriptedServer.status(bad ? status : 200).to(exchange, body);
        };
    }

    /** Sends and waits until everything is resolved. */
    Result send(Batch batch) throws InterruptedException {
        take(batch, 0);
        return finish();
    }

    /** Hands over a batch whose first row counts as {@code firstRow} in what is kept. */
    Result take(Batch batch, int firstRow) throws InterruptedException {
        return sender.send(batch, new SendLog() {
            @Override
            public void accepted(Batch sent, int from, int to, Exchange exchange) {
                assertThat(sent).isSameAs(batch);
                for (int row = firstRow + from; row < firstRow + to; row++) {
                    if (acceptedAttempt.put(row, exchange.attempt()) != null) {
                        throw new AssertionError("row " + row + " was accepted twice");
                    }
                    onAccepted.accept(row);
                }
            }

            @Override
            public void refused(Batch sent, int row, Exchange exchange) {
                assertThat(sent).isSameAs(batch);
                refused.add(firstRow + row);
            }
        });
    }

    Result finish() throws InterruptedException {
        return sender.finish();
    }

    void drain() {
        sender.drain(Duration.ofSeconds(10));
    }

    void closeSender() {
        sender.close();
    }

    @Override
    public void close() throws IOException {
        sender.close();
        server.close();
    }
}
