package io.usermap.job;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What the page on shapes says is what the program does. */
class ShapesPageTest {
    private static final String PAGE = "job/docs/shapes.md";
    private static final Pattern ROW = Pattern.compile("(?m)^\\| (.+?) \\| `(.+?)` \\| (.+?) \\|$");

    @TempDir
    private Path folder;

    @Test
    void everyColumnIsReadAsThePageSays() {
        Map<String, String> expected = new TreeMap<>();
        Map<String, String> found = new TreeMap<>();
        List<MatchResult> rows = ROW.matcher(ReadmeFiles.section(ReadmeFiles.text(PAGE), "shapes"))
                .results()
                .toList();
        for (MatchResult row : rows) {
            expected.put(row.group(1), row.group(3));
            found.put(
                    row.group(1),
                    Shape.of(StructType.fromDDL(row.group(2)), Configuration.of(Map.of(), Set.of(), Map.of()))
                            .inWords());
        }

        assertThat(found).hasSizeGreaterThan(20).isEqualTo(expected);
    }

    @Test
    void everyProducerIsOnThePage() {
        String page = ReadmeFiles.section(ReadmeFiles.text(PAGE), "shapes");

        assertThat(Producer.ALL)
                .extracting(Producer::name)
                .allSatisfy(name -> assertThat(page).contains(name));
    }

    @Test
    void everyExampleIsAConfiguration() throws IOException {
        List<String> blocks = ReadmeFiles.blocks(ReadmeFiles.text(PAGE), "hocon");
        assertThat(blocks).hasSizeGreaterThan(7);
        for (String block : blocks) {
            Path file = Files.writeString(folder.resolve("shape.conf"), block + "\ntarget.endpoint = sandbox\n");
            assertThat(ConfVocabulary.problemsOfKeys(ConfigText.read(List.of(file), List.of())))
                    .isEmpty();
        }
    }
}
