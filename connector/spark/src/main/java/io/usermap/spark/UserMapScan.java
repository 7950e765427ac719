package io.usermap.spark;

import io.usermap.client.Endpoints;
import io.usermap.client.LookupClient;
import io.usermap.client.LookupRules;
import io.usermap.client.Secret;
import java.io.Serial;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.connector.metric.CustomMetric;
import org.apache.spark.sql.connector.read.Batch;
import org.apache.spark.sql.connector.read.InputPartition;
import org.apache.spark.sql.connector.read.PartitionReader;
import org.apache.spark.sql.connector.read.PartitionReaderFactory;
import org.apache.spark.sql.connector.read.Scan;
import org.apache.spark.sql.connector.read.ScanBuilder;
import org.apache.spark.sql.connector.read.SupportsPushDownFilters;
import org.apache.spark.sql.sources.Filter;
import org.apache.spark.sql.types.StructType;

/**
 * A read of given ids: on the driver it is worked out which, executors ask for them.
 *
 * <p>Partitions are as few as requests, {@code lookupConcurrency} and the session's parallelism allow, and share the rate.
 * Keys are resolved when the read begins, not when it is planned.
 */
final class UserMapScan implements Scan, Batch {
    private final UserMapOptions options;
    private final LookupRows rows;
    private final ServiceKeys.PlainKeys plainKeys;
    private final Optional<List<String>> userIds;

    private UserMapScan(
            UserMapOptions options, LookupRows rows, ServiceKeys.PlainKeys plainKeys, Optional<List<String>> userIds) {
        this.options = options;
        this.rows = rows;
        this.plainKeys = plainKeys;
        this.userIds = userIds;
    }

    /** Takes the conditions of a query; Spark checks every row against them all the same. */
    static final class Builder implements ScanBuilder, SupportsPushDownFilters {
        private final UserMapOptions options;
        private final LookupRows rows;
        private final ServiceKeys.PlainKeys plainKeys;
        private Filter[] pushed = {};

        Builder(UserMapOptions options, LookupRows rows, ServiceKeys.PlainKeys plainKeys) {
            this.options = options;
            this.rows = rows;
            this.plainKeys = plainKeys;
        }

        @Override
        public Filter[] pushFilters(Filter[] filters) {
            pushed = java.util.Arrays.stream(filters)
                    .filter(filter -> LookupIds.named(filter).isPresent())
                    .toArray(Filter[]::new);
            return filters;
        }

        @Override
        public Filter[] pushedFilters() {
            return pushed;
        }

        @Override
        public Scan build() {
            Optional<Set<String>> ids = options.userIds().map(LinkedHashSet::new);
            for (Filter filter : pushed) {
                ids = LookupIds.both(ids, LookupIds.named(filter));
            }
            return new UserMapScan(options, rows, plainKeys, ids.map(List::copyOf));
        }
    }

    @Override
    public StructType readSchema() {
        return rows.schema();
    }

    /** Without ids, which Spark would show in plans and logs. */
    @Override
    public String description() {
        return UserMapSource.NAME + " " + options.endpoints().lookup()
                + userIds.map(ids -> ", " + ids.size() + " ids").orElse(", no ids");
    }

    @Override
    public Batch toBatch() {
        return this;
    }

    @Override
    public CustomMetric[] supportedCustomMetrics() {
        return UserMapMetrics.ofReads();
    }

    @Override
    public InputPartition[] planInputPartitions() {
        if (userIds.isEmpty()) {
            // Fails where it is read, so that what only plans a scan may do so.
            return new InputPartition[] {new Partition(new ArrayList<>(), 0, 1)};
        }
        List<String> ids = userIds.get();
        int requests = (ids.size() + LookupClient.IDS_PER_REQUEST - 1) / LookupClient.IDS_PER_REQUEST;
        int readers = UserMapLookup.readers(options.lookupRules(), SparkSession.active());
        int partitions = Math.min(requests, readers);
        InputPartition[] planned = new InputPartition[partitions];
        for (int i = 0; i < partitions; i++) {
            int from = requests * i / partitions * LookupClient.IDS_PER_REQUEST;
            int to = Math.min(ids.size(), requests * (i + 1) / partitions * LookupClient.IDS_PER_REQUEST);
            planned[i] = new Partition(new ArrayList<>(ids.subList(from, to)), i, partitions);
        }
        return planned;
    }

    @Override
    public PartitionReaderFactory createReaderFactory() {
        return new Readers(
                rows, userIds.isEmpty() ? Optional.empty() : Optional.of(LookupConnection.of(options, plainKeys)));
    }

    @Override
    public String toString() {
        return description();
    }

    /** The ids of one partition. */
    private record Partition(ArrayList<String> userIds, int index, int of) implements InputPartition {
        @Override
        public String toString() {
            return "partition " + index + " of " + of + ", " + userIds.size() + " ids";
        }
    }

    /** Makes readers on executors. */
    private static final class Readers implements PartitionReaderFactory {
        @Serial
        private static final long serialVersionUID = 1L;

        private final LookupRows rows;
        // Not optional in form, because it is serialised.
        private final LookupConnection[] connection;

        Readers(LookupRows rows, Optional<LookupConnection> connection) {
            this.rows = rows;
            this.connection = connection.stream().toArray(LookupConnection[]::new);
        }

        @Override
        public PartitionReader<InternalRow> createReader(InputPartition partition) {
            if (connection.length == 0) {
                throw new UnsupportedOperationException("Cannot read mappings without ids: the service cannot list what"
                        + " it holds. Name them with WHERE user_id = '...' or user_id IN ('...'), or with option"
                        + " 'userIds'; for a table of ids use UserMapLookup.on(options).lookup(dataset, \"user_id\").");
            }
            Partition part = (Partition) partition;
            return new UserMapPartitionReader(
                    connection[0].open(part.index(), part.of()), part.userIds().iterator(), rows);
        }
    }

    /**
     * All that executors need to read: travels inside the task, where no log and no plan shows it.
     *
     * @param endpoints where to ask
     * @param apiKey the key itself
     * @param secretKey the key itself
     * @param rules of the read as a whole
     */
    record LookupConnection(Endpoints endpoints, Secret apiKey, Secret secretKey, LookupRules rules)
            implements Serializable {

        /** Resolves the keys; driver only. */
        static LookupConnection of(UserMapOptions options, ServiceKeys.PlainKeys plainKeys) {
            return new LookupConnection(
                    options.endpoints(),
                    ServiceKeys.resolve(UserMapOptions.API_KEY.key(), options.apiKeyText(), plainKeys),
                    ServiceKeys.resolve(UserMapOptions.SECRET_KEY.key(), options.secretKeyText(), plainKeys),
                    options.lookupRules());
        }

        /** A client for reader {@code index} of {@code readers}; ends its waits when the task is cancelled. */
        LookupClient open(int index, int readers) {
            return LookupClient.of(
                    endpoints, apiKey, secretKey, rules.part(index, readers), UserMapDataWriter::checkTask);
        }
    }
}
