package io.usermap.job;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Every fourth fault of the matrix of faults and moments at one of the moments; the whole table is a committed report. */
class FaultsIT {
    private static final String HEAD = """
            # Faults

            Every fault of the service at every moment of a run: a whole `apply` of 40 mappings in requests of 10 against the
            sandbox over HTTP, and, with the fault gone, another one. `FaultsIT` tries every fourth fault at one moment and compares
            what came out with this table; all of it is tried, and the table written again, by

            ```bash
            mvn -q -pl job -am verify -Dit.test=FaultsIT -Dtest=None -Dusermap.regenerate=true \\
                -Dsurefire.failIfNoSpecifiedTests=false -Dfailsafe.failIfNoSpecifiedTests=false
            ```

            The moment is the request that is hit: the first, the second, the fourth and last; *bisection* is the third where one
            row of the second is refused with 400, so that its halves are tried; *publication* is all that might come once every
            mapping is acknowledged and the state is being published: no request is on its way then, and the rows show that none
            is sent; what can go wrong then is in the second table. A fault of a connection cuts the one in use, and new ones fail
            for a while.

            *stored*, *rejected* and *requests* are those of the first run, *twice* the rows that the service has stored more than
            once; then the second run's exit code and the rows that it sent. After it, mappings are equal to the source in each
            cell.

            | fault | moment | exit code | stored | rejected | requests | twice | then | sent then | |
            |---|---|---|---|---|---|---|---|---|---|
            """;

    private static final String INCIDENTS = """

            ## Incidents

            The same run, and what befalls it on this side of the service at the same moments. The answer to the request at hand
            is held for two seconds, so that an incident meets rows that are stored and have no receipt: *in flight*. *Publication*
            is as soon as anything of the state is written. Driver and executor are processes of their own on `local-cluster`.
            The run after it is the next, or the one that takes over. An executor that loses its driver ends its request and
            writes the receipts; on a disk that fills up, half of them find room. An ordinary run of `FaultsIT` tries the last two
            at one moment; the ends of processes are tried by `ChaosIT` and `InterruptIT`, and an end at each alteration of a state by
            `StateIT`.

            *stored* is what the service holds when the run has ended, or is paused; *twice* are rows that it has stored more than
            once in both runs, which have to be among those that were in flight.

            | incident | moment | exit code | stored | in flight | twice | then | sent then | |
            |---|---|---|---|---|---|---|---|---|
            """;

    @TempDir
    private Path folder;

    @Test
    void faultsEndRightAsTheReportSays() throws IOException, InterruptedException {
        boolean regenerate = Boolean.getBoolean("usermap.regenerate");
        String sample =
                "" + Long.getLong("usermap.seed", LocalDate.now(ZoneOffset.UTC).toEpochDay()) % FaultMatrix.SAMPLES;
        System.out.println("FaultsIT: -Dusermap.seed=" + sample);
        List<String> cells = cells(regenerate ? FaultMatrix.ALL : sample);

        assertThat(cells).isNotEmpty().allMatch(cell -> cell.endsWith("| right |"));
        Path report = Checkout.root().resolve("job/docs/reports/faults.md");
        if (regenerate) {
            Files.createDirectories(report.getParent());
            int faults = FaultMatrix.faults();
            Files.writeString(
                    report,
                    HEAD
                            + String.join("\n", cells.subList(0, faults))
                            + "\n"
                            + INCIDENTS
                            + String.join("\n", cells.subList(faults, cells.size()))
                            + "\n");
        }
        List<String> told = Files.readAllLines(report);
        assertThat(told)
                .as("the report of faults; if the difference is meant, run this test with -Dusermap.regenerate=true")
                .containsAll(cells);
        assertThat(told.stream().filter(line -> line.endsWith("| right |"))).hasSize(FaultMatrix.size());
    }

    private List<String> cells(String extent) throws IOException, InterruptedException {
        List<String> line = new ArrayList<>(List.of(JobProcess.java(), "-Xmx1g"));
        line.addAll(List.of(JobProcess.QUICK.split(" ")));
        line.addAll(List.of(System.getProperty("usermap.spark.jvm.flags").split(" ")));
        for (String property : List.of(
                "usermap.version",
                "usermap.spark.jvm.flags",
                "usermap.quick.jvm.flags",
                "spark.sql.codegen.cache.maxEntries")) {
            line.add("-D" + property + "=" + System.getProperty(property));
        }
        line.addAll(Whereabouts.in(folder).flags());
        line.addAll(List.of(
                "-cp",
                System.getProperty("surefire.test.class.path", System.getProperty("java.class.path")),
                FaultMatrix.class.getName(),
                folder.toString(),
                extent));
        Path out = folder.resolve("out.txt");
        Path err = folder.resolve("err.txt");
        Process process = new ProcessBuilder(line)
                .redirectOutput(out.toFile())
                .redirectError(err.toFile())
                .start();
        try {
            assertThat(process.waitFor(30, TimeUnit.MINUTES)).as("ends in time").isTrue();
        } finally {
            process.destroyForcibly();
        }
        assertThat(process.exitValue()).as(Files.readString(err)).isZero();
        return Files.readAllLines(out);
    }
}
