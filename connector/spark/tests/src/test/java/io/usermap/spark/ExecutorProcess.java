package io.usermap.spark;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.apache.spark.sql.SparkSession;

/**
 * The process of an executor of one session, to be killed, stopped and continued.
 *
 * @param id the executor's id in Spark
 * @param classPath what it was started with
 * @param process the process, a child of this one
 */
record ExecutorProcess(String id, String classPath, ProcessHandle process) {
    private static final String BACKEND = "org.apache.spark.executor.CoarseGrainedExecutorBackend";

    /** The executors of {@code session} that run now. */
    static List<ExecutorProcess> of(SparkSession session) {
        String application = session.sparkContext().applicationId();
        try (Stream<ProcessHandle> children = ProcessHandle.current().children()) {
            return children.flatMap(child -> find(application, child).stream()).toList();
        }
    }

    private static Optional<ExecutorProcess> find(String application, ProcessHandle child) {
        List<String> arguments = arguments(child);
        return arguments.contains(BACKEND) && application.equals(after("--app-id", arguments))
                ? Optional.of(new ExecutorProcess(after("--executor-id", arguments), after("-cp", arguments), child))
                : Optional.empty();
    }

    /** From /proc, because ProcessHandle cuts a long command line off. */
    private static List<String> arguments(ProcessHandle child) {
        try {
            return List.of(Files.readString(Path.of("/proc", "" + child.pid(), "cmdline"))
                    .split("\0"));
        } catch (IOException e) {
            return List.of(); // it has just ended
        }
    }

    private static String after(String flag, List<String> arguments) {
        int at = arguments.indexOf(flag);
        return at < 0 ? "" : arguments.get(at + 1);
    }

    /** SIGKILL; returns when the process is no more. */
    void kill() throws Exception {
        signal("KILL");
        process.onExit().get(20, TimeUnit.SECONDS);
    }

    /** SIGSTOP: not one instruction more, while its connections stay open. */
    void stop() throws Exception {
        signal("STOP");
    }

    /** SIGCONT; nothing if the process has ended. */
    void resume() throws Exception {
        if (process.isAlive()) {
            signal("CONT");
        }
    }

    private void signal(String name) throws Exception {
        Process kill = new ProcessBuilder("kill", "-" + name, "" + process.pid())
                .inheritIO()
                .start();
        assertThat(kill.waitFor(20, TimeUnit.SECONDS)).isTrue();
        assertThat(kill.exitValue()).as("kill -%s", name).isZero();
    }
}
