package io.usermap.sandbox;

import io.usermap.sandbox.Fault.Drop;
import io.usermap.sandbox.Fault.Target;
import java.io.InterruptedIOException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;

/**
 * The faults in force.
 *
 * <p>They are tried in their order. Every one that befalls a request delays it as it says; the first that does more than to
 * delay decides, and none after it is tried. Each fault numbers all requests on its path, those that another fault decides
 * included, from the moment it was set.
 *
 * <p>Safe for use by several threads: every request gets a number of its own from each fault, and a fault never befalls more
 * requests than it may.
 */
final class Faults {
    private volatile List<Active> active = List.of();
    private int everSet;

    /** A fault in force and what it has done. */
    static final class Active {
        private final Fault fault;
        private final long setAtNanos;
        private final AtomicLong seen = new AtomicLong();
        private final AtomicLong befallen = new AtomicLong();
        private final CountDownLatch removed = new CountDownLatch(1);

        private Active(Fault fault, long setAtNanos) {
            this.fault = fault;
            this.setAtNanos = setAtNanos;
        }

        Fault fault() {
            return fault;
        }

        /** How many requests it has befallen. */
        long befallen() {
            return befallen.get();
        }

        /** Whether it may befall requests now or later. */
        boolean isSpent(long nowNanos) {
            Fault.When when = fault.when();
            return (when.times().isPresent() && befallen() >= when.times().getAsLong())
                    || when.until()
                            .map(end -> nowNanos - setAtNanos >= end.toNanos())
                            .orElse(false);
        }

        private boolean befalls(Received request, SplittableRandom draws, long number, long nowNanos) {
            Fault.When when = fault.when();
            double chance = draws.nextDouble();
            return when.numbers().contain(number)
                    && when.actsAfter(nowNanos - setAtNanos)
                    && chance < when.probability()
                    && when.concerns(request)
                    && takeATurn(when.times().orElse(Long.MAX_VALUE));
        }

        private boolean takeATurn(long times) {
            long before = befallen.getAndUpdate(count -> Math.min(times, count + 1));
            return before < times;
        }
    }

    /** A wait that ends early when its fault is removed. */
    private record Hold(long nanos, CountDownLatch removed) {
        void await() throws InterruptedIOException {
            try {
                removed.await(nanos, TimeUnit.NANOSECONDS);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new InterruptedIOException("Cannot answer: the sandbox is closed.");
            }
        }
    }

    /** What befalls one request. */
    static final class Fate {
        static final Fate NONE = new Fate(List.of(), List.of(), List.of(), Optional.empty());

        private final List<String> names;
        private final List<Hold> requestHolds;
        private final List<Hold> answerHolds;
        private final Optional<Active> decisive;

        private Fate(List<String> names, List<Hold> requestHolds, List<Hold> answerHolds, Optional<Active> decisive) {
            this.names = List.copyOf(names);
            this.requestHolds = requestHolds;
            this.answerHolds = answerHolds;
            this.decisive = decisive;
        }

        /** The names of the faults, in their order. */
        List<String> names() {
            return names;
        }

        /** Waits as long as the request is to be held before it arrives; blocks the calling thread. */
        void holdRequest() throws InterruptedIOException {
            for (Hold hold : requestHolds) {
                hold.await();
            }
        }

        /** Waits as long as the answer is to be held; blocks the calling thread. */
        void holdAnswer() throws InterruptedIOException {
            for (Hold hold : answerHolds) {
                hold.await();
            }
        }

        /** Waits before the next byte of the body, and tells whether an endless one goes on. */
        boolean holdByte() throws InterruptedIOException {
            if (decisive.isEmpty()) {
                return false;
            }
            new Hold(body().byteDelay().toNanos(), decisive.get().removed).await();
            return decisive.get().removed.getCount() > 0;
        }

        Optional<Fault.Answer> answer() {
            return decisive.flatMap(active -> active.fault.answer());
        }

        Optional<Drop> drop() {
            return decisive.flatMap(active -> active.fault.drop());
        }

        Fault.Body body() {
            return decisive.map(active -> active.fault.body()).orElse(Fault.Body.PLAIN);
        }
    }

    /**
     * Puts more faults in force, after those that are; one without a name is called by its number among all ever set.
     *
     * @throws IllegalArgumentException if one of them is called as one in force, or if there are too many; none is added
     */
    synchronized void add(List<Fault> faults, long nowNanos) {
        if (active.size() + faults.size() > FaultScript.MAX_FAULTS) {
            throw new IllegalArgumentException("Cannot add " + faults.size() + " faults: " + active.size()
                    + " are in force. Remove some; " + FaultScript.MAX_FAULTS + " are possible.");
        }
        Set<String> names = new HashSet<>();
        active.forEach(present -> names.add(present.fault.name()));
        List<Active> more = new ArrayList<>(active);
        int number = everSet;
        for (Fault fault : faults) {
            number++;
            Fault named = fault.name().isEmpty() ? fault.called("fault-" + number) : fault;
            if (!names.add(named.name())) {
                throw new IllegalArgumentException("Cannot add fault '" + named.name()
                        + "': there is one in force of that name. Name it, or remove the other one.");
            }
            more.add(new Active(named, nowNanos));
        }
        everSet = number;
        active = List.copyOf(more);
    }

    /** Removes the fault of that name, lets go what it holds, and tells whether there was one. */
    synchronized boolean remove(String name) {
        List<Active> left =
                active.stream().filter(one -> !one.fault.name().equals(name)).toList();
        boolean found = left.size() < active.size();
        letGo(active.stream().filter(one -> !left.contains(one)).toList());
        active = left;
        return found;
    }

    /** Removes every fault and lets go what they hold. */
    synchronized void clear() {
        List<Active> gone = active;
        active = List.of();
        letGo(gone);
    }

    List<Active> inForce() {
        return active;
    }

    /** Decides what befalls a request that has just come, and counts it. */
    Fate befall(Received request, long nowNanos) {
        Optional<Target> path = Target.of(request.path());
        if (path.isEmpty()) {
            return Fate.NONE;
        }
        List<String> names = new ArrayList<>();
        List<Hold> requestHolds = new ArrayList<>();
        List<Hold> answerHolds = new ArrayList<>();
        Optional<Active> decisive = Optional.empty();
        for (Active one : active) {
            if (!one.fault.when().listensOn(path.get())) {
                continue;
            }
            long number = one.seen.incrementAndGet();
            SplittableRandom draws = one.fault.draws(number);
            if (decisive.isPresent() || !one.befalls(request, draws, number, nowNanos)) {
                continue;
            }
            names.add(one.fault.name());
            requestHolds.add(new Hold(one.fault.requestDelay().nanos(draws.nextDouble()), one.removed));
            answerHolds.add(new Hold(one.fault.answerDelay().nanos(draws.nextDouble()), one.removed));
            decisive = one.fault.decides() ? Optional.of(one) : Optional.empty();
        }
        return new Fate(names, requestHolds, answerHolds, decisive);
    }

    private static void letGo(List<Active> gone) {
        gone.forEach(one -> one.removed.countDown());
    }
}
