package io.usermap.spark;

import java.util.Map;
import java.util.function.Supplier;
import org.apache.spark.rpc.RpcEnv;
import org.apache.spark.sql.connector.catalog.Table;
import org.apache.spark.sql.connector.catalog.TableProvider;
import org.apache.spark.sql.connector.expressions.Transform;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.sql.util.CaseInsensitiveStringMap;

/** The connector's own table on a platform that keeps the driver's RPC; public, because Spark makes it by its name. */
public final class NoCoordinatorSource implements TableProvider {

    /** What such a platform does when it is asked for the RPC. */
    static final Supplier<RpcEnv> KEPT = () -> {
        throw new IllegalStateException("not on this platform");
    };

    @Override
    public StructType inferSchema(CaseInsensitiveStringMap options) {
        return MappingColumns.SCHEMA;
    }

    @Override
    public Table getTable(StructType schema, Transform[] partitioning, Map<String, String> properties) {
        return new UserMapTable(
                UserMapSource.NAME,
                UserMapTable.Kind.SOURCE,
                new CaseInsensitiveStringMap(properties),
                ServiceKeys.PlainKeys.WARN,
                KEPT);
    }
}
