package dev.towpath.election;

import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executor;

/** A future whose dependents run on this package's workers and never on the common pool. */
final class Outcome<T> extends CompletableFuture<T> {
    private final Executor workers;

    Outcome(Executor workers) {
        this.workers = workers;
    }

    @Override
    public <U> CompletableFuture<U> newIncompleteFuture() {
        return new Outcome<>(workers);
    }

    @Override
    public Executor defaultExecutor() {
        return workers;
    }

    /** Completes it in a worker, as dependents are somebody else's code. */
    void completeLater(T value) {
        workers.execute(() -> complete(value));
    }

    void failLater(ElectionException e) {
        workers.execute(() -> completeExceptionally(e));
    }

    /** Waits, and throws what the future failed with. */
    static <T> T await(CompletableFuture<T> future) throws InterruptedException, ElectionException {
        try {
            return future.get();
        } catch (ExecutionException e) {
            if (e.getCause() instanceof ElectionException cause) {
                throw ElectionException.here(cause);
            }
            throw new IllegalStateException(e.getCause());
        } catch (CancellationException e) {
            throw new IllegalStateException(e);
        }
    }
}
