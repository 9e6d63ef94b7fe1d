package dev.towpath.election;

/** Text that is no JSON, or JSON that is not the message that was expected. */
final class MalformedJsonException extends Exception {
    private static final long serialVersionUID = 1;

    MalformedJsonException(String message) {
        super(message);
    }
}
