package io.usermap.client;

import io.usermap.client.Allowance.Outcome;
import io.usermap.client.Allowance.Writer;
import io.usermap.client.AllowanceAnswer.Denied;
import io.usermap.client.AllowanceAnswer.Grant;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;

/**
 * Listens to a coordinator and keeps books of its own: what each permit's life must be, by the rules and the messages
 * alone, and how long each partition waits. Nothing may be away that the books do not know, and nothing be missing.
 */
final class PermitAudit extends Coordinator.Real {
    private static final class Away {
        final int mappings;
        long until;
        boolean heardOf;

        Away(int mappings, long until) {
            this.mappings = mappings;
            this.until = until;
        }
    }

    private record Partition(String write, int number) {}

    private final AllowanceRules rules;
    private final Map<Long, Away> books = new HashMap<>();
    private final Map<Long, Integer> givenUp = new HashMap<>();
    private final Map<String, Partition> questions = new HashMap<>();
    private final Map<String, Long> permitOf = new HashMap<>();
    private final Map<Partition, Long> waiting = new HashMap<>();
    private final Map<Partition, Long> granted = new HashMap<>();
    private final List<String> discrepancies = new ArrayList<>();
    private long earliest = Long.MAX_VALUE;
    private long stopUntil = Long.MIN_VALUE;
    private long longestWait;
    private long now;

    PermitAudit(AllowanceRules rules, AllowanceLog seed, Instant wall, long now) {
        super(new Allowance(rules, seed, wall, now));
        if (!seed.entries().isEmpty()) {
            throw new IllegalArgumentException("the books begin with an empty window");
        }
        this.rules = rules;
    }

    /** One for each coordinator that is started, added to {@code audits}. */
    static Coordinator.Factory into(List<PermitAudit> audits) {
        return (rules, seed, wall, now) -> {
            PermitAudit audit = new PermitAudit(rules, seed, wall, now);
            audits.add(audit);
            return audit;
        };
    }

    /** What did not agree, in words; empty if all is well. */
    List<String> discrepancies() {
        return discrepancies;
    }

    /** The longest that a partition waited from a question to a grant, still waiting included, in seconds. */
    double longestWait() {
        long most = longestWait;
        for (long since : waiting.values()) {
            most = Math.max(most, now - since);
        }
        return most / 1e9;
    }

    /** Mappings granted to the partitions of that write. */
    long granted(String write) {
        return granted.entrySet().stream()
                .filter(entry -> entry.getKey().write().equals(write))
                .mapToLong(Map.Entry::getValue)
                .sum();
    }

    @Override
    public void ask(String request, Writer writer, int wanted, long at) {
        Partition partition = new Partition(writer.write(), writer.partition());
        questions.put(request, partition);
        waiting.putIfAbsent(partition, at);
        super.ask(request, writer, wanted, at);
    }

    @Override
    public void leave(Writer writer) {
        waiting.remove(new Partition(writer.write(), writer.partition()));
        super.leave(writer);
    }

    @Override
    public void finish(Writer writer, long at) {
        waiting.remove(new Partition(writer.write(), writer.partition()));
        super.finish(writer, at);
    }

    @Override
    public void done(long permit, Outcome outcome, Duration retryAfter, Duration roundTrip, long at) {
        long coolDown = rules.coolDown().toNanos();
        Away away = books.get(permit);
        if (away == null) {
            if (outcome != Outcome.UNSENT && givenUp.containsKey(permit)) {
                Away again = new Away(givenUp.remove(permit), at + coolDown);
                again.heardOf = true;
                stopIf(outcome, retryAfter, at);
                enter(permit, again);
            }
        } else if (!away.heardOf) {
            away.heardOf = true;
            stopIf(outcome, retryAfter, at);
            away.until =
                    at + coolDown + (outcome == Outcome.TIMEOUT ? rules.margin().toNanos() : 0);
            enter(permit, away);
            if (outcome == Outcome.UNSENT) {
                books.remove(permit);
            }
        }
        super.done(permit, outcome, retryAfter, roundTrip, at);
    }

    @Override
    public List<AllowanceAnswer> answers(long at) {
        now = at;
        List<AllowanceAnswer> answers = super.answers(at);
        expire(at);
        for (AllowanceAnswer answer : answers) {
            Partition partition = questions.remove(answer.request());
            if (partition == null) {
                discrepancies.add("an answer without a question");
            } else if (answer instanceof Grant grant) {
                grant(grant, partition, at);
            } else if (answer instanceof Denied) {
                waiting.remove(partition);
            }
        }
        long away = books.values().stream().mapToLong(book -> book.mappings).sum();
        // After a 429 the log says that all is used up, so that the next process waits too.
        away = at < stopUntil ? Math.max(away, rules.mappingsPerWindow()) : away;
        long said = super.log(Instant.EPOCH, at).entries().stream()
                .mapToLong(AllowanceLog.Entry::mappings)
                .sum();
        if (away != said) {
            discrepancies.add(
                    "at %.3f s %d mappings are away, the coordinator says %d".formatted(at / 1e9, away, said));
        }
        return answers;
    }

    private void grant(Grant grant, Partition partition, long at) {
        Away known = books.get(grant.permit());
        if (givenUp.containsKey(grant.permit())) {
            // Repeated although its time is over: no harm as long as it tells that it is too old to be used.
            if (grant.waited().negated().compareTo(grant.sendWithin()) <= 0) {
                discrepancies.add("a permit that was given up is granted again as if it were new");
            }
            return;
        }
        Long before = permitOf.put(grant.request(), grant.permit());
        Away other = before == null || before == grant.permit() ? null : books.get(before);
        if (other != null && !other.heardOf) {
            discrepancies.add("a question that was asked again holds two permits");
        }
        if (known != null && known.mappings != grant.mappings()) {
            discrepancies.add("permit of %d repeated as %d".formatted(known.mappings, grant.mappings()));
        } else if (known == null) {
            enter(
                    grant.permit(),
                    new Away(grant.mappings(), at + rules.silentHold().toNanos()));
            granted.merge(partition, (long) grant.mappings(), Long::sum);
        }
        Long since = waiting.remove(partition);
        longestWait = Math.max(longestWait, since == null ? 0 : at - since);
    }

    private void stopIf(Outcome outcome, Duration retryAfter, long at) {
        if (outcome == Outcome.THROTTLED) {
            long longer = Math.max(rules.window().toNanos(), retryAfter.toNanos());
            stopUntil = Math.max(stopUntil, at + longer);
        }
    }

    private void enter(long permit, Away away) {
        books.put(permit, away);
        earliest = Math.min(earliest, away.until);
    }

    private void expire(long at) {
        if (at < earliest) {
            return;
        }
        earliest = Long.MAX_VALUE;
        for (Iterator<Map.Entry<Long, Away>> all = books.entrySet().iterator(); all.hasNext(); ) {
            Map.Entry<Long, Away> entry = all.next();
            Away away = entry.getValue();
            if (away.until > at) {
                earliest = Math.min(earliest, away.until);
            } else {
                all.remove();
                if (!away.heardOf) {
                    givenUp.put(entry.getKey(), away.mappings);
                }
            }
        }
    }
}
