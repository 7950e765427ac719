package io.usermap.spark;

import io.usermap.client.Allowance.Outcome;
import io.usermap.client.Allowance.Writer;
import io.usermap.client.AllowanceAnswer;
import io.usermap.client.AllowanceLine;
import io.usermap.client.AllowanceLog;
import io.usermap.client.AllowanceRules;
import io.usermap.client.LocalAllowance;
import io.usermap.client.Tally;
import io.usermap.spark.AllowanceMessages.Report;
import java.io.Serializable;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.apache.spark.SparkEnv;
import org.apache.spark.TaskContext;
import org.apache.spark.rpc.RpcAddress;
import org.apache.spark.rpc.RpcEndpointRef;
import org.apache.spark.rpc.RpcTimeout;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import scala.concurrent.duration.FiniteDuration;

/** How the writers of a task reach the coordinator; travels to executors inside the writer factory. */
sealed interface AllowanceLines extends Serializable {

    /** A line for {@code writer}. */
    Connection connect(Writer writer);

    /** A line, and what it leaves behind where there is no coordinator on the driver. */
    interface Connection extends AllowanceLine {
        /** What is used up, if this process keeps the log; empty otherwise. */
        AllowanceLog log();
    }

    /**
     * Through Spark's RPC to the driver.
     *
     * @param host the driver's host
     * @param port the driver's port
     * @param name the coordinator's name there
     */
    record OverRpc(String host, int port, String name) implements AllowanceLines {
        @Override
        public Connection connect(Writer writer) {
            return new RpcLine(SparkEnv.get().rpcEnv().setupEndpointRef(new RpcAddress(host, port), name), writer);
        }
    }

    /**
     * In the one task that writes, where the platform does not let executors talk to the driver.
     *
     * @param rules the whole allowance
     * @param seed what earlier writes used
     * @param lease what a run on the driver says meanwhile; null without one
     */
    record InTask(
            AllowanceRules rules,
            AllowanceLog seed,
            @Nullable LeaseFile lease) implements AllowanceLines {
        /** A window of which everything may have been used until just now. */
        static AllowanceLog lost(AllowanceRules rules, Instant now) {
            Instant until = now.plus(rules.silentHold());
            return new AllowanceLog(List.of(new AllowanceLog.Entry(until, rules.mappingsPerWindow())));
        }

        @Override
        public Connection connect(Writer writer) {
            TaskContext task = TaskContext.get();
            boolean again = task != null && (task.attemptNumber() > 0 || task.stageAttemptNumber() > 0);
            // What an attempt before this one sent is not known here.
            return new LocalLine(new LocalAllowance(rules, again ? lost(rules, Instant.now()) : seed), writer, lease);
        }
    }

    /**
     * One writer's line over RPC.
     *
     * <p>Reports leave at once as one-way messages and are repeated with each question until an answer acknowledges them.
     * Thread-safe: the writer's thread asks, the HTTP client's threads report.
     */
    final class RpcLine implements Connection {
        private static final Logger LOG = LoggerFactory.getLogger(RpcLine.class);

        /** The coordinator answers within 5 s; more means that the driver is busy or gone. */
        private static final RpcTimeout PATIENCE =
                new RpcTimeout(new FiniteDuration(60, TimeUnit.SECONDS), "the time that the driver has for an answer");

        private static final int MOST_QUESTIONS = 3;

        private final RpcEndpointRef coordinator;
        private final Writer writer;
        private final List<Report> unacknowledged = new ArrayList<>();
        private long reports;
        private boolean left;

        private RpcLine(RpcEndpointRef coordinator, Writer writer) {
            this.coordinator = coordinator;
            this.writer = writer;
        }

        /** Goes on where it is interrupted, because the answer may be a grant; the interruption is kept. */
        @Override
        public AllowanceAnswer ask(String request, int wanted) {
            boolean interrupted = false;
            try {
                for (int attempt = 1; ; attempt++) {
                    Object[] message;
                    synchronized (this) {
                        if (left) {
                            return new AllowanceAnswer.Denied(request, "the writer has left");
                        }
                        message = AllowanceMessages.ask(request, writer, wanted, unacknowledged);
                    }
                    try {
                        Object[] answer = (Object[]) coordinator.askSync(message, PATIENCE, AllowanceDesk.ANYTHING);
                        acknowledge(AllowanceMessages.reported(answer));
                        return AllowanceMessages.answer(answer);
                    } catch (Exception e) { // askSync throws checked exceptions that it does not declare
                        interrupted = interrupted || e instanceof InterruptedException;
                        if (attempt == MOST_QUESTIONS) {
                            throw new IllegalStateException("The driver does not answer.", e);
                        }
                        // The same question again: the coordinator knows it by its name and gives a grant once only.
                        LOG.debug("The driver did not answer a question; asking again.", e);
                    }
                }
            } finally {
                if (interrupted) {
                    Thread.currentThread().interrupt();
                }
            }
        }

        @Override
        public void done(long permit, Outcome outcome, Duration retryAfter, Duration roundTrip, Tally tally) {
            report(permit, outcome, retryAfter, roundTrip, tally, "");
        }

        @Override
        public void stop(String reason) {
            report(0, Outcome.UNSENT, Duration.ZERO, Duration.ZERO, Tally.NONE, reason);
        }

        @Override
        public void leave(Tally tally) {
            end(tally, false);
        }

        @Override
        public void finish(Tally tally) {
            end(tally, true);
        }

        private void end(Tally tally, boolean finished) {
            Object[] message;
            synchronized (this) {
                if (left) {
                    return;
                }
                left = true;
                message = AllowanceMessages.leave(writer, unacknowledged, tally, finished);
            }
            boolean interrupted = Thread.interrupted();
            try {
                coordinator.askSync(message, PATIENCE, AllowanceDesk.ANYTHING);
            } catch (Exception e) { // askSync throws checked exceptions that it does not declare
                interrupted = interrupted || e instanceof InterruptedException;
                LOG.warn(
                        "The driver did not hear that a writer is done; its permits come back when their time is over.");
            } finally {
                if (interrupted) {
                    Thread.currentThread().interrupt();
                }
            }
        }

        @Override
        public AllowanceLog log() {
            return AllowanceLog.empty();
        }

        private synchronized void report(
                long permit, Outcome outcome, Duration retryAfter, Duration roundTrip, Tally tally, String stopReason) {
            unacknowledged.add(new Report(++reports, permit, outcome, retryAfter, roundTrip, tally, stopReason));
            try {
                coordinator.send(AllowanceMessages.report(writer, unacknowledged));
            } catch (RuntimeException e) {
                LOG.debug("A report did not leave; the next question repeats it.", e);
            }
        }

        private synchronized void acknowledge(long number) {
            unacknowledged.removeIf(report -> report.number() <= number);
        }
    }
}
