package io.usermap.job;

import java.util.Arrays;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/** Why a row of the source takes no part in a plan, beyond what is wrong with its ids. */
enum RowReason {
    /** The row is about an id of a type that is no user id of the service. */
    OTHER_ID_TYPE("the id is of a type that is no user id", Use.LEFT_OUT),
    /** The edge's score is below the threshold. */
    BELOW_MIN_SCORE("the score is below 'source.min-score'", Use.LEFT_OUT),
    /** Another row says the same. */
    DUPLICATE("another row says the same", Use.LEFT_OUT),
    /** The edge has a score that is no number. */
    UNREADABLE_SCORE("the score is no number", Use.REJECTED),
    /** The priority is neither a number nor a date. */
    UNREADABLE_PRIORITY("the priority is neither a number nor a date", Use.REJECTED),
    /** The unmap column holds neither true nor false. */
    UNREADABLE_UNMAP("unmap column: %s rows hold neither true nor false. Mend them in 'source.sql'.", Use.FATAL),
    /** The kind of change is none of Delta's or Iceberg's. */
    UNREADABLE_CHANGE(
            "kind of change: %s rows hold none of insert, update and delete. Mend them in 'source.sql'.", Use.FATAL),
    /** The id of a row of CSV is so long that it must be all the rows that follow a quote. */
    UNCLOSED_QUOTE(
            "quotes of CSV: %s rows have an id of more than 1,024 characters with a line break in it, as where a quote is"
                    + " not closed and takes all other rows with it. Mend the file, or set 'source.options.quote' and"
                    + " 'source.options.escape' to what it was written with.",
            Use.FATAL);

    private enum Use {
        LEFT_OUT,
        REJECTED,
        FATAL
    }

    private final String sentence;
    private final Use use;

    RowReason(String sentence, Use use) {
        this.sentence = sentence;
        this.use = use;
    }

    /** The stable code, for example {@code below_min_score}. */
    String code() {
        return name().toLowerCase(Locale.ROOT);
    }

    /** The reason in words, without any id. */
    String sentence() {
        return sentence;
    }

    /** The reason of a code; empty for the codes of ids. */
    static Optional<RowReason> of(String code) {
        return Arrays.stream(values())
                .filter(reason -> reason.code().equals(code))
                .findFirst();
    }

    /**
     * Whether rows of this reason were left out on purpose: nothing is wrong with them, so they are counted and not listed.
     * An identity graph may hold millions of addresses beside its user ids; a copy of them is no use to anybody.
     */
    static boolean isLeftOut(String code) {
        return of(code).filter(reason -> reason.use == Use.LEFT_OUT).isPresent();
    }

    /**
     * Ends the run where the source says something that must not be guessed at, or where nothing of it is left.
     *
     * @param rows all rows of the source
     * @param byReason those that take no part, by the code of their reason
     * @throws StoppedException naming the reason, how many rows have it, and what to do
     */
    static void requireReadable(long rows, Map<String, Long> byReason) {
        byReason.forEach((code, count) -> of(code).filter(reason -> reason.use == Use.FATAL)
                .ifPresent(reason -> {
                    throw StoppedException.failed("Cannot read the " + reason.sentence.formatted(Phrases.count(count)));
                }));
        for (RowReason reason : new RowReason[] {OTHER_ID_TYPE, BELOW_MIN_SCORE}) {
            if (rows > 0 && byReason.getOrDefault(reason.code(), 0L) == rows) {
                throw StoppedException.failed("Cannot plan from nothing: in all " + Phrases.count(rows) + " rows "
                        + reason.sentence() + ". Set "
                        + (reason == OTHER_ID_TYPE ? "'source.id-types' to the types that are" : "it lower") + ".");
            }
        }
    }
}
