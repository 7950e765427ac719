package io.usermap.spark;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import io.usermap.client.InvalidSettingsException;
import io.usermap.client.ServiceException;
import java.util.HashMap;
import java.util.Map;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.assertj.core.api.AbstractThrowableAssert;
import org.junit.jupiter.api.Test;

/** What users read when something is wrong, and that nothing was sent then. */
class BadInputIT extends SparkCase {
    private final Dataset<Row> one = rows(map("ann@shop", "ann@global")).drop("unmap");

    @Test
    void namesTheNearestOption() {
        refused(one, options("maxBatchSize", "10"))
                .hasMessage("Cannot use option 'maxBatchSize': there is none of that name. Did you mean"
                        + " 'maxBatchRows'?");
    }

    @Test
    void tellsAllProblemsAtOnce() {
        refused(one, options("maxBatchBytes", "1MBs", "requestTimeout", "10 parsecs", "writers", "0"))
                .hasMessage(String.join(
                        System.lineSeparator(),
                        "Cannot parse option 'writers': '0' is out of range. Use 1 to 10000.",
                        "Cannot parse option 'maxBatchBytes': '1MBs' is not a size. Use B, kB or MB, at most"
                                + " 1000000B.",
                        "Cannot parse option 'requestTimeout': '10 parsecs' is not a duration. Use ms, s, m, h or d,"
                                + " for example 30s."));
    }

    @Test
    void namesTheMissingColumn() {
        refused(one.withColumnRenamed("user_id", "uid"), options("ignoreExtraColumns", "true"))
                .hasMessage("Cannot write mappings: the rows have no column 'user_id' (they have: uid,"
                        + " global_user_id). Rename one with withColumnRenamed or AS user_id.");
        refused(one.select("user_id"), options())
                .hasMessage("Cannot write mappings: the rows have no column 'global_user_id' (they have: user_id)."
                        + " Rename one with withColumnRenamed or AS global_user_id.");
    }

    @Test
    void namesTheColumnsThatNoMappingHas() {
        refused(one.selectExpr("*", "1 AS age", "'x' AS note"), options())
                .hasMessage("Cannot write mappings: the rows have columns that no mapping has: age, note. Drop them,"
                        + " or set option 'ignoreExtraColumns' to true.");
    }

    @Test
    void refusesIdsThatAreNoStrings() {
        refused(one.selectExpr("1 AS user_id", "global_user_id"), options())
                .hasMessage("Cannot write mappings: column 'user_id' is of type int, not string. Cast it with"
                        + " CAST(user_id AS STRING).");
    }

    @Test
    void asksForAnApiKey() {
        Map<String, String> options = new HashMap<>(options());
        options.remove("apiKey");
        refused(one, options)
                .hasMessage("Cannot reach the service without a key: option 'apiKey' is not set. Set it to env:NAME,"
                        + " file:PATH or secret:scope/key.");
        refused(one, options("apiKey", "env:USERMAP_NO_SUCH_VARIABLE"))
                .hasMessage("Cannot read a key: the environment variable USERMAP_NO_SUCH_VARIABLE is not set. Export"
                        + " it where the driver starts.");
    }

    @Test
    void refusesPlainHttpToAnotherHost() {
        refused(one, options("endpoint", "http://proxy.example:8080"))
                .hasMessage("Cannot use option 'endpoint': plain http to proxy.example would send the key in clear"
                        + " text. Use https, or set 'allowInsecureEndpoint' to true.");
    }

    @Test
    void stopsAtOnceWhenTheKeyIsUnknown() {
        Throwable thrown = catchThrowable(() -> write(manyRows(1_000), options("apiKey", "another-key")));

        assertThat(rootOf(thrown))
                .isInstanceOf(ServiceException.class)
                .hasMessageContaining("the service does not know the API key (401). Check the key that the apiKey"
                        + " option or target.api-key refers to, and the region.");
        assertThat(sandbox.requests())
                .as("one request, not one a writer or attempt")
                .hasSize(1);
        assertThat(allMessages(thrown)).doesNotContain("another-key");
    }

    @Test
    void saysThatTheEndpointCannotBeReached() {
        int port = sandbox.endpoint().getPort();
        sandbox.close();
        assertThat(failureOf(one, options("endpoint", "http://127.0.0.1:" + port, "maxAttempts", "2")))
                .isInstanceOf(ServiceException.class)
                .hasMessage("Cannot write mappings after 2 attempts: the connection was refused. Check that the"
                        + " endpoint can be reached from the executors, then run again. Before that, 0 mappings were"
                        + " accepted.");
    }

    @Test
    void failsOnceOnARowThatCannotBeSent() {
        assertThat(failureOf(rows(map("ann@shop", "N/A")), options()))
                .isInstanceOf(ServiceException.class)
                .hasMessageMatching(
                        "Cannot write mappings: near row 1 of partition ., an id is a placeholder for nobody\\."
                                + " Correct the row, or set option 'onRejected' to record and a 'receiptsPath'. Before that, 0"
                                + " mappings were accepted.");
        assertThat(sandbox.requests()).isEmpty();
    }

    @Test
    void failsOnRowsOfOneUserThatContradictEachOther() {
        assertThat(failureOf(rows(map("ann@shop", "ann@global"), map("ann@shop", "bob@global")), options()))
                .hasMessageContaining("rows of one user contradict each other. Keep one row a user, or set option"
                        + " 'onConflict' to reject.");
        assertThat(sandbox.requests()).isEmpty();
    }

    @Test
    void recordsRejectedRowsOnlyWhereThereIsAPlaceForThem() {
        refused(one, options("onRejected", "record"))
                .hasMessage("Cannot use option 'onRejected': 'record' needs a place for the rejected rows. Set"
                        + " 'receiptsPath'.");
    }

    private AbstractThrowableAssert<?, ?> refused(Dataset<Row> rows, Map<String, String> options) {
        Throwable thrown = catchThrowable(() -> write(rows, options));
        assertThat(sandbox.requests()).as("nothing may be sent").isEmpty();
        return assertThat(thrown).isInstanceOf(InvalidSettingsException.class);
    }

    private Throwable failureOf(Dataset<Row> rows, Map<String, String> options) {
        return rootOf(catchThrowable(() -> write(rows, options)));
    }

    /** Spark 3.5 throws what the write threw, Spark 4 wraps it. */
    static Throwable rootOf(Throwable thrown) {
        Throwable root = thrown;
        while (root.getCause() != null) {
            root = root.getCause();
        }
        return root;
    }

    private static String allMessages(Throwable thrown) {
        StringBuilder messages = new StringBuilder();
        for (Throwable cause = thrown; cause != null; cause = cause.getCause()) {
            messages.append(cause).append('\n');
        }
        return messages.toString();
    }
}
