package io.usermap.client;

import io.usermap.client.Allowance.Outcome;
import io.usermap.client.AllowanceAnswer.Grant;
import java.time.Duration;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicLong;

/** A line whose coordinator says what it is told, and keeps what it hears. */
final class ScriptedLine implements AllowanceLine {

    /** How one question is answered. */
    interface Answer {
        AllowanceAnswer to(String request, int wanted) throws InterruptedException;
    }

    /** What became of a permit. */
    record Done(long permit, Outcome outcome, Duration retryAfter) {}

    final List<Integer> wanted = new CopyOnWriteArrayList<>();
    final List<Done> done = new CopyOnWriteArrayList<>();
    final List<String> stops = new CopyOnWriteArrayList<>();
    private final Queue<Answer> script = new ConcurrentLinkedQueue<>();
    private final AtomicLong permits = new AtomicLong();
    private final int mostMappings;
    private final int requestsInFlight;
    volatile boolean everAccepted;

    /** Grants whatever is asked for, up to {@code mostMappings} a time. */
    ScriptedLine(int mostMappings, int requestsInFlight) {
        this.mostMappings = mostMappings;
        this.requestsInFlight = requestsInFlight;
    }

    ScriptedLine then(Answer answer) {
        script.add(answer);
        return this;
    }

    Grant grant(String request, int mappings, Duration waited) {
        return new Grant(
                request,
                permits.incrementAndGet(),
                mappings,
                waited,
                Duration.ofSeconds(5),
                1e9,
                requestsInFlight,
                everAccepted);
    }

    List<Outcome> outcomes() {
        return done.stream().map(Done::outcome).toList();
    }

    @Override
    public AllowanceAnswer ask(String request, int rows) throws InterruptedException {
        wanted.add(rows);
        Answer next = script.poll();
        return next == null ? grant(request, Math.min(rows, mostMappings), Duration.ZERO) : next.to(request, rows);
    }

    @Override
    public void done(long permit, Outcome outcome, Duration retryAfter, Duration roundTrip, Tally tally) {
        done.add(new Done(permit, outcome, retryAfter));
    }

    @Override
    public void stop(String reason) {
        stops.add(reason);
    }

    @Override
    public void leave(Tally tally) {
        // Nothing depends on it here.
    }

    @Override
    public void finish(Tally tally) {
        // Nothing depends on it here.
    }
}
