package io.usermap.job;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assumptions.assumeThat;

import io.usermap.client.IdRules;
import io.usermap.job.Keys.Mode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What becomes of the rows of each shape. */
class CheckedRowsIT {
    @RegisterExtension
    static final LocalSpark LOCAL = new LocalSpark();

    private static final IdRules RULES = new IdRules(3);
    private static final Path LABELS =
            Checkout.root().resolveSibling("shared").resolve("data").resolve("fake_1000_labels.csv");

    @TempDir
    private Path folder;

    private static Dataset<Row> rows(String columns, String... values) {
        return LOCAL.spark().sql("SELECT * FROM VALUES " + String.join(", ", values) + " AS t(" + columns + ")");
    }

    private static Shape shape(Dataset<Row> source, String... settings) {
        Map<String, String> texts = new HashMap<>();
        for (String setting : settings) {
            texts.put(setting.split("=", 2)[0], setting.split("=", 2)[1]);
        }
        return Shape.of(source.schema(), Configuration.of(texts, Set.of(), Map.of()));
    }

    /** Rows as {@code user target[!] rank reason}, without what is null; sorted. */
    private static List<String> checked(Dataset<Row> source, String... settings) {
        return CheckedRows.of(source, shape(source, settings), RULES).collectAsList().stream()
                .map(row -> row.getAs("user_id") + " " + row.getAs("target")
                        + (row.<Boolean>getAs("unmap") ? "!" : "")
                        + (row.getAs("rank") == null ? "" : " " + row.getAs("rank"))
                        + (row.getAs("reason") == null ? "" : " " + row.getAs("reason")))
                .sorted()
                .toList();
    }

    @Test
    void leavesIdsOfOtherTypesOut() {
        Dataset<Row> rudderStack = rows(
                "USER_MAIN_ID, OTHER_ID, OTHER_ID_TYPE",
                "('m1', 'Ann-1', 'user_id')",
                "('m1', 'a@x.com', 'email')",
                "('m1', 'login-1', ' LOGIN')",
                "('m2', 'x-9', null)");
        assertThat(checked(rudderStack))
                .containsExactly(
                        "Ann-1 m1", "a@x.com m1 other_id_type", "login-1 m1 other_id_type", "x-9 m2 other_id_type");
        assertThat(checked(rudderStack, "source.id-types=[\"user_id\",\"Login\"]"))
                .containsExactly("Ann-1 m1", "a@x.com m1 other_id_type", "login-1 m1", "x-9 m2 other_id_type");
    }

    @Test
    void findsATypeInAListOfThem() {
        assertThat(checked(rows(
                        "rudder_id, node, labels",
                        "('r1', 'ann-1', 'anonymous_id, user_id')",
                        "('r1', 'ann-2', 'anonymous_id')")))
                .containsExactly("ann-1 r1", "ann-2 r1 other_id_type");
        assertThat(checked(rows(
                        "rudder_id, node, labels",
                        "('r1', 'ann-1', array('anonymous_id', 'user_id'))",
                        "('r1', 'ann-2', array('anonymous_id'))")))
                .containsExactly("ann-1 r1", "ann-2 r1 other_id_type");
    }

    @Test
    void endsTheRunWhereNoIdIsOfTheType() {
        Dataset<Row> source =
                rows("ht_id, identifier, value", "('h1', 'email', 'a@x.com')", "('h1', 'phone', '555-1')");
        assertThatThrownBy(
                        () -> new StateOnDisk(LOCAL.spark(), folder).planner(source, shape(source), RULES, Mode.MIRROR))
                .isInstanceOf(StoppedException.class)
                .hasMessage("Cannot plan from nothing: in all 2 rows the id is of a type that is no user id. Set"
                        + " 'source.id-types' to the types that are.");
    }

    @Test
    void countsWhatIsLeftOutApartFromWhatIsRejected() {
        Dataset<Row> source = rows(
                "ht_id, identifier, value",
                "('h1', 'email', 'a@x.com')",
                "('h1', 'user_id', 'ab')",
                "('h1', 'user_id', 'abc')");
        try (Planner planner =
                new StateOnDisk(LOCAL.spark(), folder).planner(source, shape(source), RULES, Mode.UPSERT)) {
            assertThat(planner.leftOutByReason()).isEqualTo(Map.of("other_id_type", 1L));
            assertThat(planner.rejectedByReason()).isEqualTo(Map.of("too_short", 1L));
            assertThat(planner.rows()).isEqualTo(3);
        }
    }

    @Test
    void pointsOutIdsThatLookLoweredWhereTheyHaveTypes() {
        assertThat(casing("concat('user-', id)"))
                .contains(
                        "none of 50 ids has a capital letter. Amplitude's ids are case-sensitive: if the resolver puts"
                                + " them into lower case, join those of the original table in 'source.sql'");
        assertThat(casing("concat('User-', id)")).isEmpty();
        assertThat(casing("concat('user-', id, '@x.com')")).isEmpty();
        assertThat(casing("md5(cast(id AS string))")).isEmpty();
        Dataset<Row> plain = LOCAL.spark().range(50).selectExpr("1 AS cluster", "concat('user-', id) AS id");
        assertThat(CheckedRows.casing(CheckedRows.of(plain, shape(plain), RULES), shape(plain)))
                .isEmpty();
    }

    private static Optional<String> casing(String id) {
        Dataset<Row> graph =
                LOCAL.spark().range(50).selectExpr("1 AS ht_id", "'user_id' AS identifier", id + " AS value");
        return CheckedRows.casing(CheckedRows.of(graph, shape(graph), RULES), shape(graph));
    }

    @Test
    void joinsSourceAndIdAndChecksBoth() {
        assertThat(checked(rows(
                        "CLUSTER_ID, DATA_SOURCE, RECORD_ID",
                        "(1, 'CRM', '0')",
                        "(1, 'SHOP', '0')",
                        "(1, '', '7')",
                        "(1, 'CRM', null)",
                        "(1, null, '7')",
                        "(1, 'CRM', 'null')",
                        "(1, 'CRM', ' 7')",
                        "(null, 'CRM', '8')")))
                .containsExactly(
                        "-7 1 empty",
                        "CRM- 7 1 surrounding_blanks",
                        "CRM-0 1",
                        "CRM-8 null missing_id",
                        "CRM-null 1 placeholder",
                        "SHOP-0 1",
                        "null 1 missing_id",
                        "null 1 missing_id");
    }

    @Test
    void rejectsIdsThatCannotBeRightAndClustersThatStandForNone() {
        assertThat(checked(rows(
                        "cluster, id",
                        "('0', 'ann')",
                        "('-1', 'bob')",
                        "('', 'cid')",
                        "(' ', 'dan')",
                        "('NULL', 'eve')",
                        "('c', 'N/A')",
                        "('c', 'ab')",
                        "('c', 'fay ')",
                        "('c', repeat('x', 1025))")))
                .containsExactly(
                        "N/A c placeholder",
                        "ab c too_short",
                        "ann 0",
                        "bob -1",
                        "cid  empty",
                        "dan   empty",
                        "eve NULL placeholder",
                        "fay  c surrounding_blanks",
                        "x".repeat(1025) + " c too_long");
    }

    @Test
    void ranksByAnOrderOfTypesOrSources() {
        Dataset<Row> types = rows(
                "canonical_segment_id, type, value",
                "('s', 'login', 'ann')",
                "('s', 'user_id', 'bob')",
                "('s', 'x', 'cid')");
        assertThat(checked(
                        types,
                        "source.id-types=[\"user_id\",\"login\",\"x\"]",
                        "election.priority=[\"User_Id\",\"login\"]"))
                .containsExactly("ann s 1.0", "bob s 0.0", "cid s Infinity");
        Dataset<Row> sources =
                rows("ht_id, source, primary_key", "('h', 'crm', '1')", "('h', 'shop', '2')", "('h', 'x', '3')");
        assertThat(checked(sources, "election.priority=[\"shop\",\"crm\"]"))
                .containsExactly("crm-1 h 1.0", "shop-2 h 0.0", "x-3 h Infinity");
    }

    @Test
    void ranksByAColumnOfNumbersDatesOrTimestamps() {
        String[] columns = {"election.priority-column=p"};
        assertThat(checked(
                        rows("cluster, id, p", "('c', 'ann', 7)", "('c', 'bob', null)", "('c', 'cid', -1)"), columns))
                .containsExactly("ann c 7.0", "bob c Infinity", "cid c -1.0");
        assertThat(checked(rows("cluster, id, p", "('c', 'ann', DATE'1970-01-03')"), columns))
                .containsExactly("ann c 2.0");
        assertThat(checked(rows("cluster, id, p", "('c', 'ann', TIMESTAMP'1970-01-01 00:00:01Z')"), columns))
                .containsExactly("ann c 1000000.0");
        assertThat(checked(
                        rows(
                                "cluster, id, p",
                                "('c', 'ann', '2.5')",
                                "('c', 'bob', '')",
                                "('c', 'cid', '1970-01-01T00:00:01Z')",
                                "('c', 'dan', 'soon')"),
                        columns))
                .containsExactly(
                        "ann c 2.5", "bob c Infinity", "cid c 1000000.0", "dan c Infinity unreadable_priority");
    }

    @Test
    void takesAFloatAtTheThreshold() {
        Dataset<Row> edges =
                rows("unique_id_l, unique_id_r, match_probability", "('bob', 'ann', 0.9F)", "('cid', 'dan', 0.89F)");

        assertThat(checked(edges, "source.min-score=0.9"))
                .containsExactly("ann ann", "bob ann", "cid dan below_min_score");
    }

    @Test
    void putsEdgesTogetherAndTellsOfThoseThatDoNotCount() {
        Dataset<Row> edges = rows(
                "unique_id_l, unique_id_r, match_probability",
                "('bob', 'ann', 0.99D)",
                "('bob', 'cid', 0.9D)",
                "('cid', 'dan', 0.89D)",
                "('eve', 'eve', 1D)",
                "('fay', null, 1D)",
                "('null', 'gus', 1D)",
                "('hal', 'ian', null)",
                "('joe', 'kim', double('NaN'))");
        assertThat(checked(edges, "source.min-score=0.9"))
                .containsExactly(
                        "ann ann",
                        "bob ann",
                        "cid ann",
                        "cid dan below_min_score",
                        "eve eve",
                        "fay null missing_id",
                        "gus null placeholder",
                        "hal ian unreadable_score",
                        "ian hal unreadable_score",
                        "joe kim unreadable_score",
                        "kim joe unreadable_score");
    }

    @Test
    void tellsOnScreenWhatWasReadAsWhatAndWhatWasLeftOut() throws IOException {
        CommandRunner usermap = new CommandRunner(folder)
                .source(
                        "unique_id_l,unique_id_r,match_probability",
                        "user-1,user-2,0.99",
                        "user-2,user-3,0.95",
                        "user-3,user-4,0.2",
                        "user-5,x,0.99")
                .set("target.endpoint", "sandbox")
                .set("source.min-score", "0.9");

        assertThat(usermap.run("plan")).as(usermap.err()).isZero();
        assertThat(usermap.err())
                .contains("source: edges: unique_id_l with unique_id_r, match_probability at least 0.9")
                .contains("source: not so? 'source.shape', 'source.left-id-column'");
        assertThat(usermap.out()).contains("  left out              1  1: the score is below 'source.min-score'\n");
        assertThat(usermap.report().path("left_out_by_reason").toString()).isEqualTo("{\"below_min_score\":1}");
        assertThat(usermap.count("map")).isEqualTo(2);
        assertThat(usermap.count("rejected")).isEqualTo(1);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "user_id,global_user_id ,person-2 user-2, \"\",person-3 user-3,person-1",
                "cluster,id ,user-1 c-2, c-3,\"\" c-1,user-2 c-1,user-3",
                "unique_id_l,unique_id_r user-1, ,user-2 \"\",user-3 user-4,user-5"
            })
    void ofCsvWithoutSomeIdsTheRestIsPlanned(String lines) throws IOException {
        CommandRunner usermap =
                new CommandRunner(folder).source(lines.split(" ", -1)).set("target.endpoint", "sandbox");

        assertThat(usermap.run("plan")).as(usermap.err()).isZero();

        assertThat(usermap.count("rejected")).isEqualTo(3);
        assertThat(usermap.count("map")).isEqualTo(1);
    }

    @Test
    void readsScoresOfTextAndRanksTheSourcesOfEdges() {
        Dataset<Row> edges = rows(
                "unique_id_l, source_dataset_l, unique_id_r, source_dataset_r, clerical_match_score",
                "(1, 'shop', 2, 'crm', '1.0')",
                "(1, 'shop', 3, 'web', 'sure')");
        assertThat(checked(edges, "source.min-score=0.5", "election.priority=[\"crm\",\"shop\"]"))
                .containsExactly(
                        "crm-2 crm-2 0.0",
                        "shop-1 crm-2 1.0",
                        "shop-1 web-3 unreadable_score",
                        "web-3 shop-1 unreadable_score");
    }

    @Test
    void readsTheLabelsOfRealPeopleAsEdges() {
        assumeThat(Files.exists(LABELS)).as("no public data at " + LABELS).isTrue();
        Dataset<Row> labels = LOCAL.spark().read().option("header", "true").csv(LABELS.toString());
        Map<String, String> expected = new TreeMap<>();
        // The textbook's way over the edges that count; names of the other's cluster are replaced.
        for (Row row : labels.filter("clerical_match_score >= 0.5").collectAsList()) {
            String left = row.getString(1) + "-" + row.getString(0);
            String right = row.getString(3) + "-" + row.getString(2);
            String one = expected.computeIfAbsent(left, id -> id);
            String other = expected.computeIfAbsent(right, id -> id);
            String smaller = one.compareTo(other) < 0 ? one : other;
            expected.replaceAll((id, cluster) -> cluster.equals(one) || cluster.equals(other) ? smaller : cluster);
        }
        Shape shape = shape(labels, "source.min-score=0.5");

        Map<String, String> found = new TreeMap<>();
        long below = 0;
        for (Row row : CheckedRows.of(labels, shape, RULES).collectAsList()) {
            if (row.getAs("reason") == null) {
                found.put(row.getAs("user_id"), row.getAs("target"));
            } else {
                assertThat(row.<String>getAs("reason")).isEqualTo("below_min_score");
                below++;
            }
        }

        assertThat(found).isEqualTo(expected).hasSizeGreaterThan(900);
        assertThat(below).isEqualTo(1145);
    }

    @Test
    void takesTheLastOfEachUsersChanges() {
        Dataset<Row> delta = rows(
                "user_id, global_user_id, _change_type, _commit_version",
                "('ann', 'g-1', 'insert', 1L)",
                "('ann', 'g-1', 'update_preimage', 2L)",
                "('ann', 'g-2', 'update_postimage', 2L)",
                "('bob', 'g-1', 'insert', 1L)",
                "('bob', 'g-1', 'delete', 3L)",
                "('cid', 'g-1', 'delete', 4L)",
                "('cid', 'g-3', 'insert', 4L)",
                "('old', 'g-1', 'update_preimage', 5L)",
                "('new', 'g-1', 'update_postimage', 5L)",
                "('two', 'g-1', 'insert', 6L)",
                "('two', 'g-2', 'insert', 6L)",
                "(null, 'g-1', 'insert', 1L)",
                "(null, 'g-2', 'insert', 2L)");
        List<String> last = List.of(
                "ann g-2",
                "bob null!",
                "cid g-3",
                "new g-1",
                "null g-1 missing_id",
                "null g-2 missing_id",
                "old null!",
                "two g-1",
                "two g-2");
        assertThat(checked(delta)).isEqualTo(last);

        Dataset<Row> iceberg = delta.selectExpr(
                "user_id",
                "global_user_id",
                "upper(replace(replace(_change_type, '_preimage', '_before'), '_postimage', '_after')) AS _change_type",
                "cast(_commit_version AS int) AS _change_ordinal");
        assertThat(checked(iceberg)).isEqualTo(last);
    }

    @Test
    void keepsTheUnmapColumnOfAFeed() {
        Dataset<Row> feed = rows(
                "user_id, global_user_id, unmap, _change_type, _commit_version",
                "('ann', null, true, 'insert', 1L)",
                "('bob', 'g-1', false, 'insert', 1L)",
                "('cid', 'g-1', false, 'delete', 1L)");

        assertThat(checked(feed)).containsExactly("ann null!", "bob g-1", "cid null!");
        assertThat(CheckedRows.of(feed, shape(feed), RULES)
                        .filter(CheckedRows.DELETED)
                        .collectAsList())
                .extracting(row -> row.getString(0))
                .containsExactly("cid");
    }

    @Test
    void endsTheRunOverAKindOfChangeThatNobodyKnows() {
        Dataset<Row> feed = rows(
                "user_id, global_user_id, _change_type, _commit_version",
                "('ann', 'g-1', 'upsert', 1L)",
                "('ann', 'g-1', 'insert', 2L)");
        assertThatThrownBy(() -> new StateOnDisk(LOCAL.spark(), folder).planner(feed, shape(feed), RULES, Mode.UPSERT))
                .isInstanceOf(StoppedException.class)
                .hasMessage(
                        "Cannot read the kind of change: 1 rows hold none of insert, update and delete. Mend them in"
                                + " 'source.sql'.");
    }

    @Test
    void rowsThatAQuoteHasSwallowedAreToldFromAnIdThatIsStrange() {
        assertThat(CheckedRows.looksLikeRows("person-1\nuser-2,person-1\nuser-3,person-1\nuser-4,per"))
                .isTrue();
        assertThat(CheckedRows.looksLikeRows("p\r\na;1;x\r\nb;2;y\r\nc;3;z\r\n"))
                .isTrue();
        assertThat(CheckedRows.looksLikeRows("a".repeat(5_000) + "\n" + "b".repeat(5_000)))
                .isFalse();
        assertThat(CheckedRows.looksLikeRows("one,\ntwo, three\n\nfour\nfive")).isFalse();
        assertThat(CheckedRows.looksLikeRows("user-2,person-1")).isFalse();
    }
}
