package dev.towpath.election;

import java.util.Optional;

/** What the stream of a session's events says. */
sealed interface SessionEvent {
    /** The session holds this now. */
    record Granted(Fence fence) implements SessionEvent {}

    /** The holder is asked to finish and to resign; {@code to} names a successor or is empty. */
    record Draining(Fence fence, String to) implements SessionEvent {}

    /** The session holds this no longer. */
    record Lost(Fence fence) implements SessionEvent {}

    /** The session has ended. */
    record Ended(String reason) implements SessionEvent {}

    /** All that was held when the stream began has been sent. */
    record Synced() implements SessionEvent {}

    /** A sign of life, or something that this version does not know. */
    record Beat() implements SessionEvent {}

    static SessionEvent of(Message m) throws MalformedJsonException {
        Optional<Message> granted = m.message("granted");
        if (granted.isPresent()) {
            return new Granted(fence(granted.get()));
        }
        Optional<Message> draining = m.message("draining");
        if (draining.isPresent()) {
            return new Draining(fence(draining.get()), draining.get().string("to"));
        }
        Optional<Message> lost = m.message("lost");
        if (lost.isPresent()) {
            return new Lost(fence(lost.get()));
        }
        Optional<Message> ended = m.message("ended");
        if (ended.isPresent()) {
            return new Ended(ended.get().string("reason"));
        }
        return m.message("synced").isPresent() ? new Synced() : new Beat();
    }

    private static Fence fence(Message m) throws MalformedJsonException {
        Token token = token(m.required("token"));
        try {
            return new Fence(m.string("group"), m.string("seat"), token);
        } catch (IllegalArgumentException e) {
            throw new MalformedJsonException(e.getMessage());
        }
    }

    static Token token(Message m) throws MalformedJsonException {
        long revision = m.int64("revision");
        if (revision < 0) {
            throw new MalformedJsonException("a token's revision is " + revision + ": expected 0 or more");
        }
        return new Token(m.uint64("generation"), revision);
    }
}
