package io.usermap.job;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;

/**
 * Makes {@code conf/quickstart.csv}: people whom three products know by different ids, resolved into clusters.
 *
 * <p>A shop knows people by e-mail address, an app by a name that they chose, and a support desk by number. Everybody is
 * invented and every address ends in a reserved domain. The rows follow from {@link #SEED}; {@link #main} writes the file
 * anew.
 */
final class QuickstartSample {
    /** Where all chance comes from; {@link Random} gives the same numbers on every Java. */
    static final long SEED = 20_260_101;

    /** People in the file, without those who are there for their odd ids. */
    static final int PEOPLE = 1_850;

    /** The file in a clone of the repository. */
    static final Path FILE = Path.of("conf", "quickstart.csv");

    private static final List<String> FIRST = List.of(
            "ada", "ben", "cleo", "dov", "elif", "femi", "gus", "hana", "ivo", "june", "kofi", "lena", "mia", "noor",
            "olga", "pia", "quin", "ravi", "sven", "tess", "uma", "vito", "wen", "xenia", "yara", "zoe");

    private static final List<String> LAST = List.of(
            "abe", "berg", "cruz", "diaz", "ek", "fox", "gray", "hill", "ito", "jung", "katz", "lund", "mora", "nash",
            "okoye", "park", "quist", "rossi", "shah", "tan", "udo", "vega", "wolf", "xu", "york", "zhu");

    private static final List<String> DOMAINS = List.of("example.com", "example.net", "example.org");

    /** Ids that are right and that careless programs break: one person each, known to the shop by its own address. */
    static final List<String> AWKWARD = List.of(
            "山田-太郎", // CJK
            "王小明的账号", // CJK
            "김하늘2041", // CJK
            "🦊fox-8812", // a character of four bytes in UTF-8
            "𠮷野家の客", // one more, and CJK
            "o'hara.k", // a single quote
            "\"quoted\"-7", // double quotes
            "a,b;c|d", // separators
            "50%&x=1#y", // what means something in a form
            "back\\slash-n", // a backslash
            "tab\there", // a tab, inside
            "Größe-ß", // beyond ASCII
            "Ann-Case", // beside the next: case tells users apart
            "ann-case");

    /** Ids that stand for nobody: their rows are rejected. */
    static final List<String> PLACEHOLDERS = List.of("null", "N/A", "unknown");

    /** An id that is shorter than the service takes. */
    static final String TOO_SHORT = "x7";

    /** An id that stands in two clusters. */
    static final String IN_TWO_CLUSTERS = "shared-tablet";

    private final Random random = new Random(SEED);
    private final StringBuilder text = new StringBuilder("cluster_id,product,user_id\n");

    private QuickstartSample() {}

    /** The whole file. */
    static String csv() {
        QuickstartSample sample = new QuickstartSample();
        for (int person = 0; person < PEOPLE; person++) {
            sample.person(person);
        }
        sample.oddities(PEOPLE);
        return sample.text.toString();
    }

    /** Writes the file below the clone that is the working directory. */
    public static void main(String[] args) throws IOException {
        Files.writeString(FILE, csv(), StandardCharsets.UTF_8);
    }

    private void person(int person) {
        String name = pick(FIRST) + "." + pick(LAST);
        // Some write a tag into the address; a + that is not encoded arrives as a blank.
        String tag = random.nextInt(12) == 0 ? "+" + pick(List.of("shop", "news", "x")) : "";
        row(person, "shop", name + person + tag + "@" + pick(DOMAINS));
        // The chosen name holds the person's number, so that no two are equal.
        row(person, "app", pick(LAST) + Integer.toString(46_656 + person, 36));
        if (random.nextInt(20) != 0) {
            row(person, "support", Integer.toString(1_000_000 + person * 37 + random.nextInt(37)));
        }
    }

    private void oddities(int first) {
        int person = first;
        for (String id : AWKWARD) {
            row(person, "shop", "awkward" + person + "@" + pick(DOMAINS));
            row(person, "app", id);
            person++;
        }
        for (String id : PLACEHOLDERS) {
            row(person, "shop", "nobody" + person + "@" + pick(DOMAINS));
            row(person, "app", id);
            person++;
        }
        row(person, "shop", "brief" + person + "@" + pick(DOMAINS));
        row(person, "app", TOO_SHORT);
        person++;
        for (int owner : new int[] {person, person + 1}) {
            row(owner, "shop", "owner" + owner + "@" + pick(DOMAINS));
            row(owner, "support", Integer.toString(9_000_000 + owner));
            row(owner, "app", IN_TWO_CLUSTERS);
        }
    }

    private <T> T pick(List<T> from) {
        return from.get(random.nextInt(from.size()));
    }

    private void row(int person, String product, String userId) {
        text.append('p').append(person).append(',').append(product).append(',').append(quoted(userId));
        text.append('\n');
    }

    private static String quoted(String field) {
        boolean plain = field.chars().noneMatch(c -> c == '"' || c == ',');
        return plain ? field : '"' + field.replace("\"", "\"\"") + '"';
    }

    /**
     * A row of the file.
     *
     * @param cluster the person
     * @param product who knows the person by this id
     * @param userId the id
     */
    record Row(String cluster, String product, String userId) {}

    /** The rows of a file as this class writes it. */
    static List<Row> rows(String csv) {
        List<Row> rows = new ArrayList<>();
        for (String line : csv.lines().skip(1).toList()) {
            String[] fields = line.split(",", 3);
            String id = fields[2];
            boolean quoted = id.startsWith("\"");
            rows.add(new Row(
                    fields[0],
                    fields[1],
                    quoted ? id.substring(1, id.length() - 1).replace("\"\"", "\"") : id));
        }
        return rows;
    }

    /** How many mappings bring the file about: every person's ids that can be sent, but for the one that all point at. */
    static long mappings() {
        Set<String> rejected = new HashSet<>(PLACEHOLDERS);
        rejected.add(TOO_SHORT);
        rejected.add(IN_TWO_CLUSTERS);
        List<Row> sendable = rows(csv()).stream()
                .filter(row -> !rejected.contains(row.userId()))
                .toList();
        return sendable.size() - sendable.stream().map(Row::cluster).distinct().count();
    }
}
