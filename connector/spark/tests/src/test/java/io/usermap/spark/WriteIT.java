package io.usermap.spark;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.usermap.client.SecretStore;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Stream;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What the service receives when rows are written. */
class WriteIT extends SparkCase {
    @TempDir
    private Path receipts;

    @Test
    void sendsEachMappingToTheService() {
        write(rows(map("ann@shop", "ann@global"), map("bob+1@shop", "bob@global")), options());

        assertThat(sandbox.mappings())
                .containsOnly(
                        org.assertj.core.data.MapEntry.entry("ann@shop", "ann@global"),
                        org.assertj.core.data.MapEntry.entry("bob+1@shop", "bob@global"));
    }

    /** A platform's store of secrets, as a jar brings it. */
    public static final class Vault implements SecretStore {
        @Override
        public Optional<String> secret(String scope, String key) {
            return (scope + " " + key).equals("prod api") ? Optional.of("key-of-tests") : Optional.empty();
        }
    }

    @Test
    void asksThePlatformsStoreForItsKey() throws IOException {
        assertThatThrownBy(() -> write(rows(map("ann@shop", "ann@global")), options("apiKey", "secret:prod/api")))
                .hasMessage("Cannot read a key: there is no secret 'api' in a scope 'prod' here. Use env:NAME or"
                        + " file:PATH where the platform has no scopes.");
        Path services = Files.createDirectories(receipts.resolve("META-INF/services"));
        Files.writeString(services.resolve(SecretStore.class.getName()), Vault.class.getName());
        ClassLoader before = Thread.currentThread().getContextClassLoader();
        URL[] jar = {receipts.toUri().toURL()};
        try (URLClassLoader withTheJar = new URLClassLoader(jar, before)) {
            Thread.currentThread().setContextClassLoader(withTheJar);
            write(rows(map("ann@shop", "ann@global")), options("apiKey", "secret:prod/api"));
        } finally {
            Thread.currentThread().setContextClassLoader(before);
        }

        assertThat(sandbox.mappings()).containsEntry("ann@shop", "ann@global");
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
    void sharesTheAllowanceAmongTwoWritesAtOnce() {
        Dataset<Row> large = manyRows(4_000);
        Dataset<Row> small = spark.range(300)
                .selectExpr("concat('other-', lpad(id, 7, '0')) AS user_id", "'global-of-others' AS global_user_id");
        CompletableFuture<Void> first = CompletableFuture.runAsync(() -> write(large, options("writers", "1")));
        CompletableFuture<Void> second = CompletableFuture.runAsync(() -> write(small, options("writers", "1")));
        CompletableFuture.allOf(first, second).join();

        assertThat(sandbox.mappings()).hasSize(4_300);
        assertThat(sandbox.counts().mapped()).isEqualTo(4_300);
        assertThat(sandbox.counts().throttled()).isZero();
        assertThat(sandbox.mostInWindow()).isLessThanOrEqualTo(PER_SECOND);
        List<String> targets = sandbox.requests().stream()
                .flatMap(request -> request.mappings().stream())
                .map(mapping -> String.valueOf(mapping.globalUserId()))
                .toList();
        assertThat(targets.lastIndexOf("global-of-others"))
                .as("the small one is not made to wait for the large one")
                .isLessThan(3_000);
    }

    @Test
    void startsTheNextBatchWhileRequestsOfTheOneBeforeAreInFlight() throws IOException {
        Map<String, String> smooth =
                options("pacing", "smooth", "maxBatchRows", "37", "writers", "2", "receiptsPath", receipts.toString());
        write(manyRows(1_200), smooth);

        assertThat(sandbox.mappings()).hasSize(1_200);
        assertThat(sandbox.counts().mapped()).as("each row once").isEqualTo(1_200);
        assertThat(sandbox.counts().throttled()).isZero();
        try (Stream<Path> files = Files.list(receipts)) {
            assertThat(files.filter(file -> file.toString().endsWith(".jsonl"))
                            .flatMap(WriteIT::lines)
                            .filter(line -> line.contains("accepted")))
                    .hasSize(1_200);
        }
        long requests = sandbox.counts().requests();
        write(manyRows(1_200), smooth);
        assertThat(sandbox.counts().requests()).as("no row without a receipt").isEqualTo(requests);
    }

    private static Stream<String> lines(Path file) {
        try {
            return Files.readAllLines(file).stream();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
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
