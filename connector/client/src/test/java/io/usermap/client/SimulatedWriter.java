package io.usermap.client;

import io.usermap.client.Allowance.Outcome;
import io.usermap.client.Allowance.Writer;
import io.usermap.client.AllowanceAnswer.Grant;
import io.usermap.client.AllowanceAnswer.Later;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;

/**
 * One attempt of one partition, doing what {@link BatchSender} does: one batch after the other, one question at a time, the
 * first part of the batch first, as many requests in flight as the grant says, late grants given back.
 */
final class SimulatedWriter {
    private record Part(int rows, long notBefore) {}

    final Writer id;
    final SimulatedProcess executor;
    private final SimulatedApplication application;
    private final VirtualTime time;
    private final Deque<Part> pending = new ArrayDeque<>();
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
        if (ended) {
            return;
        }
        boolean nextBatch = pending.isEmpty() && !asking && (inFlight == 0 || application.traffic.overlapsBatches);
        if (nextBatch && (rows > 0 || inFlight == 0)) {
            if (rows == 0) {
                cancel();
                application.finished(this);
                return;
            }
            int batch = (int) Math.min(application.traffic.batchRows, rows);
            rows -= batch;
            pending.add(new Part(batch, 0));
        }
        Part next = pending.peekFirst();
        if (asking || inFlight >= mostInFlight || next == null) {
            return;
        }
        if (next.notBefore() > time.now()) {
            time.at(next.notBefore(), () -> executor.does(this::step));
            return;
        }
        pending.removeFirst();
        asking = true;
        long askedAt = time.now();
        application.ask(this, id + "-" + questions++, next.rows(), answer -> answered(next, answer, askedAt));
    }

    private void answered(Part part, AllowanceAnswer answer, long askedAt) {
        asking = false;
        if (answer instanceof Grant grant) {
            granted(part, grant, askedAt);
        } else if (answer instanceof Later later) {
            pending.addFirst(new Part(part.rows(), time.now() + later.after().toNanos()));
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
            pending.addFirst(part);
            application.done(this, grant.permit(), Outcome.UNSENT, Duration.ZERO);
            return;
        }
        int sent = Math.min(part.rows(), grant.mappings());
        if (sent < part.rows()) {
            pending.addFirst(new Part(part.rows() - sent, 0));
        }
        inFlight++;
        if (wait == 0) {
            send(grant.permit(), sent);
        } else {
            time.at(time.now() + wait, () -> executor.does(() -> send(grant.permit(), sent)));
        }
    }

    private void send(long permit, int count) {
        application.exchange(this, count, (outcome, roundTrip) -> {
            inFlight--;
            application.done(this, permit, outcome, roundTrip);
            if (outcome == Outcome.OK) {
                acknowledged += count;
                application.acknowledged(this, count);
            } else {
                pending.addFirst(
                        new Part(count, outcome == Outcome.THROTTLED ? 0 : time.now() + VirtualTime.nanos(0.3)));
            }
            step();
        });
    }
}
