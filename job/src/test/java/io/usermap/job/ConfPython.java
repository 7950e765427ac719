package io.usermap.job;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * Runs a Python file of ours without the libraries that it wants: whatever it calls on them is written down.
 *
 * <p>Needs {@code python3} on the path, and nothing but its standard library. The file is compiled and executed from top to
 * bottom, so that a misspelt name fails as it would for a user.
 */
final class ConfPython {
    private static final ObjectMapper JSON = new ObjectMapper();

    /** Prints one JSON array a call: the chain of names that led to it, its arguments, its named arguments. */
    private static final String HARNESS = """
            import json, sys
            from unittest.mock import MagicMock

            path, ours = sys.argv[1], sys.argv[2:]
            outside = MagicMock()
            for module in ours:
                part = outside
                for name in module.split("."):
                    part = getattr(part, name)
                sys.modules[module] = part
            scope = {"__name__": "__main__", "spark": outside.spark}
            source = open(path, encoding="utf-8").read()
            scope["__doc__"] = None
            exec(compile(source, path, "exec"), scope)
            for name, arguments, named in outside.mock_calls:
                print(json.dumps([name, arguments, named], default=str))
            """;

    private ConfPython() {}

    /**
     * One call on a library.
     *
     * @param chain the names that led to it, for example {@code spark.read.json}
     * @param arguments by position
     * @param named by name; an empty object if there are none
     */
    record Call(String chain, List<JsonNode> arguments, JsonNode named) {
        String text(int position) {
            return arguments.get(position).asText();
        }
    }

    /**
     * The calls that a file makes, in their order.
     *
     * @param modules what it imports and the standard library does not have
     */
    static List<Call> calls(Path file, List<String> modules) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(List.of("python3", "-c", HARNESS, file.toString()));
        command.addAll(modules);
        ProcessBuilder python = new ProcessBuilder(command).redirectErrorStream(true);
        python.environment().put("PYTHONIOENCODING", "utf-8");
        Process process = python.start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor(1, TimeUnit.MINUTES)).isTrue();
        assertThat(process.exitValue()).as("%s does not run:%n%s", file, output).isZero();
        List<Call> calls = new ArrayList<>();
        for (String line : output.lines().toList()) {
            JsonNode call = JSON.readTree(line);
            List<JsonNode> arguments = new ArrayList<>();
            call.get(1).forEach(arguments::add);
            calls.add(new Call(call.get(0).asText(), arguments, call.get(2)));
        }
        return calls;
    }
}
