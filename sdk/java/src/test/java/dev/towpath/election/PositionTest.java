package dev.towpath.election;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.towpath.election.Change.Kind;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;

class PositionTest {
    private static Change change(Kind kind, long revision, String seat) {
        return new Change(kind, revision, seat.isEmpty() ? Optional.empty()
                : Optional.of(new Group.Seat(seat, "", "", Optional.empty(), "")), Optional.empty(), Optional.empty());
    }

    @Test
    void aStateIsToldWhole() {
        Position position = new Position(0);
        position.opened();
        assertEquals(List.of(), position.apply(change(Kind.HELD, 7, "0")));
        position.opened(); // it was cut: the state comes anew
        assertEquals(0, position.from());
        assertEquals(List.of(), position.apply(change(Kind.HELD, 9, "0")));
        List<Change> whole = position.apply(change(Kind.SYNCED, 12, ""));
        assertEquals(List.of(change(Kind.HELD, 9, "0"), change(Kind.SYNCED, 12, "")), whole);
        assertEquals(13, position.from());
    }

    @Test
    void aGapIsToldWithTheWholeStateThatFollows() {
        Position position = new Position(5);
        position.opened();
        assertEquals(1, position.apply(change(Kind.FREE, 6, "0")).size());
        position.opened();
        assertEquals(List.of(), position.apply(change(Kind.GAP, 100, "")));
        assertEquals(List.of(), position.apply(change(Kind.HELD, 3, "1")));
        position.opened(); // cut within the state
        assertEquals(6, position.from());
        assertEquals(List.of(), position.apply(change(Kind.GAP, 100, "")));
        assertEquals(List.of(), position.apply(change(Kind.HELD, 3, "1")));
        assertEquals(3, position.apply(change(Kind.SYNCED, 120, "")).size());
        assertEquals(121, position.from());
    }

    /** However a stream is cut, each change is told once and in order. */
    @Test
    void cutsLoseNothingAndRepeatNothing() {
        long seed = System.nanoTime();
        Random random = new Random(seed);
        for (int round = 0; round < 200; round++) {
            List<Change> all = new ArrayList<>();
            for (long revision = 1; revision <= 20; revision++) {
                for (int n = random.nextInt(3); n >= 0; n--) {
                    all.add(change(Kind.HELD, revision, "s" + n));
                }
            }
            List<Change> told = new ArrayList<>();
            Position position = new Position(1);
            while (told.size() < all.size()) {
                position.opened();
                long from = position.from();
                int sent = 0;
                int cut = 1 + random.nextInt(8);
                for (Change change : all) {
                    if (change.revision() >= from && sent < cut) {
                        told.addAll(position.apply(change));
                        sent++;
                    }
                }
            }
            assertEquals(all, told, "seed " + seed);
        }
    }
}
