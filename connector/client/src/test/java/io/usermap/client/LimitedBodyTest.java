package io.usermap.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletionException;
import java.util.concurrent.Flow;
import org.junit.jupiter.api.Test;

class LimitedBodyTest {

    private static final class Source implements Flow.Subscription {
        private long requested;
        private boolean cancelled;

        @Override
        public void request(long n) {
            requested += n;
        }

        @Override
        public void cancel() {
            cancelled = true;
        }
    }

    private final Source source = new Source();
    private final LimitedBody<String> body =
            new LimitedBody<>(10, bytes -> new String(bytes, StandardCharsets.US_ASCII));

    private void arrives(String... parts) {
        body.onNext(Arrays.stream(parts)
                .map(part -> ByteBuffer.wrap(part.getBytes(StandardCharsets.US_ASCII)))
                .toList());
    }

    private String text() {
        return body.getBody().toCompletableFuture().join();
    }

    @Test
    void readsUpToTheEnd() {
        body.onSubscribe(source);
        arrives("suc", "ce");
        arrives("ss");
        body.onComplete();

        assertThat(text()).isEqualTo("success");
        assertThat(source.requested).isEqualTo(3);
        assertThat(source.cancelled).isFalse();
    }

    @Test
    void hangsUpAtTheLimitAndIsDoneWithWhatItHas() {
        body.onSubscribe(source);
        arrives("0123456", "789abc", "def");

        assertThat(text()).isEqualTo("0123456789");
        assertThat(source.cancelled).isTrue();
        arrives("more");
        assertThat(text()).isEqualTo("0123456789");
    }

    @Test
    void anEmptyBodyIsABody() {
        body.onSubscribe(source);
        body.onNext(List.of());
        body.onComplete();

        assertThat(text()).isEmpty();
    }

    @Test
    void failsAsItsSourceFails() {
        body.onSubscribe(source);
        body.onError(new IOException("reset"));

        assertThatThrownBy(this::text).isInstanceOf(CompletionException.class).hasMessage("java.io.IOException: reset");
    }

    @Test
    void failsAsItsConversionFails() {
        LimitedBody<String> picky = new LimitedBody<>(10, bytes -> {
            throw new IllegalStateException("not text");
        });
        picky.onSubscribe(source);
        picky.onComplete();

        assertThatThrownBy(() -> picky.getBody().toCompletableFuture().join())
                .isInstanceOf(CompletionException.class)
                .hasMessage("java.lang.IllegalStateException: not text");
    }
}
