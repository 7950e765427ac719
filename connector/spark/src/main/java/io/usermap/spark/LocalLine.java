package io.usermap.spark;

import io.usermap.client.Allowance.Outcome;
import io.usermap.client.Allowance.Writer;
import io.usermap.client.AllowanceAnswer;
import io.usermap.client.AllowanceLine;
import io.usermap.client.AllowanceLog;
import io.usermap.client.LocalAllowance;
import io.usermap.client.Tally;
import java.io.IOException;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The line of a writer that coordinates itself, and does what a {@link LeaseFile} says if there is one.
 *
 * <p>Runs in the task; a thread of its own looks at the file twice a second until the writer leaves.
 */
final class LocalLine implements AllowanceLines.Connection {
    private static final Logger LOG = LoggerFactory.getLogger(LocalLine.class);
    private static final Duration LOOKS = Duration.ofMillis(500);

    private final LocalAllowance allowance;
    private final AllowanceLine line;
    private final LeaseFile.Watch watch;
    private final @Nullable ScheduledExecutorService looks;

    LocalLine(LocalAllowance allowance, Writer writer, @Nullable LeaseFile file) {
        this.allowance = allowance;
        this.line = allowance.line(writer);
        this.watch = new LeaseFile.Watch(file != null && file.leased(), System.nanoTime());
        this.looks = file == null
                ? null
                : Executors.newSingleThreadScheduledExecutor(work -> {
                    Thread thread = new Thread(work, "usermap-lease-" + writer.write() + "-" + writer.partition());
                    thread.setDaemon(true);
                    return thread;
                });
        if (file != null && looks != null) {
            // Its end is the end of this thread, so nobody asks the future.
            var unused = looks.scheduleWithFixedDelay(() -> look(file), 0, LOOKS.toMillis(), TimeUnit.MILLISECONDS);
        }
    }

    private void look(LeaseFile file) {
        long now = System.nanoTime();
        try {
            watch.saw(file.read().orElse(""), now);
        } catch (IOException | RuntimeException e) {
            LOG.debug("The lease could not be read; it runs out unless the next look sees it.", e);
        }
        watch.stopped(System.nanoTime()).ifPresent(line::stop);
    }

    @Override
    public AllowanceAnswer ask(String request, int wanted) throws InterruptedException {
        long now = System.nanoTime();
        Optional<String> stopped = watch.stopped(now);
        if (stopped.isPresent()) {
            return new AllowanceAnswer.Denied(request, stopped.get());
        }
        if (watch.left(now, LOOKS).isEmpty()) {
            return new AllowanceAnswer.Later(request, LOOKS);
        }
        AllowanceAnswer answer = line.ask(request, wanted);
        return answer instanceof AllowanceAnswer.Grant grant
                ? grant.sentWithin(
                        watch.left(System.nanoTime(), grant.sendWithin()).orElse(Duration.ZERO))
                : answer;
    }

    @Override
    public void done(long permit, Outcome outcome, Duration retryAfter, Duration roundTrip, Tally tally) {
        line.done(permit, outcome, retryAfter, roundTrip, tally);
    }

    @Override
    public void stop(String reason) {
        line.stop(reason);
    }

    @Override
    public void leave(Tally tally) {
        stopLooking();
        line.leave(tally);
    }

    @Override
    public void finish(Tally tally) {
        stopLooking();
        line.finish(tally);
    }

    private void stopLooking() {
        if (looks != null) {
            looks.shutdownNow();
        }
    }

    @Override
    public AllowanceLog log() {
        return allowance.log();
    }
}
