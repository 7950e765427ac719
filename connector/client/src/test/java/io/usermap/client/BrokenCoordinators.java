package io.usermap.client;

import io.usermap.client.Allowance.Outcome;
import io.usermap.client.Allowance.Writer;
import io.usermap.client.AllowanceAnswer.Grant;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Deque;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.LongUnaryOperator;

/**
 * The mutants: coordinators that are the real one but for one mistake that somebody could make in good faith. They live
 * here so that the product has no switches for them.
 */
final class BrokenCoordinators {
    private BrokenCoordinators() {}

    /** The window runs from the grant and not from the response. */
    static final class ReleaseAtSend extends Coordinator.Real {
        ReleaseAtSend(AllowanceRules rules, AllowanceLog seed, Instant wall, long now) {
            super(new Allowance(rules, seed, wall, now));
        }

        @Override
        public List<AllowanceAnswer> answers(long now) {
            List<AllowanceAnswer> answers = allowance.answers(now);
            answers.forEach(answer -> {
                if (answer instanceof Grant grant) {
                    allowance.done(grant.permit(), Outcome.OK, Duration.ZERO, Duration.ZERO, now);
                }
            });
            return answers;
        }
    }

    /** What was answered is free again. */
    static final class ReleaseAtResponse extends Coordinator.Real {
        ReleaseAtResponse(AllowanceRules rules, AllowanceLog seed, Instant wall, long now) {
            super(new Allowance(rules, seed, wall, now));
        }

        @Override
        public void done(long permit, Outcome outcome, Duration retryAfter, Duration roundTrip, long now) {
            allowance.done(permit, Outcome.UNSENT, retryAfter, roundTrip, now);
        }
    }

    /** What timed out did not happen. */
    static final class FreeOnTimeOut extends Coordinator.Real {
        FreeOnTimeOut(AllowanceRules rules, AllowanceLog seed, Instant wall, long now) {
            super(new Allowance(rules, seed, wall, now));
        }

        @Override
        public void done(long permit, Outcome outcome, Duration retryAfter, Duration roundTrip, long now) {
            Outcome heard = outcome == Outcome.TIMEOUT ? Outcome.UNSENT : outcome;
            allowance.done(permit, heard, retryAfter, roundTrip, now);
        }
    }

    /** Time is what the clock on the wall shows. */
    static final class WallClock implements Coordinator {
        private final Allowance allowance;
        private final LongUnaryOperator clock;
        private long asOf;

        private WallClock(Allowance allowance, LongUnaryOperator clock) {
            this.allowance = allowance;
            this.clock = clock;
        }

        static Factory reading(LongUnaryOperator clock) {
            return (rules, seed, wall, now) ->
                    new WallClock(new Allowance(rules, seed, wall, clock.applyAsLong(now)), clock);
        }

        @Override
        public void ask(String request, Writer writer, int wanted, long now) {
            allowance.ask(request, writer, wanted, clock.applyAsLong(now));
        }

        @Override
        public void done(long permit, Outcome outcome, Duration retryAfter, Duration roundTrip, long now) {
            allowance.done(permit, outcome, retryAfter, roundTrip, clock.applyAsLong(now));
        }

        @Override
        public void leave(Writer writer) {
            allowance.leave(writer);
        }

        @Override
        public void finish(Writer writer, long now) {
            allowance.finish(writer, clock.applyAsLong(now));
        }

        @Override
        public List<AllowanceAnswer> answers(long now) {
            asOf = now;
            return allowance.answers(clock.applyAsLong(now));
        }

        @Override
        public long nextWake() {
            long wake = allowance.nextWake();
            return wake == Long.MAX_VALUE ? wake : asOf + wake - clock.applyAsLong(asOf);
        }

        @Override
        public AllowanceLog log(Instant wall, long now) {
            return allowance.log(wall, clock.applyAsLong(now));
        }
    }

    /** Each write sets up its own. */
    static final class OnePerWrite implements Coordinator {
        private static final int MOST_WRITES = 8;

        private final Map<String, Allowance> byWrite = new LinkedHashMap<>();
        private final AllowanceRules rules;
        private final AllowanceLog seed;
        private final Instant wall;
        private final long started;

        OnePerWrite(AllowanceRules rules, AllowanceLog seed, Instant wall, long now) {
            this.rules = rules;
            this.seed = seed;
            this.wall = wall;
            this.started = now;
        }

        private Allowance of(String write) {
            return byWrite.computeIfAbsent(write, id -> new Allowance(rules, seed, wall, started));
        }

        @Override
        public void ask(String request, Writer writer, int wanted, long now) {
            of(writer.write()).ask(request, writer, wanted, now);
        }

        @Override
        public void done(long permit, Outcome outcome, Duration retryAfter, Duration roundTrip, long now) {
            List<Allowance> all = List.copyOf(byWrite.values());
            all.get((int) (permit % MOST_WRITES)).done(permit / MOST_WRITES, outcome, retryAfter, roundTrip, now);
        }

        @Override
        public void leave(Writer writer) {
            of(writer.write()).leave(writer);
        }

        @Override
        public void finish(Writer writer, long now) {
            of(writer.write()).finish(writer, now);
        }

        @Override
        public List<AllowanceAnswer> answers(long now) {
            List<AllowanceAnswer> answers = new ArrayList<>();
            int index = 0;
            for (Allowance allowance : byWrite.values()) {
                for (AllowanceAnswer answer : allowance.answers(now)) {
                    answers.add(answer instanceof Grant grant ? numbered(grant, index) : answer);
                }
                index++;
            }
            return answers;
        }

        private static Grant numbered(Grant grant, int index) {
            return new Grant(
                    grant.request(),
                    grant.permit() * MOST_WRITES + index,
                    grant.mappings(),
                    grant.waited(),
                    grant.sendWithin(),
                    grant.mappingsPerSecond(),
                    grant.requestsInFlight(),
                    grant.everAccepted());
        }

        @Override
        public long nextWake() {
            return byWrite.values().stream()
                    .mapToLong(Allowance::nextWake)
                    .min()
                    .orElse(Long.MAX_VALUE);
        }

        @Override
        public AllowanceLog log(Instant at, long now) {
            return new AllowanceLog(byWrite.values().stream()
                    .map(allowance -> allowance.log(at, now).entries())
                    .flatMap(Collection::stream)
                    .toList());
        }
    }

    /** Whatever is free is granted, however little it is: min(wanted, fair share, free). */
    static final class NoMinimum extends Coordinator.Real {
        private record Question(String request, Writer writer, int wanted) {}

        private final Deque<Question> waiting = new ArrayDeque<>();
        private final FairShare<Writer> shares = new FairShare<>(2_000);
        private final List<AllowanceAnswer> early = new ArrayList<>();
        private long wake = Long.MAX_VALUE;

        NoMinimum(AllowanceRules rules, AllowanceLog seed, Instant wall, long now) {
            super(new Allowance(rules, seed, wall, now));
        }

        @Override
        public void ask(String request, Writer writer, int wanted, long now) {
            waiting.addLast(new Question(request, writer, wanted));
            shares.want(writer, wanted);
        }

        @Override
        public void leave(Writer writer) {
            forget(writer);
            super.leave(writer);
        }

        @Override
        public void finish(Writer writer, long now) {
            forget(writer);
            super.finish(writer, now);
        }

        private void forget(Writer writer) {
            waiting.removeIf(question -> question.writer().equals(writer));
            shares.leave(writer);
        }

        @Override
        public List<AllowanceAnswer> answers(long now) {
            early.addAll(super.answers(now));
            wake = super.nextWake();
            while (!waiting.isEmpty()) {
                List<AllowanceLog.Entry> away = super.log(Instant.EPOCH, now).entries();
                int free = allowance.budget()
                        - away.stream().mapToInt(AllowanceLog.Entry::mappings).sum();
                if (free < 1) {
                    long next = away.stream()
                            .mapToLong(entry -> Duration.between(Instant.EPOCH, entry.until())
                                    .toNanos())
                            .min()
                            .orElse(Long.MAX_VALUE - now);
                    wake = Math.min(wake, now + next);
                    break;
                }
                Question question = waiting.removeFirst();
                int crumb = Math.min(Math.min(question.wanted(), shares.of(allowance.budget())), free);
                super.ask(question.request(), question.writer(), crumb, now);
                List<AllowanceAnswer> answers = super.answers(now);
                wake = Math.min(wake, super.nextWake());
                early.addAll(answers);
                if (answers.isEmpty()) {
                    break;
                }
            }
            List<AllowanceAnswer> all = List.copyOf(early);
            early.clear();
            return all;
        }

        @Override
        public long nextWake() {
            return wake;
        }
    }

    /** The executor's limiter is set to its fair share of the rate. */
    static final class PacerAtTheFairShare extends Coordinator.Real {
        private final int executors;

        private PacerAtTheFairShare(Allowance allowance, int executors) {
            super(allowance);
            this.executors = executors;
        }

        static Factory among(int executors) {
            return (rules, seed, wall, now) ->
                    new PacerAtTheFairShare(new Allowance(rules, seed, wall, now), executors);
        }

        @Override
        public List<AllowanceAnswer> answers(long now) {
            double share = allowance.budget() / 31.0 / executors;
            return super.answers(now).stream()
                    .map(answer -> answer instanceof Grant grant ? at(grant, share) : answer)
                    .toList();
        }

        private static AllowanceAnswer at(Grant grant, double perSecond) {
            return new Grant(
                    grant.request(),
                    grant.permit(),
                    grant.mappings(),
                    grant.waited(),
                    grant.sendWithin(),
                    perSecond,
                    grant.requestsInFlight(),
                    grant.everAccepted());
        }
    }
}
