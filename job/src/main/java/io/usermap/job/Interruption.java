package io.usermap.job;

import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.hadoop.util.ShutdownHookManager;
import org.apache.spark.SparkException;
import org.apache.spark.util.SignalUtils;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The wish that a command ends early: a signal, the end of the process, or a Spark job that somebody cancelled.
 *
 * <p>In a process of ours a signal ends nothing by itself: the command is asked to come to an end, and its exit code is the
 * process's. A second signal ends the process at once. In a process of somebody else signals are left alone, and the end of
 * the JVM is held up until the command has come to its end: the hook for it runs before Spark's, which stops the context.
 *
 * <p>A command says with {@link #during} what ends what it does at the moment. That is called by a thread of its own, again
 * and again until the command has left it, because a Spark job that starts just afterwards has to be ended, too.
 */
final class Interruption implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Interruption.class);
    private static final String[] SIGNALS = {"INT", "TERM", "HUP"};

    /** Above Spark's hooks at 50 and 40, and above Hadoop's own, which closes filesystems at 10. */
    private static final int BEFORE_SPARKS = 100;

    /** A request that is in flight takes half a minute at most; then the receipts are taken into the state. */
    private static final Duration MOST_FOR_AN_END = Duration.ofMinutes(3);

    private static final Duration NAP = Duration.ofMillis(200);

    /** The command that signals are for; they belong to the process, as this does. */
    private static final AtomicReference<Interruption> LISTENING = new AtomicReference<>();

    private static final AtomicBoolean REGISTERED = new AtomicBoolean();

    private final Console console;
    private final String lastWork;
    private final boolean ours;
    private final CountDownLatch closed = new CountDownLatch(1);
    private final Runnable hook = this::endOfProcess;
    private volatile boolean requested;
    private Runnable stop = () -> {};

    private Interruption(Console console, String lastWork, boolean ours) {
        this.console = console;
        this.lastWork = lastWork;
        this.ours = ours;
    }

    /**
     * Listens until it is closed.
     *
     * @param lastWork what the command does before it ends, in words
     */
    static Interruption listen(Console console, String lastWork) {
        Interruption interruption = new Interruption(console, lastWork, isOurProcess());
        LISTENING.set(interruption);
        if (interruption.ours && REGISTERED.compareAndSet(false, true)) {
            for (String signal : SIGNALS) {
                SignalUtils.register(signal, () -> onSignal());
            }
        }
        ShutdownHookManager.get()
                .addShutdownHook(interruption.hook, BEFORE_SPARKS, MOST_FOR_AN_END.toSeconds() + 10, TimeUnit.SECONDS);
        return interruption;
    }

    /** Whether the launcher or spark-submit started this process for us alone. */
    private static boolean isOurProcess() {
        return Boolean.getBoolean(Main.LAUNCHER)
                || System.getProperty("sun.java.command", "").startsWith("org.apache.spark.deploy.SparkSubmit");
    }

    /** Whether the signal is dealt with; if not, the JVM does what it does without us. */
    private static Object onSignal() {
        Interruption listening = LISTENING.get();
        if (listening == null) {
            return false;
        }
        if (listening.requested) {
            Runtime.getRuntime().halt(ExitCode.INTERRUPTED);
        }
        listening.request("interrupted; " + listening.lastWork + " (once more ends it at once)");
        return true;
    }

    private void endOfProcess() {
        request("this process is being ended; " + lastWork);
        try {
            if (!closed.await(MOST_FOR_AN_END.toSeconds(), TimeUnit.SECONDS)) {
                LOG.warn("The command has not come to its end in time; the next 'usermap apply' reads its receipts.");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** Asks the command to end. */
    void request(String why) {
        boolean first;
        synchronized (this) {
            first = !requested;
            requested = true;
        }
        if (first) {
            console.error(why);
            Thread thread = new Thread(this::stopUntilClosed, "usermap-interruption");
            thread.setDaemon(true);
            thread.start();
        }
    }

    private void stopUntilClosed() {
        boolean told = false;
        try {
            do {
                try {
                    synchronized (this) {
                        stop.run();
                    }
                } catch (Exception e) { // Spark throws checked exceptions that its methods do not declare
                    // What answers too late today may answer the next time.
                    if (!told) {
                        LOG.warn("What is under way could not be ended; trying again.", e);
                    }
                    told = true;
                }
            } while (!closed.await(NAP.toMillis(), TimeUnit.MILLISECONDS));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** What ends what the command does from now on; must not wait for long. */
    synchronized void during(Runnable ends) {
        stop = ends;
    }

    boolean isRequested() {
        return requested;
    }

    /** Whether {@code failure} is how an interruption looks to whoever was interrupted. */
    boolean explains(Throwable failure) {
        if (requested) {
            return true;
        }
        for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
            if (cause instanceof SparkException
                    && String.valueOf(cause.getMessage()).matches("(?s).*\\bJob \\d+ cancelled\\b.*")) {
                return true;
            }
        }
        return false;
    }

    /** Lets time pass, unless the command is asked to end. */
    void pause(Duration duration) throws InterruptedException {
        long until = System.nanoTime() + duration.toNanos();
        for (long left = duration.toNanos(); left > 0; left = until - System.nanoTime()) {
            if (requested) {
                throw new InterruptedException("the command was asked to end");
            }
            TimeUnit.NANOSECONDS.sleep(Math.min(left, NAP.toNanos()));
        }
    }

    /** The command has come to its end. */
    @Override
    public void close() {
        closed.countDown();
        LISTENING.compareAndSet(this, null);
        try {
            ShutdownHookManager.get().removeShutdownHook(hook);
        } catch (IllegalStateException e) {
            LOG.debug("The JVM is ending; its hook has been told.", e);
        }
    }
}
