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
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.apache.spark.SparkEnv;
import org.apache.spark.rpc.RpcAddress;
import org.apache.spark.rpc.RpcEndpointRef;
import org.apache.spark.rpc.RpcTimeout;
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
     */
    record InTask(AllowanceRules rules, AllowanceLog seed) implements AllowanceLines {
        @Override
        public Connection connect(Writer writer) {
            LocalAllowance allowance = new LocalAllowance(rules, seed);
            AllowanceLine line = allowance.line(writer);
            return new Connection() {
                @Override
                public AllowanceLog log() {
                    return allowance.log();
                }

                @Override
                public AllowanceAnswer ask(String request, int wanted) throws InterruptedException {
                    return line.ask(request, wanted);
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
                    line.leave(tally);
                }
            };
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

        private final RpcEndpointRef coordinator;
        private final Writer writer;
        private final List<Report> unacknowledged = new ArrayList<>();
        private long reports;
        private boolean left;

        private RpcLine(RpcEndpointRef coordinator, Writer writer) {
            this.coordinator = coordinator;
            this.writer = writer;
        }

        @Override
        public AllowanceAnswer ask(String request, int wanted) {
            Object[] message;
            synchronized (this) {
                message = AllowanceMessages.ask(request, writer, wanted, unacknowledged);
            }
            Object[] answer = (Object[]) coordinator.askSync(message, PATIENCE, AllowanceDesk.ANYTHING);
            acknowledge(AllowanceMessages.reported(answer));
            return AllowanceMessages.answer(answer);
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
            Object[] message;
            synchronized (this) {
                if (left) {
                    return;
                }
                left = true;
                message = AllowanceMessages.leave(writer, unacknowledged, tally);
            }
            try {
                coordinator.askSync(message, PATIENCE, AllowanceDesk.ANYTHING);
            } catch (RuntimeException e) {
                LOG.warn(
                        "The driver did not hear that a writer is done; its permits come back when their time is over.");
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
