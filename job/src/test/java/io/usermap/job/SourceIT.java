package io.usermap.job;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/** Files, tables and queries as sources, whole and damaged. */
class SourceIT {
    @RegisterExtension
    static final LocalSpark LOCAL = new LocalSpark();

    @TempDir
    private Path folder;

    private static Dataset<Row> load(String... settings) {
        Map<String, String> texts = new HashMap<>();
        for (String setting : settings) {
            texts.put(setting.split("=", 2)[0], setting.split("=", 2)[1]);
        }
        return Source.load(LOCAL.spark(), Configuration.of(texts, Set.of(Configuration.Need.SOURCE), Map.of()));
    }

    private static List<String> read(String... settings) {
        return load(settings).collectAsList().stream()
                .map(row -> row.mkString("|"))
                .sorted()
                .toList();
    }

    private Path file(String name, String text) throws IOException {
        Path file = folder.resolve(name);
        Files.createDirectories(file.getParent());
        return Files.writeString(file, text);
    }

    private static void assertNotRead(String part, String... settings) {
        assertThatThrownBy(() -> read(settings)).hasStackTraceContaining(part);
    }

    @Test
    void readsCsvWithLineBreaksQuotesAndLeadingZeros() throws IOException {
        Path file = file("a.csv", "user_id,global_user_id,note\n007,\"g,1\",\"one\ntwo\"\n\"b\"\"c\",,\"\"\n");

        assertThat(read("source.path=" + file)).containsExactly("007|g,1|one\ntwo", "b\"c|null|null");
    }

    @Test
    void readsAFolderOfCsvByTheEndingsOfItsFiles() throws IOException {
        file("out/part-0.csv", "cluster,id\nc1,ann\n");
        file("out/part-1.csv", "cluster,id\nc1,bob\n");
        file("out/_SUCCESS", "");

        assertThat(read("source.path=" + folder.resolve("out"))).containsExactly("c1|ann", "c1|bob");
    }

    @Test
    void readsSomeColumnsOfManyAndCountsRows() throws IOException {
        file("out/part-0.csv", "note,cluster,more,id\n\"a\nb\",c1,x,ann\n");
        file("out/part-1.csv", "note,cluster,more,id\n,c2,,bob\n");
        Dataset<Row> source = load("source.path=" + folder.resolve("out"));

        assertThat(source.count()).isEqualTo(2);
        assertThat(source.select("id", "cluster").collectAsList())
                .extracting(row -> row.mkString("|"))
                .containsExactlyInAnyOrder("ann|c1", "bob|c2");
    }

    @Test
    void doesNotReadColumnsByTheirPlaceWhereAnotherFileHasThemInAnotherOrder() throws IOException {
        file("out/part-0.csv", "cluster,id\nc1,ann\n");
        file("out/part-1.csv", "id,cluster\nbob,c1\n");

        assertNotRead("CSV header does not conform to the schema", "source.path=" + folder.resolve("out"));
    }

    @Test
    void endsOverRowsThatDoNotParse() throws IOException {
        assertNotRead("FAILFAST", "source.path=" + file("a.csv", "cluster,id\nc1,ann\nc2\n"));
        assertNotRead("FAILFAST", "source.path=" + file("a.json", "{\"cluster\":\"c1\",\"id\":\"ann\"}\n{\"clus"));
    }

    @Test
    void readsJsonLinesAndOrc() throws IOException {
        Path lines = file("a.jsonl", "{\"cluster\":1,\"id\":\"ann\"}\n{\"cluster\":1,\"id\":\"b\\nc\"}\n");
        assertThat(read("source.path=" + lines)).containsExactly("1|ann", "1|b\nc");

        String orc = folder.resolve("clusters.orc").toString();
        LOCAL.spark().sql("SELECT 'c1' AS cluster, 'ann' AS id").write().orc(orc);
        assertThat(read("source.path=" + orc)).containsExactly("c1|ann");
    }

    @Test
    void neverTakesADamagedFileForAnEmptyOne() throws IOException {
        Path parquet = folder.resolve("clusters");
        LOCAL.spark()
                .range(2)
                .selectExpr("id % 2 AS cluster", "concat('user-', id) AS id")
                .repartition(2)
                .write()
                .parquet(parquet.toString());
        assertThat(read("source.path=" + parquet)).containsExactly("0|user-0", "1|user-1");
        Path part;
        try (Stream<Path> files = Files.list(parquet)) {
            part = files.filter(file -> file.toString().endsWith(".parquet"))
                    .max(Comparator.naturalOrder())
                    .orElseThrow();
        }
        for (String setting : List.of("spark.sql.files.ignoreCorruptFiles", "spark.sql.files.ignoreMissingFiles")) {
            // Even in a session whose owner does not mind.
            LOCAL.spark().conf().set(setting, "true");
        }
        try {
            Dataset<Row> loaded = load("source.path=" + parquet);
            Files.delete(part.resolveSibling("." + part.getFileName() + ".crc"));
            byte[] whole = Files.readAllBytes(part);
            Files.write(part, Arrays.copyOf(whole, whole.length / 2));
            assertThatThrownBy(loaded::collectAsList).hasStackTraceContaining("not a Parquet file");
            Files.delete(part);
            assertThatThrownBy(loaded::collectAsList).hasStackTraceContaining("FileNotFoundException");
        } finally {
            LOCAL.spark().conf().unset("spark.sql.files.ignoreCorruptFiles");
            LOCAL.spark().conf().unset("spark.sql.files.ignoreMissingFiles");
        }
    }

    @Test
    void readsTablesAndQueriesAndAQueryOverThem() {
        LOCAL.spark().sql("SELECT 1 AS cluster, 'ann' AS id").createOrReplaceTempView("people");

        assertThat(read("source.table=people")).containsExactly("1|ann");
        assertThat(read("source.query=SELECT id, cluster FROM people")).containsExactly("ann|1");
        assertThat(read("source.table=people", "source.sql=SELECT cluster, concat('u-', id) FROM source"))
                .containsExactly("1|u-ann");
        assertThat(LOCAL.spark().catalog().tableExists("source")).isFalse();
        LOCAL.spark().catalog().dropTempView("people");
    }

    @Test
    void itsFingerprintKnowsItsOptionsAndNoSecret() {
        Dataset<Row> rows = LOCAL.spark().range(1).toDF();
        String whole = fingerprint(rows, "url=jdbc:db://host/one?password=a", "user=ann", "passWord=a");

        assertThat(fingerprint(rows, "url=jdbc:db://host/one?password=b", "user=ann", "passWord=b"))
                .isEqualTo(whole);
        assertThat(fingerprint(rows, "url=jdbc:db://host/two", "user=ann")).isNotEqualTo(whole);
        assertThat(fingerprint(rows, "url=jdbc:db://host/one", "user=bob")).isNotEqualTo(whole);
    }

    private static String fingerprint(Dataset<Row> rows, String... options) {
        Map<String, String> texts = new HashMap<>(Map.of("source.format", "jdbc", "source.table", "people"));
        for (String option : options) {
            texts.put("source.options." + option.split("=", 2)[0], option.split("=", 2)[1]);
        }
        return Fingerprint.of(rows, Configuration.of(texts, Set.of(), Map.of()));
    }

    @Test
    void saysWhatIsNotThere() throws IOException {
        assertThatThrownBy(() -> load("source.path=" + folder.resolve("none")))
                .isInstanceOf(StoppedException.class)
                .hasMessage(
                        "Cannot read the source " + folder.resolve("none")
                                + ": there is no such path. Set 'source.path'; a relative one starts at the working directory.");
        assertThatThrownBy(() -> load("source.table=nobodys"))
                .isInstanceOf(StoppedException.class)
                .hasMessageStartingWith("Cannot read the table nobodys ('source.table'): ");
        assertThatThrownBy(() -> load("source.format=nobodys", "source.options.account=x"))
                .isInstanceOf(StoppedException.class)
                .hasMessageStartingWith("Cannot read the source as nobodys: ");
        assertThatThrownBy(() -> load("source.query=SELEC 1"))
                .isInstanceOf(StoppedException.class)
                .hasMessageStartingWith("Cannot run 'source.query': ");
        Files.createDirectory(folder.resolve("empty"));
        assertThatThrownBy(() -> load("source.path=" + folder.resolve("empty")))
                .isInstanceOf(StoppedException.class)
                .hasMessageStartingWith("Cannot read the source " + folder.resolve("empty") + " as parquet: ");
    }
}
