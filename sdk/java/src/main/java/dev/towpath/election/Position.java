package dev.towpath.election;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * Where an observer is in a group's changes, so that a stream that was cut is gone on with: nothing
 * is missed and nothing told twice. A pure state machine.
 */
final class Position {
    private long from; // what a stream asks for that is opened now
    private final Set<Change> seen = new HashSet<>(); // of the revision from, some changes

    /**
     * A state that is being told: it is kept until it is complete, as a state that was cut is told
     * anew. Null when there is none.
     */
    private List<Change> state;

    Position(long from) {
        this.from = from;
    }

    /** The revision to ask for. */
    long from() {
        return from;
    }

    /** A stream begins. */
    void opened() {
        state = from == 0 ? new ArrayList<>() : null;
    }

    /** Takes a change in, and says which changes to hand on. */
    List<Change> apply(Change change) {
        if (change.kind() == Change.Kind.GAP) {
            state = new ArrayList<>();
        }
        if (state != null) {
            state.add(change);
            if (change.kind() != Change.Kind.SYNCED) {
                return List.of();
            }
            List<Change> whole = state;
            state = null;
            passed(change.revision());
            return whole;
        }
        if (change.kind() == Change.Kind.SYNCED || change.revision() < from || seen.contains(change)) {
            return List.of(); // told already
        }
        if (change.revision() > from) {
            // More of the same revision may follow, so that one is what is asked for next time.
            from = change.revision();
            seen.clear();
        }
        seen.add(change);
        return List.of(change);
    }

    private void passed(long revision) {
        from = revision + 1;
        seen.clear();
    }
}
