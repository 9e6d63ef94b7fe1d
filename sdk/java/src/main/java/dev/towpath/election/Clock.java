package dev.towpath.election;

/**
 * What deadlines are measured with. The system's is {@link #boot()}; tests bring their own.
 *
 * <p>A clock never goes back, whichever thread asks.
 */
@FunctionalInterface
public interface Clock {
    /**
     * The time since some instant that stays the same while the process lives.
     *
     * @return nanoseconds
     */
    long nanos();

    /**
     * The time since the machine was started, the time that it was suspended included: Linux's {@code
     * CLOCK_BOOTTIME}. Leases end while a holder's machine sleeps, so its deadlines have to pass
     * meanwhile too, and {@link System#nanoTime()} stands still then.
     *
     * <p>Java has no call for that clock. It is put together of {@code nanoTime} and of {@code
     * /proc/uptime}, which counts in hundredths of a second; so after a suspension it may be behind by
     * 10 ms, which the margin of a session covers. Elsewhere than on Linux it is {@code nanoTime} alone.
     *
     * @return the clock; always the same
     */
    static Clock boot() {
        return BootClock.INSTANCE;
    }
}
