package io.usermap.spark;

import java.util.Map;
import org.apache.spark.sql.catalyst.analysis.NoSuchTableException;
import org.apache.spark.sql.connector.catalog.Identifier;
import org.apache.spark.sql.connector.catalog.Table;
import org.apache.spark.sql.connector.catalog.TableCatalog;
import org.apache.spark.sql.connector.catalog.TableChange;
import org.apache.spark.sql.connector.expressions.Transform;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.sql.util.CaseInsensitiveStringMap;

/**
 * The mappings of an organisation as tables for SQL.
 *
 * <p>With {@code spark.sql.catalog.amplitude = io.usermap.spark.UserMapCatalog} and the data source's options below it, for
 * example {@code spark.sql.catalog.amplitude.apiKey = env:AMPLITUDE_API_KEY}, the statement {@code INSERT INTO
 * amplitude.usermap SELECT id AS user_id, person AS global_user_id FROM ids} sends mappings. Columns are taken by name,
 * never by position. {@code SELECT * FROM amplitude.usermap WHERE user_id IN ('ann', 'bob')} reads their direct targets, and
 * {@code amplitude.lookup} both directions, as {@code user_id, mapped_to, mapped_from}; reading needs {@code secretKey} too.
 * Users are named by {@code =}, {@code IN} and {@code OR}, or by the option {@code userIds}, because the service cannot list
 * what it holds. A plain key is refused: the configuration is in Spark's UI and event log.
 */
public final class UserMapCatalog implements TableCatalog {
    private static final String TABLE = "usermap";
    private static final String LOOKUP = "lookup";
    private static final String[] NO_NAMESPACE = {};

    private String name = "";
    private CaseInsensitiveStringMap options = CaseInsensitiveStringMap.empty();

    @Override
    public void initialize(String catalogName, CaseInsensitiveStringMap catalogOptions) {
        this.name = catalogName;
        this.options = catalogOptions;
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public Identifier[] listTables(String[] namespace) {
        return namespace.length == 0
                ? new Identifier[] {Identifier.of(NO_NAMESPACE, TABLE), Identifier.of(NO_NAMESPACE, LOOKUP)}
                : new Identifier[0];
    }

    @Override
    public Table loadTable(Identifier identifier) throws NoSuchTableException {
        boolean lookup = identifier.name().equalsIgnoreCase(LOOKUP);
        if (identifier.namespace().length > 0 || !(lookup || identifier.name().equalsIgnoreCase(TABLE))) {
            throw new NoSuchTableException(identifier);
        }
        return new UserMapTable(
                name + "." + (lookup ? LOOKUP : TABLE),
                lookup ? UserMapTable.Kind.LOOKUP : UserMapTable.Kind.USERMAP,
                options,
                ServiceKeys.PlainKeys.REFUSE,
                AllowanceDesk::driversRpc);
    }

    @Override
    @SuppressWarnings("deprecation") // the variant that every supported Spark has
    public Table createTable(
            Identifier identifier, StructType schema, Transform[] partitions, Map<String, String> properties) {
        throw fixed("CREATE TABLE");
    }

    @Override
    public Table alterTable(Identifier identifier, TableChange... changes) {
        throw fixed("ALTER TABLE");
    }

    @Override
    public boolean dropTable(Identifier identifier) {
        throw fixed("DROP TABLE");
    }

    @Override
    public void renameTable(Identifier from, Identifier to) {
        throw fixed("ALTER TABLE ... RENAME");
    }

    private UnsupportedOperationException fixed(String statement) {
        return new UnsupportedOperationException("Cannot " + statement + " in catalog '" + name + "': its tables '"
                + TABLE + "' and '" + LOOKUP + "' stand for the service. Use INSERT INTO " + name + "." + TABLE + ".");
    }
}
