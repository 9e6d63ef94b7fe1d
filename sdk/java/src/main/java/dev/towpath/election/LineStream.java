package dev.towpath.election;

import java.lang.System.Logger;
import java.net.URI;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;

/**
 * A stream of messages, one a line, that is opened again on the next endpoint whenever it is lost:
 * at once the first time, as an early takeover may depend on it. For the loop's thread alone.
 */
final class LineStream implements Lines.Listener {
    private static final Logger LOG = System.getLogger("dev.towpath.election");

    /** Signs of life come every 5 s; one of them may be late. */
    private static final long SILENCE = Duration.ofSeconds(12).toNanos();

    private static final long MOST_PATIENCE = Duration.ofSeconds(10).toNanos();

    /** A stream that was lost sooner counts as a failure to open it. */
    private static final long SHORT = Duration.ofSeconds(1).toNanos();

    /** Whose stream it is. Called on the loop's thread. */
    interface Listener {
        /** What to ask for, this time. */
        String path();

        /** How long an endpoint is waited for at first; doubled whenever all of them kept silent. */
        long patience();

        /** A stream begins. */
        void opened();

        void message(Message message) throws MalformedJsonException;

        /** Whether there is room for more. If not, {@link LineStream#more} is called when there is. */
        boolean hasRoom();

        /** The server refuses for good. Says whether to stop asking. */
        boolean refused(ElectionException e);
    }

    private final Connection connection;
    private final Listener listener;
    private Lines lines; // of the stream that is being opened or is open; null between two
    private CompletableFuture<HttpResponse<Lines>> response;
    private Loop.Timer timer; // patience, silence, or the next try
    private int endpoint;
    private int failures;
    private volatile boolean open; // read by tests, too
    private Runnable early; // the end of a body that came before its head was seen
    private long openedAt;
    private boolean paused;
    private boolean closed;

    LineStream(Connection connection, Listener listener) {
        this.connection = connection;
        this.listener = listener;
    }

    void start() {
        endpoint = connection.preferred();
        open = false;
        paused = false;
        early = null;
        Lines opening = new Lines(connection.loop(), this);
        lines = opening;
        long patience = listener.patience() << Math.min(failures / connection.endpoints(), 10);
        expect(Math.min(patience, MOST_PATIENCE), "no answer");
        response = connection.get(endpoint, listener.path(), opening);
        response.whenComplete((r, error) -> connection.loop().execute(() -> answered(opening, r, error)));
    }

    private void expect(long nanos, String fault) {
        timer = connection.loop().after(nanos, () -> lost(ElectionException.passing(
                ElectionException.Code.UNAVAILABLE, "%s within %s".formatted(fault, Duration.ofNanos(nanos)), null)));
    }

    private void answered(Lines from, HttpResponse<Lines> r, Throwable error) {
        if (from != lines) {
            from.cancel(); // given up before it came
        } else if (error != null) {
            lost(Refusal.of(listener.path(), uri(), error));
        } else {
            if (r.statusCode() == 200) {
                timer.cancel();
                open = true;
                openedAt = connection.loop().now();
                expect(SILENCE, "no sign of life");
                listener.opened();
            } // Otherwise the body says why.
            from.more();
            if (early != null) {
                early.run();
            }
        }
    }

    @Override
    public void lines(Lines from, List<byte[]> received) {
        if (from != lines) {
            return;
        }
        if (!open) {
            if (received.isEmpty()) {
                from.more();
            } else {
                refused(received.get(0));
            }
            return;
        }
        timer.cancel();
        for (byte[] line : received) {
            try {
                listener.message(Message.parse(line));
            } catch (MalformedJsonException e) {
                lost(Refusal.of(listener.path(), uri(), e));
            }
            if (from != lines) {
                return; // this line ended it
            }
        }
        paused = true;
        more();
    }

    /** Goes on reading, if there is room. */
    void more() {
        if (paused && listener.hasRoom()) {
            paused = false;
            expect(SILENCE, "no sign of life");
            lines.more();
        }
    }

    @Override
    public void end(Lines from, Throwable error) {
        if (from != lines) {
            return;
        }
        if (!response.isDone()) {
            early = () -> end(from, error);
        } else if (error != null) {
            lost(Refusal.of(listener.path(), uri(), error));
        } else if (open) {
            lost(ElectionException.passing(ElectionException.Code.UNAVAILABLE, uri() + " has ended the stream", null));
        } else {
            refused(new byte[0]);
        }
    }

    private void refused(byte[] body) {
        ElectionException e = Refusal.of(listener.path(), uri(), response.getNow(null).statusCode(), body);
        if (!e.isPassing() && listener.refused(e)) {
            close();
        } else {
            lost(e);
        }
    }

    private URI uri() {
        return connection.endpoint(endpoint);
    }

    private void lost(ElectionException why) {
        LOG.log(Logger.Level.DEBUG, "a stream was lost, and is opened again: {0}", why.getMessage());
        long lived = open ? connection.loop().now() - openedAt : 0;
        failures = lived < SHORT ? failures + 1 : 0;
        connection.failed(endpoint);
        drop();
        // A stream that was well so far is opened again at once.
        timer = connection.loop().after(connection.backoff(failures), this::start);
    }

    private void drop() {
        if (timer != null) {
            timer.cancel();
        }
        if (lines != null) {
            Lines dropped = lines;
            lines = null;
            paused = false;
            response.cancel(true);
            dropped.cancel();
        }
    }

    boolean isOpen() {
        return open;
    }

    /** Ends it for good, and tells its listener. */
    void abandon(ElectionException why) {
        listener.refused(why);
        close();
    }

    /** Ends it for good. */
    void close() {
        if (!closed) {
            closed = true;
            drop();
            connection.forget(this);
        }
    }
}
