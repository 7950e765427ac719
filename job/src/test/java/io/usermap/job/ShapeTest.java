package io.usermap.job;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ShapeTest {

    private static Shape of(String columns, String... settings) {
        Map<String, String> texts = new HashMap<>();
        for (String setting : settings) {
            texts.put(setting.split("=", 2)[0], setting.split("=", 2)[1]);
        }
        return Shape.of(StructType.fromDDL(columns), Configuration.of(texts, Set.of(), Map.of()));
    }

    private static void assertRefused(String columns, String message, String... settings) {
        assertThatThrownBy(() -> of(columns, settings))
                .isInstanceOf(StoppedException.class)
                .hasMessage(message);
    }

    /** Columns with the types that each producer's documentation or source gives them, in its spelling. */
    @ParameterizedTest(name = "{0}")
    @CsvSource(delimiter = '|', quoteCharacter = '"', textBlock = """
    Splink clusters             | cluster_id STRING, unique_id STRING, first_name STRING, tf_city FLOAT                                     | clusters: unique_id by cluster_id
    Splink, linking             | cluster_id STRING, source_dataset STRING, unique_id BIGINT, dob STRING                                    | clusters: source_dataset-unique_id by cluster_id
    GraphFrames                 | id STRING, name STRING, component BIGINT                                                                  | clusters: id by component
    Zingg with an id of its own | id STRING, fname STRING, z_cluster BIGINT, z_minScore DOUBLE, z_maxScore DOUBLE                           | clusters: id by z_cluster
    Zingg Enterprise            | user_id STRING, FNAME STRING, ZINGG_ID STRING, Z_MINSCORE DOUBLE, Z_MAXSCORE DOUBLE                       | clusters: user_id by ZINGG_ID
    RudderStack                 | USER_MAIN_ID STRING, OTHER_ID STRING, OTHER_ID_TYPE STRING, VALID_AT TIMESTAMP                            | clusters: OTHER_ID by USER_MAIN_ID, where OTHER_ID_TYPE is user_id
    RudderStack, other entity   | account_main_id STRING, other_id STRING, other_id_type STRING, valid_at TIMESTAMP                         | clusters: other_id by account_main_id, where other_id_type is user_id
    RudderStack's dbt package   | rudder_id STRING, node STRING, labels STRING, latest_timestamp TIMESTAMP                                  | clusters: node by rudder_id, where labels is user_id
    the same before it changed  | rudder_id STRING, edge STRING, labels STRING, latest_timestamp TIMESTAMP                                  | clusters: edge by rudder_id, where labels is user_id
    Segment user_identifiers    | canonical_segment_id STRING, type STRING, value STRING, seq BIGINT, received_at TIMESTAMP                 | clusters: value by canonical_segment_id, where type is user_id
    Segment external_id_mapping | canonical_segment_id STRING, external_id_type STRING, external_id_value STRING, timestamp TIMESTAMP       | clusters: external_id_value by canonical_segment_id, where external_id_type is user_id
    Snowplow                    | uuid STRING, active_snowplow_id STRING, id_type STRING, id_value STRING, mapping_state STRING             | clusters: id_value by active_snowplow_id, where id_type is user_id
    Hightouch resolved          | HT_ID STRING, SOURCE STRING, PRIMARY_KEY STRING, LATEST_TIMESTAMP TIMESTAMP                               | clusters: SOURCE-PRIMARY_KEY by HT_ID
    Hightouch identifiers       | HT_ID STRING, IDENTIFIER STRING, VALUE STRING, COUNT BIGINT                                               | clusters: VALUE by HT_ID, where IDENTIFIER is user_id
    Senzing                     | CLUSTER_ID INT, DATA_SOURCE STRING, RECORD_ID STRING                                                      | clusters: DATA_SOURCE-RECORD_ID by CLUSTER_ID
    AWS Entity Resolution       | InputSourceARN STRING, ConfidenceLevel STRING, RecordId STRING, MatchID STRING, MatchRule STRING          | clusters: RecordId by MatchID
    Salesforce                  | UnifiedRecordId__c STRING, SourceRecordId__c STRING, ssot__DataSourceId__c STRING                         | clusters: SourceRecordId__c by UnifiedRecordId__c
    plain clusters              | CLUSTER STRING, User_Id STRING                                                                            | clusters: User_Id by CLUSTER
    GraphFrames edges           | src STRING, dst STRING                                                                                    | edges: src with dst
    pairs                       | USER_ID STRING, global_user_id STRING, more STRING                                                        | pairs: USER_ID maps to global_user_id
    pairs with unmap            | user_id STRING, global_user_id STRING, unmap BOOLEAN                                                      | pairs: user_id maps to global_user_id, unmap unmaps
    Delta's change feed         | user_id STRING, global_user_id STRING, _change_type STRING, _commit_version BIGINT, _commit_timestamp TIMESTAMP | changes: user_id maps to global_user_id, the last by _commit_version counts, a delete unmaps
    Iceberg's changelog         | user_id STRING, global_user_id STRING, _change_type STRING, _change_ordinal INT, _commit_snapshot_id BIGINT     | changes: user_id maps to global_user_id, the last by _change_ordinal counts, a delete unmaps
    """)
    void recognisesWhatIsWrittenBy(String producer, String columns, String words) {
        assertThat(of(columns).inWords()).isEqualTo(words);
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
    unique_id_l STRING, unique_id_r STRING, match_weight DOUBLE, match_probability DOUBLE, match_key STRING | edges: unique_id_l with unique_id_r, match_probability at least 0.9
    unique_id_l BIGINT, source_dataset_l STRING, unique_id_r BIGINT, source_dataset_r STRING, clerical_match_score DOUBLE | edges: source_dataset_l-unique_id_l with source_dataset_r-unique_id_r, clerical_match_score at least 0.9
    src STRING, dst STRING, score FLOAT | edges: src with dst, score at least 0.9
    """)
    void recognisesEdgesWithScores(String columns, String words) {
        assertThat(of(columns, "source.min-score=0.9").inWords()).isEqualTo(words);
    }

    @Test
    void letsTheConfigurationNameShapeAndColumns() {
        assertThat(of("a STRING, b STRING, cluster STRING", "source.cluster-column=B", "source.id-column=a"))
                .isEqualTo(new Shape.Clusters("b", "a"));
        assertThat(of(
                        "user_id STRING, global_user_id STRING, cluster STRING",
                        "source.shape=clusters",
                        "source.id-column=user_id"))
                .isEqualTo(new Shape.Clusters("cluster", "user_id"));
        assertThat(of("z_cluster BIGINT, email STRING", "source.id-column=EMAIL"))
                .isEqualTo(new Shape.Clusters("z_cluster", "email"));
        assertThat(of("user_id STRING, person STRING", "source.global-id-column=person"))
                .isEqualTo(new Shape.Pairs("user_id", "person", Optional.empty()));
        assertThat(of(
                                "a STRING, b STRING, p DOUBLE",
                                "source.left-id-column=a",
                                "source.right-id-column=b",
                                "source.score-column=p",
                                "source.min-score=0.5")
                        .inWords())
                .isEqualTo("edges: a with b, p at least 0.5");
        assertThat(of(
                                "person STRING, ident STRING, kind STRING",
                                "source.cluster-column=person",
                                "source.id-column=ident",
                                "source.id-type-column=kind",
                                "source.id-types=[\"login\", \"Member\"]")
                        .inWords())
                .isEqualTo("clusters: ident by person, where kind is login or Member");
        assertThat(of(
                                "user_id STRING, global_user_id STRING, op STRING, _commit_version BIGINT",
                                "source.change-type-column=op")
                        .inWords())
                .startsWith("changes: ");
    }

    @Test
    void takesAnIdAloneThatAPersonNamed() {
        assertThat(of("CLUSTER_ID INT, DATA_SOURCE STRING, RECORD_ID STRING", "source.id-column=RECORD_ID")
                        .inWords())
                .isEqualTo("clusters: RECORD_ID by CLUSTER_ID");
    }

    @Test
    void tellsHowToOverrideTheGuess() {
        assertThat(of("CLUSTER_ID INT, DATA_SOURCE STRING, RECORD_ID STRING").howToOverride())
                .isEqualTo("not so? 'source.shape', 'source.cluster-column', 'source.id-column' say otherwise;"
                        + " 'RECORD_ID' alone may be two people in two of 'DATA_SOURCE', so both are joined with '-':"
                        + " 'source.id-column' = RECORD_ID takes it alone");
        assertThat(of("HT_ID STRING, IDENTIFIER STRING, VALUE STRING").howToOverride())
                .contains("'source.id-types'");
        assertThat(of("user_id STRING, global_user_id STRING").howToOverride()).contains("'source.global-id-column'");
        assertThat(of("src STRING, dst STRING").howToOverride()).contains("'source.left-id-column'");
    }

    @Test
    void readsPriorities() {
        assertThat(of("cluster STRING, id STRING, seen TIMESTAMP", "election.priority-column=SEEN")
                        .inWords())
                .isEqualTo("clusters: id by cluster, smallest seen first");
        assertThat(of(
                                "CLUSTER_ID INT, DATA_SOURCE STRING, RECORD_ID STRING",
                                "election.priority=[\"CUSTOMERS\",\"WATCHLIST\"]")
                        .inWords())
                .isEqualTo("clusters: DATA_SOURCE-RECORD_ID by CLUSTER_ID, CUSTOMERS before WATCHLIST by DATA_SOURCE");
        assertRefused(
                "cluster STRING, id STRING",
                "Cannot order users by 'election.priority': the source has no column of id types or sources. Set"
                        + " 'source.id-type-column', or 'election.priority-column'.",
                "election.priority=crm");
        assertRefused(
                "cluster STRING, id STRING, seen BOOLEAN",
                "Cannot use column 'seen' as a priority: its type is boolean. Use a number, a date or a timestamp.",
                "election.priority-column=seen");
        assertRefused(
                "src STRING, dst STRING, seen DATE",
                "Cannot use 'election.priority-column': the source's shape is edges, whose columns describe two users"
                        + " each. Leave it out.",
                "election.priority-column=seen");
    }

    @Test
    void listsTheCandidatesOfAnAmbiguousSource() {
        assertRefused(
                "user_id STRING, global_user_id STRING, cluster STRING",
                "Cannot tell the source's shape: its columns can be read as clusters (cluster, user_id) or as pairs"
                        + " (global_user_id, user_id). Set 'source.shape'.");
        assertRefused(
                "cluster STRING, unique_id STRING, id STRING",
                "Cannot tell the source's shape: its columns can be read as clusters (cluster, unique_id) or as clusters"
                        + " (cluster, id). Set 'source.id-column'.");
        assertRefused(
                "cluster_id STRING, z_cluster BIGINT, unique_id STRING",
                "Cannot tell the source's shape: its columns can be read as clusters (cluster_id, unique_id) or as"
                        + " clusters (z_cluster, unique_id). Set 'source.cluster-column'.");
        assertRefused(
                "src STRING, dst STRING, component BIGINT, id STRING",
                "Cannot tell the source's shape: its columns can be read as clusters (component, id) or as edges (src,"
                        + " dst). Set 'source.shape'.");
    }

    @Test
    void saysWhatIsMissing() {
        assertRefused(
                "a STRING, b STRING",
                "Cannot recognise the source's columns: a, b are neither pairs (user_id, global_user_id) nor clusters (a"
                        + " cluster and an id) nor edges (two ids). Set 'source.shape' and the columns, for example"
                        + " 'source.cluster-column' and 'source.id-column' for clusters.");
        assertRefused(
                "z_cluster BIGINT, email STRING",
                "Cannot find the source's column of the user id among z_cluster, email. Set 'source.id-column'.");
        assertRefused(
                "user_id STRING, person STRING",
                "Cannot find the source's column of the global user id among user_id, person. Set"
                        + " 'source.global-id-column'.",
                "source.shape=pairs");
        assertRefused(
                "cluster STRING, id STRING",
                "Cannot use column 'mail': the source has cluster, id. Set 'source.id-column'.",
                "source.id-column=mail");
        assertRefused(
                "user_id STRING, global_user_id STRING",
                "Cannot find the source's column of the kind of change among user_id, global_user_id. Set"
                        + " 'source.start-version' to read a table's change feed, or 'source.change-type-column'.",
                "source.shape=changes");
        assertRefused(
                "user_id STRING, global_user_id STRING, op STRING",
                "Cannot tell the order of changes: the source has none of _commit_version, _change_ordinal. Name the"
                        + " column that counts the commits _commit_version in 'source.sql'.",
                "source.change-type-column=op");
    }

    @Test
    void refusesTypesWhoseTextIsNotOneId() {
        assertRefused(
                "cluster STRING, id DOUBLE",
                "Cannot use column 'id' as an id: its type is double, whose text is not one id. Cast it to string in"
                        + " 'source.sql'.");
        assertRefused(
                "MatchID STRING, RecordId ARRAY<STRING>",
                "Cannot use column 'RecordId' as an id: its type is array<string>, which holds several values. Make it"
                        + " one row for each id in 'source.sql', for example with explode.");
        assertRefused(
                "canonical_segment_id STRING, type STRING, value STRUCT<id: STRING>",
                "Cannot use column 'value' as an id: its type is struct<id:string>, which holds several values. Make it"
                        + " one row for each id in 'source.sql', for example with explode.");
        assertThat(of("cluster STRING, id DECIMAL(20,0)")).isEqualTo(new Shape.Clusters("cluster", "id"));
        assertRefused(
                "user_id STRING, global_user_id STRING, unmap INT",
                "Cannot use column 'unmap' as unmap: its type is int. Make it boolean in 'source.sql'.");
        assertRefused(
                "unique_id_l STRING, unique_id_r STRING, match_probability BOOLEAN",
                "Cannot use column 'match_probability' as a score: its type is boolean. Make it a number in"
                        + " 'source.sql'.",
                "source.min-score=0.9");
        assertRefused(
                "HT_ID STRING, IDENTIFIER INT, VALUE STRING",
                "Cannot use column 'IDENTIFIER' as a type of ids or of changes: its type is int. Make it a string in"
                        + " 'source.sql'.");
        assertRefused(
                "user_id STRING, global_user_id STRING, _change_type STRING, _commit_version STRING",
                "Cannot use column '_commit_version' as the order of changes: its type is string. Make it a bigint in"
                        + " 'source.sql'.");
    }

    @Test
    void asksForAThresholdWhereEdgesHaveScores() {
        assertRefused(
                "unique_id_l STRING, unique_id_r STRING, match_probability DOUBLE",
                "Cannot use edges of any score: the source has 'match_probability', and one weak edge makes two people"
                        + " one. Set 'source.min-score' to the least that counts.");
    }

    @Test
    void refusesFeedsThatDoNotSayEnough() {
        assertRefused(
                "cluster STRING, id STRING, _change_type STRING, _commit_version BIGINT",
                "Cannot plan from a change feed of clusters (cluster, id): rows that did not change are not in it, and"
                        + " they decide who stands for whom. Read the table itself, or keep a table of pairs and read its"
                        + " changes.");
        assertRefused(
                "user_id STRING, global_user_id STRING, _change_type STRING, _commit_version BIGINT",
                "Cannot plan changes with 'plan.mode' = mirror: users that did not change are not in the source, and"
                        + " mirror would unmap them. Set it to upsert, or read the table itself.",
                "plan.mode=mirror");
    }

    @Test
    void refusesKeysThatTheShapeGivesNoMeaning() {
        assertRefused(
                "cluster STRING, id STRING",
                "Cannot use 'source.min-score': the source is read as clusters: id by cluster. Leave it out, or set"
                        + " 'source.score-column'.",
                "source.min-score=0.9");
        assertRefused(
                "cluster STRING, id STRING",
                "Cannot use 'source.id-types': the source is read as clusters: id by cluster. Leave it out, or set"
                        + " 'source.id-type-column'.",
                "source.id-types=email");
        assertRefused(
                "user_id STRING, global_user_id STRING",
                "Cannot use 'source.start-version': the source is read as pairs: user_id maps to global_user_id. Leave"
                        + " it out, or set 'source.shape' to changes.",
                "source.start-version=7");
    }
}
