package io.usermap.job;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The files that users start from, as tests read them. */
final class ReadmeFiles {
    private static final Pattern BLOCK = Pattern.compile("(?ms)^```(\\w*)\\n(.*?)^```$");

    private ReadmeFiles() {}

    /** A path of the repository, wherever in it the tests run. */
    static Path inRepository(Path path) {
        for (Path folder = Path.of("").toAbsolutePath(); folder != null; folder = folder.getParent()) {
            if (Files.exists(folder.resolve("LICENSE")) && Files.exists(folder.resolve("connector"))) {
                return folder.resolve(path);
            }
        }
        throw new IllegalStateException("the tests do not run inside the repository");
    }

    /** The text of a file of the repository. */
    static String text(String path) {
        try {
            return Files.readString(inRepository(Path.of(path)));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** The fenced blocks of {@code markdown} in one language. */
    static List<String> blocks(String markdown, String language) {
        List<String> found = new ArrayList<>();
        Matcher matcher = BLOCK.matcher(markdown);
        while (matcher.find()) {
            if (matcher.group(1).equals(language)) {
                found.add(matcher.group(2));
            }
        }
        return found;
    }

    /** What stands between {@code <!-- name -->} and {@code <!-- /name -->}. */
    static String section(String markdown, String name) {
        return markdown.substring(begin(markdown, name), end(markdown, name));
    }

    /** The same document with another text between the marks. */
    static String withSection(String markdown, String name, String text) {
        return markdown.substring(0, begin(markdown, name)) + text + markdown.substring(end(markdown, name));
    }

    private static int begin(String markdown, String name) {
        String mark = "<!-- " + name + " -->\n";
        return position(markdown, mark) + mark.length();
    }

    private static int end(String markdown, String name) {
        return position(markdown, "<!-- /" + name + " -->");
    }

    private static int position(String markdown, String mark) {
        int position = markdown.indexOf(mark);
        if (position < 0) {
            throw new IllegalStateException("the document has no " + mark.strip());
        }
        return position;
    }
}
