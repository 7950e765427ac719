package io.usermap.spark;

import java.util.Map;
import org.apache.spark.sql.connector.catalog.Table;
import org.apache.spark.sql.connector.catalog.TableProvider;
import org.apache.spark.sql.connector.expressions.Transform;
import org.apache.spark.sql.sources.DataSourceRegister;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.sql.util.CaseInsensitiveStringMap;

/**
 * The data source {@code amplitude-usermap}.
 *
 * <p>{@code rows.write().format("amplitude-usermap").mode("append").option("apiKey", "env:AMPLITUDE_API_KEY").save()}
 * sends the mappings in columns {@code user_id}, {@code global_user_id} and, if there, {@code unmap}.
 * {@code spark.read().format("amplitude-usermap").option("userIds", "[\"ann\"]")}, with both keys, reads links back, one row
 * for each id: {@code user_id, mapped_to, mapped_from}.
 */
public final class UserMapSource implements TableProvider, DataSourceRegister {
    static final String NAME = "amplitude-usermap";

    @Override
    public String shortName() {
        return NAME;
    }

    @Override
    public StructType inferSchema(CaseInsensitiveStringMap options) {
        return UserMapTable.Kind.SOURCE.rows.schema();
    }

    @Override
    public Table getTable(StructType schema, Transform[] partitioning, Map<String, String> properties) {
        return new UserMapTable(
                NAME,
                UserMapTable.Kind.SOURCE,
                new CaseInsensitiveStringMap(properties),
                ServiceKeys.PlainKeys.WARN,
                AllowanceDesk::driversRpc);
    }
}
