package dev.towpath.election;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.atomic.AtomicLong;

/** {@link Clock#boot()}. */
final class BootClock implements Clock {
    static final Clock INSTANCE = open();

    private static final long CENTISECOND = 10_000_000;

    /**
     * How far the boot clock has been seen to be ahead of nanoTime. It approaches the true distance
     * from below, as uptime is rounded down, and grows with each suspension.
     */
    private final AtomicLong ahead = new AtomicLong(Long.MIN_VALUE);

    // Not a FileChannel: that would be closed when a thread that reads it is interrupted.
    private final RandomAccessFile uptime;

    private BootClock(RandomAccessFile uptime) {
        this.uptime = uptime;
    }

    private static Clock open() {
        try {
            BootClock clock = new BootClock(new RandomAccessFile("/proc/uptime", "r"));
            clock.readUptime();
            return clock;
        } catch (IOException e) {
            return System::nanoTime;
        }
    }

    @Override
    public long nanos() {
        long up;
        try {
            up = readUptime();
        } catch (IOException e) {
            throw new IllegalStateException("/proc/uptime can be read no longer, so deadlines cannot be kept", e);
        }
        // In this order: were this thread stopped in between, the distance would come out too
        // small, which changes nothing, and never too great.
        long nano = System.nanoTime();
        return nano + ahead.accumulateAndGet(up - nano, Math::max);
    }

    private synchronized long readUptime() throws IOException {
        byte[] bytes = new byte[64];
        uptime.seek(0);
        int n = uptime.read(bytes);
        return parse(new String(bytes, 0, Math.max(n, 0), StandardCharsets.US_ASCII));
    }

    /** Reads "SECONDS.HUNDREDTHS IDLE" as nanoseconds. */
    static long parse(String text) throws IOException {
        int dot = text.indexOf('.');
        int space = text.indexOf(' ');
        if (dot < 1 || space != dot + 3) {
            throw new IOException("/proc/uptime is \"" + text.strip() + "\": expected seconds with two decimals first");
        }
        try {
            long hundredths = Long.parseLong(text.substring(0, dot)) * 100 + Long.parseLong(text.substring(dot + 1, space));
            return hundredths * CENTISECOND;
        } catch (NumberFormatException e) {
            throw new IOException("/proc/uptime is \"" + text.strip() + "\": expected a number first", e);
        }
    }
}
