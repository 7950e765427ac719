package io.usermap.spark;

import static org.assertj.core.api.Assertions.assertThat;

import org.apache.spark.sql.RowFactory;
import org.junit.jupiter.api.Test;

/** What the service receives when rows are written. */
class WriteIT extends SparkCase {

    @Test
    void sendsEachMappingToTheService() {
        write(rows(map("ann@shop", "ann@global"), map("bob+1@shop", "bob@global")), options());

        assertThat(sandbox.mappings())
                .containsOnly(
                        org.assertj.core.data.MapEntry.entry("ann@shop", "ann@global"),
                        org.assertj.core.data.MapEntry.entry("bob+1@shop", "bob@global"));
    }

    @Test
    void sendsUnmaps() {
        write(rows(map("ann@shop", "ann@global"), map("bob@shop", "bob@global")), options());
        write(rows(unmap("ann@shop")), options());

        assertThat(sandbox.mappings()).containsOnlyKeys("bob@shop");
    }

    @Test
    void sendsAwkwardIdsUnchanged() {
        String cjk = "用户-一二三";
        String astral = "smile-😀-id";
        String quotes = "quote\"back\\slash";
        write(rows(map(cjk, "global-1"), map(astral, "global-1"), map(quotes, "global 1&=%")), options());

        assertThat(sandbox.mappings())
                .containsEntry(cjk, "global-1")
                .containsEntry(astral, "global-1")
                .containsEntry(quotes, "global 1&=%");
    }

    @Test
    void findsColumnsByNameWhateverTheirOrderAndCase() {
        write(
                rows(map("ann@shop", "ann@global"))
                        .selectExpr("global_user_id AS GLOBAL_USER_ID", "unmap", "user_id AS User_Id"),
                options());

        assertThat(sandbox.mappings()).containsEntry("ann@shop", "ann@global");
    }

    @Test
    void keepsToTheWindowWithSeveralWritersAndUsesIt() {
        write(manyRows(2_000), options("writers", "4"));

        assertThat(sandbox.mappings()).hasSize(2_000);
        assertThat(sandbox.counts().throttled()).isZero();
        assertThat(sandbox.mostInWindow()).isLessThanOrEqualTo(PER_SECOND);
    }

    @Test
    void sendsOneOfEqualDuplicates() {
        write(
                rows(map("ann@shop", "ann@global"), map("ann@shop", "ann@global"), map("bob@shop", "bob@global"))
                        .repartition(3),
                options());

        assertThat(sandbox.counts().mapped()).isEqualTo(2);
    }

    @Test
    void spacesRequestsEvenlyWhenPacingIsSmooth() {
        write(manyRows(600), options("pacing", "smooth"));

        assertThat(sandbox.mappings()).hasSize(600);
        assertThat(sandbox.counts().throttled()).isZero();
        assertThat(sandbox.requests()).hasSizeGreaterThan(4);
    }

    @Test
    void sendsShorterIdsWithTheirMinimumLength() {
        write(rows(map("ab", "xyz"), RowFactory.create("abc", "xyz", false)), options("minIdLength", "2"));

        assertThat(sandbox.mappings()).containsEntry("ab", "xyz").containsEntry("abc", "xyz");
    }
}
