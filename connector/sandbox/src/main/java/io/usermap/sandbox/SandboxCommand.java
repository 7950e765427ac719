package io.usermap.sandbox;

import java.io.IOException;
import java.io.InputStream;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;

/**
 * The sandbox as a command: {@code java -jar usermap-sandbox.jar --port 8080}.
 *
 * <p>The first line on standard output is {@code listening on http://127.0.0.1:PORT}; everything else goes to standard
 * error. SIGTERM and SIGINT close the journal and free the folder before the process ends.
 */
public final class SandboxCommand {
    private static final int DONE = 0;
    private static final int ERROR = 1;
    private static final int BAD_FLAGS = 6;

    private SandboxCommand() {}

    /** Runs the command and ends the process with its exit code. */
    public static void main(String[] args) {
        System.exit(run(args, System.out, System.err));
    }

    /**
     * Runs the command in this process and blocks until the calling thread is interrupted.
     *
     * @param args the flags, without a program name
     * @param out takes the address, the usage or the version
     * @param err takes everything else
     * @return 0 after an interrupt, {@code --help} or {@code --version}; 1 if the port or the folder cannot be used; 6 if a
     *     flag or the fault script is wrong
     */
    public static int run(String[] args, PrintStream out, PrintStream err) {
        SandboxFlags flags;
        try {
            flags = SandboxFlags.parse(List.of(args));
        } catch (IllegalArgumentException e) {
            err.println(e.getMessage());
            return BAD_FLAGS;
        }
        if (flags instanceof SandboxFlags.Serve serve) {
            return serve(serve.options(), out, err);
        }
        if (flags instanceof SandboxFlags.Version) {
            out.println("usermap-sandbox " + version());
        } else {
            out.print(SandboxFlags.USAGE);
        }
        return DONE;
    }

    private static int serve(SandboxOptions options, PrintStream out, PrintStream err) {
        try (Sandbox sandbox = Sandbox.start(options)) {
            Thread atExit = new Thread(sandbox::close, "usermap-sandbox-exit");
            Runtime.getRuntime().addShutdownHook(atExit);
            out.println("listening on " + sandbox.endpoint());
            out.flush();
            err.println("At most " + options.mappingsPerWindow() + " mappings in any "
                    + options.window().toMillis() + " ms; mappings are kept "
                    + options.path().map(folder -> "in " + folder).orElse("in memory")
                    + (options.faults().isPresent() ? "; faults as scripted." : "."));
            waitForInterrupt();
            Runtime.getRuntime().removeShutdownHook(atExit);
            return DONE;
        } catch (IOException e) {
            err.println(e.getMessage());
            return ERROR;
        }
    }

    private static void waitForInterrupt() {
        try {
            new CountDownLatch(1).await();
        } catch (InterruptedException e) {
            // How the caller asks this to end.
        }
    }

    private static String version() {
        Properties properties = new Properties();
        try (InputStream in = SandboxCommand.class.getResourceAsStream("version.properties")) {
            properties.load(in);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return properties.getProperty("version");
    }
}
