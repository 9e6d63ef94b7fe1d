package dev.towpath.election;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Flow;

/**
 * An answer's body as lines, handed over on the loop's thread. Each part of it comes when it is
 * asked for with {@link #more}, so that a slow reader slows the server down and fills no memory.
 */
final class Lines implements HttpResponse.BodySubscriber<Lines> {
    private static final int MOST = 1 << 20; // bytes of a line

    /** Hears of the lines, on the loop's thread. */
    interface Listener {
        void lines(Lines from, List<byte[]> lines);

        /** The body's end; null if it was its regular one. */
        void end(Lines from, Throwable error);
    }

    private final Loop loop;
    private final Listener listener;
    private final ByteArrayOutputStream partial = new ByteArrayOutputStream(); // for the loop's thread alone

    private final Object lock = new Object();
    // Guarded by the lock; the subscription comes at some time after the answer's head.
    private Flow.Subscription subscription;
    private long asked;
    private boolean cancelled;

    Lines(Loop loop, Listener listener) {
        this.loop = loop;
        this.listener = listener;
    }

    @Override
    public CompletionStage<Lines> getBody() {
        return CompletableFuture.completedFuture(this);
    }

    @Override
    public void onSubscribe(Flow.Subscription subscription) {
        synchronized (lock) {
            this.subscription = subscription;
            if (cancelled) {
                subscription.cancel();
            } else if (asked > 0) {
                subscription.request(asked);
            }
        }
    }

    /** Asks for the next part. */
    void more() {
        synchronized (lock) {
            asked++;
            if (subscription != null) {
                subscription.request(1);
            }
        }
    }

    /** Closes the connection, now or when it is there. */
    void cancel() {
        synchronized (lock) {
            cancelled = true;
            if (subscription != null) {
                subscription.cancel();
            }
        }
    }

    @Override
    public void onNext(List<ByteBuffer> buffers) {
        loop.execute(() -> split(buffers));
    }

    @Override
    public void onError(Throwable e) {
        loop.execute(() -> listener.end(this, e));
    }

    @Override
    public void onComplete() {
        loop.execute(() -> {
            if (partial.size() > 0) {
                listener.lines(this, List.of(partial.toByteArray()));
            }
            listener.end(this, null);
        });
    }

    private void split(List<ByteBuffer> buffers) {
        List<byte[]> lines = new ArrayList<>();
        for (ByteBuffer buffer : buffers) {
            while (buffer.hasRemaining()) {
                byte b = buffer.get();
                if (b != '\n') {
                    partial.write(b);
                } else {
                    if (partial.size() > 0) {
                        lines.add(partial.toByteArray());
                    }
                    partial.reset();
                }
                if (partial.size() > MOST) {
                    cancel();
                    listener.end(this, new IOException("a line has more than " + MOST + " bytes"));
                    return;
                }
            }
        }
        listener.lines(this, lines);
    }
}
