package dev.towpath.election;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;

/** Waiting for what other threads do; the limits are for what is broken. */
final class Eventually {
    private Eventually() {}

    static void until(String what, BooleanSupplier condition) {
        long begun = System.nanoTime();
        while (!condition.getAsBoolean()) {
            if (System.nanoTime() - begun > TimeUnit.SECONDS.toNanos(FakeControl.PATIENCE_SECONDS)) {
                throw new AssertionError("never: " + what);
            }
            Thread.yield();
        }
    }

    static <T> T get(CompletableFuture<T> future) throws Exception {
        return future.get(FakeControl.PATIENCE_SECONDS, TimeUnit.SECONDS);
    }
}
