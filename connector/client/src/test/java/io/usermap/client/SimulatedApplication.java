package io.usermap.client;

import io.usermap.client.Allowance.Outcome;
import io.usermap.client.Allowance.Writer;
import io.usermap.client.AllowanceAnswer.Grant;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Consumer;

/**
 * One Spark application in virtual time: a driver with the coordinator, executors with writers, a network between them, and
 * whatever goes wrong. Only what the coordinator answers lets a request leave.
 */
final class SimulatedApplication {
    private record Partition(String write, int number) {
        static Partition of(SimulatedWriter writer) {
            return new Partition(writer.id.write(), writer.id.partition());
        }
    }

    /** What became of a request, and after how long. */
    interface Response {
        void is(Outcome outcome, Duration roundTrip);
    }

    private static final Instant EPOCH = Instant.parse("2026-01-01T00:00:00Z");

    final SimulatedService service;
    final Traffic traffic;
    final List<SimulatedWriter> writers = new ArrayList<>();
    final List<AllowanceLog.Answered> receipts = new ArrayList<>();
    private final VirtualTime time;
    private final Random random;
    private final Coordinator coordinator;
    private final SimulatedProcess driver;
    private final List<SimulatedProcess> executors = new ArrayList<>();
    private final Map<String, Consumer<AllowanceAnswer>> questions = new HashMap<>();
    private final Map<Long, SimulatedWriter> permits = new HashMap<>();
    private final Map<Partition, Long> left = new HashMap<>();
    private final Set<Partition> open = new LinkedHashSet<>();
    private final Map<String, Double> ends = new HashMap<>();
    private long wake = Long.MAX_VALUE;
    private long attempts;
    private double finishedAt = Double.NaN;
    private boolean faults = true;

    SimulatedApplication(SimulatedService service, Traffic traffic, long seed, AllowanceLog log) {
        this.service = service;
        this.traffic = traffic;
        this.time = service.time;
        this.random = new Random(seed);
        this.driver = new SimulatedProcess(time);
        this.coordinator = traffic.coordinator.start(traffic.rules, log, wall(), time.now());
        hourly(traffic.executorLossesAnHour, this::loseExecutor);
        hourly(traffic.executorPausesAnHour, () -> {
            SimulatedProcess executor = executors.get(random.nextInt(executors.size()));
            executor.pause(random.nextDouble() * traffic.longestExecutorPause);
        });
        hourly(traffic.driverPausesAnHour, () -> driver.pause(random.nextDouble() * traffic.longestDriverPause));
        hourly(traffic.resizesAnHour, this::resize);
    }

    Instant wall() {
        return EPOCH.plusNanos(traffic.wallClock.applyAsLong(time.now()));
    }

    private void hourly(double times, Runnable fault) {
        if (times > 0) {
            time.after(-Math.log(1 - random.nextDouble()) * 3_600 / times, () -> {
                if (driver.alive() && faults && !executors.isEmpty()) {
                    fault.run();
                    hourly(times, fault);
                }
            });
        }
    }

    /** Starts one writer for each partition, spread over executors. */
    SimulatedApplication write(long... rowsOfPartitions) {
        return write("write", rowsOfPartitions);
    }

    /** Starts the write of that name, beside others, on executors of its own. */
    SimulatedApplication write(String name, long... rowsOfPartitions) {
        for (int number = 0; number < rowsOfPartitions.length; number++) {
            if (number % traffic.writersPerExecutor == 0) {
                executors.add(new SimulatedProcess(time));
            }
            Partition partition = new Partition(name, number);
            left.put(partition, rowsOfPartitions[number]);
            open.add(partition);
            SimulatedWriter writer = start(partition, executors.get(executors.size() - 1));
            time.after(random.nextDouble() * 0.05, () -> writer.executor.does(writer::step));
            if (random.nextDouble() < traffic.twins) {
                SimulatedProcess elsewhere = executors.get(random.nextInt(executors.size()));
                time.after(5 + random.nextDouble() * 60, () -> {
                    if (open.contains(partition)) {
                        SimulatedWriter twin = start(partition, elsewhere);
                        elsewhere.does(twin::step);
                    }
                });
            }
        }
        return this;
    }

    private SimulatedWriter start(Partition partition, SimulatedProcess executor) {
        Writer id = new Writer(partition.write(), partition.number(), attempts++);
        SimulatedWriter writer = new SimulatedWriter(this, id, executor, Math.max(0, left.getOrDefault(partition, 0L)));
        writers.add(writer);
        return writer;
    }

    private void loseExecutor() {
        SimulatedProcess lost = executors.get(random.nextInt(executors.size()));
        lost.kill();
        SimulatedProcess fresh = new SimulatedProcess(time);
        executors.set(executors.indexOf(lost), fresh);
        if (traffic.freesOnLoss) {
            Map.copyOf(permits).forEach((permit, writer) -> {
                if (writer.executor == lost) {
                    deliver(c -> c.done(permit, Outcome.UNSENT, Duration.ZERO, Duration.ZERO, time.now()));
                }
            });
        }
        Set<Partition> again =
                new TreeSet<>(Comparator.comparing(Partition::write).thenComparing(Partition::number));
        for (SimulatedWriter writer : writers) {
            if (writer.executor == lost && !writer.ended() && open.contains(Partition.of(writer))) {
                again.add(Partition.of(writer));
            }
        }
        again.forEach(partition -> time.after(1 + random.nextDouble() * 5, () -> {
            if (open.contains(partition)) {
                SimulatedProcess executor = aliveOr(fresh);
                SimulatedWriter next = start(partition, executor);
                executor.does(next::step);
            }
        }));
    }

    /** Dynamic allocation: an executor comes, or one goes in good order; tasks start again elsewhere. */
    private void resize() {
        if (executors.size() == 1 || random.nextBoolean()) {
            SimulatedProcess fresh = new SimulatedProcess(time);
            executors.add(fresh);
            move(executors.get(random.nextInt(executors.size() - 1)), fresh);
        } else {
            SimulatedProcess leaving = executors.remove(random.nextInt(executors.size()));
            move(leaving, executors.get(random.nextInt(executors.size())));
            // Time for the replies of requests in flight, but not always enough.
            time.after(random.nextDouble() * 10, leaving::kill);
        }
    }

    private void move(SimulatedProcess from, SimulatedProcess to) {
        List<SimulatedWriter> moving = writers.stream()
                .filter(writer -> writer.executor == from && !writer.ended() && open.contains(Partition.of(writer)))
                .toList();
        for (SimulatedWriter writer : moving) {
            writer.cancel();
            time.after(0.5 + random.nextDouble() * 5, () -> {
                if (open.contains(Partition.of(writer))) {
                    SimulatedProcess executor = aliveOr(to);
                    SimulatedWriter next = start(Partition.of(writer), executor);
                    executor.does(next::step);
                }
            });
        }
    }

    /** That executor, or another one if it is gone again. */
    private SimulatedProcess aliveOr(SimulatedProcess executor) {
        return executors.contains(executor) ? executor : executors.get(random.nextInt(executors.size()));
    }

    /** The whole application ends at once, without a word. */
    void kill() {
        driver.kill();
        executors.forEach(SimulatedProcess::kill);
    }

    /** What a clean end saves. */
    AllowanceLog save() {
        return coordinator.log(wall(), time.now());
    }

    /** From now on nothing more goes wrong. */
    void calm() {
        faults = false;
    }

    /** When the last partition was done; not a number before. */
    double finishedAt() {
        return finishedAt;
    }

    /** When the last partition of that write was done; not a number before. */
    double finishedAt(String write) {
        return ends.getOrDefault(write, Double.NaN);
    }

    void finished(SimulatedWriter writer) {
        Partition partition = Partition.of(writer);
        if (open.remove(partition)) {
            writers.stream()
                    .filter(other -> other != writer && Partition.of(other).equals(partition) && !other.ended())
                    .toList()
                    .forEach(SimulatedWriter::cancel);
            if (open.stream().noneMatch(other -> other.write().equals(partition.write()))) {
                ends.put(partition.write(), time.seconds());
            }
            if (open.isEmpty()) {
                finishedAt = time.seconds();
            }
        }
    }

    void acknowledged(SimulatedWriter writer, int rows) {
        left.merge(Partition.of(writer), (long) -rows, Long::sum);
        receipts.add(new AllowanceLog.Answered(wall(), rows));
    }

    void ask(SimulatedWriter writer, String request, int wanted, Consumer<AllowanceAnswer> answer) {
        if (traffic.linesBreak > 0) {
            askOverBadLine(writer, request, wanted, answer, new boolean[1]);
            return;
        }
        questions.put(request, said -> {
            if (said instanceof Grant grant) {
                permits.put(grant.permit(), writer);
            }
            rpc(() -> writer.executor.does(() -> answer.accept(said)));
        });
        tell(writer, c -> c.ask(request, writer.id, wanted, time.now()));
    }

    /** The same question again until an answer is heard, as a line over RPC does; a second answer is not listened to. */
    private void askOverBadLine(
            SimulatedWriter writer, String request, int wanted, Consumer<AllowanceAnswer> answer, boolean[] heard) {
        if (heard[0]) {
            return;
        }
        questions.put(request, said -> {
            if (said instanceof Grant grant) {
                permits.put(grant.permit(), writer);
            }
            if (random.nextDouble() >= traffic.linesBreak) {
                rpc(() -> writer.executor.does(() -> {
                    if (!heard[0]) {
                        heard[0] = true;
                        answer.accept(said);
                    }
                }));
            }
        });
        Consumer<Coordinator> message = c -> c.ask(request, writer.id, wanted, time.now());
        if (random.nextDouble() >= traffic.linesBreak) {
            tell(writer, message);
        }
        if (random.nextDouble() < traffic.linesBreak) {
            time.after(random.nextDouble() * 5, () -> deliver(message));
        }
        double patience = random.nextBoolean() ? 60 : random.nextDouble() * 10;
        time.after(patience, () -> writer.executor.does(() -> askOverBadLine(writer, request, wanted, answer, heard)));
    }

    void tell(SimulatedWriter writer, Consumer<Coordinator> message) {
        rpc(() -> deliver(message));
    }

    /** Reports a permit: perhaps late, perhaps lost and said again, perhaps twice. */
    void done(SimulatedWriter writer, long permit, Outcome outcome, Duration roundTrip) {
        permits.remove(permit);
        Consumer<Coordinator> message = c -> c.done(permit, outcome, Duration.ZERO, roundTrip, time.now());
        if (random.nextDouble() < traffic.doneLost) {
            time.after(2, () -> writer.executor.does(() -> done(writer, permit, outcome, roundTrip)));
        } else if (random.nextDouble() < traffic.doneLate) {
            time.after(random.nextDouble() * 40, () -> deliver(message));
            time.after(random.nextDouble() * 40, () -> deliver(message));
        } else {
            tell(writer, message);
        }
    }

    private void rpc(Runnable arrives) {
        time.after(0.0005 + 0.001 * random.nextDouble(), arrives);
    }

    private void deliver(Consumer<Coordinator> message) {
        driver.does(() -> {
            message.accept(coordinator);
            pump();
        });
    }

    private void pump() {
        for (AllowanceAnswer answer : coordinator.answers(time.now())) {
            Consumer<AllowanceAnswer> waiting = questions.remove(answer.request());
            if (waiting != null) {
                waiting.accept(answer);
            }
        }
        long next = coordinator.nextWake();
        if (next < wake || wake <= time.now()) {
            wake = next;
            if (next != Long.MAX_VALUE) {
                time.at(
                        next,
                        () -> driver.does(() -> {
                            if (wake == next) {
                                wake = Long.MAX_VALUE;
                                pump();
                            }
                        }));
            }
        }
    }

    /** One request over the network; it may arrive although its sender is gone. */
    void exchange(SimulatedWriter writer, int mappings, Response response) {
        double slow = traffic.slowDown.factor(time.seconds());
        double total = slow
                * (traffic.leastRoundTrip + random.nextDouble() * (traffic.mostRoundTrip - traffic.leastRoundTrip));
        double there = total * (0.3 + 0.4 * random.nextDouble());
        double back = total - there;
        if (random.nextDouble() < traffic.spikes) {
            if (random.nextBoolean()) {
                there += traffic.spikeSeconds;
            } else {
                back += traffic.spikeSeconds;
            }
        }
        double most = traffic.rules.callTimeout().toNanos() / 1e9;
        boolean answeredInTime = there + back <= most;
        boolean arrives = there <= most + 5;
        double answered = Math.min(there + back, most);
        Outcome[] outcome = {Outcome.TIMEOUT};
        if (arrives) {
            time.after(there, () -> {
                boolean taken = service.takes(mappings);
                boolean error = random.nextDouble() < traffic.serviceErrors;
                outcome[0] = !taken ? Outcome.THROTTLED : error ? Outcome.FAILED : Outcome.OK;
            });
        }
        time.after(
                answered + 1e-6,
                () -> writer.executor.does(() -> response.is(
                        answeredInTime ? outcome[0] : Outcome.TIMEOUT, Duration.ofNanos(VirtualTime.nanos(answered)))));
    }
}
