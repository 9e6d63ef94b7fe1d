package dev.towpath.election;

import java.time.Duration;

/**
 * When a session's leaderships end, by its renewals. All instants are those of one clock. An
 * expired lease stays so: nothing that is answered later revives it.
 */
final class Lease {
    private static final Duration LEAST_MARGIN = Duration.ofMillis(200);

    private final Duration margin; // null is by the TTL
    private boolean granted;
    private boolean expired;
    private long sent;
    private long deadline;

    /** Makes a lease that no answer has granted yet; a margin of null is the default one. */
    Lease(Duration margin) {
        this.margin = margin;
    }

    /** A tenth of the TTL, and at least 200 ms. */
    static Duration defaultMargin(Duration ttl) {
        Duration tenth = ttl.dividedBy(10);
        return tenth.compareTo(LEAST_MARGIN) < 0 ? LEAST_MARGIN : tenth;
    }

    /** Takes the answer to a request that was sent at an instant in; says whether the lease still lives. */
    boolean answered(long sentAt, long now, Duration ttl) {
        if (expired(now)) {
            return false;
        }
        // Answers may overtake each other. The request sent last is the one that was surely not
        // served before this lease's other ones were sent.
        if (!granted || sentAt - sent > 0) {
            sent = sentAt;
            deadline = sentAt + ttl.toNanos() - (margin == null ? defaultMargin(ttl) : margin).toNanos();
            granted = true;
        }
        return !expired(now);
    }

    /** Whether the deadline has passed by then, or had before. */
    boolean expired(long now) {
        expired |= granted && now - deadline >= 0;
        return expired;
    }

    long deadline() {
        return deadline;
    }
}
