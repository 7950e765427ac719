package io.usermap.job;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import org.junit.jupiter.api.Test;

/** What {@code explain} tells of users who changed, who never did, and who were dropped. */
class ExplainIT extends CommandCase {

    private String explain(String id) {
        assertThat(usermap.run("explain", id)).as(usermap.err()).isZero();
        return usermap.out();
    }

    @Test
    void findsIdsThatTheShapeJoinsFromTwoColumns() throws IOException {
        usermap.set("plan.max-rejected-share", "1")
                .set("ledger.keep-runs", "1")
                .source(
                        "CLUSTER_ID,DATA_SOURCE,RECORD_ID",
                        "17,CUSTOMERS,1001",
                        "17,CUSTOMERS,1001",
                        "17,WATCHLIST,1001",
                        "17,CUSTOMERS,1002",
                        "18,CUSTOMERS,1003",
                        "19,CUSTOMERS,2001",
                        "20,CUSTOMERS,2001",
                        "21,CUSTOMERS, 7");
        String run = apply();

        assertThat(explain("WATCHLIST-1001").lines())
                .contains(
                        "  is mapped to \"CUSTOMERS-1001\"",
                        "  source: {\"CLUSTER_ID\":\"17\",\"DATA_SOURCE\":\"WATCHLIST\",\"RECORD_ID\":\"1001\"}",
                        "  source: 1 row puts it into cluster \"17\", with 2 others: \"CUSTOMERS-1001\","
                                + " \"CUSTOMERS-1002\"; its global id, which is in force, is one of them",
                        "  " + run
                                + ": planned to map it to \"CUSTOMERS-1001\" (cluster \"17\"): it was not mapped before");
        assertThat(explain("CUSTOMERS-1001").lines())
                .as("whoever stands for the others has nothing planned for it")
                .containsExactly(
                        "\"CUSTOMERS-1001\"",
                        "  is not mapped, as far as this ledger knows",
                        "  2 users are mapped to it",
                        "  source: {\"CLUSTER_ID\":\"17\",\"DATA_SOURCE\":\"CUSTOMERS\",\"RECORD_ID\":\"1001\"}",
                        "  source: {\"CLUSTER_ID\":\"17\",\"DATA_SOURCE\":\"CUSTOMERS\",\"RECORD_ID\":\"1001\"}",
                        "  source: 2 rows put it into cluster \"17\", with 2 others: \"CUSTOMERS-1002\","
                                + " \"WATCHLIST-1001\"; it is their global id, which is mapped nowhere",
                        "  older runs are not kept (ledger.keep-runs is 1), so what they did is not known here");
        assertThat(explain("CUSTOMERS-1003"))
                .contains("  source: 1 row puts it into cluster \"18\", alone, so there is nobody to map it to\n");
        assertThat(explain("CUSTOMERS-2001").lines())
                .containsSequence(
                        "  source: 1 row puts it into cluster \"19\"",
                        "  source: 1 row puts it into cluster \"20\"",
                        "  source: no row of it takes part in a plan: rows of one user contradict each other")
                .contains(
                        "  " + run + ": dropped a row of it (cluster \"19\"): rows of one user contradict each other");
        assertThat(explain("CUSTOMERS- 7"))
                .contains("  source: 1 row dropped (cluster \"21\"): an id begins or ends with a blank\n")
                .contains("  " + run + ": dropped a row of it (cluster \"21\"): an id begins or ends with a blank\n");
        assertThat(explain("1001"))
                .as("the half of an id is nobody, though rows hold it")
                .contains("\"RECORD_ID\":\"1001\"")
                .doesNotContain("cluster \"17\"");

        aLaterRunWithoutChangesLeavesTheClusterTold();
    }

    private void aLaterRunWithoutChangesLeavesTheClusterTold() throws IOException {
        apply();
        assertThat(usermap.report().path("outcome").asText()).isEqualTo("nothing_to_do");
        assertThat(usermap.runs()).as("the newest, and the one that sent last").hasSize(2);

        assertThat(explain("CUSTOMERS-1002").lines())
                .contains(
                        "  is mapped to \"CUSTOMERS-1001\"",
                        "  source: 1 row puts it into cluster \"17\", with 2 others: \"CUSTOMERS-1001\","
                                + " \"WATCHLIST-1001\"; its global id, which is in force, is one of them");
    }

    @Test
    void tellsOfRowsThatWereLeftOutOnPurpose() throws IOException {
        usermap.set("source.min-score", "0.9")
                .source(
                        "unique_id_l,source_dataset_l,unique_id_r,source_dataset_r,match_probability",
                        "1,shop,2,shop,0.99",
                        "2,shop,3,shop,0.2",
                        "4,shop,5,shop,sure")
                .set("plan.max-rejected-share", "1");
        apply();

        assertThat(explain("shop-3"))
                .contains("  source: {\"unique_id_l\":\"2\"")
                .contains("  source: 1 row left out (with \"shop-2\"): the score is below 'source.min-score'\n");
        assertThat(explain("shop-5")).contains("  source: 1 row dropped (with \"shop-4\"): the score is no number\n");
        assertThat(explain("shop-2"))
                .contains("  source: 1 row puts it into cluster \"shop-1\", with 1 other: \"shop-1\"; its global id");
    }

    @Test
    void tellsOfPairsAndDoesWithoutASourceThatCannotBeRead() throws IOException {
        pairs("ann-1,person-1", "bob-1,person-1", "bob-1,person-1", "eve-1,eve-1");
        apply();

        assertThat(explain("bob-1"))
                .contains("  source: 2 rows map it to \"person-1\", as it is in force, and 1 other: \"ann-1\"\n");
        assertThat(explain("eve-1")).contains("  source: 1 row left out: a user is mapped to itself\n");

        Files.delete(folder.resolve("source.csv"));
        assertThat(usermap.run("explain", "bob-1", "--format", "json")).isZero();
        assertThat(usermap.err()).contains("Cannot read the source").contains("there is no such path");
        JsonNode told = new ObjectMapper().readTree(usermap.out());
        assertThat(told.path("mapped_to").asText()).isEqualTo("person-1");
        assertThat(told.path("source_rows")).isEmpty();
    }
}
