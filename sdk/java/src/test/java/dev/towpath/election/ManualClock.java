package dev.towpath.election;

import java.time.Duration;
import java.util.concurrent.atomic.AtomicLong;

/** A clock that stands still until a test moves it. */
final class ManualClock implements Clock {
    private final AtomicLong nanos = new AtomicLong(1_000_000_000_000L);

    @Override
    public long nanos() {
        return nanos.get();
    }

    /** Moves it, without anybody hearing of it: as if no thread ran. */
    void advanceSilently(Duration by) {
        nanos.addAndGet(by.toNanos());
    }

    /** Moves it, and has a session's timers run that are due. */
    void advance(Duration by, Session session) {
        advanceSilently(by);
        session.loop().wake();
    }
}
