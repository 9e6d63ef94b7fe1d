package dev.towpath.election;

/** What the control plane refused, or why it could not be asked. */
public final class ElectionException extends Exception {
    private static final long serialVersionUID = 1;

    /** What kind of failure it is. */
    public enum Code {
        /** No endpoint answered in time. */
        UNAVAILABLE,
        /** The session has ended or was closed. */
        SESSION_ENDED,
        /** What the request names does not exist. */
        NOT_FOUND,
        /** It cannot be done in the state that things are in. */
        FAILED_PRECONDITION,
        /** The request is malformed. */
        INVALID_ARGUMENT,
        /** The token is missing or not known. */
        UNAUTHENTICATED,
        /** The token's owner may not do this. */
        PERMISSION_DENIED,
        /** Anything else, a malformed answer among it. */
        OTHER
    }

    /** The kind. */
    private final Code code;

    /** Whether it may go well at another try. */
    private final boolean passing;

    private ElectionException(Code code, boolean passing, String message, Throwable cause) {
        super(message, cause);
        this.code = code;
        this.passing = passing;
    }

    /** What another try may well change. */
    static ElectionException passing(Code code, String message, Throwable cause) {
        return new ElectionException(code, true, message, cause);
    }

    /** What another try will not change. */
    static ElectionException lasting(Code code, String message) {
        return new ElectionException(code, false, message, null);
    }

    /** The same, thrown in another thread: its stack says who was waiting. */
    static ElectionException here(ElectionException e) {
        return new ElectionException(e.code, e.passing, e.getMessage(), e);
    }

    /**
     * What kind of failure it is.
     *
     * @return the kind
     */
    public Code code() {
        return code;
    }

    boolean isPassing() {
        return passing;
    }

    /** Whether an answer about a session says that there is no such session any more. */
    boolean saysSessionEnded() {
        return code == Code.NOT_FOUND || code == Code.FAILED_PRECONDITION || code == Code.SESSION_ENDED;
    }
}
