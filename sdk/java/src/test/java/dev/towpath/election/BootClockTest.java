package dev.towpath.election;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import org.junit.jupiter.api.Test;

class BootClockTest {
    @Test
    void readsUptime() throws Exception {
        assertEquals(12_340_000_000L, BootClock.parse("12.34 56.78\n"));
        assertEquals(10_000_000L, BootClock.parse("0.01 0.00\n"));
        for (String wrong : new String[] {"", "12 34", "12.3 4", "12.345 6", "a.bc d", ".12 3", "12.34"}) {
            assertThrows(IOException.class, () -> BootClock.parse(wrong), wrong);
        }
    }

    @Test
    void neverGoesBackNorAheadOfTrueTime() {
        Clock clock = Clock.boot();
        long nano = System.nanoTime();
        long first = clock.nanos();
        long last = first;
        for (int i = 0; i < 10_000; i++) {
            long now = clock.nanos();
            assertTrue(now >= last);
            last = now;
        }
        // Besides real time it gains at most what uptime's rounding had hidden at first.
        assertTrue(last - first <= System.nanoTime() - nano + 10_000_000);
    }

    @Test
    void worksInAnInterruptedThread() {
        Thread.currentThread().interrupt();
        Clock.boot().nanos();
        assertTrue(Thread.interrupted());
        Clock.boot().nanos();
    }
}
