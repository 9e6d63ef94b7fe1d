package dev.towpath.election;

import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Optional;
import java.util.Queue;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Predicate;

/** What one thread hands to others that wait for it. */
final class Inbox<T> {
    private final Predicate<T> wanted;

    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition();
    private final Queue<T> queue = new ArrayDeque<>();
    private ElectionException end;

    /** Makes an inbox that hands out only what is still wanted at that moment. */
    Inbox(Predicate<T> wanted) {
        this.wanted = wanted;
    }

    void put(T item) {
        lock.lock();
        try {
            queue.add(item);
            changed.signal();
        } finally {
            lock.unlock();
        }
    }

    /** Says that nothing more comes. What is there can still be taken; then takers get the error. */
    void end(ElectionException e) {
        lock.lock();
        try {
            if (end == null) {
                end = e;
                changed.signalAll();
            }
        } finally {
            lock.unlock();
        }
    }

    T take() throws InterruptedException, ElectionException {
        return poll(Long.MAX_VALUE).orElseThrow();
    }

    Optional<T> poll(Duration patience) throws InterruptedException, ElectionException {
        return poll(nanos(patience));
    }

    private Optional<T> poll(long nanos) throws InterruptedException, ElectionException {
        lock.lockInterruptibly();
        try {
            for (long left = nanos;;) {
                for (T item = queue.poll(); item != null; item = queue.poll()) {
                    if (wanted.test(item)) {
                        return Optional.of(item);
                    }
                }
                if (end != null) {
                    throw ElectionException.here(end);
                }
                if (nanos == Long.MAX_VALUE) {
                    changed.await();
                } else if (left <= 0) {
                    return Optional.empty();
                } else {
                    left = changed.awaitNanos(left);
                }
            }
        } finally {
            lock.unlock();
        }
    }

    private static long nanos(Duration d) {
        try {
            return d.toNanos();
        } catch (ArithmeticException e) {
            return Long.MAX_VALUE - 1; // 292 years
        }
    }
}
