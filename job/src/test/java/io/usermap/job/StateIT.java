package io.usermap.job;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.entry;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.apache.spark.api.java.function.MapFunction;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/** What the state remembers, in files on disk. */
class StateIT {
    @RegisterExtension
    static final LocalSpark LOCAL = new LocalSpark();

    @TempDir
    private Path folder;

    private State state;

    @BeforeEach
    void begin() {
        state = new State(
                LOCAL.spark(),
                LedgerFolder.of(folder.toString(), LOCAL.spark().sparkContext().hadoopConfiguration()));
    }

    private static Row user(String id, @Nullable String target) {
        return RowFactory.create(id, target);
    }

    private State.Version take(Row... users) {
        return state.take(LOCAL.spark().createDataFrame(List.of(users), State.SCHEMA), 7, "a-run");
    }

    private Map<String, String> remembered(State.Version version) {
        Map<String, String> users = new TreeMap<>();
        state.rows(version).collectAsList().forEach(row -> users.put(row.getString(0), String.valueOf(row.get(1))));
        return users;
    }

    private long bytes() throws IOException {
        try (Stream<Path> files = Files.walk(folder)) {
            return files.filter(Files::isRegularFile)
                    .mapToLong(file -> file.toFile().length())
                    .sum();
        }
    }

    @Test
    void remembersTheNewestOfEachUserAndCountsTheMapped() {
        take(user("anna@x", "bob@x"), user("carl@x", "bob@x"), user("dora@x", "bob@x"));

        State.Version version =
                take(user("anna@x", "eve@x"), user("carl@x", null), user("fred@x", "eve@x"), user("x@x", null));

        assertThat(remembered(version))
                .containsExactly(
                        entry("anna@x", "eve@x"),
                        entry("carl@x", "null"),
                        entry("dora@x", "bob@x"),
                        entry("fred@x", "eve@x"),
                        entry("x@x", "null"));
        assertThat(version.acknowledged()).isEqualTo(3);
        assertThat(version.version()).isEqualTo(2);
        assertThat(version.sourceRows()).isEqualTo(7);
    }

    @Test
    void aVersionThatIsTakenInAgainHasANumberNoSmallerThanBefore() {
        Dataset<Row> users = LOCAL.spark().createDataFrame(List.of(user("anna@x", "bob@x")), State.SCHEMA);

        assertThat(state.take(users, 7, "a-run", 5).version()).isEqualTo(5);
        assertThat(state.take(users, 7, "a-run", 5).version()).isEqualTo(6);
        assertThat(remembered(state.current())).containsExactly(entry("anna@x", "bob@x"));
    }

    @Test
    void takesTheSameChangesOnceOnly() throws IOException {
        take(user("anna@x", "bob@x"), user("carl@x", "bob@x"));
        State.Version once = take(user("anna@x", "eve@x"));

        State.Version twice = take(user("anna@x", "eve@x"));

        assertThat(twice.layers()).isEqualTo(once.layers());
        assertThat(twice.acknowledged()).isEqualTo(2);
    }

    @Test
    void keepsIdsApartThatDifferByCaseOrBlanks() {
        take(user("anna@x", "bob@x"), user("Anna@x", "carl@x"), user("an na@x", null));
        State.Version version = take(user("ANNA@x", "dora@x"), user("Anna@x", "eve@x"));

        assertThat(remembered(version))
                .containsExactly(
                        entry("ANNA@x", "dora@x"),
                        entry("Anna@x", "eve@x"),
                        entry("an na@x", "null"),
                        entry("anna@x", "bob@x"));
        assertThat(version.acknowledged()).isEqualTo(3);
    }

    @Test
    void writesInProportionToTheChanges() throws IOException {
        List<Row> many = new ArrayList<>();
        for (int i = 0; i < 20_000; i++) {
            many.add(user("user-%06d".formatted(i), "centre-%06d".formatted(i / 5)));
        }
        take(many.toArray(Row[]::new));
        long before = bytes();

        take(user("user-000017", "centre-9"), user("user-000018", null));

        assertThat(bytes() - before).isLessThan(before / 50);
    }

    @Test
    void takesManyChangesIntoAStateOfSeveralParts() {
        Dataset<Row> users = LOCAL.spark()
                .range(0, 250_000, 1, 2)
                .selectExpr("concat('user-', id) AS user_id", "concat('centre-', id % 7) AS global_user_id", "id");
        State.Version base = state.take(users.drop("id"), 7, "a-run");
        assertThat(base.layers().get(0).users().parts()).as("files").isEqualTo(2);
        Dataset<Row> changed = users.selectExpr(
                "user_id",
                "CASE id % 100 WHEN 0 THEN 'elsewhere' WHEN 1 THEN null ELSE global_user_id END AS global_user_id");

        State.Version version = state.take(changed, 7, "a-run");

        assertThat(version.layers()).hasSize(2);
        StateSegment delta = version.layers().get(1).users();
        assertThat(delta.entries()).as("what is known already is not written").isEqualTo(5_000);
        assertThat(delta.files()).as("more than 2,000 changes in each part").hasSize(2);
        assertThat(version.acknowledged()).isEqualTo(247_500);
        assertThat(state.rows(version).exceptAll(changed).isEmpty()).isTrue();
        assertThat(state.rows(version).count()).isEqualTo(250_000);

        State.Version few =
                state.take(changed.limit(2_500).selectExpr("user_id", "'one' AS global_user_id"), 7, "a-run");
        assertThat(few.layers().get(2).users().entries()).isEqualTo(2_500);
        assertThat(state.rows(few).filter("global_user_id = 'one'").count()).isEqualTo(2_500);
    }

    @Test
    void endsTheReadingWhereAFileIsDamagedOrGoneWhateverTheSessionSkips() throws IOException {
        State.Version version = take(user("anna@x", "bob@x"));
        Path file = folder.resolve(version.layers().get(0).users().folder())
                .resolve(version.layers()
                        .get(0)
                        .users()
                        .files()
                        .keySet()
                        .iterator()
                        .next());
        List<String> skipping = List.of("spark.sql.files.ignoreCorruptFiles", "spark.sql.files.ignoreMissingFiles");
        skipping.forEach(key -> LOCAL.spark().conf().set(key, "true"));
        try {
            Files.deleteIfExists(file.resolveSibling("." + file.getFileName() + ".crc"));
            Files.write(file, Arrays.copyOf(Files.readAllBytes(file), 100));
            assertThatThrownBy(() -> Source.toItsEnd(() -> remembered(version)))
                    .as("the source is not to blame")
                    .hasMessageMatching("Cannot read the state's file .* is not a Parquet file.*");
            Files.delete(file);
            assertThatThrownBy(() -> Source.toItsEnd(() -> remembered(version)))
                    .hasMessageMatching(
                            "Cannot read the state's file .* does not exist. Check the ledger's filesystem and"
                                    + " run the command again.");
        } finally {
            skipping.forEach(key -> LOCAL.spark().conf().unset(key));
        }
    }

    @Test
    void mergesSegmentsThatHavePiledUpAndForgetsNothing() throws IOException {
        long seed = Long.getLong("usermap.seed", 5L);
        Random random = new Random(seed);
        Map<String, String> expected = new TreeMap<>();
        List<Row> first = new ArrayList<>();
        for (int i = 0; i < 400; i++) {
            first.add(user("user-" + i, "centre-" + i % 7));
            expected.put("user-" + i, "centre-" + i % 7);
        }
        State.Version version = take(first.toArray(Row[]::new));
        for (int run = 0; run < 24; run++) {
            List<Row> changes = new ArrayList<>();
            for (int id : random.ints(8, 0, 420).distinct().toArray()) {
                String target = random.nextInt(4) == 0 ? null : "centre-" + run;
                changes.add(user("user-" + id, target));
                expected.put("user-" + id, String.valueOf(target));
            }
            version = take(changes.toArray(Row[]::new));
            assertThat(version.layers()).as("seed %d, run %d", seed, run).hasSizeLessThanOrEqualTo(9);
        }

        assertThat(remembered(version)).as("seed %d", seed).isEqualTo(expected);
        assertThat(version.acknowledged())
                .isEqualTo(expected.values().stream()
                        .filter(target -> !target.equals("null"))
                        .count());
        try (Stream<Path> left = Files.list(folder)) {
            assertThat(left.filter(path -> path.getFileName().toString().startsWith("manifest-")))
                    .as("versions kept")
                    .hasSize(3);
        }
    }

    @Test
    void doesNotSeeAPublicationThatWasCutShortOrDamaged() throws IOException {
        State.Version whole = take(user("anna@x", "bob@x"));
        Path manifest;
        try (Stream<Path> files = Files.list(folder)) {
            manifest = files.filter(path -> path.getFileName().toString().startsWith("manifest-"))
                    .findFirst()
                    .orElseThrow();
        }
        String text = Files.readString(manifest);
        Files.writeString(folder.resolve("manifest-000000000002.json"), text.substring(0, text.length() / 2));
        String damaged = text.replace("\"acknowledged\":", "\"acknowledged\":1");
        assertThat(damaged).isNotEqualTo(text);
        Files.writeString(folder.resolve("manifest-000000000003.json"), damaged);

        assertThat(state.current()).isEqualTo(whole);
        assertThat(remembered(take(user("carl@x", "bob@x"))))
                .containsExactly(entry("anna@x", "bob@x"), entry("carl@x", "bob@x"));
    }

    @Test
    void isNoEmptyOneWhereNoManifestIsWhole() throws IOException {
        Path first = folder.resolve("manifest-000000000001.json");
        take(user("anna@x", "bob@x"));
        String text = Files.readString(first);
        damage(first, text.substring(0, text.length() / 2));
        assertThat(state.current()).as("the very first one was cut short").isEqualTo(State.Version.NONE);

        damage(first, text.replace("anna", "x").replace("a-run", "b-run"));
        assertThatThrownBy(state::current)
                .isInstanceOf(StoppedException.class)
                .hasMessage(
                        "Cannot read the state file:" + folder + ": none of its 1 manifests is whole, and without one"
                                + " everything would look new. Restore the ledger from a copy; 'usermap verify --adopt' fills a"
                                + " new one from the service.");

        damage(first, text);
        for (int version = 2; version < 6; version++) {
            take(user("anna@x", "bob@x"));
        }
        try (Stream<Path> files = Files.list(folder)) {
            for (Path manifest : files.filter(
                            path -> path.getFileName().toString().startsWith("manifest-"))
                    .toList()) {
                damage(manifest, "");
            }
        }
        assertThatThrownBy(state::current)
                .as("older ones were removed, so there was a state")
                .isInstanceOf(StoppedException.class)
                .hasMessageContaining("none of its 3 manifests is whole");
    }

    private static void damage(Path file, String text) throws IOException {
        Files.writeString(file, text);
    }

    @Test
    void isTheOldOneOrTheNewOneWhereverItsPublicationEnds() throws IOException {
        List<Row> first = new ArrayList<>();
        for (int i = 0; i < 8; i++) {
            first.add(user("user-" + i, "centre"));
        }
        take(first.toArray(Row[]::new));
        // Merges all layers, so that only the first version needs what was there before.
        take(user("user-0", "elsewhere"), user("user-3", "elsewhere"), user("user-4", "elsewhere"));
        Map<String, String> before = remembered(take(user("user-1", null)));
        // Merges all layers and removes the first version with its data: everything that a publication can come to do.
        Row[] changes = {user("user-2", "elsewhere"), user("user-8", "centre")};
        Map<String, String> after = new TreeMap<>(before);
        after.put("user-2", "elsewhere");
        after.put("user-8", "centre");
        LOCAL.spark()
                .sparkContext()
                .hadoopConfiguration()
                .set("fs." + TroubledFiles.SCHEME + ".impl", TroubledFiles.class.getName());
        Path whole = folder;
        int published = 0;
        int alterations = 0;
        for (boolean cut = true; cut; ) {
            folder = Files.createDirectory(whole.resolve("cut-" + ++alterations));
            copyFiles(whole, folder);
            state = new State(
                    LOCAL.spark(),
                    LedgerFolder.of(
                            TroubledFiles.SCHEME + "://" + folder,
                            LOCAL.spark().sparkContext().hadoopConfiguration()));
            TroubledFiles.Death death = TroubledFiles.befall(new TroubledFiles.Death(path -> true, alterations));
            try {
                take(changes);
            } catch (Exception e) { // Spark throws checked exceptions that its methods do not declare
                assertThat(e).hasStackTraceContaining(TroubledFiles.SCHEME + ":");
            } finally {
                TroubledFiles.heal();
            }
            cut = death.hasCome();

            Map<String, String> found = remembered(state.current());
            assertThat(found).as("cut at alteration %d", alterations).isIn(before, after);
            published += found.equals(after) ? 1 : 0;
            assertThatCode(() -> state.mayHold("nobody"))
                    .as("cut at alteration %d: no version names data that is gone", alterations)
                    .doesNotThrowAnyException();
            State.Version version = take(changes);
            assertThat(remembered(version))
                    .as("cut at alteration %d", alterations)
                    .isEqualTo(after);
            assertThat(version.acknowledged())
                    .as("cut at alteration %d", alterations)
                    .isEqualTo(8);
            assertThat(state.current()).isEqualTo(version);
        }
        assertThat(alterations - published)
                .as("cuts before the manifest was whole")
                .isBetween(3, alterations - 2);
    }

    private static void copyFiles(Path from, Path to) throws IOException {
        try (Stream<Path> files = Files.walk(from)) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                if (!file.startsWith(to) && !from.relativize(file).toString().startsWith("cut-")) {
                    Path copy = to.resolve(from.relativize(file));
                    Files.createDirectories(copy.getParent());
                    Files.copy(file, copy);
                }
            }
        }
    }

    @Test
    void isNotPublishedOverAStateThatAnotherRunHasPublishedMeanwhile() {
        take(user("anna@x", "bob@x"));
        String others = folder.resolve("manifest-000000000002.json").toString();
        Dataset<Row> changes = LOCAL.spark()
                .createDataFrame(List.of(user("carl@x", "bob@x")), State.SCHEMA)
                .map(
                        (MapFunction<Row, Row>) row -> {
                            Files.writeString(Path.of(others), "");
                            return row;
                        },
                        Encoders.row(State.SCHEMA));

        assertThatThrownBy(() -> state.take(changes, 7, "a-run"))
                .isInstanceOf(StoppedException.class)
                .hasMessageContaining("another run has published a state");
        assertThat(remembered(state.current())).containsExactly(entry("anna@x", "bob@x"));
    }

    @Test
    void leavesAloneWhatAnotherRunHasWrittenMeanwhile() throws IOException {
        take(user("anna@x", "bob@x"));
        Path others = folder.resolve("data-of-another-run").resolve("part-0");
        String path = others.toString();
        Dataset<Row> changes = LOCAL.spark()
                .createDataFrame(List.of(user("carl@x", "bob@x")), State.SCHEMA)
                .map(
                        (MapFunction<Row, Row>) row -> {
                            Files.createDirectories(Path.of(path).getParent());
                            Files.writeString(Path.of(path), "not yet published");
                            return row;
                        },
                        Encoders.row(State.SCHEMA));

        state.take(changes, 7, "a-run");

        assertThat(others).exists();
        take(user("dora@x", "bob@x"));
        assertThat(others).as("nobody has published it since").doesNotExist();
    }

    @Test
    void knowsWhetherAnyVersionHoldsAnId() throws IOException {
        take(user("anna@x", "bob@x"), user("carl@x", "bob@x"));
        take(user("anna@x", "eve@x"), user("dora@x", null));

        assertThat(Stream.of("anna@x", "bob@x", "carl@x", "dora@x", "eve@x", "Anna@x", "nobody@x")
                        .filter(state::mayHold))
                .containsExactly("anna@x", "bob@x", "carl@x", "dora@x", "eve@x");

        Files.createDirectory(folder.resolve("data-of-a-publication-that-was-cut-short"));
        assertThat(state.mayHold("nobody@x")).isTrue();
    }

    @Test
    void forgetsAUserAsIdAndAsTargetInAllVersions() throws IOException {
        take(user("anna@x", "bob@x"), user("carl@x", "dora@x"), user("bob@x", null));
        take(user("eve@x", "bob@x"));

        assertThat(state.without("bob@x", "a-run")).isEqualTo(2);

        State.Version version = state.current();
        assertThat(remembered(version)).containsExactly(entry("carl@x", "dora@x"));
        assertThat(version.acknowledged()).isEqualTo(1);
        try (Stream<Path> left = Files.walk(folder)) {
            assertThat(left.filter(Files::isRegularFile)
                            .filter(path -> !path.getFileName().toString().endsWith(".crc")))
                    .as("one manifest, one file by user and one by target")
                    .hasSize(3);
        }
    }
}
