package io.usermap.spark;

import io.usermap.client.Secret;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Supplier;
import org.apache.spark.rpc.RpcEnv;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.connector.catalog.SupportsRead;
import org.apache.spark.sql.connector.catalog.SupportsWrite;
import org.apache.spark.sql.connector.catalog.TableCapability;
import org.apache.spark.sql.connector.read.ScanBuilder;
import org.apache.spark.sql.connector.write.LogicalWriteInfo;
import org.apache.spark.sql.connector.write.Write;
import org.apache.spark.sql.connector.write.WriteBuilder;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.sql.util.CaseInsensitiveStringMap;

/** The mappings of an organisation as a table: rows are appended, and those of given ids are read; driver only. */
final class UserMapTable implements SupportsRead, SupportsWrite {

    /** What a table is for. */
    enum Kind {
        /** The data source: mappings are written, links are read. */
        SOURCE(LookupRows.LINKS),
        /** Table {@code usermap} of the catalog: mappings are written and read. */
        USERMAP(LookupRows.MAPPINGS),
        /** Table {@code lookup} of the catalog: links are read. */
        LOOKUP(LookupRows.LINKS);

        final LookupRows rows;

        Kind(LookupRows rows) {
            this.rows = rows;
        }
    }

    private final String name;
    private final Kind kind;
    private final CaseInsensitiveStringMap defaults;
    private final ServiceKeys.PlainKeys plainKeys;
    private final Supplier<RpcEnv> rpc;

    /**
     * A table.
     *
     * @param defaults options that hold unless a write or read sets them
     * @param plainKeys whether these may hold a plain key
     * @param rpc reaches the driver's RPC; throws where the platform keeps it
     */
    UserMapTable(
            String name,
            Kind kind,
            CaseInsensitiveStringMap defaults,
            ServiceKeys.PlainKeys plainKeys,
            Supplier<RpcEnv> rpc) {
        this.name = name;
        this.kind = kind;
        this.defaults = defaults;
        this.plainKeys = plainKeys;
        this.rpc = rpc;
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    @SuppressWarnings("deprecation") // Table.columns() falls back to this on every Spark version
    public StructType schema() {
        return kind.rows.schema();
    }

    /** Any schema is taken, so that superfluous, missing and wrong columns get our own errors, by name. */
    @Override
    public Set<TableCapability> capabilities() {
        return Set.of(
                TableCapability.BATCH_READ,
                TableCapability.BATCH_WRITE,
                TableCapability.STREAMING_WRITE,
                TableCapability.ACCEPT_ANY_SCHEMA);
    }

    @Override
    public WriteBuilder newWriteBuilder(LogicalWriteInfo info) {
        if (kind == Kind.LOOKUP) {
            throw new UnsupportedOperationException("Cannot write to table '" + name
                    + "': it tells what the service holds. Use INSERT INTO the table 'usermap' of the same catalog.");
        }
        UserMapOptions options = options(info.options());
        MappingColumns columns = MappingColumns.of(info.schema(), options);
        return new WriteBuilder() {
            @Override
            public Write build() {
                Optional<UserMapRun> run = options.apiKeyText().flatMap(UserMapRun::find);
                Secret apiKey = run.map(UserMapRun::apiKey)
                        .orElseGet(() ->
                                ServiceKeys.resolve(UserMapOptions.API_KEY.key(), options.apiKeyText(), plainKeys));
                return new UserMapWrite(SparkSession.active(), info.queryId(), options, columns, apiKey, run, rpc);
            }
        };
    }

    @Override
    public ScanBuilder newScanBuilder(CaseInsensitiveStringMap read) {
        return new UserMapScan.Builder(options(read), kind.rows, plainKeys);
    }

    private UserMapOptions options(CaseInsensitiveStringMap given) {
        // With the keys as the user spelled them, for errors.
        Map<String, String> texts = new HashMap<>(given.asCaseSensitiveMap());
        defaults.asCaseSensitiveMap().forEach((key, text) -> {
            if (!given.containsKey(key)) {
                texts.put(key, text);
            }
        });
        return UserMapOptions.of(texts);
    }
}
