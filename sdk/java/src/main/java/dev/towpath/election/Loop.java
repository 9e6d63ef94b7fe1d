package dev.towpath.election;

import java.lang.System.Logger;
import java.util.ArrayDeque;
import java.util.PriorityQueue;
import java.util.Queue;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/**
 * One thread that runs tasks and timers one after the other: what they touch needs no lock. A
 * {@link java.util.concurrent.ScheduledThreadPoolExecutor} would not do, as its timers stand still
 * while the machine is suspended; these follow a {@link Clock}.
 */
final class Loop implements Executor {
    private static final Logger LOG = System.getLogger("dev.towpath.election");

    /**
     * How long the thread waits at most before it looks at the clock again: waiting itself is on a
     * clock that stands still while the machine is suspended.
     */
    private static final long LOOK_NANOS = TimeUnit.MILLISECONDS.toNanos(500);

    private final Clock clock;
    private final Thread thread;

    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition();
    private final Queue<Runnable> tasks = new ArrayDeque<>();
    private final PriorityQueue<Timer> timers = new PriorityQueue<>();
    private long made; // timers, ever; keeps those of one instant in order
    private boolean stopped;

    /** A task for later. */
    final class Timer implements Comparable<Timer> {
        private final long due;
        private final long order;
        private final Runnable task;

        private Timer(long due, long order, Runnable task) {
            this.due = due;
            this.order = order;
            this.task = task;
        }

        void cancel() {
            lock.lock();
            try {
                timers.remove(this);
            } finally {
                lock.unlock();
            }
        }

        @Override
        public int compareTo(Timer other) {
            long d = due - other.due;
            return d != 0 ? Long.signum(d) : Long.compare(order, other.order);
        }
    }

    Loop(String name, Clock clock) {
        this.clock = clock;
        this.thread = new Thread(this::run, name);
        this.thread.setDaemon(true);
    }

    void start() {
        thread.start();
    }

    long now() {
        return clock.nanos();
    }

    /** Runs a task soon; says whether it will, as it does not after {@link #stop}. */
    boolean offer(Runnable task) {
        lock.lock();
        try {
            if (!stopped) {
                tasks.add(task);
                changed.signal();
            }
            return !stopped;
        } finally {
            lock.unlock();
        }
    }

    /** Runs a task soon, or drops it after {@link #stop}. */
    @Override
    public void execute(Runnable task) {
        offer(task);
    }

    /** Runs a task at an instant of the clock, or soon if that is over. */
    Timer at(long nanos, Runnable task) {
        lock.lock();
        try {
            Timer timer = new Timer(nanos, made++, task);
            timers.add(timer);
            changed.signal();
            return timer;
        } finally {
            lock.unlock();
        }
    }

    Timer after(long nanos, Runnable task) {
        return at(now() + nanos, task);
    }

    /** Lets the thread look at the clock again. */
    void wake() {
        lock.lock();
        try {
            changed.signal();
        } finally {
            lock.unlock();
        }
    }

    /** Ends the thread after the tasks that it was given so far. Timers are dropped. */
    void stop() {
        lock.lock();
        try {
            stopped = true;
            timers.clear();
            changed.signal();
        } finally {
            lock.unlock();
        }
    }

    Thread thread() {
        return thread;
    }

    private void run() {
        for (Runnable task = next(); task != null; task = next()) {
            try {
                task.run();
            } catch (RuntimeException | Error e) {
                LOG.log(Logger.Level.ERROR, thread.getName() + ": a task failed", e);
            }
        }
    }

    /** The next task, timers that are due first; null when it is over. */
    private Runnable next() {
        lock.lock();
        try {
            while (!stopped) {
                Timer timer = timers.peek();
                long left = timer == null ? LOOK_NANOS : timer.due - clock.nanos();
                if (left <= 0) {
                    return timers.remove().task;
                }
                if (!tasks.isEmpty()) {
                    return tasks.remove();
                }
                if (timer == null) {
                    changed.awaitUninterruptibly();
                } else {
                    changed.awaitNanos(Math.min(left, LOOK_NANOS));
                }
            }
            return tasks.poll();
        } catch (InterruptedException e) {
            throw new AssertionError("nobody else has this thread", e);
        } finally {
            lock.unlock();
        }
    }
}
