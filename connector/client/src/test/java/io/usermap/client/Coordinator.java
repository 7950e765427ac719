package io.usermap.client;

import io.usermap.client.Allowance.Outcome;
import io.usermap.client.Allowance.Writer;
import java.time.Duration;
import java.time.Instant;
import java.util.List;

/** What the simulated driver drives: the real {@link Allowance}, or one that was broken on purpose. */
interface Coordinator {

    void ask(String request, Writer writer, int wanted, long now);

    void done(long permit, Outcome outcome, Duration retryAfter, Duration roundTrip, long now);

    void leave(Writer writer);

    void finish(Writer writer, long now);

    List<AllowanceAnswer> answers(long now);

    long nextWake();

    AllowanceLog log(Instant wall, long now);

    /** Makes the coordinator of an application that starts. */
    interface Factory {
        Coordinator start(AllowanceRules rules, AllowanceLog seed, Instant wall, long now);
    }

    /** The real one. */
    static Coordinator real(AllowanceRules rules, AllowanceLog seed, Instant wall, long now) {
        return new Real(new Allowance(rules, seed, wall, now));
    }

    /** Passes everything on; broken ones override what they break. */
    class Real implements Coordinator {
        final Allowance allowance;

        Real(Allowance allowance) {
            this.allowance = allowance;
        }

        @Override
        public void ask(String request, Writer writer, int wanted, long now) {
            allowance.ask(request, writer, wanted, now);
        }

        @Override
        public void done(long permit, Outcome outcome, Duration retryAfter, Duration roundTrip, long now) {
            allowance.done(permit, outcome, retryAfter, roundTrip, now);
        }

        @Override
        public void leave(Writer writer) {
            allowance.leave(writer);
        }

        @Override
        public void finish(Writer writer, long now) {
            allowance.finish(writer, now);
        }

        @Override
        public List<AllowanceAnswer> answers(long now) {
            return allowance.answers(now);
        }

        @Override
        public long nextWake() {
            return allowance.nextWake();
        }

        @Override
        public AllowanceLog log(Instant wall, long now) {
            return allowance.log(wall, now);
        }
    }
}
