package io.usermap.spark;

import io.usermap.client.LookupClient;
import io.usermap.client.UserLinks;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import java.util.Objects;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.connector.metric.CustomTaskMetric;
import org.apache.spark.sql.connector.read.PartitionReader;
import org.jspecify.annotations.Nullable;

/** Looks the ids of one partition up; runs in a task on an executor, in its thread, and blocks for the rate and answers. */
final class UserMapPartitionReader implements PartitionReader<InternalRow> {
    private final LookupClient client;
    private final Iterator<UserLinks> links;
    private final LookupRows form;
    private Iterator<InternalRow> rows = Collections.emptyIterator();
    private @Nullable InternalRow row;
    private long lookedUp;

    /** Closes {@code client} at its end. */
    UserMapPartitionReader(LookupClient client, Iterator<String> userIds, LookupRows form) {
        this.client = client;
        this.links = client.lookup(userIds);
        this.form = form;
    }

    @Override
    public boolean next() {
        while (!rows.hasNext()) {
            if (!links.hasNext()) {
                return false;
            }
            List<InternalRow> next = form.internal(links.next());
            lookedUp++;
            rows = next.iterator();
        }
        row = rows.next();
        return true;
    }

    @Override
    public InternalRow get() {
        return Objects.requireNonNull(row);
    }

    @Override
    public CustomTaskMetric[] currentMetricsValues() {
        return UserMapMetrics.ofRead(lookedUp, client.requests(), client.throttled());
    }

    @Override
    public void close() {
        client.close();
    }
}
