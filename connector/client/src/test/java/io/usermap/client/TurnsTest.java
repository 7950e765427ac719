package io.usermap.client;

import static org.assertj.core.api.Assertions.assertThat;

import io.usermap.client.Allowance.Writer;
import io.usermap.client.Turns.Question;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class TurnsTest {
    private final Turns turns = new Turns(400);
    private long now;

    private void ask(String write, int partition) {
        turns.ask(write + partition, new Writer(write, partition, 0), 2_000, now);
    }

    /** Grants so many mappings to whoever is next, who asks for more at once; returns who that was. */
    private String serve(int mappings) {
        Question next = turns.first().orElseThrow();
        turns.served(next, mappings);
        turns.ask(next.request, next.writer, 2_000, now);
        return next.request;
    }

    private List<String> serve(int times, int mappings) {
        List<String> served = new ArrayList<>();
        for (int i = 0; i < times; i++) {
            served.add(serve(mappings));
        }
        return served;
    }

    @Test
    void withinAWriteWhoeverWaitsLongestGoesFirst() {
        ask("big", 0);
        ask("big", 1);
        ask("big", 2);

        assertThat(serve(5, 100)).containsExactly("big0", "big1", "big2", "big0", "big1");
    }

    @Test
    void amongWritesTurnsAlternateHoweverManyWritersOneHas() {
        for (int partition = 0; partition < 40; partition++) {
            ask("big", partition);
        }
        ask("small", 0);

        assertThat(serve(6, 100)).containsExactly("big0", "small0", "big1", "small0", "big2", "small0");
    }

    @Test
    void whatCountsIsHowMuchEachGot() {
        ask("big", 0);
        ask("small", 0);
        turns.served(turns.first().orElseThrow(), 300);
        ask("big", 0);

        assertThat(serve(5, 100)).containsExactly("small0", "small0", "small0", "big0", "small0");
    }

    @Test
    void whatOthersGotWhileItsRequestWasInFlightIsMadeUpFor() {
        ask("big", 0);
        ask("small", 0);
        serve(2, 100);
        turns.remove(new Writer("small", 0, 0));
        serve(3, 100);
        ask("small", 0);

        assertThat(serve(5, 100)).containsExactly("small0", "small0", "small0", "big0", "small0");
    }

    @Test
    void nobodySavesUpMoreTurnsThanThat() {
        ask("big", 0);
        ask("small", 0);
        serve(2, 100);
        turns.remove(new Writer("small", 0, 0));
        serve(1_000, 100);
        ask("small", 0);

        assertThat(serve(6, 100)).containsExactly("small0", "small0", "small0", "small0", "big0", "small0");
    }

    @Test
    void aStreamOfNewWritesStarvesNobody() {
        ask("big", 0);
        int waited = 0;
        int longestWait = 0;
        for (int epoch = 0; epoch < 100; epoch++) {
            // Twice as many as can be served: their line grows longer and longer.
            ask("epoch" + epoch + "-", 0);
            ask("epoch" + epoch + "-", 1);
            Question next = turns.first().orElseThrow();
            turns.served(next, 100);
            waited = next.writer.write().equals("big") ? 0 : waited + 1;
            longestWait = Math.max(longestWait, waited);
            if (waited == 0) {
                ask("big", 0);
            }
        }

        // The round from one turn of the large write to the next grows as the line does: 1, 2, 4, 8 ... turns.
        assertThat(longestWait).isLessThanOrEqualTo(64);
    }

    @Test
    void whoeverAsksAgainKeepsItsTurn() {
        ask("big", 0);
        ask("big", 1);
        now = 5_000_000_000L;
        assertThat(turns.closeOld(now)).extracting(question -> question.request).containsExactly("big0", "big1");
        assertThat(turns.first()).isEmpty();
        ask("big", 1);
        ask("big", 0);

        assertThat(turns.size()).isEqualTo(2);
        assertThat(serve(2, 100)).containsExactly("big0", "big1");
    }

    @Test
    void whoeverDoesNotAskAgainIsForgottenAndSoIsItsWrite() {
        ask("big", 0);
        now = 5_000_000_000L;
        turns.closeOld(now);
        assertThat(turns.nextChange()).isEqualTo(20_000_000_000L);
        assertThat(turns.forgetAbsent(20_000_000_000L)).containsExactly(new Writer("big", 0, 0));

        assertThat(turns.size()).isZero();
        assertThat(turns.nextChange()).isEqualTo(Long.MAX_VALUE);
        assertThat(turns.of("big")).isEmpty();
    }
}
