package io.usermap.client;

import io.usermap.client.AllowanceAnswer.Denied;
import io.usermap.client.AllowanceAnswer.Grant;
import io.usermap.client.AllowanceAnswer.Later;
import io.usermap.client.PermitLog.Permit;
import io.usermap.client.Turns.Question;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Decides who may send how many mappings, and when: the coordinator of one allowance.
 *
 * <h2>How is the allowance designed, and why?</h2>
 *
 * <p>The service takes 1,500 mappings in any 30 s, from everybody together, and refuses everything beyond. The naive way
 * is a rate limiter in each task, at the rate divided by the tasks. It fails at the size of batches: forty limiters let
 * forty batches of 100 through at once, 4,000 in a window that takes 1,500; what a finished task does not use is lost;
 * and a limiter bills a large batch to the next caller.
 *
 * <p>So there is one log of permits. A permit for <i>m</i> mappings is taken before a request and comes back one window
 * plus a guard after the <i>response</i>: the service counted the request no later than it answered, so whatever the
 * latency was, the window as the service sees it is never exceeded. The price is small: with a window of 30 s, a guard of
 * 1 s and round trips of 0.3 s, 30 / 31.3 = 0.958 of the rate is used. A permit about which nothing is heard is held as
 * long as its request could still be counted; it is never given to somebody else early.
 *
 * <p>Who asks gets {@code min(wanted, max(fair share, minimum))} as soon as the minimum is free. Without the minimum,
 * permits crumble: what comes back in pieces is granted in smaller pieces. Waiting for a whole share instead leaves a third
 * of the allowance unused with one writer. With 1,500 free and writers that want 2,000 and 2,000, the first gets 1,500 if
 * it asks alone and 750 if the second already waits. Of several writes that wait, the one that got least goes first, and
 * within a write writers are first come, first served: a delta beside a large load gets half, however many writers it has.
 *
 * <p>Consequences: nothing is reserved ahead, so a grant may be used at once or not at all; a grant older than its
 * deadline must not be used; an answer 429 stops everybody for a window and counts as used.
 *
 * <h2>How to drive it</h2>
 *
 * <p>Pure: time comes in as nanoseconds of a monotonic clock, decisions go out. Call {@link #ask}, {@link #done} and the
 * others as things happen, then {@link #answers} and act on what it returns, and again at {@link #nextWake}. Memory grows
 * with the requests in one window and with the writers that are alive, not with what was sent. Not thread-safe: whoever
 * drives it holds a lock.
 */
public final class Allowance {
    /** How long everybody else waits for the first answer of all, which shows whether the key is any good. */
    private static final long FIRST_ANSWER_NANOS = Duration.ofSeconds(2).toNanos();

    /** Why an attempt is denied after which another one of its partition was live: it must end, and send nothing. */
    public static final String FOLLOWED = "another attempt of this partition has taken over";

    /** Why an attempt is denied when the driver has the result of another one of its partition: it is done without sending. */
    public static final String SETTLED = "another attempt of this partition has done all of it";

    private static final String OVER = "the write is over";
    private static final int MOST_ENDED_WRITES = 1_000;
    private static final int MOST_BURST_REQUESTS = 4;

    /**
     * One attempt of one partition of one write.
     *
     * @param write the write's id
     * @param partition the partition, from 0
     * @param attempt what tells attempts of the partition apart, for example Spark's task attempt id
     */
    public record Writer(String write, int partition, long attempt) {}

    /** What became of a permit. */
    public enum Outcome {
        /** The service acknowledged the mappings. */
        OK,
        /** The service answered 429. */
        THROTTLED,
        /** The service answered something else. */
        FAILED,
        /** The request left and no answer came: it may be counted later. */
        TIMEOUT,
        /** Nothing was sent. */
        UNSENT
    }

    private final AllowanceRules rules;
    private final AllowanceBudget budget;
    final PermitLog permits;
    private final long coolDownNanos;
    private final long holdNanos;
    private final long flightNanos;

    final Turns turns;
    private final Map<Writer, Integer> flying = new HashMap<>();
    private final Division shares;
    final LiveAttempts live;
    private final Map<String, String> stopped = new HashMap<>();
    private final Set<String> ended = new LinkedHashSet<>();
    private final List<AllowanceAnswer> answers = new ArrayList<>();

    private long grantedMappings;
    private long lastGrant;
    private boolean everAccepted;
    private long wake = Long.MAX_VALUE;
    private long nextGrant = Long.MAX_VALUE;

    /**
     * A coordinator with the window that {@code seed} describes.
     *
     * @param now the wall clock, against which the seed is read
     * @param nowNanos the monotonic clock at the same instant
     */
    public Allowance(AllowanceRules rules, AllowanceLog seed, Instant now, long nowNanos) {
        // Numbers that no earlier coordinator of this process gave: a late report must not hit another's permit.
        this(rules, new PermitLog(nowNanos), new AllowanceBudget(rules, nowNanos));
        seed(seed, now, nowNanos);
    }

    private Allowance(AllowanceRules rules, PermitLog permits, AllowanceBudget budget) {
        this.rules = rules;
        this.permits = permits;
        this.budget = budget;
        this.turns = new Turns(MOST_BURST_REQUESTS * rules.minGrant());
        this.shares = new Division(rules.mappingsPerWindow());
        this.coolDownNanos = rules.coolDown().toNanos();
        this.holdNanos = rules.silentHold().toNanos();
        this.flightNanos = rules.sendDeadline().plus(rules.callTimeout()).toNanos();
        this.live = new LiveAttempts(holdNanos);
    }

    /**
     * The coordinator that goes on with {@code other} figures where nobody waits.
     *
     * <p>What is away stays away for the longer of both cool-downs. What the service said holds on: the stop after a 429, even
     * sending, the part that is left after cuts. Writes that are over stay over.
     */
    public Allowance with(AllowanceRules other) {
        long longer = Math.max(0, other.coolDown().toNanos() - coolDownNanos);
        Allowance next = new Allowance(other, permits.carriedOver(longer), budget.carriedOver(other));
        next.ended.addAll(ended);
        next.everAccepted = everAccepted;
        return next;
    }

    /** Adds what an earlier process used to what is away. */
    public void seed(AllowanceLog seed, Instant now, long nowNanos) {
        for (AllowanceLog.Entry entry : seed.entries()) {
            Duration left = AllowanceLog.remaining(entry, now, rules.silentHold());
            if (!left.isZero()) {
                permits.seed(entry.mappings(), nowNanos + left.toNanos());
            }
        }
    }

    /**
     * {@code writer} wants to send {@code wanted} mappings; the answer comes out of {@link #answers}, perhaps much later.
     *
     * <p>A writer has one question at a time. Asking again, with the same request or after {@link Later}, keeps the turn;
     * asking again for a request that was granted gives the same grant again. Who wants nothing asks whether it is the live
     * attempt of its partition, and is granted nothing at once if it is.
     *
     * @param request names the question
     */
    public void ask(String request, Writer writer, int wanted, long now) {
        if (ended.contains(writer.write())) {
            // Tasks that are still being killed when their write has been aborted.
            answers.add(new Denied(request, OVER));
        } else if (stopped.containsKey(writer.write())) {
            answers.add(new Denied(request, stopped.get(writer.write())));
        } else {
            switch (live.standing(writer, now)) {
                case WAITS -> answers.add(new Later(request, rules.sendDeadline()));
                case FOLLOWED -> answers.add(new Denied(request, FOLLOWED));
                case SETTLED -> answers.add(new Denied(request, SETTLED));
                case LIVE -> askLive(request, writer, wanted, now);
            }
        }
    }

    private void askLive(String request, Writer writer, int wanted, long now) {
        Optional<Permit> grantedBefore = permits.findByRequest(request);
        if (grantedBefore.isPresent()) {
            Permit permit = grantedBefore.get();
            // Counted from the grant, so that the age at the sender includes all that passed since.
            answers.add(grantOf(request, permit.id, permit.mappings, Duration.ofNanos(permit.granted - now)));
        } else if (wanted == 0) {
            answers.add(grantOf(request, 0, 0, Duration.ZERO));
        } else {
            turns.ask(request, writer, wanted, now);
            shares.want(writer, wanted);
        }
    }

    /**
     * A sender is done with {@code permit}. Saying so again changes nothing.
     *
     * @param retryAfter with {@link Outcome#THROTTLED}, how long the service asked to wait
     * @param roundTrip how long the response took; zero where there was none
     */
    public void done(long permit, Outcome outcome, Duration retryAfter, Duration roundTrip, long now) {
        Optional<Permit> found = permits.find(permit);
        if (found.isEmpty()) {
            boolean late = outcome != Outcome.UNSENT
                    && permits.landLate(permit, now + coolDownNanos).isPresent();
            if (late && outcome == Outcome.THROTTLED) {
                budget.throttled(retryAfter, now);
            }
            return;
        }
        Permit known = found.get();
        if (!known.inFlight()) {
            return;
        }
        live.heard(known.writer, now);
        switch (outcome) {
            case UNSENT -> permits.giveBack(known);
            case TIMEOUT -> permits.land(known, now + rules.margin().toNanos() + coolDownNanos);
            case OK, THROTTLED, FAILED -> {
                permits.land(known, now + coolDownNanos);
                everAccepted |= outcome == Outcome.OK;
                if (outcome == Outcome.THROTTLED) {
                    budget.throttled(retryAfter, now);
                }
                if (!roundTrip.isZero()) {
                    budget.roundTrip(roundTrip);
                }
            }
        }
        landed(known.writer);
    }

    /** {@code writer} has left before its end: it asks no more, and another attempt of its partition may. */
    public void leave(Writer writer) {
        leaveTurn(writer);
        live.leave(writer);
    }

    /**
     * {@code writer} has left, and all its rows are settled. Other attempts of its partition wait as if it were silent: they
     * have nothing to send, and whoever started them is about to end them.
     */
    public void finish(Writer writer, long now) {
        leaveTurn(writer);
        live.heard(writer, now);
    }

    /**
     * The driver has the result of an attempt of {@code partition} and takes no other: until the write is over, whoever asks
     * or waits to send any of it is denied with {@link #SETTLED}, also when the one that did it has left.
     */
    public void committed(String write, int partition) {
        if (ended.contains(write)) {
            return;
        }
        live.settle(write, partition);
        deny(
                turns.of(write).stream()
                        .filter(question -> question.writer.partition() == partition)
                        .toList(),
                SETTLED);
    }

    private void leaveTurn(Writer writer) {
        turns.of(writer)
                .filter(Question::open)
                .ifPresent(question -> answers.add(new Later(question.request, Duration.ZERO)));
        turns.remove(writer);
        leaveShares(writer);
    }

    /** Nobody may send for {@code write} any more; its open questions are answered with {@code reason}. */
    public void stop(String write, String reason) {
        if (ended.contains(write)) {
            return;
        }
        deny(turns.of(write), stopped.computeIfAbsent(write, id -> reason));
    }

    private void deny(List<Question> questions, String reason) {
        for (Question question : questions) {
            if (question.open()) {
                answers.add(new Denied(question.request, reason));
            }
            turns.remove(question.writer);
            leaveShares(question.writer);
        }
    }

    /** {@code write} is over on the driver; what is known of its attempts is forgotten, its permits are not. */
    public void end(String write) {
        stop(write, OVER);
        stopped.remove(write);
        ended.add(write);
        if (ended.size() > MOST_ENDED_WRITES) {
            ended.remove(ended.iterator().next());
        }
        live.end(write);
    }

    /** Whether {@code write} has ended, as far back as is remembered. */
    public boolean isOver(String write) {
        return ended.contains(write);
    }

    /** Everything that can be answered at {@code now}; each answer comes out once. */
    public List<AllowanceAnswer> answers(long now) {
        wake = Long.MAX_VALUE;
        nextGrant = Long.MAX_VALUE;
        permits.returnDue(now).forEach(silent -> landed(silent.writer));
        budget.recover(now);
        grantDue(now);
        askAgain(now);
        List<AllowanceAnswer> due = List.copyOf(answers);
        answers.clear();
        return due;
    }

    /** When {@link #answers} may have something new to say, as of its last call; {@link Long#MAX_VALUE} for never. */
    public long nextWake() {
        return wake;
    }

    /** When the first who waits may be granted something, as of the last call of {@link #answers}; or for ever. */
    public long nextGrant() {
        return nextGrant;
    }

    /**
     * What is used up, in wall-clock time, permits in flight included until they would be given up for lost: the whole
     * allowance while everybody stops after a 429, so that whoever reads the log waits too.
     */
    public AllowanceLog log(Instant now, long nowNanos) {
        permits.returnDue(nowNanos).forEach(silent -> landed(silent.writer));
        Instant stopped = now.plusNanos(budget.stopNanos(nowNanos));
        return permits.log(now, nowNanos).allUntil(stopped, stopped.equals(now) ? 0 : rules.mappingsPerWindow());
    }

    /** The most mappings that were ever away at once: sent within the last window and guard, or in flight. */
    public int mostInWindow() {
        return permits.mostHeld();
    }

    /** Mappings that one window holds at present: fewer than the rules say after several 429s. */
    public int budget() {
        return budget.mappings();
    }

    /** Whether slices are spaced evenly, by the rules or after a 429. */
    public boolean smooth() {
        return budget.smooth();
    }

    /** How many questions wait for an answer. */
    public int waiting() {
        return turns.size();
    }

    private void grantDue(long now) {
        for (Optional<Question> first = turns.first(); first.isPresent(); first = turns.first()) {
            Question question = first.get();
            long blockedUntil = blockedUntil(now);
            if (blockedUntil > now) {
                nextGrant = blockedUntil;
                break;
            }
            int target = target(question);
            int least = Math.min(target, budget.smooth() ? budget.leastSlice() : rules.minGrant());
            int free = budget.mappings() - permits.held();
            if (free < least) {
                nextGrant = permits.nextReturn();
                break;
            }
            int granted = Math.min(target, free);
            turns.served(question, granted);
            grant(question, granted, now);
        }
        wakeAt(nextGrant);
    }

    /** How many mappings one grant holds for {@code question} where enough is free. */
    private int target(Question question) {
        int most = Math.min(question.wanted, budget.mappings());
        if (budget.smooth()) {
            return Math.min(most, budget.slice());
        }
        int share = shares.of(question.writer.write(), budget.mappings());
        return Math.min(most, Math.max(share, rules.minGrant()));
    }

    private long blockedUntil(long now) {
        long blocked = budget.blockedUntil(now);
        // Requests that will never be reported stop counting here when no call can take that long.
        int inFlight = permits.inFlightSince(now - flightNanos);
        if (inFlight > 0 && !everAccepted) {
            blocked = Math.max(blocked, lastGrant + FIRST_ANSWER_NANOS);
        }
        boolean started = grantedMappings >= rules.mappingsPerWindow();
        if (!budget.smooth() && started && inFlight >= MOST_BURST_REQUESTS) {
            blocked = Math.max(blocked, permits.oldestFlight() + flightNanos);
        }
        return blocked;
    }

    private void grant(Question question, int mappings, long now) {
        Permit permit = permits.grant(question.request, question.writer, mappings, now, now + holdNanos);
        flying.merge(question.writer, 1, Integer::sum);
        shares.want(question.writer, question.wanted - mappings);
        grantedMappings += mappings;
        lastGrant = now;
        if (budget.smooth()) {
            budget.sliceGranted(mappings, now);
        }
        answers.add(grantOf(permit.request, permit.id, mappings, Duration.ofNanos(now - question.asked)));
    }

    private Grant grantOf(String request, long permit, int mappings, Duration waited) {
        return new Grant(
                request,
                permit,
                mappings,
                waited,
                rules.sendDeadline(),
                budget.limiterRate(),
                budget.requestsPerWriter(),
                everAccepted);
    }

    private void landed(Writer writer) {
        flying.computeIfPresent(writer, (key, requests) -> requests == 1 ? null : requests - 1);
        if (turns.of(writer).isEmpty()) {
            leaveShares(writer);
        }
    }

    private void leaveShares(Writer writer) {
        if (!flying.containsKey(writer)) {
            shares.leave(writer);
        }
    }

    private void askAgain(long now) {
        turns.closeOld(now).forEach(question -> answers.add(new Later(question.request, Duration.ZERO)));
        turns.forgetAbsent(now).forEach(this::leaveShares);
        wakeAt(turns.nextChange());
    }

    private void wakeAt(long nanos) {
        wake = Math.min(wake, nanos);
    }
}
