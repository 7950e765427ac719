package io.usermap.client;

import io.usermap.client.Allowance.Outcome;
import io.usermap.client.Allowance.Writer;
import io.usermap.client.AllowanceAnswer.Grant;
import io.usermap.client.AllowanceRules.Pacing;
import java.time.Duration;
import java.time.Instant;
import java.util.List;

/** An {@link Allowance} with a clock in seconds, as sentence tests want it. */
final class Asked {
    static final Instant START = Instant.parse("2026-01-01T00:00:00Z");

    final AllowanceRules rules;
    final Allowance allowance;
    private int questions;

    /** 1,500 in 30 s with a guard of 1 s and calls of at most 40 s. */
    Asked(Pacing pacing) {
        this(pacing, AllowanceLog.empty());
    }

    Asked(Pacing pacing, AllowanceLog seed) {
        this(
                new AllowanceRules(
                        1_500, Duration.ofSeconds(30), Duration.ofSeconds(1), Duration.ofSeconds(40), pacing),
                seed);
    }

    Asked(AllowanceRules rules, AllowanceLog seed) {
        this.rules = rules;
        this.allowance = new Allowance(rules, seed, START, 0);
    }

    static long nanos(double seconds) {
        return Math.round(seconds * 1e9);
    }

    static Writer writer(int partition) {
        return new Writer("write", partition, 0);
    }

    /** Asks and returns whatever is answered now, to anybody. */
    List<AllowanceAnswer> ask(Writer writer, int wanted, double at) {
        allowance.ask("q" + ++questions, writer, wanted, nanos(at));
        return at(at);
    }

    /** Asks and expects a grant at once. */
    Grant grant(Writer writer, int wanted, double at) {
        List<AllowanceAnswer> answers = ask(writer, wanted, at);
        if (answers.size() == 1 && answers.get(0) instanceof Grant grant) {
            return grant;
        }
        throw new AssertionError("expected one grant and not " + answers);
    }

    List<AllowanceAnswer> done(Grant grant, Outcome outcome, double at) {
        allowance.done(grant.permit(), outcome, Duration.ZERO, Duration.ofMillis(300), nanos(at));
        return at(at);
    }

    List<AllowanceAnswer> at(double seconds) {
        return allowance.answers(nanos(seconds));
    }

    List<Grant> grantsAt(double seconds) {
        return grants(at(seconds));
    }

    static List<Grant> grants(List<AllowanceAnswer> answers) {
        return answers.stream()
                .filter(Grant.class::isInstance)
                .map(Grant.class::cast)
                .toList();
    }

    /** One small request is answered well, so that the rule for the first answer is out of the way. */
    Asked proven() {
        Writer first = new Writer("proof", 0, 0);
        Grant grant = grant(first, 1, 0);
        done(grant, Outcome.OK, 0);
        allowance.leave(first);
        return this;
    }
}
