package io.usermap.sandbox;

import java.time.Duration;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.regex.Pattern;

/**
 * One fault: which requests it befalls, and what becomes of them.
 *
 * <p>Immutable, and the same for every run: chance and latency are drawn from the script's seed, the fault's name and the
 * number of the request, whatever the threads do.
 *
 * @param name how the request log calls it, unique among the faults in force; empty as long as it has none
 * @param seed where its draws begin
 * @param when which requests it befalls
 * @param requestDelay how long a request is held before it arrives, counts, and is stored
 * @param answerDelay how long its answer is held
 * @param answer what is answered in place of the sandbox's own answer
 * @param drop at which point the connection is dropped
 * @param body how the body of the answer is sent
 */
record Fault(
        String name,
        long seed,
        When when,
        Delay requestDelay,
        Delay answerDelay,
        Optional<Answer> answer,
        Optional<Drop> drop,
        Body body) {

    /** The path that a fault listens on. */
    enum Target {
        /** {@code /usermap}. */
        MAP,
        /** {@code /api/2/usermap}. */
        LOOKUP;

        static Optional<Target> of(String path) {
            return switch (path) {
                case SandboxHandler.USERMAP -> Optional.of(MAP);
                case SandboxHandler.LOOKUP -> Optional.of(LOOKUP);
                default -> Optional.empty();
            };
        }
    }

    /** Where a connection is dropped. */
    enum Drop {
        /** Before the request has arrived: nothing is counted or stored, nothing answered. */
        REQUEST,
        /** After the request was carried out: nothing is answered. */
        ANSWER,
        /** After half of the answer's body. */
        BODY
    }

    /**
     * Which requests: all conditions hold.
     *
     * @param target the path; either of the two without it
     * @param numbers which of the path's requests since the fault was set, from 1
     * @param from the time since the fault was set from which it acts
     * @param until the time since the fault was set at which it ends
     * @param probability the share of the requests for which the other conditions hold, above 0 up to 1
     * @param times how many requests it befalls at most
     * @param key the fingerprint of the API key that the request must carry
     * @param ids a request must hold one of them, as user id, global user id or looked-up id; empty for no condition
     * @param idPattern as {@code ids}, found anywhere in an id
     */
    record When(
            Optional<Target> target,
            Numbers numbers,
            Duration from,
            Optional<Duration> until,
            double probability,
            OptionalLong times,
            Optional<String> key,
            Set<String> ids,
            Optional<Pattern> idPattern) {

        boolean listensOn(Target path) {
            return target.isEmpty() || target.get() == path;
        }

        boolean actsAfter(long nanos) {
            return nanos >= from.toNanos()
                    && (until.isEmpty() || nanos < until.get().toNanos());
        }

        boolean concerns(Received request) {
            return (key.isEmpty() || key.equals(request.keyFingerprint()))
                    && ((ids.isEmpty() && idPattern.isEmpty()) || request.ids().anyMatch(this::isPoison));
        }

        private boolean isPoison(String id) {
            return ids.contains(id)
                    || idPattern.map(pattern -> pattern.matcher(id).find()).orElse(false);
        }
    }

    /**
     * Requests by number: {@code first}, and every {@code step}-th from there, up to {@code last}.
     *
     * @param first 1 or more
     * @param step 1 or more
     * @param last {@code first} or more
     */
    record Numbers(long first, long step, long last) {
        static final Numbers ALL = new Numbers(1, 1, Long.MAX_VALUE);

        boolean contain(long number) {
            return number >= first && number <= last && (number - first) % step == 0;
        }
    }

    /** A latency, drawn evenly between two bounds. */
    record Delay(Duration least, Duration most) {
        static final Delay NONE = new Delay(Duration.ZERO, Duration.ZERO);

        boolean isNone() {
            return most.isZero();
        }

        long nanos(double draw) {
            return least.toNanos() + (long) (draw * (most.toNanos() - least.toNanos()));
        }
    }

    /**
     * A scripted answer.
     *
     * @param reply the answer
     * @param stored whether the request is carried out all the same; if it is not, nothing is stored, and if the sandbox
     *     would not have served it, its own answer stands
     */
    record Answer(Reply reply, boolean stored) {}

    /**
     * How the body of an answer is sent.
     *
     * @param byteDelay the time before each byte, zero for all at once
     * @param endless whether more bytes follow the body and never end
     */
    record Body(Duration byteDelay, boolean endless) {
        static final Body PLAIN = new Body(Duration.ZERO, false);
    }

    /** The same fault called {@code newName}. */
    Fault called(String newName) {
        return new Fault(newName, seed, when, requestDelay, answerDelay, answer, drop, body);
    }

    /** Whether no later fault is tried for a request that this one befell: it does more than to delay. */
    boolean decides() {
        return answer.isPresent() || drop.isPresent() || !body.equals(Body.PLAIN);
    }

    /** The draws for the request of that number: chance, delay of the request, delay of the answer, in this order. */
    SplittableRandom draws(long number) {
        long salt = 0x9E3779B97F4A7C15L * number;
        return new SplittableRandom(seed * 31 + name.hashCode() + salt);
    }

    /** What the admin call tells of the status: of the scripted answer, if there is one. */
    OptionalInt status() {
        return answer.map(scripted -> OptionalInt.of(scripted.reply().status())).orElse(OptionalInt.empty());
    }
}
