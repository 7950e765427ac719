package io.usermap.client;

import io.usermap.client.Allowance.Writer;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * The questions that wait for a grant, and whose turn it is: the write that got least goes first, then the writer of it
 * that waits longest.
 *
 * <p>Would turns go round by writer, a write with one writer beside one with forty would get every forty-first grant, and
 * a delta of 3,000 rows would last as long as the large write. By write it gets half of what is granted: two minutes.
 *
 * <p>Each write has a level: what it was granted, counted from the highest level of those that waited when it came. A
 * write that comes back starts there, too, or a little below: what others got while its own requests were in flight is made
 * up for. So writes that wait share alike, nobody saves up turns, and a stream of new writes starves nobody.
 *
 * <p>A question is open for 5 s; then whoever asked is told to ask again, and keeps its turn for 15 s more. A step takes
 * time in the logarithm of the questions, memory grows with the questions of the last 20 s. Not thread-safe.
 */
final class Turns {
    /** How long an open question is kept before it is answered with "ask again". */
    private static final long OPEN_NANOS = Duration.ofSeconds(5).toNanos();

    /** How long a turn is kept for somebody who was told to ask again. */
    private static final long ABSENT_NANOS = Duration.ofSeconds(15).toNanos();

    /** What a writer asked, the last time. */
    static final class Question {
        final String request;
        final Writer writer;
        final int wanted;
        final long asked;
        private final WriteTurns turns;
        private final long place;
        private boolean open = true;

        private Question(WriteTurns turns, String request, Writer writer, int wanted, long asked, long place) {
            this.turns = turns;
            this.request = request;
            this.writer = writer;
            this.wanted = wanted;
            this.asked = asked;
            this.place = place;
        }

        /** Whether somebody waits for its answer. */
        boolean open() {
            return open;
        }
    }

    /** The questions of one write, and how far it is. */
    private static final class WriteTurns implements Comparable<WriteTurns> {
        final long number;
        final Map<Writer, Question> questions = new LinkedHashMap<>();
        final TreeMap<Long, Question> open = new TreeMap<>();
        long level;
        long lastAsked;

        WriteTurns(long number, long level) {
            this.number = number;
            this.level = level;
        }

        @Override
        public int compareTo(WriteTurns other) {
            return level == other.level ? Long.compare(number, other.number) : Long.compare(level, other.level);
        }
    }

    // In the order of their last questions.
    private final Map<String, WriteTurns> writes = new LinkedHashMap<>();
    private final TreeSet<WriteTurns> round = new TreeSet<>();
    private final Deque<Question> asked = new ArrayDeque<>();
    private final Deque<Question> absent = new ArrayDeque<>();
    private final int mostBehind;
    private long reached;
    private long lastPlace;
    private int waiting;

    /** Nobody waits; a write that comes back is at most {@code mostBehind} mappings below the level of the others. */
    Turns(int mostBehind) {
        this.mostBehind = mostBehind;
    }

    /** {@code writer} wants {@code wanted} mappings; if it waits already, it keeps its turn. */
    void ask(String request, Writer writer, int wanted, long now) {
        WriteTurns turns = writes.remove(writer.write());
        turns = turns == null ? new WriteTurns(++lastPlace, level()) : turns;
        writes.put(writer.write(), turns);
        turns.lastAsked = now;
        if (turns.open.isEmpty()) {
            turns.level = Math.max(turns.level, level() - mostBehind);
        }
        Question before = turns.questions.get(writer);
        long place = before == null ? ++lastPlace : before.place;
        waiting += before == null ? 1 : 0;
        Question question = new Question(turns, request, writer, wanted, now, place);
        turns.questions.put(writer, question);
        turns.open.put(place, question);
        round.add(turns);
        asked.addLast(question);
    }

    /** How far the furthest is that waits: all who wait now go before a write that starts there. */
    private long level() {
        return round.isEmpty() ? reached : Math.max(reached, round.last().level);
    }

    /** The open question whose turn it is. */
    Optional<Question> first() {
        return round.isEmpty()
                ? Optional.empty()
                : Optional.of(round.first().open.firstEntry().getValue());
    }

    /** {@code question} was granted {@code mappings}. */
    void served(Question question, int mappings) {
        remove(question.writer);
        WriteTurns turns = question.turns;
        round.remove(turns);
        reached = Math.max(reached, turns.level);
        turns.level += mappings;
        if (!turns.open.isEmpty()) {
            round.add(turns);
        }
    }

    /** The question of {@code writer}, if it waits. */
    Optional<Question> of(Writer writer) {
        WriteTurns turns = writes.get(writer.write());
        return turns == null ? Optional.empty() : Optional.ofNullable(turns.questions.get(writer));
    }

    /** All questions of {@code write}. */
    List<Question> of(String write) {
        WriteTurns turns = writes.get(write);
        return turns == null ? List.of() : List.copyOf(turns.questions.values());
    }

    /** {@code writer} does not wait any more. */
    void remove(Writer writer) {
        of(writer).ifPresent(question -> {
            waiting--;
            close(question);
            question.turns.questions.remove(writer);
        });
    }

    private void close(Question question) {
        WriteTurns turns = question.turns;
        question.open = false;
        turns.open.remove(question.place);
        if (turns.open.isEmpty()) {
            round.remove(turns);
        }
    }

    /** Closes the questions that have been open for long, to be asked again; returns them. */
    List<Question> closeOld(long now) {
        List<Question> closed = new ArrayList<>();
        for (Question first = asked.peekFirst(); first != null; first = asked.peekFirst()) {
            if (isLatest(first)) {
                if (now - first.asked < OPEN_NANOS) {
                    break;
                }
                close(first);
                closed.add(first);
                absent.addLast(first);
            }
            asked.removeFirst();
        }
        return closed;
    }

    /** Takes the turns of those who did not ask again in time; returns who that is. */
    List<Writer> forgetAbsent(long now) {
        List<Writer> gone = new ArrayList<>();
        for (Question first = absent.peekFirst(); first != null; first = absent.peekFirst()) {
            if (isLatest(first)) {
                if (now - first.asked < OPEN_NANOS + ABSENT_NANOS) {
                    break;
                }
                remove(first.writer);
                gone.add(first.writer);
            }
            absent.removeFirst();
        }
        forgetWrites(now);
        return gone;
    }

    private void forgetWrites(long now) {
        Iterator<WriteTurns> oldest = writes.values().iterator();
        while (oldest.hasNext()) {
            WriteTurns turns = oldest.next();
            if (now - turns.lastAsked < OPEN_NANOS + ABSENT_NANOS || !turns.questions.isEmpty()) {
                break;
            }
            oldest.remove();
        }
    }

    /** When {@link #closeOld} or {@link #forgetAbsent} has something to do next; {@link Long#MAX_VALUE} for never. */
    long nextChange() {
        long close = asked.isEmpty() ? Long.MAX_VALUE : asked.getFirst().asked + OPEN_NANOS;
        long forget = absent.isEmpty() ? Long.MAX_VALUE : absent.getFirst().asked + OPEN_NANOS + ABSENT_NANOS;
        return Math.min(close, forget);
    }

    /** How many writers wait, those who were told to ask again included. */
    int size() {
        return waiting;
    }

    /** How many questions are kept in memory, those included that were answered a moment ago. */
    int kept() {
        return waiting + asked.size() + absent.size();
    }

    private boolean isLatest(Question question) {
        return question.turns.questions.get(question.writer) == question;
    }
}
