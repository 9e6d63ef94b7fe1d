package dev.towpath.election;

import java.sql.SQLNonTransientException;

/** A later holder of the seat has written already: this one's write must not happen. */
public final class FencedException extends SQLNonTransientException {
    private static final long serialVersionUID = 1;

    FencedException(Fence fence) {
        super("the write of " + fence + " is refused: a later holder of " + fence.name()
                + " has been here; roll back, and stop working on this seat");
    }
}
