package dev.towpath.election;

/** Why a leadership or a session has ended. */
public enum EndReason {
    /** It was resigned in this process. */
    RESIGNED,
    /** The control plane says that this session holds the seat no longer. */
    LOST,
    /** No renewal was answered in time. */
    EXPIRED,
    /** The {@link HealthCheck} failed. */
    UNHEALTHY,
    /** The {@link Seats} or the {@link Session} were closed in this process. */
    CLOSED,
    /** The control plane has ended the session. */
    SESSION_ENDED
}
