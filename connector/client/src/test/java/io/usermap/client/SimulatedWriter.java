package io.usermap.client;

import io.usermap.client.Allowance.Outcome;
import io.usermap.client.Allowance.Writer;
import io.usermap.client.AllowanceAnswer.Grant;
import io.usermap.client.AllowanceAnswer.Later;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;

/**
 * One attempt of one partition, doing what {@link BatchSender} does: one batch after the other, at most two that are not
 * resolved, one question at a time, the earliest rows first, as many requests in flight as the grant says, late grants given
 * back.
 */
final class SimulatedWriter {
    private static final class Load {
        final Deque<Part> waiting = new ArrayDeque<>();
        int unresolved;

        Load(int rows) {
            unresolved = rows;
            waiting.add(new Part(this, rows, 0));
        }
    }

    private record Part(Load load, int rows, long notBefore) {}

    final Writer id;
    final SimulatedProcess executor;
    private final SimulatedApplication application;
    private final VirtualTime time;
    private final Deque<Load> loads = new ArrayDeque<>();
    private long rows;
    private long acknowledged;
    private int inFlight;
    private int mostInFlight = 1;
    private int questions;
    private boolean asking;
    private boolean ended;

    SimulatedWriter(SimulatedApplication application, Writer id, SimulatedProcess executor, long rows) {
        this.application = application;
        this.id = id;
        this.executor = executor;
        this.rows = rows;
        this.time = application.service.time;
    }

    long acknowledged() {
        return acknowledged;
    }

    boolean ended() {
        return ended;
    }

    /** The task is cancelled or its partition is done elsewhere: it asks for nothing more. */
    void cancel() {
        ended = true;
        application.tell(this, coordinator -> coordinator.leave(id));
    }

    void step() {
        if (ended || asking || inFlight >= mostInFlight) {
            return;
        }
        if (loads.stream().allMatch(load -> load.waiting.isEmpty())) {
            if (rows == 0 && loads.isEmpty()) {
                ended = true;
                application.tell(this, coordinator -> coordinator.finish(id, time.now()));
                application.finished(this);
                return;
            }
            if (rows > 0 && loads.size() <= 1) {
                int batch = (int) Math.min(application.traffic.batchRows, rows);
                rows -= batch;
                loads.add(new Load(batch));
            }
        }
        for (Load load : loads) {
            Part next = load.waiting.peekFirst();
            if (next != null) {
                askFor(next);
                return;
            }
        }
    }

    private void askFor(Part next) {
        if (next.notBefore() > time.now()) {
            time.at(next.notBefore(), () -> executor.does(this::step));
            return;
        }
        next.load().waiting.removeFirst();
        asking = true;
        long askedAt = time.now();
        application.ask(this, id + "-" + questions++, next.rows(), answer -> answered(next, answer, askedAt));
    }

    private void answered(Part part, AllowanceAnswer answer, long askedAt) {
        asking = false;
        if (answer instanceof Grant grant) {
            granted(part, grant, askedAt);
        } else if (answer instanceof Later later) {
            putBack(new Part(
                    part.load(), part.rows(), time.now() + later.after().toNanos()));
        } else {
            ended = true;
        }
        step();
    }

    private void granted(Part part, Grant grant, long askedAt) {
        mostInFlight = grant.requestsInFlight();
        long age = time.now() - askedAt - grant.waited().toNanos();
        long left = grant.sendWithin().toNanos() - age;
        boolean late = left < 0 && !application.traffic.usesLateGrants;
        long wait = ended || late
                ? -1
                : executor.tryAcquire(grant.mappings(), grant.mappingsPerSecond(), Math.max(0, left));
        if (wait < 0) {
            putBack(part);
            application.done(this, grant.permit(), Outcome.UNSENT, Duration.ZERO);
            return;
        }
        int sent = Math.min(part.rows(), grant.mappings());
        if (sent < part.rows()) {
            putBack(new Part(part.load(), part.rows() - sent, 0));
        }
        Part slice = new Part(part.load(), sent, 0);
        inFlight++;
        if (wait == 0) {
            send(grant.permit(), slice);
        } else {
            time.at(time.now() + wait, () -> executor.does(() -> send(grant.permit(), slice)));
        }
    }

    private void send(long permit, Part part) {
        application.exchange(this, part.rows(), (outcome, roundTrip) -> {
            inFlight--;
            application.done(this, permit, outcome, roundTrip);
            if (outcome == Outcome.OK) {
                acknowledged += part.rows();
                application.acknowledged(this, part.rows());
                part.load().unresolved -= part.rows();
                while (!loads.isEmpty() && loads.getFirst().unresolved == 0) {
                    loads.removeFirst();
                }
            } else {
                long notBefore = outcome == Outcome.THROTTLED ? 0 : time.now() + VirtualTime.nanos(0.3);
                putBack(new Part(part.load(), part.rows(), notBefore));
            }
            step();
        });
    }

    /** Before everything else of its batch. */
    private static void putBack(Part part) {
        part.load().waiting.addFirst(part);
    }
}
