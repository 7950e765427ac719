package io.usermap.spark;

import io.usermap.client.Allowance;
import io.usermap.client.Allowance.Writer;
import io.usermap.client.AllowanceAnswer;
import io.usermap.client.AllowanceLog;
import io.usermap.client.AllowanceRules;
import io.usermap.client.ValueType;
import io.usermap.spark.AllowanceMessages.Report;
import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.apache.spark.rpc.RpcAddress;
import org.apache.spark.rpc.RpcCallContext;
import org.apache.spark.rpc.RpcEnv;
import org.apache.spark.rpc.ThreadSafeRpcEndpoint;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import scala.PartialFunction;
import scala.runtime.AbstractPartialFunction;
import scala.runtime.BoxedUnit;

/**
 * The coordinator of the allowance as an endpoint of Spark's RPC, on the driver.
 *
 * <p>Spark's dispatcher calls it, one message at a time, and is never kept waiting: a question that cannot be answered yet
 * leaves its reply open, and a timer thread answers it when its time has come. All state is guarded by this object's
 * monitor, which dispatcher and timer share.
 */
final class AllowanceEndpoint implements ThreadSafeRpcEndpoint {
    private static final Logger LOG = LoggerFactory.getLogger(AllowanceEndpoint.class);
    private static final int MOST_DEPARTING = 10_000;

    /** A writer that has asked and not left. */
    private static final class Caller {
        @Nullable
        RpcAddress address;

        long reported;
    }

    private record Open(RpcCallContext reply, Writer writer) {}

    private final RpcEnv rpcEnv;
    private final ScheduledExecutorService timer;
    private final Map<String, Open> open = new HashMap<>();
    private final Map<Writer, Caller> callers = new HashMap<>();
    private final WriteFigures figures = new WriteFigures();
    private final Leases leases = new Leases();
    private final Set<String> running = new HashSet<>();
    /** Writers that have left a write that goes on, and from where. */
    private final Map<Writer, Caller> left = new HashMap<>();
    /** Writers whose write is over, and whose tasks may still have requests in flight. */
    private final Map<Writer, Caller> departing = new LinkedHashMap<>();

    private final Set<AllowanceLog.Entry> handedOut = new HashSet<>();
    private AllowanceRules rules;
    private Allowance allowance;
    private long wakeAt = Long.MAX_VALUE;
    private boolean toldThrottled;

    AllowanceEndpoint(RpcEnv rpcEnv, String name, AllowanceRules rules, AllowanceLog start) {
        this.rpcEnv = rpcEnv;
        this.rules = rules;
        this.allowance = new Allowance(rules, start, Instant.now(), System.nanoTime());
        this.timer = Executors.newSingleThreadScheduledExecutor(work -> {
            Thread thread = new Thread(work, name);
            thread.setDaemon(true);
            return thread;
        });
    }

    @Override
    public RpcEnv rpcEnv() {
        return rpcEnv;
    }

    @Override
    public PartialFunction<Object, BoxedUnit> receive() {
        return new Receiver(message -> handle(message, null));
    }

    @Override
    public PartialFunction<Object, BoxedUnit> receiveAndReply(RpcCallContext context) {
        return new Receiver(message -> handle(message, context));
    }

    /** An executor is gone: its attempts hold no partition any more. Its permits stay away until their time is over. */
    @Override
    public synchronized void onDisconnected(RpcAddress remoteAddress) {
        List<Writer> gone = Stream.concat(callers.entrySet().stream(), left.entrySet().stream())
                .filter(known -> remoteAddress.equals(known.getValue().address))
                .map(Map.Entry::getKey)
                .toList();
        gone.forEach(writer -> {
            // One that has finished may be lost with its result, unless the driver has told of that.
            allowance.leave(writer);
            forget(writer);
        });
        departing.values().removeIf(caller -> remoteAddress.equals(caller.address));
        pump();
    }

    @Override
    public void onStop() {
        timer.shutdownNow();
    }

    private synchronized void handle(Object[] message, @Nullable RpcCallContext context) {
        switch ((String) message[0]) {
            case AllowanceMessages.ASK -> onAsk(message, context);
            case AllowanceMessages.REPORT -> onReports(message);
            case AllowanceMessages.LEAVE -> {
                onReports(message);
                Writer writer = AllowanceMessages.writer(message);
                figures.put(writer, AllowanceMessages.tally(message));
                if (AllowanceMessages.finished(message)) {
                    allowance.finish(writer, System.nanoTime());
                } else {
                    allowance.leave(writer);
                }
                forget(writer);
            }
            case AllowanceMessages.OPEN -> reply(context, onOpen(message));
            case AllowanceMessages.BEGIN -> reply(context, onBegin(message));
            case AllowanceMessages.STOP -> allowance.stop((String) message[1], (String) message[2]);
            case AllowanceMessages.COMMITTED -> allowance.committed((String) message[1], (Integer) message[2]);
            case AllowanceMessages.END -> onEnd((String) message[1]);
            case AllowanceMessages.LOG -> reply(context, onLog());
            case AllowanceMessages.LEASE -> onLease((String) message[1], (Long) message[2]);
            case AllowanceMessages.PROGRESS -> reply(context, onProgress((String[]) message[1]));
            case AllowanceMessages.WRITERS -> reply(context, onWriters(Set.of((String[]) message[1])));
            default -> throw new IllegalArgumentException("The allowance knows no message " + message[0] + ".");
        }
        String kind = (String) message[0];
        if (kind.equals(AllowanceMessages.LEAVE)
                || kind.equals(AllowanceMessages.STOP)
                || kind.equals(AllowanceMessages.LEASE)
                || kind.equals(AllowanceMessages.END)) {
            reply(context, new Object[] {AllowanceMessages.OK});
        }
        pump();
    }

    private static void reply(@Nullable RpcCallContext context, Object answer) {
        if (context != null) {
            context.reply(answer);
        }
    }

    private void onAsk(Object[] message, @Nullable RpcCallContext context) {
        Writer writer = AllowanceMessages.writer(message);
        String request = AllowanceMessages.request(message);
        if (left.containsKey(writer)) {
            // Sent before the writer left, and overtaken by its farewell.
            onReports(message);
            AllowanceAnswer denied = new AllowanceAnswer.Denied(request, "the writer has left");
            reply(context, AllowanceMessages.answer(denied, Long.MAX_VALUE));
            return;
        }
        Caller caller =
                allowance.isOver(writer.write()) ? new Caller() : callers.computeIfAbsent(writer, id -> new Caller());
        onReports(message);
        if (context != null) {
            open.put(request, new Open(context, writer));
            caller.address = context.senderAddress();
        }
        allowance.ask(request, writer, AllowanceMessages.wanted(message), System.nanoTime());
    }

    private void onReports(Object[] message) {
        Writer writer = AllowanceMessages.writer(message);
        Caller caller = callers.getOrDefault(writer, new Caller());
        for (Report report : AllowanceMessages.reports(message)) {
            if (report.number() <= caller.reported) {
                continue;
            }
            caller.reported = report.number();
            if (!report.stopReason().isEmpty()) {
                allowance.stop(writer.write(), report.stopReason());
            } else {
                figures.reported(writer, report.tally(), System.nanoTime());
                allowance.done(
                        report.permit(), report.outcome(), report.retryAfter(), report.roundTrip(), System.nanoTime());
                if (report.outcome() == Allowance.Outcome.THROTTLED) {
                    tellThrottled(report.retryAfter());
                }
            }
        }
    }

    private void tellThrottled(Duration retryAfter) {
        if (!toldThrottled) {
            toldThrottled = true;
            LOG.warn(
                    "The service refused a request because of its rate (429) although this application keeps to {}"
                            + " mappings in {} s: somebody else uses this allowance, or the service counts differently."
                            + " Sending goes on evenly after a pause of {} s. If other applications send too,"
                            + " give each an allowanceShare.",
                    rules.mappingsPerWindow(),
                    rules.window().toSeconds(),
                    Math.max(rules.window().toSeconds(), retryAfter.toSeconds()));
        }
    }

    private Object[] onOpen(Object[] message) {
        if (!AllowanceMessages.isOfThisVersion(message)) {
            return new Object[] {AllowanceDesk.OTHER_VERSION};
        }
        AllowanceRules wanted = AllowanceMessages.rules(message);
        Instant now = Instant.now();
        long nanos = System.nanoTime();
        if (!wanted.equals(rules)) {
            // Whoever has finished must not be forgotten while another attempt of its partition may come.
            if (!callers.isEmpty() || !left.isEmpty() || !running.isEmpty()) {
                return otherFigures(wanted);
            }
            rules = wanted;
            allowance = allowance.with(wanted);
        }
        // What this coordinator wrote down itself is in its log already.
        AllowanceLog others = new AllowanceLog(AllowanceMessages.seed(message).entries().stream()
                .filter(entry -> !handedOut.contains(entry))
                .toList());
        allowance.seed(others, now, nanos);
        return new Object[] {AllowanceMessages.OK};
    }

    /** A write is about to start its tasks: from here to its end the figures do not change. */
    private Object[] onBegin(Object[] message) {
        AllowanceRules wanted = AllowanceMessages.rules(message);
        if (!wanted.equals(rules)) {
            return otherFigures(wanted);
        }
        running.add((String) message[4]);
        return new Object[] {AllowanceMessages.OK};
    }

    private void onEnd(String write) {
        running.remove(write);
        allowance.end(write);
        leases.end(write);
        figures.sumUp(write, callers.keySet());
        callers.forEach((writer, caller) -> {
            if (writer.write().equals(write)) {
                departing.put(writer, caller);
            }
        });
        while (departing.size() > MOST_DEPARTING) {
            departing.remove(departing.keySet().iterator().next());
        }
        callers.keySet().removeAll(departing.keySet());
        left.keySet().removeIf(writer -> writer.write().equals(write));
    }

    private long[] onLog() {
        Instant now = Instant.now();
        long[] log = AllowanceMessages.encode(allowance.log(now, System.nanoTime()));
        handedOut.removeIf(entry -> entry.until().isBefore(now));
        handedOut.addAll(AllowanceMessages.log(log).entries());
        return log;
    }

    private Object[] otherFigures(AllowanceRules wanted) {
        return new Object[] {
            "Cannot use an allowance of " + describe(wanted) + ": a write of this application to the same endpoint is"
                    + " running with " + describe(rules) + ". Use the same figures, or wait until it is over."
        };
    }

    private static String describe(AllowanceRules rules) {
        return "%d mappings in %s s (guard %s ms, requestTimeout %s ms, pacing %s)"
                .formatted(
                        rules.mappingsPerWindow(),
                        rules.window().toMillis() / 1000.0,
                        rules.guard().toMillis(),
                        rules.callTimeout().toMillis(),
                        ValueType.word(rules.pacing()));
    }

    private long[] onProgress(String[] writes) {
        long nextGrant = allowance.nextGrant();
        long wait = nextGrant == Long.MAX_VALUE ? -1 : Math.max(0, nextGrant - System.nanoTime());
        return figures.of(writes, allowance.mostInWindow(), wait);
    }

    private int onWriters(Set<String> writes) {
        return (int) Stream.concat(callers.keySet().stream(), departing.keySet().stream())
                .filter(writer -> writes.contains(writer.write()))
                .count();
    }

    private void forget(Writer writer) {
        Caller known = callers.remove(writer);
        departing.remove(writer);
        if (!allowance.isOver(writer.write())) {
            left.put(writer, known == null ? new Caller() : known);
        }
    }

    /** Gives out what can be answered now, and sets the timer for the rest. */
    private synchronized void pump() {
        long now = System.nanoTime();
        leases.over(now).forEach(write -> allowance.stop(write, Leases.OVER));
        for (AllowanceAnswer answer : allowance.answers(now)) {
            Open question = open.remove(answer.request());
            if (question != null) {
                long reported = callers.getOrDefault(question.writer(), new Caller()).reported;
                AllowanceAnswer told = answer instanceof AllowanceAnswer.Grant grant
                        ? withinLease(grant, question.writer(), now)
                        : answer;
                question.reply().reply(AllowanceMessages.answer(told, reported));
            }
        }
        long wake = allowance.nextWake();
        if (wake != Long.MAX_VALUE && (wake < wakeAt || wakeAt <= System.nanoTime())) {
            wakeAt = wake;
            try {
                var unused = timer.schedule(this::pump, Math.max(0, wake - System.nanoTime()), TimeUnit.NANOSECONDS);
            } catch (RejectedExecutionException e) {
                LOG.debug("The allowance is closed; nobody waits for it any more.");
            }
        } else if (wake == Long.MAX_VALUE) {
            wakeAt = Long.MAX_VALUE;
        }
    }

    private AllowanceAnswer withinLease(AllowanceAnswer.Grant grant, Writer writer, long now) {
        if (grant.mappings() > 0) {
            figures.granted(writer.write(), now);
        }
        return grant.sentWithin(leases.left(writer.write(), now, grant.sendWithin()));
    }

    private void onLease(String write, long untilNanos) {
        if (!allowance.isOver(write)) {
            // One that is over stays over, even if nobody has looked since.
            leases.over(System.nanoTime()).forEach(over -> allowance.stop(over, Leases.OVER));
            leases.renew(write, untilNanos);
        }
    }

    /** A message handler in the shape that Spark's dispatcher calls. */
    private static final class Receiver extends AbstractPartialFunction<Object, BoxedUnit> {
        private final java.util.function.Consumer<Object[]> handler;

        Receiver(java.util.function.Consumer<Object[]> handler) {
            this.handler = handler;
        }

        @Override
        public boolean isDefinedAt(Object message) {
            return message instanceof Object[];
        }

        @Override
        public BoxedUnit apply(Object message) {
            handler.accept((Object[]) message);
            return BoxedUnit.UNIT;
        }
    }
}
