package io.usermap.client;

import java.io.Serial;
import java.util.List;

/** Options or configuration are wrong; thrown before any request, with every problem that was found. */
public final class InvalidSettingsException extends IllegalArgumentException {
    @Serial
    private static final long serialVersionUID = 1L;

    private final List<String> problems;

    /** One problem, in the form: cannot do X, fact with its value, next step. */
    public InvalidSettingsException(String problem) {
        this(List.of(problem));
    }

    /** All problems at once, in the order in which the settings are declared. */
    public InvalidSettingsException(List<String> problems) {
        super(String.join(System.lineSeparator(), problems));
        this.problems = List.copyOf(problems);
    }

    /** The problems, one sentence or two each. */
    public List<String> problems() {
        return problems;
    }
}
