package io.usermap.job;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * As much of YAML as our bundle needs: maps and lists by indentation, plain and double-quoted texts, lists of quoted texts in
 * brackets, comments behind two blanks or on lines of their own.
 *
 * <p>Whatever else a file holds is a failure that names the line, so that nothing is misread: tabs, anchors, block texts,
 * single quotes, a key that stands twice.
 */
final class ConfYaml {
    private static final Pattern ENTRY = Pattern.compile("([A-Za-z_][\\w-]*):(?: (.+))?");
    private static final Pattern QUOTED = Pattern.compile("\"([^\"\\\\]*)\"");
    private static final Pattern LIST = Pattern.compile("\\[(?:\"[^\"\\\\]*\"(?:, )?)*]");
    private static final Pattern PLAIN =
            Pattern.compile("[A-Za-z0-9_./$][^\"#&*|>%@`{}\\[\\]]*|.*\\$\\{[a-z_.]+}[^\"'# ]*");

    /** A line that is not empty, without its comment. */
    private record Line(int number, int indent, String text) {}

    private final List<Line> lines;
    private int at;

    private ConfYaml(List<Line> lines) {
        this.lines = lines;
    }

    /** The document: maps, lists and texts within one another. */
    static JsonNode read(String document) {
        List<Line> lines = new ArrayList<>();
        int number = 0;
        for (String line : document.lines().toList()) {
            number++;
            String text = line.replaceFirst("^\\s*#.*$", "")
                    .replaceFirst("\\s{2,}#.*$", "")
                    .stripTrailing();
            assertThat(text).as("line %d holds a tab", number).doesNotContain("\t");
            if (!text.isBlank()) {
                lines.add(new Line(number, text.indexOf(text.strip()), text.strip()));
            }
        }
        ConfYaml yaml = new ConfYaml(lines);
        Object top = yaml.block(0);
        assertThat(yaml.at).as("the document ends before its last line").isEqualTo(lines.size());
        return new ObjectMapper().valueToTree(top);
    }

    private Object block(int indent) {
        Line first = lines.get(at);
        assertThat(first.indent())
                .as("the indentation of line %d", first.number())
                .isEqualTo(indent);
        return first.text().startsWith("- ") ? list(indent) : map(indent);
    }

    private List<Object> list(int indent) {
        List<Object> list = new ArrayList<>();
        while (at < lines.size()
                && lines.get(at).indent() == indent
                && lines.get(at).text().startsWith("- ")) {
            Line line = lines.get(at);
            Line content =
                    new Line(line.number(), indent + 2, line.text().substring(2).strip());
            if (ENTRY.matcher(content.text()).matches()) {
                lines.set(at, content);
                list.add(map(indent + 2));
            } else {
                at++;
                list.add(scalar(content));
            }
        }
        return list;
    }

    private Map<String, Object> map(int indent) {
        Map<String, Object> map = new LinkedHashMap<>();
        while (at < lines.size()
                && lines.get(at).indent() == indent
                && !lines.get(at).text().startsWith("- ")) {
            Line line = lines.get(at++);
            Matcher entry = ENTRY.matcher(line.text());
            assertThat(entry.matches())
                    .as("line %d is no entry: %s", line.number(), line.text())
                    .isTrue();
            String value = entry.group(2);
            boolean nested = value == null;
            Object old = map.put(
                    entry.group(1), nested ? block(deeper(line)) : scalar(new Line(line.number(), indent, value)));
            assertThat(old).as("line %d repeats a key", line.number()).isNull();
        }
        return map;
    }

    private int deeper(Line parent) {
        assertThat(at).as("line %d has no value", parent.number()).isLessThan(lines.size());
        int indent = lines.get(at).indent();
        assertThat(indent).as("line %d has no value", parent.number()).isGreaterThan(parent.indent());
        return indent;
    }

    private static Object scalar(Line line) {
        String text = line.text();
        if (LIST.matcher(text).matches()) {
            return QUOTED.matcher(text).results().map(match -> match.group(1)).toList();
        }
        Matcher quoted = QUOTED.matcher(text);
        if (quoted.matches()) {
            return quoted.group(1);
        }
        assertThat(text).as("line %d", line.number()).matches(PLAIN).doesNotContain(": ");
        return text;
    }
}
