package io.usermap.client;

import java.io.Serial;
import java.io.Serializable;
import java.time.Duration;

/**
 * How mappings are read: how fast, how many requests at a time, and how long each may take.
 *
 * @param encoding how the ids travel
 * @param perSecond requests a second, above 0
 * @param firstAfter how long the first request waits, so that readers that start together do not ask together
 * @param concurrency requests at a time, at least 1
 * @param connectTimeout the longest wait for a connection
 * @param requestTimeout the longest wait for a whole response
 * @param retries when a request without an answer is sent again; its cap is the pause after a 429 that names none
 */
public record LookupRules(
        LookupEncoding encoding,
        double perSecond,
        Duration firstAfter,
        int concurrency,
        Duration connectTimeout,
        Duration requestTimeout,
        RetrySchedule retries)
        implements Serializable {
    @Serial
    private static final long serialVersionUID = 1L;

    /**
     * The rules of reader {@code index} of {@code readers} that share these: all of them together keep to the rate and, if
     * they are no more than {@link #concurrency}, to that. Of two readers at 0.1 a second, the first asks at 0 s, 20 s,
     * 40 s, the second at 10 s, 30 s, 50 s.
     */
    public LookupRules part(int index, int readers) {
        return new LookupRules(
                encoding,
                perSecond / readers,
                firstAfter.plusNanos((long) (index * 1e9 / perSecond)),
                Math.max(1, concurrency / readers),
                connectTimeout,
                requestTimeout,
                retries);
    }

    /** How long so many ids take at least: 1,000 ids at 0.1 requests a second 90 s. */
    public Duration leastTime(long ids) {
        return leastTime(ids, 1);
    }

    /** How long so many ids take where {@code readers} share them, each of whose last requests may not be full. */
    public Duration leastTime(long ids, long readers) {
        long last = Math.max(1, Math.min(ids, readers));
        long requests = (ids + last * (LookupClient.IDS_PER_REQUEST - 1)) / LookupClient.IDS_PER_REQUEST;
        return Duration.ofMillis((long) (Math.max(0, requests - 1) * 1000 / perSecond));
    }
}
