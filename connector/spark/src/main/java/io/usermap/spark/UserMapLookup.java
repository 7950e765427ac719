package io.usermap.spark;

import io.usermap.client.InvalidSettingsException;
import io.usermap.client.LookupClient;
import io.usermap.client.LookupRules;
import io.usermap.client.Secret;
import io.usermap.client.UserLinks;
import io.usermap.spark.UserMapScan.LookupConnection;
import java.io.Serial;
import java.util.Arrays;
import java.util.Iterator;
import java.util.Map;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.function.MapPartitionsFunction;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.util.TaskCompletionListener;

/**
 * Looks up the mappings of a table of ids, partition by partition on the executors, and never on the driver.
 *
 * <p>Java, Scala and notebooks call it alike:
 *
 * <pre>{@code
 * Dataset<Row> links = UserMapLookup.on(Map.of("apiKey", "env:AMPLITUDE_API_KEY", "secretKey", "env:AMPLITUDE_SECRET_KEY"))
 *         .lookup(people, "user_id");
 * }</pre>
 *
 * <p>Immutable; driver only.
 */
public final class UserMapLookup {
    private final LookupConnection connection;

    private UserMapLookup(LookupConnection connection) {
        this.connection = connection;
    }

    /**
     * Look-ups with {@code options}, those of the data source; {@code apiKey} and {@code secretKey} are resolved now.
     *
     * @throws InvalidSettingsException if the options are wrong or a key is missing
     */
    public static UserMapLookup on(Map<String, String> options) {
        return new UserMapLookup(LookupConnection.of(UserMapOptions.of(options), ServiceKeys.PlainKeys.WARN));
    }

    /**
     * As {@link #on(Map)}, with the keys themselves; they appear in no option, plan or log.
     *
     * @throws InvalidSettingsException if the options are wrong
     */
    public static UserMapLookup on(Map<String, String> options, Secret apiKey, Secret secretKey) {
        UserMapOptions parsed = UserMapOptions.of(options);
        return new UserMapLookup(new LookupConnection(parsed.endpoints(), apiKey, secretKey, parsed.lookupRules()));
    }

    /**
     * The direct links of every id in {@code column}, once for each: {@code user_id string, mapped_to
     * array<struct<amplitude_id bigint, user_id string>>, mapped_from array<...>}.
     *
     * <p>An id without mappings has two empty lists; one of which the service tells nothing has nulls; null is no id.
     * Nothing is asked for yet: each action on the result asks for all ids, so write or persist it. Ids are spread over as
     * many partitions as {@code lookupConcurrency} and the session's parallelism allow, which share
     * {@code lookupsPerSecond}: at the default of 0.1, 100,000 ids take 2.8 hours.
     *
     * @param dataset any rows
     * @param column a column of strings
     * @throws InvalidSettingsException if there is no such column, or it holds no strings
     */
    public Dataset<Row> lookup(Dataset<?> dataset, String column) {
        Column id = dataset.col("`" + field(dataset, column).name().replace("`", "``") + "`");
        int readers = readers(connection.rules(), dataset.sparkSession());
        return dataset.select(id.as(MappingColumns.USER_ID))
                .filter(functions.col(MappingColumns.USER_ID).isNotNull())
                .repartition(readers, functions.col(MappingColumns.USER_ID))
                .distinct()
                .mapPartitions(new Reader(connection), Encoders.row(LookupRows.LINKS_SCHEMA));
    }

    private static StructField field(Dataset<?> dataset, String column) {
        StructField field = Arrays.stream(dataset.schema().fields())
                .filter(known -> known.name().equalsIgnoreCase(column))
                .findFirst()
                .orElseThrow(() -> new InvalidSettingsException("Cannot look ids up: the rows have no column '" + column
                        + "' (they have: " + String.join(", ", dataset.columns()) + "). Name one of these."));
        if (!field.dataType().equals(DataTypes.StringType)) {
            throw new InvalidSettingsException("Cannot look ids up: column '" + column + "' is of type "
                    + field.dataType().simpleString() + ", not string. Cast it with CAST(" + column + " AS STRING).");
        }
        return field;
    }

    /** How many tasks read at a time. */
    static int readers(LookupRules rules, SparkSession session) {
        return Math.max(1, Math.min(rules.concurrency(), session.sparkContext().defaultParallelism()));
    }

    /** Looks up what is in one partition. */
    private static final class Reader implements MapPartitionsFunction<Row, Row> {
        @Serial
        private static final long serialVersionUID = 1L;

        private final LookupConnection connection;

        Reader(LookupConnection connection) {
            this.connection = connection;
        }

        @Override
        public Iterator<Row> call(Iterator<Row> rows) {
            TaskContext task = TaskContext.get();
            LookupClient client = connection.open(task.partitionId(), task.numPartitions());
            var unused = task.addTaskCompletionListener((TaskCompletionListener) ended -> client.close());
            Iterator<UserLinks> links = client.lookup(new Iterator<String>() {
                @Override
                public boolean hasNext() {
                    return rows.hasNext();
                }

                @Override
                public String next() {
                    return rows.next().getString(0);
                }
            });
            return new Iterator<>() {
                @Override
                public boolean hasNext() {
                    return links.hasNext();
                }

                @Override
                public Row next() {
                    return LookupRows.external(links.next());
                }
            };
        }
    }

    @Override
    public String toString() {
        return "UserMapLookup[" + connection.endpoints().lookup() + "]";
    }
}
