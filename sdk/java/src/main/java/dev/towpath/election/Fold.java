package dev.towpath.election;

import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/**
 * What a session holds, by the events about it: a pure state machine. What has ended once, here or
 * there, never begins again; a token says which holding of a seat is meant.
 */
final class Fold {
    /** What follows from an event. */
    sealed interface Effect {}

    /** A leadership begins. */
    record Began(Fence fence) implements Effect {}

    /** A leadership shall be handed over. */
    record Drained(Fence fence, String to) implements Effect {}

    /** A leadership has ended. */
    record Over(Fence fence) implements Effect {}

    /** The server has this session hold what has ended here: it must be given up. */
    record Stale(Fence fence) implements Effect {}

    /** The session has ended, and all that it held. */
    record SessionOver(String reason) implements Effect {}

    private final Map<String, Fence> held = new TreeMap<>(); // by Fence.name
    private final Map<String, Token> greatest = new TreeMap<>(); // of each seat ever heard of
    private final Set<String> repeated = new HashSet<>(); // seats granted by the stream that is read now
    private boolean synced;
    private boolean over;

    /** A stream begins: it tells all that is held anew. */
    void opened() {
        repeated.clear();
        synced = false;
    }

    /** Takes an event in. */
    List<Effect> apply(SessionEvent event) {
        List<Effect> effects = new ArrayList<>();
        if (over) {
            return effects;
        }
        if (event instanceof SessionEvent.Granted granted) {
            granted(granted.fence(), effects);
        } else if (event instanceof SessionEvent.Draining draining) {
            if (draining.fence().equals(held.get(draining.fence().name()))) {
                effects.add(new Drained(draining.fence(), draining.to()));
            }
        } else if (event instanceof SessionEvent.Lost lost) {
            lost(lost.fence(), effects);
        } else if (event instanceof SessionEvent.Ended ended) {
            over = true;
            held.clear();
            effects.add(new SessionOver(ended.reason()));
        } else if (event instanceof SessionEvent.Synced && !synced) {
            synced = true;
            for (Fence fence : List.copyOf(held.values())) {
                if (!repeated.contains(fence.name())) {
                    end(fence, effects);
                }
            }
        }
        return effects;
    }

    private void granted(Fence fence, List<Effect> effects) {
        String key = fence.name();
        Fence now = held.get(key);
        if (fence.equals(now)) {
            repeated.add(key);
            return;
        }
        Token known = greatest.get(key);
        if (known != null && fence.token().compareTo(known) <= 0) {
            if (now == null) {
                effects.add(new Stale(fence));
            } // Otherwise a later holding is known: this is old news.
            return;
        }
        if (now != null) {
            end(now, effects);
        }
        held.put(key, fence);
        greatest.put(key, fence.token());
        repeated.add(key);
        effects.add(new Began(fence));
    }

    private void lost(Fence fence, List<Effect> effects) {
        Fence now = held.get(fence.name());
        if (now != null && now.token().compareTo(fence.token()) <= 0) {
            end(now, effects); // also when a later holding came and went unheard
        }
        greatest.merge(fence.name(), fence.token(), (a, b) -> a.compareTo(b) < 0 ? b : a);
    }

    private void end(Fence fence, List<Effect> effects) {
        held.remove(fence.name());
        effects.add(new Over(fence));
    }

    /** A leadership has been ended on this side. */
    void gaveUp(Fence fence) {
        held.remove(fence.name(), fence);
    }

    Collection<Fence> held() {
        return held.values();
    }
}
