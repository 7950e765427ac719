package io.usermap.job;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.usermap.job.SandboxProcess.Arrival;
import io.usermap.job.SandboxProcess.Event;
import java.io.IOException;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.sql.SparkSession;

/**
 * A source, a ledger and a sandbox in a folder, between which {@code apply} runs in processes of its own; says what is
 * wanted at the end, independently of the planner, and what differs from it.
 *
 * <p>The plan is a mirror of pairs, so the mappings wanted are just the rows of the source.
 */
final class ChaosScene implements AutoCloseable {
    private static final ObjectMapper JSON = new ObjectMapper();
    static final Duration REQUEST_TIMEOUT = Duration.ofSeconds(5);

    /**
     * How the job is set.
     *
     * @param pacing {@code burst} or {@code smooth}
     * @param remap {@code overwrite} or {@code unmap-first}
     * @param perSecond mappings a second
     * @param window over which they are counted; one that outlasts a restart shows what is known after it of the window
     */
    record Mode(String pacing, String remap, int perSecond, Duration window) {
        static final Mode AT_ONCE = new Mode("burst", "overwrite", 5_000, Duration.ofSeconds(1));

        Mode(String pacing, String remap, int perSecond, int windowSeconds) {
            this(pacing, remap, perSecond, Duration.ofSeconds(windowSeconds));
        }

        boolean isSmooth() {
            return pacing.equals("smooth");
        }

        @Override
        public String toString() {
            return pacing + ", " + remap + ", " + perSecond + " a second over " + window.toSeconds() + " s";
        }
    }

    private final Path folder;
    private final JobProcess.Cluster cluster;
    private final Mode mode;
    private final SandboxProcess sandbox;
    private Map<String, String> before = new TreeMap<>();
    private Map<String, String> wanted = new TreeMap<>();
    /** The runs that had come to their end before. */
    private Set<Path> settled = Set.of();

    private ChaosScene(Path folder, JobProcess.Cluster cluster, Mode mode, SandboxProcess sandbox) {
        this.folder = folder;
        this.cluster = cluster;
        this.mode = mode;
        this.sandbox = sandbox;
    }

    /** A scene with an empty ledger and an empty sandbox. */
    static ChaosScene in(Path folder, JobProcess.Cluster cluster, Mode mode) throws IOException {
        Files.createDirectories(folder);
        return new ChaosScene(folder, cluster, mode, SandboxProcess.start(folder, mode.perSecond(), mode.window()));
    }

    /** A scene that goes on from {@code other}, which is closed. */
    static ChaosScene after(ChaosScene other, Path folder, JobProcess.Cluster cluster, Mode mode) throws IOException {
        copy(other.folder.resolve("ledger"), folder.resolve("ledger"));
        copy(other.folder.resolve("sandbox"), folder.resolve("sandbox"));
        ChaosScene scene = in(folder, cluster, mode);
        scene.before = other.wanted;
        scene.wanted = other.wanted;
        return scene;
    }

    /** All that is in a folder. */
    static void copy(Path from, Path to) throws IOException {
        Files.walkFileTree(from, new SimpleFileVisitor<>() {
            @Override
            public FileVisitResult preVisitDirectory(Path path, BasicFileAttributes attributes) throws IOException {
                Files.createDirectories(to.resolve(from.relativize(path)));
                return FileVisitResult.CONTINUE;
            }

            @Override
            public FileVisitResult visitFile(Path path, BasicFileAttributes attributes) throws IOException {
                Files.copy(path, to.resolve(from.relativize(path)));
                return FileVisitResult.CONTINUE;
            }
        });
    }

    static Map<String, String> users(int count) {
        Map<String, String> users = new TreeMap<>();
        for (int i = 0; i < count; i++) {
            users.put("user-%06d".formatted(i), "person-%05d".formatted(i % 300));
        }
        return users;
    }

    /**
     * The source after a night: of the users wanted so far some are gone, some belong to somebody else, and some are new.
     *
     * @param gone share of the users that vanish
     * @param moved share of the users that get another target
     */
    static Map<String, String> nextNight(
            Map<String, String> last, double gone, double moved, int fresh, String prefix, Random random) {
        Map<String, String> next = new TreeMap<>();
        last.forEach((user, person) -> {
            double draw = random.nextDouble();
            if (draw >= gone) {
                next.put(user, draw < gone + moved ? person + "-" + random.nextInt(10) : person);
            }
        });
        for (int i = 0; i < fresh; i++) {
            next.put("user-%s-%05d".formatted(prefix, i), "person-%05d".formatted(random.nextInt(300)));
        }
        return next;
    }

    /** From now on {@code users} is what the source says. */
    void want(Map<String, String> users) throws IOException {
        before = wanted;
        wanted = users;
        if (Files.isDirectory(runs())) {
            try (Stream<Path> there = Files.list(runs())) {
                settled = there.collect(Collectors.toSet());
            }
        }
        List<String> lines = new ArrayList<>(List.of("user_id,global_user_id"));
        users.forEach((user, person) -> lines.add(user + "," + person));
        Files.write(folder.resolve("source.csv"), lines);
    }

    Map<String, String> wanted() {
        return wanted;
    }

    Mode mode() {
        return mode;
    }

    SandboxProcess sandbox() {
        return sandbox;
    }

    Path ledger() {
        return folder.resolve("ledger");
    }

    private Path runs() {
        return ledger().resolve("runs");
    }

    Path log() {
        return folder.resolve("apply.log");
    }

    JobProcess apply() throws IOException {
        return JobProcess.apply(cluster, log(), settings());
    }

    /** {@code apply} in the session of this process, undisturbed; its exit code. */
    int applyHere() throws IOException {
        List<String> line = new ArrayList<>(List.of("apply"));
        settings().forEach(setting -> line.addAll(List.of("--set", setting)));
        try (PrintStream said = new PrintStream(
                Files.newOutputStream(log(), StandardOpenOption.CREATE, StandardOpenOption.APPEND),
                true,
                StandardCharsets.UTF_8)) {
            return Main.run(line.toArray(String[]::new), said, said);
        }
    }

    private List<String> settings() {
        return List.of(
                "source.path=" + folder.resolve("source.csv"),
                "ledger.path=" + ledger(),
                "ledger.lock-term=3s",
                "target.endpoint=" + sandbox.endpoint(),
                "target.api-key=k-1234567",
                "allowance.events-per-second=" + mode.perSecond(),
                "allowance.window=" + mode.window().toMillis() + "ms",
                "allowance.pacing=" + mode.pacing(),
                "write.writers=2",
                "write.connect-timeout=2s",
                "write.request-timeout=" + REQUEST_TIMEOUT.toMillis() + "ms",
                "plan.mode=mirror",
                "plan.remap=" + mode.remap(),
                "guards.max-shrink=1",
                "guards.max-unmap-share=1",
                "guards.max-remap-share=1");
    }

    /** What the smallest plan sends, in the mode of this scene. */
    Set<Event> planned() {
        Set<Event> planned = new HashSet<>();
        wanted.forEach((user, person) -> {
            String old = before.get(user);
            if (!person.equals(old)) {
                planned.add(new Event(user, Optional.of(person)));
                if (old != null && mode.remap().equals("unmap-first")) {
                    planned.add(new Event(user, Optional.empty()));
                }
            }
        });
        before.keySet().stream()
                .filter(user -> !wanted.containsKey(user))
                .forEach(user -> planned.add(new Event(user, Optional.empty())));
        return planned;
    }

    /** What of the present plan has an acknowledgement among the receipts that can be read now. */
    Set<Event> receipted() {
        Set<Event> planned = planned();
        for (int looks = 1; ; looks++) {
            Set<Event> receipted = new HashSet<>();
            try {
                readReceiptsOf(runs(), receipted);
                receipted.retainAll(planned);
                return receipted;
            } catch (NoSuchFileException e) {
                // It was merged with others meanwhile; where they went is in a new list.
                if (looks == 20) {
                    throw new UncheckedIOException(e);
                }
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }

    private void readReceiptsOf(Path runs, Set<Event> into) throws IOException {
        Files.walkFileTree(runs, new SimpleFileVisitor<>() {
            @Override
            public FileVisitResult preVisitDirectory(Path run, BasicFileAttributes attributes) {
                // A user may have moved away and back since: the same event has then been sent before.
                return settled.contains(run) ? FileVisitResult.SKIP_SUBTREE : FileVisitResult.CONTINUE;
            }

            @Override
            public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) throws IOException {
                if (file.toString().endsWith(".jsonl")) {
                    readReceipts(file, into);
                }
                return FileVisitResult.CONTINUE;
            }
        });
    }

    private static void readReceipts(Path file, Set<Event> into) throws IOException {
        String text = Files.readString(file);
        for (String line : text.substring(0, text.lastIndexOf('\n') + 1).split("\n", -1)) {
            if (line.isEmpty()) {
                continue;
            }
            JsonNode receipt = JSON.readTree(line);
            if (receipt.path("outcome").asText().equals("accepted")) {
                String target = receipt.path("unmap").asBoolean()
                        ? null
                        : receipt.path("global_user_id").textValue();
                into.add(new Event(receipt.path("user_id").asText(), Optional.ofNullable(target)));
            }
        }
    }

    /** How often each event has arrived. */
    static Map<Event, Integer> counted(List<Arrival> arrivals) {
        Map<Event, Integer> counted = new HashMap<>();
        arrivals.forEach(arrival -> arrival.events().forEach(event -> counted.merge(event, 1, Integer::sum)));
        return counted;
    }

    /** What the sandbox holds, beside what is wanted, and the ledger beside the sandbox; empty if all is well. */
    List<String> differences(SparkSession spark) {
        List<String> differences = new ArrayList<>();
        Map<String, String> there = new TreeMap<>(sandbox.mappings());
        if (!there.equals(wanted)) {
            differences.add("the sandbox holds " + difference(there, wanted));
        }
        Map<String, String> known = new TreeMap<>();
        Ledger.existing(new Configuration(), ledger().toString())
                .inForce(spark)
                .collectAsList()
                .forEach(row -> known.put(row.getString(0), row.getString(1)));
        if (!known.equals(there)) {
            differences.add("of the sandbox, the ledger knows " + difference(known, there));
        }
        return differences;
    }

    private static String difference(Map<String, String> found, Map<String, String> expected) {
        Set<String> missing = new HashSet<>(expected.keySet());
        missing.removeAll(found.keySet());
        Set<String> surplus = new HashSet<>(found.keySet());
        surplus.removeAll(expected.keySet());
        long other = found.entrySet().stream()
                .filter(entry -> expected.containsKey(entry.getKey())
                        && !entry.getValue().equals(expected.get(entry.getKey())))
                .count();
        return found.size() + " of " + expected.size() + " mappings: " + missing.size() + " missing, " + surplus.size()
                + " too many, " + other + " others";
    }

    @Override
    public void close() {
        sandbox.close();
    }

    /** Removes the folder; what failed is better left to look at. */
    void forget() throws IOException {
        Files.walkFileTree(folder, new SimpleFileVisitor<>() {
            @Override
            public FileVisitResult visitFile(Path path, BasicFileAttributes attributes) throws IOException {
                Files.delete(path);
                return FileVisitResult.CONTINUE;
            }

            @Override
            public FileVisitResult postVisitDirectory(Path path, IOException failure) throws IOException {
                Files.delete(path);
                return FileVisitResult.CONTINUE;
            }
        });
    }
}
