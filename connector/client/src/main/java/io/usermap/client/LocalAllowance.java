package io.usermap.client;

import io.usermap.client.Allowance.Outcome;
import io.usermap.client.Allowance.Writer;
import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.Map;

/**
 * The coordinator inside the process of its writers, without any network.
 *
 * <p>For a driver that sends by itself, and for one writer where a platform does not let executors talk to the driver.
 * Thread-safe; {@link AllowanceLine#ask} waits in the calling thread.
 */
public final class LocalAllowance {
    private final Allowance allowance;
    private final Map<String, AllowanceAnswer> answers = new HashMap<>();

    /** A coordinator that starts with the window of {@code seed}. */
    public LocalAllowance(AllowanceRules rules, AllowanceLog seed) {
        this.allowance = new Allowance(rules, seed, Instant.now(), System.nanoTime());
    }

    /** What is used up now. */
    public synchronized AllowanceLog log() {
        return allowance.log(Instant.now(), System.nanoTime());
    }

    /** The most mappings that were ever away at once. */
    public synchronized int mostInWindow() {
        return allowance.mostInWindow();
    }

    /** A line for {@code writer}. */
    public AllowanceLine line(Writer writer) {
        return new AllowanceLine() {
            private boolean ended;

            @Override
            public AllowanceAnswer ask(String request, int wanted) throws InterruptedException {
                return answer(request, writer, wanted);
            }

            @Override
            public void done(long permit, Outcome outcome, Duration retryAfter, Duration roundTrip, Tally tally) {
                change(() -> allowance.done(permit, outcome, retryAfter, roundTrip, System.nanoTime()));
            }

            @Override
            public void stop(String reason) {
                change(() -> allowance.stop(writer.write(), reason));
            }

            @Override
            public void leave(Tally tally) {
                end(() -> allowance.leave(writer));
            }

            @Override
            public void finish(Tally tally) {
                end(() -> allowance.finish(writer, System.nanoTime()));
            }

            private void end(Runnable end) {
                change(() -> {
                    if (!ended) {
                        ended = true;
                        end.run();
                    }
                });
            }
        };
    }

    private synchronized AllowanceAnswer answer(String request, Writer writer, int wanted) throws InterruptedException {
        allowance.ask(request, writer, wanted, System.nanoTime());
        while (true) {
            collect();
            AllowanceAnswer answer = answers.remove(request);
            if (answer != null) {
                return answer;
            }
            long wake = allowance.nextWake();
            long millis = wake == Long.MAX_VALUE ? 0 : Math.max(1, (wake - System.nanoTime()) / 1_000_000 + 1);
            wait(millis);
        }
    }

    private synchronized void change(Runnable change) {
        change.run();
        collect();
        // Whoever waits for the next wake-up may have to wait less now.
        notifyAll();
    }

    private void collect() {
        for (AllowanceAnswer answer : allowance.answers(System.nanoTime())) {
            answers.put(answer.request(), answer);
            notifyAll();
        }
    }
}
