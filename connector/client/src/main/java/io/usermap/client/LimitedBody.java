package io.usermap.client;

import java.io.ByteArrayOutputStream;
import java.net.http.HttpResponse.BodySubscriber;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Flow;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * Reads a response up to a limit and hangs up beyond it, so that no answer can fill the memory.
 *
 * @param <T> what is made of the bytes
 */
final class LimitedBody<T extends @Nullable Object> implements BodySubscriber<T> {
    private final int mostBytes;
    private final Function<byte[], T> convert;
    private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    private final CompletableFuture<T> body = new CompletableFuture<>();
    private Flow.@Nullable Subscription subscription;

    LimitedBody(int mostBytes, Function<byte[], T> convert) {
        this.mostBytes = mostBytes;
        this.convert = convert;
    }

    @Override
    public CompletionStage<T> getBody() {
        return body;
    }

    @Override
    public void onSubscribe(Flow.Subscription subscription) {
        this.subscription = subscription;
        subscription.request(1);
    }

    @Override
    public void onNext(List<ByteBuffer> buffers) {
        for (ByteBuffer buffer : buffers) {
            byte[] part = new byte[Math.min(buffer.remaining(), mostBytes - bytes.size())];
            buffer.get(part);
            bytes.writeBytes(part);
        }
        Flow.Subscription source = subscription;
        if (source == null) {
            return;
        }
        if (bytes.size() < mostBytes) {
            source.request(1);
        } else {
            source.cancel();
            onComplete();
        }
    }

    @Override
    public void onError(Throwable failure) {
        body.completeExceptionally(failure);
    }

    @Override
    public void onComplete() {
        try {
            body.complete(convert.apply(bytes.toByteArray()));
        } catch (RuntimeException e) {
            body.completeExceptionally(e);
        }
    }
}
