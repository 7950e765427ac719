package io.usermap.job;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ShapeTest {

    private static StructType strings(String... names) {
        StructType schema = new StructType();
        for (String name : names) {
            schema = schema.add(name, DataTypes.StringType);
        }
        return schema;
    }

    private static Shape of(StructType schema, Map<String, String> texts) {
        return Shape.of(schema, Configuration.of(texts, Set.of(), Map.of()));
    }

    private static void assertRefused(StructType schema, Map<String, String> texts, String message) {
        assertThatThrownBy(() -> of(schema, texts))
                .isInstanceOf(StoppedException.class)
                .hasMessage(message);
    }

    @ParameterizedTest
    @CsvSource({"cluster_id,unique_id", "component,id", "cluster,unique_id", "CLUSTER_ID,Unique_Id", "cluster,user_id"})
    void recognisesClustersByName(String cluster, String id) {
        assertThat(of(strings("name", id, cluster), Map.of())).isEqualTo(new Shape.Clusters(cluster, id));
    }

    @ParameterizedTest
    @CsvSource({"z_cluster", "ZINGG_ID"})
    void recognisesZinggOnceTheIdIsNamed(String cluster) {
        assertThat(of(strings(cluster, "email"), Map.of("source.id-column", "EMAIL")))
                .isEqualTo(new Shape.Clusters(cluster, "email"));
    }

    @Test
    void recognisesPairsWithAndWithoutUnmap() {
        assertThat(of(strings("USER_ID", "global_user_id", "more"), Map.of()))
                .isEqualTo(new Shape.Pairs("USER_ID", "global_user_id", Optional.empty()));
        assertThat(of(strings("user_id", "global_user_id").add("unmap", DataTypes.BooleanType), Map.of()))
                .isEqualTo(new Shape.Pairs("user_id", "global_user_id", Optional.of("unmap")));
    }

    @Test
    void letsTheConfigurationNameShapeAndColumns() {
        assertThat(of(strings("a", "b", "cluster"), Map.of("source.cluster-column", "b", "source.id-column", "a")))
                .isEqualTo(new Shape.Clusters("b", "a"));
        assertThat(of(
                        strings("user_id", "global_user_id", "cluster"),
                        Map.of("source.shape", "clusters", "source.id-column", "user_id")))
                .isEqualTo(new Shape.Clusters("cluster", "user_id"));
    }

    @Test
    void listsTheCandidatesOfAnAmbiguousSource() {
        assertRefused(
                strings("user_id", "global_user_id", "cluster"),
                Map.of(),
                "Cannot tell the source's shape: its columns fit pairs (user_id, global_user_id) and clusters (cluster)."
                        + " Set 'source.shape' to pairs or clusters.");
        assertRefused(
                strings("cluster", "unique_id", "id"),
                Map.of(),
                "Cannot tell the source's column of the user id: unique_id and id could be it. Set 'source.id-column'.");
    }

    @Test
    void saysWhatIsMissing() {
        assertRefused(
                strings("a", "b"),
                Map.of(),
                "Cannot recognise the source's columns: a, b are neither pairs (user_id, global_user_id) nor clusters (a"
                        + " cluster and an id). Set 'source.shape' and the columns, 'source.cluster-column' and"
                        + " 'source.id-column' for clusters.");
        assertRefused(
                strings("z_cluster", "email"),
                Map.of(),
                "Cannot find the source's column of the user id among z_cluster, email. Set 'source.id-column'.");
        assertRefused(
                strings("cluster", "id"),
                Map.of("source.id-column", "mail"),
                "Cannot use column 'mail': the source has cluster, id. Set 'source.id-column'.");
    }

    @Test
    void refusesTypesWhoseTextIsNotOneId() {
        assertRefused(
                strings("cluster").add("id", DataTypes.DoubleType),
                Map.of(),
                "Cannot use column 'id' as an id: its type is double, whose text is not one id. Cast it to string in"
                        + " 'source.sql'.");
        assertThat(of(strings("cluster").add("id", DataTypes.LongType), Map.of()))
                .isEqualTo(new Shape.Clusters("cluster", "id"));
        assertRefused(
                strings("user_id", "global_user_id").add("unmap", DataTypes.IntegerType),
                Map.of(),
                "Cannot use column 'unmap' as unmap: its type is int. Make it boolean in 'source.sql'.");
    }
}
