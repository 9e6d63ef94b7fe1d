package dev.towpath.election;

import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Every change of a group, in order and without gaps, over lost connections too. Where changes are
 * kept no longer, {@link Change.Kind#GAP} says so, and the state follows. Who takes changes slowly
 * slows the stream down; memory is not filled with them.
 */
public final class Observer implements AutoCloseable {
    /** So many changes may wait to be taken before no more are read. */
    private static final int ROOM = 1000;

    /** A server may answer with the first sign of life only, which takes up to 5 s. */
    private static final long PATIENCE = Duration.ofSeconds(6).toNanos();

    private final Connection connection;
    private final Inbox<Change> inbox = new Inbox<>(change -> true);
    private final AtomicInteger waiting = new AtomicInteger(); // changes in the inbox
    private final CompletableFuture<LineStream> stream = new CompletableFuture<>(); // completed on the loop's thread

    Observer(Connection connection, String group, long from) {
        this.connection = connection;
        boolean runs = connection.loop().offer(() -> {
            if (!stream.isDone()) {
                stream.complete(connection.stream(new Changes(group, from)));
            }
        });
        if (!runs) {
            inbox.end(Connection.closed());
        }
    }

    /** The stream. Its methods are called on the loop's thread. */
    private final class Changes implements LineStream.Listener {
        private final String group;
        private final Position position;

        Changes(String group, long from) {
            this.group = group;
            this.position = new Position(from);
        }

        @Override
        public String path() {
            return "/v1/election/groups/" + Fence.escape(group) + "/changes?from=" + position.from();
        }

        @Override
        public long patience() {
            return PATIENCE;
        }

        @Override
        public void opened() {
            position.opened();
        }

        @Override
        public void message(Message message) throws MalformedJsonException {
            Optional<Change> change = Change.of(message);
            if (change.isPresent()) {
                for (Change c : position.apply(change.get())) {
                    waiting.incrementAndGet();
                    inbox.put(c);
                }
            }
        }

        @Override
        public boolean hasRoom() {
            return !isFull();
        }

        @Override
        public boolean refused(ElectionException e) {
            inbox.end(e);
            return true;
        }
    }

    /**
     * Waits for the next change. For one thread at a time, if their order matters.
     *
     * @return the change
     * @throws ElectionException if the control plane refuses to tell, or the observer, its groups or
     *     session were closed; changes that came before can still be taken
     * @throws InterruptedException if the thread is interrupted
     */
    public Change take() throws ElectionException, InterruptedException {
        return taken(inbox.take());
    }

    /**
     * Waits for the next change for some time.
     *
     * @param patience how long
     * @return the change, if there was one in time
     * @throws ElectionException as of {@link #take()}
     * @throws InterruptedException if the thread is interrupted
     */
    public Optional<Change> poll(Duration patience) throws ElectionException, InterruptedException {
        return inbox.poll(patience).map(this::taken);
    }

    /** Whether nothing more is read until something is taken; for tests. */
    boolean isFull() {
        return waiting.get() >= ROOM;
    }

    private Change taken(Change change) {
        if (waiting.getAndDecrement() == ROOM) {
            connection.loop().execute(() -> stream.getNow(null).more());
        }
        return change;
    }

    /** Ends the stream. Who waits for a change gets an error. It does not block; closing again does nothing. */
    @Override
    public void close() {
        inbox.end(Connection.closed());
        stream.cancel(false); // if it has not begun
        connection.loop().execute(() -> {
            if (!stream.isCancelled()) {
                stream.getNow(null).close();
            }
        });
    }
}
