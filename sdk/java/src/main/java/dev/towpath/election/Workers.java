package dev.towpath.election;

import java.util.concurrent.Executor;
import java.util.concurrent.SynchronousQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * The threads for HTTP, callbacks and probes: as many as there is work at a time, so that a callback
 * which blocks holds nobody up. They end when idle for a second, so the pool needs no end of its own
 * and futures that outlive a session still have where to run.
 */
final class Workers implements Executor {
    private final ThreadPoolExecutor pool;

    /** A thread that knows whose it is. */
    private static final class Worker extends Thread {
        private final Workers owner;

        Worker(Workers owner, Runnable task, String name) {
            super(task, name);
            this.owner = owner;
            setDaemon(true);
        }
    }

    Workers(String name) {
        AtomicInteger made = new AtomicInteger();
        pool = new ThreadPoolExecutor(0, Integer.MAX_VALUE, 1, TimeUnit.SECONDS, new SynchronousQueue<>(),
                task -> new Worker(this, task, name + "-io-" + made.incrementAndGet()));
    }

    @Override
    public void execute(Runnable task) {
        pool.execute(task);
    }

    /** Whether the calling thread is one of these. */
    boolean areRunningThis() {
        return Thread.currentThread() instanceof Worker worker && worker.owner == this;
    }
}
