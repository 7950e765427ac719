package io.usermap.job;

import static org.assertj.core.api.Assertions.assertThat;

import io.usermap.sandbox.SandboxRequest;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.assertj.core.api.SoftAssertions;
import org.junit.jupiter.api.Test;

/** Every class of wrong input has its message, and leaves state and service as they were. */
class WrongInputIT extends CommandCase {

    /**
     * An input that is wrong.
     *
     * @param what is wrong with it
     * @param lines of the source as CSV; none for the source that is in force
     * @param settings of this command, as {@code key=value}
     * @param exitCode how the command ends
     * @param message what it says
     */
    private record Wrong(String what, List<String> lines, List<String> settings, int exitCode, String message) {
        static Wrong source(String what, String lines, int exitCode, String message) {
            return new Wrong(what, List.of(lines.split("\n", -1)), List.of(), exitCode, message);
        }

        Wrong with(String... settings) {
            return new Wrong(what, lines, List.of(settings), exitCode, message);
        }
    }

    private List<Wrong> inputs() throws IOException {
        String good = "user_id,global_user_id\n" + String.join("\n", people(10));
        return List.of(
                new Wrong("no such path", List.of(), List.of("source.path=/no/such/file.csv"), 1, """
                        Cannot read the source /no/such/file.csv: there is no such path. Set 'source.path'; a relative one \
                        starts at the working directory."""),
                Wrong.source("columns of no shape", "a,b\n1,2", 1, "Cannot recognise the source's columns: a, b are"),
                Wrong.source(
                        "columns of two shapes",
                        "user_id,global_user_id,cluster_id,unique_id\nu,g,c,u",
                        1,
                        "'source.shape'"),
                Wrong.source("a query that is none", good, 1, "Cannot run 'source.sql': ")
                        .with("source.sql=SELECT nothing FROM source"),
                Wrong.source("a type that is no id", good, 1, "Cannot use column 'user_id' as an id: its type is array")
                        .with("source.sql=SELECT array(user_id) AS user_id, global_user_id FROM source"),
                Wrong.source("a row that does not parse", good + "\nuser-7", 1, "Cannot read the source to its end"),
                Wrong.source(
                        "a quote that is not closed",
                        good + "\nuser-7,\"person-1\n" + String.join("\n", people(100)),
                        1,
                        "Cannot read the quotes of CSV: 1 rows have an id of more than 1,024 characters with a line break"),
                Wrong.source(
                        "one in a source of clusters",
                        "cluster,id\n1,user-1\n1,\"user-2\n" + String.join("\n", people(100)),
                        1,
                        "Cannot read the quotes of CSV: 1 rows have an id"),
                new Wrong("half a file", List.of(), List.of("source.path=" + half()), 1, "Cannot read the source"),
                Wrong.source(
                        "words in the unmap column",
                        "user_id,global_user_id,unmap\nuser-1,person-1,yes",
                        1,
                        "Cannot read the unmap column: 1 rows hold neither true nor false."),
                Wrong.source(
                        "no id of the type",
                        "ht_id,identifier,value\nh1,email,a@x.com",
                        1,
                        "Cannot plan from nothing: in all 1 rows the id is of a type that is no user id."),
                Wrong.source(
                        "edges of any score", "unique_id_l,unique_id_r,match_probability\nuser-1,user-2,0.3", 1, """
                        Cannot use edges of any score: the source has 'match_probability'"""),
                Wrong.source(
                                "a threshold without scores",
                                good,
                                1,
                                "Cannot use 'source.min-score': the source is read as")
                        .with("source.min-score=0.9"),
                Wrong.source(
                                "a feed under mirror",
                                "user_id,global_user_id,_change_type,_commit_version\nu,g,insert,1",
                                1,
                                """
                                Cannot plan changes with 'plan.mode' = mirror""")
                        .with(
                                "source.sql=SELECT user_id, global_user_id, _change_type, 1L AS _commit_version FROM source"),
                Wrong.source(
                                "a change of no kind",
                                "user_id,global_user_id,_change_type,_commit_version\nu,g,moved,1",
                                1,
                                """
                                Cannot read the kind of change: 1 rows hold none of insert, update and delete.""")
                        .with(
                                "plan.mode=upsert",
                                "source.sql=SELECT user_id, global_user_id, _change_type, 1L AS _commit_version FROM source"),
                Wrong.source(
                                "rows that contradict each other",
                                good + "\nuser-1,person-2",
                                1,
                                "Cannot plan: 2 rows contradict")
                        .with("write.on-conflict=fail"),
                Wrong.source("no row", "user_id,global_user_id", 4, "the source has 0 rows, fewer than 1."),
                Wrong.source(
                        "half of the rows",
                        "user_id,global_user_id\n" + String.join("\n", people(5)),
                        4,
                        "50.0 % of the source's rows are gone"),
                Wrong.source("everybody moved", good.replace("person-1", "person-2"), 4, "100.0 % of the acknowledged"),
                Wrong.source(
                        "placeholders", good + "\nnull,person-1", 4, "9.1 % of the source's rows hold placeholders"),
                Wrong.source("a huge cluster", good, 4, "the largest cluster has 11 users, more than 5")
                        .with("guards.max-cluster-size=5"),
                Wrong.source("a key that is none", good, 6, "Cannot use configuration key 'source.min_score'")
                        .with("source.min_score=1"));
    }

    private static String[] people(int many) {
        return IntStream.range(0, many).mapToObj(i -> "user-" + i + ",person-1").toArray(String[]::new);
    }

    /** A Parquet source of two files, one of which is damaged. */
    private Path half() throws IOException {
        Path source = folder.resolve("half");
        if (Files.exists(source)) {
            return source;
        }
        LOCAL.spark()
                .range(10)
                .selectExpr("concat('user-', id) AS user_id", "'person-1' AS global_user_id")
                .repartition(2)
                .write()
                .parquet(source.toString());
        try (Stream<Path> files = Files.list(source)) {
            Path part = files.filter(path -> path.toString().endsWith(".parquet"))
                    .findFirst()
                    .orElseThrow();
            Files.deleteIfExists(part.resolveSibling("." + part.getFileName() + ".crc"));
            byte[] whole = Files.readAllBytes(part);
            Files.write(part, Arrays.copyOf(whole, whole.length / 2));
        }
        return source;
    }

    private Map<String, String> state() {
        Map<String, String> state = new TreeMap<>();
        Ledger.existing(
                        LOCAL.spark().sparkContext().hadoopConfiguration(),
                        usermap.ledger().toString())
                .inForce(LOCAL.spark())
                .collectAsList()
                .forEach(row -> state.put(row.getString(0), row.getString(1)));
        return state;
    }

    private int apply(Wrong input) throws IOException {
        if (!input.lines().isEmpty()) {
            usermap.source(input.lines().toArray(String[]::new));
        }
        List<String> words = new ArrayList<>(List.of("apply"));
        for (String setting : input.settings()) {
            words.addAll(List.of("--set", setting));
        }
        return usermap.run(words.toArray(String[]::new));
    }

    @Test
    void leavesStateAndServiceUntouched() throws IOException {
        usermap.set("plan.mode", "mirror");
        pairs(people(10));
        apply();
        List<String> versions = versions();
        Map<String, String> state = state();
        Map<String, String> mappings = sandbox.mappings();
        assertThat(state).hasSize(10).isEqualTo(mappings);
        List<SandboxRequest> requests = sandbox.requests();

        SoftAssertions softly = new SoftAssertions();
        for (Wrong input : inputs()) {
            softly.assertThat(apply(input)).as(input.what()).isEqualTo(input.exitCode());
            softly.assertThat(usermap.err())
                    .as(input.what())
                    .contains(input.message())
                    .doesNotContain("Exception:");
            softly.assertThat(sandbox.requests()).as(input.what()).isEqualTo(requests);
            softly.assertThat(versions()).as(input.what()).isEqualTo(versions);
        }
        softly.assertAll();
        assertThat(state()).isEqualTo(state);
        assertThat(sandbox.mappings()).isEqualTo(mappings);
        pairs(people(10));
        apply();
        assertThat(usermap.report().path("outcome").asText())
                .as("nothing is left over of any of it")
                .isEqualTo("nothing_to_do");
    }

    @Test
    void aSessionThatSkipsDamagedFilesIsNotPlannedIn() throws IOException {
        usermap.set("source.path", half().toString()).set("plan.mode", "mirror");
        LOCAL.spark().conf().set("spark.sql.files.ignoreCorruptFiles", "true");
        try {
            assertThat(usermap.run("apply")).isEqualTo(1);
        } finally {
            LOCAL.spark().conf().unset("spark.sql.files.ignoreCorruptFiles");
        }
        assertThat(usermap.err())
                .isEqualToIgnoringNewLines("Cannot plan: 'spark.sql.files.ignoreCorruptFiles' is true, so a source that"
                        + " is read in half would look like one that has shrunk. Set it to false in Spark.");
        assertThat(sandbox.requests()).isEmpty();
    }

    @Test
    void aSavedPlanThatHasLostAFileIsNotApplied() throws IOException {
        pairs(people(10));
        assertThat(usermap.run("plan")).isZero();
        String plan = usermap.report().path("run").asText();
        try (Stream<Path> files =
                Files.list(usermap.ledger().resolve("runs").resolve(plan).resolve("plan"))) {
            for (Path file :
                    files.filter(path -> path.toString().endsWith(".parquet")).toList()) {
                Files.deleteIfExists(file.resolveSibling("." + file.getFileName() + ".crc"));
                Files.write(file, new byte[] {1, 2, 3});
            }
        }
        LOCAL.spark().conf().set("spark.sql.files.ignoreCorruptFiles", "true");
        try {
            assertThat(usermap.run("apply", plan)).as("no empty plan").isEqualTo(1);
        } finally {
            LOCAL.spark().conf().unset("spark.sql.files.ignoreCorruptFiles");
        }
        assertThat(sandbox.requests()).isEmpty();
    }
}
