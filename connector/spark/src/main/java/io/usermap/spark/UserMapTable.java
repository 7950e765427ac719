package io.usermap.spark;

import io.usermap.client.Secret;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Supplier;
import org.apache.spark.rpc.RpcEnv;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.connector.catalog.SupportsWrite;
import org.apache.spark.sql.connector.catalog.TableCapability;
import org.apache.spark.sql.connector.write.LogicalWriteInfo;
import org.apache.spark.sql.connector.write.Write;
import org.apache.spark.sql.connector.write.WriteBuilder;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.sql.util.CaseInsensitiveStringMap;

/** The mappings of an organisation as a table that rows are appended to; driver only. */
final class UserMapTable implements SupportsWrite {
    private final String name;
    private final CaseInsensitiveStringMap defaults;
    private final ServiceKeys.PlainKeys plainKeys;
    private final Supplier<RpcEnv> rpc;

    /**
     * A table.
     *
     * @param defaults options that hold unless a write sets them
     * @param plainKeys whether these may hold a plain key
     * @param rpc reaches the driver's RPC; throws where the platform keeps it
     */
    UserMapTable(
            String name, CaseInsensitiveStringMap defaults, ServiceKeys.PlainKeys plainKeys, Supplier<RpcEnv> rpc) {
        this.name = name;
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
        return MappingColumns.SCHEMA;
    }

    /** Any schema is taken, so that superfluous, missing and wrong columns get our own errors, by name. */
    @Override
    public Set<TableCapability> capabilities() {
        return Set.of(TableCapability.BATCH_WRITE, TableCapability.STREAMING_WRITE, TableCapability.ACCEPT_ANY_SCHEMA);
    }

    @Override
    public WriteBuilder newWriteBuilder(LogicalWriteInfo info) {
        // With the keys as the user spelled them, for errors.
        Map<String, String> texts = new HashMap<>(info.options().asCaseSensitiveMap());
        defaults.asCaseSensitiveMap().forEach((key, text) -> {
            if (!info.options().containsKey(key)) {
                texts.put(key, text);
            }
        });
        UserMapOptions options = UserMapOptions.of(texts);
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
}
