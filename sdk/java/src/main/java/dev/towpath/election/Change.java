package dev.towpath.election;

import java.util.Optional;

/**
 * A change of a group.
 *
 * @param kind of the change
 * @param revision of the store that it happened at; for {@link Kind#GAP} the oldest one that is kept, or 0
 * @param seat that it is about, if it is about one
 * @param candidate that it is about, if it is about one
 * @param config the new one, if that is what changed
 */
public record Change(Kind kind, long revision, Optional<Group.Seat> seat, Optional<Group.Candidate> candidate,
        Optional<Group.Config> config) {
    /** What kind of change it is. */
    public enum Kind {
        /** A seat has a new holder. */
        HELD,
        /** A seat is held no longer. */
        FREE,
        /** A candidate came, or wants another number of seats. */
        JOINED,
        /** A candidate has left. */
        LEFT,
        /** The number of seats or the partitions changed. */
        CONFIGURED,
        /** A candidate or a seat's holder is asked to hand over. */
        DRAINING,
        /** A partition shall go to the candidate that its seat has as planned. */
        PLANNED,
        /** All changes that make the state have been told. */
        SYNCED,
        /** Changes are missing, as they are kept no longer: forget what you know; the state follows. */
        GAP
    }

    /** A change by its message; empty if it is a sign of life, or of a kind that this version does not know. */
    static Optional<Change> of(Message m) throws MalformedJsonException {
        Optional<Kind> kind = kind(m.string("kind"));
        if (kind.isEmpty()) {
            return Optional.empty();
        }
        Optional<Message> seat = m.message("seat");
        Optional<Message> candidate = m.message("candidate");
        Optional<Message> config = m.message("config");
        return Optional.of(new Change(kind.get(), m.int64("revision"),
                seat.isPresent() ? Optional.of(Group.Seat.of(seat.get())) : Optional.empty(),
                candidate.isPresent() ? Optional.of(Group.Candidate.of(candidate.get())) : Optional.empty(),
                config.isPresent() ? Optional.of(Group.Config.of(config.get())) : Optional.empty()));
    }

    private static Optional<Kind> kind(String name) {
        for (Kind kind : Kind.values()) {
            if (name.equals("KIND_" + kind)) {
                return Optional.of(kind);
            }
        }
        return Optional.empty();
    }
}
