package dev.towpath.election;

import java.lang.System.Logger;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;

/**
 * A seat that this process holds. Look at {@link #isValid()} before each step that only the holder
 * may do, and send {@link #fence()} along with what you write. Once it has ended, it stays ended:
 * the seat, won again, is another leadership with a greater token.
 */
public final class Leadership {
    private static final Logger LOG = System.getLogger("dev.towpath.election");

    private final Session session;
    private final Fence fence;
    private final Outcome<EndReason> ended;
    private final Outcome<Optional<String>> draining;
    private final Outcome<Void> resigned;
    private final CompletableFuture<Void> finished = new CompletableFuture<>();
    private final AtomicInteger running = new AtomicInteger(1); // callbacks, and the end itself

    private final Object lock = new Object();
    private List<Consumer<EndReason>> callbacks = new ArrayList<>(); // guarded by lock; null after the end

    // Written under the lock; read by whoever asks for validity.
    private volatile EndReason reason;

    Leadership(Session session, Fence fence, Workers workers) {
        this.session = session;
        this.fence = fence;
        this.ended = new Outcome<>(workers);
        this.draining = new Outcome<>(workers);
        this.resigned = new Outcome<>(workers);
    }

    /**
     * The group of the seat.
     *
     * @return its name
     */
    public String group() {
        return fence.group();
    }

    /**
     * The seat's name in its group.
     *
     * @return the name
     */
    public String seat() {
        return fence.seat();
    }

    /**
     * The token of this leadership.
     *
     * @return the token
     */
    public Token token() {
        return fence.token();
    }

    /**
     * The seat and the token: what to send along with writes.
     *
     * @return both
     */
    public Fence fence() {
        return fence;
    }

    /**
     * Whether this process holds the seat now. It looks at the clock each time, so it is false from
     * the deadline on even if no thread of this process ran meanwhile. It takes some microseconds and
     * does not block.
     *
     * @return whether it does
     */
    public boolean isValid() {
        return reason == null && session.isInTime();
    }

    /**
     * For how long it is valid if no further renewal is answered.
     *
     * @return nothing if it has ended
     */
    public Duration remaining() {
        return reason == null ? session.remaining() : Duration.ZERO;
    }

    /**
     * Has a callback called when this leadership has ended, or soon if it has already; each in a
     * thread where it may block. It should stop what only the holder may do: a seat that is resigned
     * goes to its next holder when the callbacks have returned, at most until the deadline.
     *
     * @param callback gets the reason
     */
    public void onEnd(Consumer<EndReason> callback) {
        synchronized (lock) {
            if (callbacks != null) {
                callbacks.add(callback);
                return;
            }
        }
        session.workers().execute(() -> run(callback));
    }

    /**
     * Completed when this leadership has ended. Like {@link #onEnd}, it holds up a hand-over until
     * what is attached to it without {@code Async} has returned.
     *
     * @return the reason; never failed
     */
    public CompletableFuture<EndReason> ended() {
        return ended.copy();
    }

    /**
     * Whether the control plane has asked for this seat: finish, and then {@link #resign()}. Until then
     * the seat stays here.
     *
     * @return whether it has
     */
    public boolean isDraining() {
        return draining.isDone();
    }

    /**
     * Completed when {@link #isDraining()} begins to be true. Each call makes a future that is kept
     * until then; loops ask that method instead.
     *
     * @return the candidate that shall be next, if one was named; never completed if nobody asks
     */
    public CompletableFuture<Optional<String>> draining() {
        return draining.copy();
    }

    /**
     * Gives the seat up, to the successor that was named with {@link #draining()} if there is one,
     * and otherwise to the candidate that has waited longest. This process stays a candidate, as the
     * last in the queue; who wants no seat any more closes the {@link Seats}.
     *
     * <p>When this returns, the leadership is not valid any more; the rest happens in the background,
     * also if the future is cancelled: {@link #onEnd} callbacks run, then the control plane is told,
     * on every endpoint if need be, until it has answered or the session has ended.
     *
     * @return completed when the seat is free or has gone on; failed with an {@link
     *     ElectionException} if the session ended before that was known
     */
    public CompletableFuture<Void> resign() {
        return resign(""); // the control plane knows whom it named
    }

    /**
     * Gives the seat up to a candidate, and otherwise does what {@link #resign()} does. If there is no
     * such candidate, the seat goes to who has waited longest, and the future fails with the reason.
     *
     * @param candidate its id, as {@link Seats#candidate()} has it
     * @return as of {@link #resign()}
     */
    public CompletableFuture<Void> resignTo(String candidate) {
        if (candidate.isEmpty()) {
            throw new IllegalArgumentException("no candidate is named: expected its id; resign() needs none");
        }
        return resign(candidate);
    }

    private CompletableFuture<Void> resign(String to) {
        if (end(EndReason.RESIGNED)) {
            session.resign(this, to);
        }
        return resigned.copy();
    }

    /** Ends it, if nobody has, and says whether this call did. For any thread. */
    boolean end(EndReason why) {
        List<Consumer<EndReason>> called;
        synchronized (lock) {
            if (reason != null) {
                return false;
            }
            reason = why;
            called = callbacks;
            callbacks = null;
        }
        if (why == EndReason.LOST) {
            resigned.completeLater(null);
        }
        running.addAndGet(called.size());
        for (Consumer<EndReason> callback : called) {
            session.workers().execute(() -> {
                run(callback);
                returned();
            });
        }
        session.workers().execute(() -> {
            ended.complete(why);
            returned();
        });
        return true;
    }

    private void run(Consumer<EndReason> callback) {
        try {
            callback.accept(reason);
        } catch (RuntimeException | Error e) {
            LOG.log(Logger.Level.ERROR, "a callback for the end of " + fence + " failed", e);
        }
    }

    private void returned() {
        if (running.decrementAndGet() == 0) {
            finished.complete(null);
        }
    }

    /** Completed when it has ended and all callbacks have returned. */
    CompletableFuture<Void> finished() {
        return finished;
    }

    /** What {@link #resign()} answers with. */
    Outcome<Void> resigned() {
        return resigned;
    }

    void drain(String to) {
        draining.completeLater(to.isEmpty() ? Optional.empty() : Optional.of(to));
    }

    /** The fence, and whether it is valid. */
    @Override
    public String toString() {
        return fence + (isValid() ? "" : " (ended)");
    }
}
