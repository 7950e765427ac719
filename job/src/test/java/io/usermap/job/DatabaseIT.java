package io.usermap.job;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.zonky.test.db.postgres.embedded.EmbeddedPostgres;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/** A real PostgreSQL as the source. */
class DatabaseIT {
    private static final String PASSWORD = "s3cr3t-of-the-database";

    @RegisterExtension
    static final LocalSpark LOCAL = new LocalSpark();

    @TempDir
    private static Path folder;

    private static EmbeddedPostgres postgres = start();

    private static EmbeddedPostgres start() {
        try {
            return EmbeddedPostgres.builder().start();
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }

    @BeforeAll
    static void fill() throws SQLException, IOException {
        try (Connection connection = postgres.getPostgresDatabase().getConnection();
                Statement statement = connection.createStatement()) {
            statement.execute("CREATE ROLE reader LOGIN PASSWORD '" + PASSWORD + "'");
            statement.execute("CREATE TABLE people (cluster bigint, id varchar(64), uid uuid, amount numeric)");
            statement.execute("INSERT INTO people VALUES"
                    + " (1, 'ann-1', '7d444840-9dc0-11d1-b245-5ffdce74fad2', 1),"
                    + " (1, E'bob\\n2', '7d444840-9dc0-11d1-b245-5ffdce74fad3', 2),"
                    + " (2, 'cid-3', null, 0)");
            statement.execute("GRANT SELECT ON people TO reader");
            askForPasswords(statement);
        }
    }

    /** The embedded server trusts everybody; this makes it like others. */
    private static void askForPasswords(Statement statement) throws SQLException, IOException {
        Path rules;
        try (ResultSet file = statement.executeQuery("SHOW hba_file")) {
            file.next();
            rules = Path.of(file.getString(1));
        }
        Files.writeString(rules, "host all reader all scram-sha-256\n" + Files.readString(rules));
        statement.execute("SELECT pg_reload_conf()");
        // The server takes its new rules in when it gets to it.
        for (int attempt = 0; attempt < 1_000; attempt++) {
            try (Connection connection =
                    postgres.getDatabase("reader", "postgres").getConnection()) {
                assertThat(connection.isValid(1)).isTrue();
            } catch (SQLException e) {
                return;
            }
        }
        throw new AssertionError("the server still lets reader in without a password");
    }

    @AfterAll
    static void stop() throws IOException {
        postgres.close();
    }

    private static Configuration configuration(String password, String... settings) {
        Map<String, String> texts = new HashMap<>(Map.of(
                "source.format",
                "jdbc",
                "source.options.url",
                "jdbc:postgresql://127.0.0.1:" + postgres.getPort() + "/postgres",
                "source.options.user",
                "reader",
                "source.options.password",
                password));
        for (String setting : settings) {
            texts.put(setting.split("=", 2)[0], setting.split("=", 2)[1]);
        }
        return Configuration.of(texts, Set.of(Configuration.Need.SOURCE), Map.of());
    }

    private static List<String> read(String... settings) {
        return Source.load(LOCAL.spark(), configuration(PASSWORD, settings)).collectAsList().stream()
                .map(row -> row.mkString("|"))
                .sorted()
                .toList();
    }

    @Test
    void readsATableAQueryAndAQueryOverIt() {
        assertThat(read("source.table=public.people", "source.sql=SELECT cluster, id FROM source"))
                .containsExactly("1|ann-1", "1|bob\n2", "2|cid-3");
        assertThat(read("source.query=SELECT cluster, uid AS id FROM people WHERE uid IS NOT NULL"))
                .containsExactly("1|7d444840-9dc0-11d1-b245-5ffdce74fad2", "1|7d444840-9dc0-11d1-b245-5ffdce74fad3");
        assertThat(read("source.options.dbtable=people", "source.sql=SELECT count(*) FROM source"))
                .containsExactly("3");
    }

    @Test
    void isRecognisedAsClusters() {
        Configuration configuration = configuration(PASSWORD, "source.table=people");
        Dataset<Row> people = Source.load(LOCAL.spark(), configuration);
        assertThat(Shape.of(people.schema(), configuration)).isEqualTo(new Shape.Clusters("cluster", "id"));
    }

    @Test
    void aReadThatBreaksOffIsNotAShortSource() {
        Configuration configuration = configuration(
                PASSWORD,
                "source.query=SELECT cluster, id FROM people WHERE 1 / amount >= 0",
                "source.options.fetchsize=1");
        Dataset<Row> people = Source.load(LOCAL.spark(), configuration);
        StateOnDisk ledger = new StateOnDisk(LOCAL.spark(), folder);
        assertThatThrownBy(() -> Planner.of(
                        CheckedRows.of(people, new Shape.Clusters("cluster", "id"), configuration.idRules()),
                        new Shape.Clusters("cluster", "id"),
                        ledger.state(),
                        ledger.state().current(),
                        Keys.Mode.MIRROR))
                .isInstanceOf(StoppedException.class)
                .hasMessageStartingWith("Cannot read the source to its end: ")
                .hasMessageContaining("division by zero");
    }

    @Test
    void neverShowsThePassword() {
        Configuration configuration = configuration(PASSWORD, "source.table=people");
        Dataset<Row> people = Source.load(LOCAL.spark(), configuration);
        assertThat(people.queryExecution().toString()).contains("people").doesNotContain(PASSWORD);
        assertThat(people.queryExecution().logical().treeString()).doesNotContain(PASSWORD);

        for (Configuration broken : List.of(
                configuration(PASSWORD + "-wrong", "source.table=people"),
                configuration(PASSWORD, "source.table=nobodys"),
                configuration(PASSWORD, "source.table=people", "source.options.url=jdbc:postgresql://127.0.0.1:1/x"),
                configuration(PASSWORD, "source.table=people", "source.options.url=jdbc:nobodys:x"),
                configuration(PASSWORD, "source.table=people", "source.options.fetchsize=many"))) {
            assertThatThrownBy(() -> Source.load(LOCAL.spark(), broken))
                    .isInstanceOf(StoppedException.class)
                    .hasMessageStartingWith("Cannot read the database of 'source.options.url': ")
                    .satisfies(e -> {
                        StringWriter trace = new StringWriter();
                        e.printStackTrace(new PrintWriter(trace));
                        assertThat(trace.toString()).doesNotContain(PASSWORD);
                    });
        }
    }

    @Test
    void theCommandLineShowsItNeither() {
        CommandRunner usermap = new CommandRunner(folder)
                .set("target.endpoint", "sandbox")
                .set("source.format", "jdbc")
                .set("source.table", "people")
                .set("source.options.url", "jdbc:postgresql://127.0.0.1:" + postgres.getPort() + "/postgres")
                .set("source.options.user", "reader")
                .set("source.options.password", PASSWORD + "-wrong");

        assertThat(usermap.run("plan", "--stacktrace")).isEqualTo(1);
        assertThat(usermap.err())
                .contains("Cannot read the database of 'source.options.url'")
                .contains("password authentication failed")
                .doesNotContain(PASSWORD);
        assertThat(usermap.out()).doesNotContain(PASSWORD);
    }
}
