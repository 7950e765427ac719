package io.usermap.client;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

/** The committed figures are those of the coordinator as it is. */
class AllowanceReportTest {
    private static final Path REPORT = Path.of("..", "docs", "reports", "allowance-comparison.md");

    @Test
    void theReportIsWhatTheSimulationSays() throws IOException {
        String now = AllowanceReport.render();
        if (Boolean.getBoolean("usermap.regenerate")) {
            Files.createDirectories(REPORT.getParent());
            Files.writeString(REPORT, now);
        }

        assertThat(Files.readString(REPORT))
                .as(
                        "the report of the allowance; if the difference is meant, run this test with -Dusermap.regenerate=true")
                .isEqualTo(now);
    }
}
