package dev.towpath.election;

import java.time.Duration;
import java.util.Objects;

/**
 * Whether this process is fit to lead a group. When the probe fails, all leaderships of the group
 * end here, their seats are resigned, and the candidacy is withdrawn; when it goes well again, the
 * process campaigns again.
 *
 * @param probe that looks
 * @param interval from the end of a probe to the beginning of the next
 * @param timeout after which a probe has failed; its thread is interrupted then, and the next probe
 *     begins when it has come back
 */
public record HealthCheck(Probe probe, Duration interval, Duration timeout) {
    /** Looks whether this process is well. It runs in a thread where it may block. */
    @FunctionalInterface
    public interface Probe {
        /**
         * Returns if all is well.
         *
         * @throws Exception if not
         */
        void check() throws Exception;
    }

    /**
     * Makes a health check.
     *
     * @param probe that looks
     * @param interval between probes
     * @param timeout of a probe
     * @throws IllegalArgumentException if the interval or the timeout is not more than nothing
     */
    public HealthCheck {
        Objects.requireNonNull(probe, "probe");
        if (interval.isNegative() || interval.isZero() || timeout.isNegative() || timeout.isZero()) {
            throw new IllegalArgumentException(
                    "a health check has the interval %s and the timeout %s: expected both to be more than nothing"
                            .formatted(interval, timeout));
        }
    }

    /**
     * A check every second, of a second at most.
     *
     * @param probe that looks
     * @return the check
     */
    public static HealthCheck of(Probe probe) {
        return new HealthCheck(probe, Duration.ofSeconds(1), Duration.ofSeconds(1));
    }
}
