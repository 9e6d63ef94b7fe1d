package dev.towpath.election;

/**
 * How long to wait before the next try. The first try at each of the endpoints waits for nothing:
 * another one may be well. From then on the time doubles, from 50 ms up to 2 s, and a random part
 * of up to a half is taken off, so that clients which failed together do not return together.
 */
final class Backoff {
    private static final long FIRST = 50_000_000;
    private static final long MOST = 2_000_000_000;

    private Backoff() {}

    /** Nanoseconds, after so many failures in a row, for a random number from 0 up to and without 1. */
    static long nanos(int failures, int endpoints, double random) {
        if (failures < endpoints) {
            return 0;
        }
        int doublings = Math.min(failures - endpoints, 10);
        long whole = Math.min(FIRST << doublings, MOST);
        return whole - (long) (whole / 2 * random);
    }
}
