package io.usermap.sandbox;

import static io.usermap.sandbox.SandboxRequest.Mapping.map;
import static io.usermap.sandbox.SandboxRequest.Mapping.unmap;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.usermap.sandbox.SandboxRequest.Mapping;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class JournalTest {
    private static final String HEADER = "{\"usermap_sandbox_journal\":1}\n";

    @TempDir
    private Path temporary;

    private Path folder;
    private Path file;

    @BeforeEach
    void nameTheFolder() {
        folder = temporary.resolve("state/of/mine");
        file = folder.resolve(Journal.FILE);
    }

    @Test
    void replaysWhatWasAppended() throws IOException {
        write(List.of(map("a", "x"), map("b", "x")), List.of(unmap("a")), List.of(map("c", "\"\n\u2028\ud83d\ude00")));

        assertThat(read()).isEqualTo(Map.of("b", "x", "c", "\"\n\u2028\ud83d\ude00"));
        assertThat(Files.readAllLines(file))
                .startsWith(
                        "{\"usermap_sandbox_journal\":1}",
                        "[{\"user_id\":\"a\",\"global_user_id\":\"x\"},{\"user_id\":\"b\",\"global_user_id\":\"x\"}]",
                        "[{\"user_id\":\"a\",\"unmap\":true}]");
    }

    @Test
    void writesNothingForABatchWithoutEffect() throws IOException {
        write(List.of());

        assertThat(file).hasContent(HEADER);
    }

    @ParameterizedTest
    @ValueSource(strings = {"[", "[{\"user_id\":\"c\",\"unmap\":true}]", "\u0000"})
    void cutsALastLineThatHasNoEnd(String torn) throws IOException {
        write(List.of(map("a", "x")));
        String whole = Files.readString(file);
        Files.writeString(file, torn, StandardOpenOption.APPEND);

        assertThat(read()).isEqualTo(Map.of("a", "x"));
        assertThat(file).hasContent(whole);
        write(List.of(map("b", "x")));
        assertThat(read()).isEqualTo(Map.of("a", "x", "b", "x"));
    }

    @Test
    void cutsATornLineThatIsLongerThanABlock() throws IOException {
        write(List.of(map("a", "x")));
        Files.writeString(file, "x".repeat(20_000), StandardOpenOption.APPEND);

        assertThat(read()).isEqualTo(Map.of("a", "x"));
    }

    @Test
    void refusesALineThatNoSandboxWrites() throws IOException {
        Files.createDirectories(folder);
        Files.writeString(file, HEADER + "[]\n[]" + " ".repeat(13_000_000) + "\n");

        assertThatThrownBy(this::read)
                .isInstanceOf(IOException.class)
                .hasMessage("Cannot read " + file
                        + ": line 3 is not what a sandbox writes. Move the file away to start without mappings.");
    }

    @Test
    void startsAnewWhenTheFirstLineIsTorn() throws IOException {
        Files.createDirectories(folder);
        Files.writeString(file, HEADER.strip());

        assertThat(read()).isEmpty();
        assertThat(file).hasContent(HEADER);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{]",
                "[{\"user_id\":\"a\"}]",
                "[{\"user_id\":\"a\",\"global_user_id\":\"x\",\"unmap\":true}]",
                "[{\"global_user_id\":\"x\"}]",
                "\"mapping\""
            })
    void refusesALineThatItDidNotWrite(String line) throws IOException {
        Files.createDirectories(folder);
        Files.writeString(file, HEADER + line + "\n");

        assertThatThrownBy(this::read)
                .isInstanceOf(IOException.class)
                .hasMessage("Cannot read " + file
                        + ": line 2 is not what a sandbox writes. Move the file away to start without mappings.");
    }

    @Test
    void refusesAFileThatIsNoJournal() throws IOException {
        Files.createDirectories(folder);
        Files.write(file, new byte[] {(byte) 0xff, '\n'});

        assertThatThrownBy(this::read)
                .hasMessage("Cannot read " + file
                        + ": line 1 is not what a sandbox writes. Move the file away to start without mappings.");
    }

    @Test
    void refusesANewerVersion() throws IOException {
        Files.createDirectories(folder);
        Files.writeString(file, "{\"usermap_sandbox_journal\":2}\n{\"anything\":1}\n");

        assertThatThrownBy(this::read)
                .isInstanceOf(IOException.class)
                .hasMessage("Cannot read " + file + ": its format is version 2, newer than 1. Use the sandbox that"
                        + " wrote it or choose another folder.");
    }

    @Test
    void refusesAFolderThatIsInUse() throws IOException {
        try (Journal held = open(store())) {
            held.append(List.of(map("a", "x")));
            assertThatThrownBy(this::read)
                    .isInstanceOf(IOException.class)
                    .hasMessage("Cannot keep mappings in " + folder
                            + ": another sandbox uses this folder. Stop it or choose another folder.");
        }
        assertThat(read()).isEqualTo(Map.of("a", "x"));
    }

    @Test
    void refusesAFileInPlaceOfTheFolder() throws IOException {
        Files.createDirectories(folder.getParent());
        Files.createFile(folder);

        assertThatThrownBy(this::read)
                .isInstanceOf(IOException.class)
                .hasMessage("Cannot keep mappings in " + folder + ": it is a file. Choose a folder.");
    }

    @Test
    void refusesAFolderThatCannotBeMade() throws IOException {
        Path notAFolder = Files.createFile(temporary.resolve("file"));
        folder = notAFolder.resolve("below");

        assertThatThrownBy(this::read)
                .isInstanceOf(IOException.class)
                .hasMessage("Cannot keep mappings in " + folder
                        + ": Not a directory. Choose a folder that can be written.");
    }

    @Test
    void followsALinkToAFolder() throws IOException {
        write(List.of(map("a", "x")));
        folder = Files.createSymbolicLink(temporary.resolve("link"), folder);

        assertThat(read()).isEqualTo(Map.of("a", "x"));
    }

    @Test
    void freesTheFolderWhenTheStartFails() throws IOException {
        Files.createDirectories(folder);
        Files.writeString(file, "nonsense\n");
        assertThatThrownBy(this::read).hasMessageContaining("line 1 is not what a sandbox writes");
        Files.delete(file);

        assertThat(read()).isEmpty();
    }

    @Test
    void isWrittenAnewWhenItIsMuchLongerThanWhatIsInForce() throws IOException {
        List<Mapping> batch =
                IntStream.range(0, 1500).mapToObj(i -> map("user-" + i, "all")).toList();
        try (Journal journal = open(store())) {
            for (int i = 0; i < 10; i++) {
                journal.append(batch);
            }
        }
        long before = Files.size(file);

        Map<String, String> mappings = read();

        assertThat(mappings).hasSize(1500).containsEntry("user-7", "all");
        assertThat(Files.size(file)).isLessThan(before / 9);
        assertThat(folder.resolve(Journal.FILE + ".new")).doesNotExist();
        assertThat(read()).isEqualTo(mappings);
    }

    @SafeVarargs
    private void write(List<Mapping>... batches) throws IOException {
        try (Journal journal = open(store())) {
            for (List<Mapping> batch : batches) {
                journal.append(batch);
            }
        }
    }

    private Map<String, String> read() throws IOException {
        MappingStore store = store();
        open(store).close();
        return store.snapshot();
    }

    private Journal open(MappingStore store) throws IOException {
        return Journal.open(folder, store);
    }

    private static MappingStore store() {
        return new MappingStore(Switches.DEFAULTS);
    }
}
