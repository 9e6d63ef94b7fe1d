package dev.towpath.election;

import static dev.towpath.election.ElectionException.Code;

import java.lang.System.Logger;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.function.Predicate;

/**
 * This process's lease in the control plane; one is enough for a process. It is renewed in the
 * background every third of its TTL, on whichever endpoint answers. A session that has ended stays
 * so: whoever wants to go on closes it and opens another one.
 *
 * <p>Which thread runs what is said at the {@linkplain dev.towpath.election package}.
 */
public final class Session implements AutoCloseable {
    private static final Logger LOG = System.getLogger("dev.towpath.election");

    /** What an answer may say at most: more than any TTL, and less than what nanoseconds overflow at. */
    private static final long MOST_SECONDS = 1_000_000;

    /** The session moves to the endpoint that is asked, so haste would make it wander. */
    private static final long EVENTS_PATIENCE = Duration.ofMillis(500).toNanos();

    private static final long PATIENCE = Duration.ofSeconds(2).toNanos();

    private final Connection connection;
    private final Loop loop;
    private final Workers workers;
    private final Clock clock;
    private final Groups groups;
    private final boolean earlyTakeover;
    private final String name;
    private final Duration wantedTtl;
    private final Duration margin; // null is the default one
    private final Outcome<EndReason> ended;
    private final CompletableFuture<Void> gone = new CompletableFuture<>(); // the server has been told, or need not be
    private final CompletableFuture<Void> closed = new CompletableFuture<>();

    // Written by the loop's thread; read by whoever asks for validity.
    private volatile long deadline;
    private volatile EndReason reason;
    private volatile String id = "";

    // For the loop's thread alone.
    private Lease lease;
    private final Fold fold = new Fold();
    private final Map<Fence, Leadership> held = new LinkedHashMap<>();
    private final Map<String, Seats> campaigns = new HashMap<>(); // by group
    private final Set<Fence> leaving = new HashSet<>(); // ended here, and not known to have ended there
    private final Set<Call<?>> calls = new LinkedHashSet<>();
    private Duration ttl;
    private ElectionException end; // null while it lives
    private Call<?> renewal;
    private int refusals; // of renewals, in a row
    private Loop.Timer renewalTimer;
    private Loop.Timer deadlineTimer;
    private volatile LineStream events; // read by tests, too

    private Session(Connection connection, Options options) {
        this.connection = connection;
        loop = connection.loop();
        workers = connection.workers();
        clock = options.clock();
        groups = new Groups(connection, options.timeout(), false);
        earlyTakeover = options.earlyTakeover();
        name = options.name();
        wantedTtl = options.ttl();
        ended = new Outcome<>(workers);
        margin = options.margin();
        lease = new Lease(margin);
    }

    /**
     * Opens a session. It blocks until an endpoint has answered.
     *
     * @param options where and how
     * @return the session, to be closed by the caller
     * @throws ElectionException if the control plane refuses, or does not answer within the options' timeout
     * @throws InterruptedException if the thread is interrupted; what may have been opened ends by its TTL
     * @throws IllegalArgumentException if the options have faults; all of them are told
     */
    public static Session open(Options options) throws ElectionException, InterruptedException {
        Connection connection = new Connection(options);
        Session session = new Session(connection, options);
        CompletableFuture<Void> opened = new CompletableFuture<>();
        long giveUpAt = options.clock().nanos() + options.timeout().toNanos();
        connection.loop().execute(() -> session.open(opened, giveUpAt));
        try {
            Outcome.await(opened);
            return session;
        } catch (ElectionException | InterruptedException e) {
            connection.loop().execute(connection::close);
            throw e;
        }
    }

    private void open(CompletableFuture<Void> opened, long giveUpAt) {
        Map<String, ?> request = Map.of(
                "name", name, "ttlSeconds", Long.toString(wantedTtl.getSeconds()), "earlyTakeover", earlyTakeover);
        record Opened(String session, Duration ttl) {}
        Call<Opened> call = connection.call("OpenSession", request,
                m -> new Opened(m.requiredString("session"), ttl(m)), Connection.PATIENCE, giveUpAt);
        call.result().whenComplete((answer, error) -> {
            if (error != null) {
                opened.completeExceptionally(error);
                return;
            }
            id = answer.value().session();
            if (!granted(answer.sent(), answer.value().ttl())) {
                // The answer took about as long as the session lives. That one is left to its TTL.
                lease = new Lease(margin);
                open(opened, giveUpAt);
                return;
            }
            events = connection.stream(new Events());
            opened.complete(null);
        });
    }

    private static Duration ttl(Message m) throws MalformedJsonException {
        long seconds = m.int64("ttlSeconds");
        if (seconds < 1 || seconds > MOST_SECONDS) {
            throw new MalformedJsonException("ttlSeconds is " + seconds + ": expected 1 to " + MOST_SECONDS);
        }
        return Duration.ofSeconds(seconds);
    }

    /** Takes in that the lease was granted or renewed; says whether that came in time. */
    private boolean granted(long sent, Duration ttl) {
        this.ttl = ttl;
        if (!lease.answered(sent, loop.now(), ttl)) {
            return false;
        }
        refusals = 0;
        deadline = lease.deadline();
        if (deadlineTimer != null) {
            deadlineTimer.cancel();
        }
        deadlineTimer = loop.at(deadline, this::expire);
        renewAt(sent + ttl.toNanos() / 3);
        return true;
    }

    private void renewAt(long nanos) {
        if (renewalTimer != null) {
            renewalTimer.cancel();
        }
        renewalTimer = loop.at(nanos, this::renew);
    }

    private void renew() {
        if (end != null || renewal != null) {
            return;
        }
        // Five tries fit between the first one and the deadline, if endpoints keep silent.
        long patience = Math.min(Math.max(deadline - loop.now(), 0) / 5, 5 * Connection.PATIENCE);
        Call<Duration> call = connection.call("RenewSession", Map.of("session", id), Session::ttl, patience, deadline);
        renewal = call;
        call.result().whenComplete((answer, error) -> {
            renewal = null;
            if (end != null) {
                return;
            }
            if (error == null) {
                if (!granted(answer.sent(), answer.value())) {
                    expire();
                }
                return;
            }
            ElectionException e = (ElectionException) error;
            if (e.saysSessionEnded()) {
                end(EndReason.SESSION_ENDED, e.getMessage());
                return;
            }
            // Refused for some other reason. It may be mended before the deadline.
            LOG.log(Logger.Level.WARNING, "the session {0} was not renewed: {1}", id, e.getMessage());
            connection.failed(connection.preferred());
            renewAt(loop.now() + connection.backoff(++refusals));
        });
    }

    private void expire() {
        end(EndReason.EXPIRED, "no renewal was answered in time");
    }

    /** The stream of events. Its methods are called on the loop's thread. */
    private final class Events implements LineStream.Listener {
        @Override
        public String path() {
            return "/v1/election/sessions/" + Fence.escape(id) + "/events";
        }

        @Override
        public long patience() {
            return EVENTS_PATIENCE;
        }

        @Override
        public void opened() {
            fold.opened();
        }

        @Override
        public void message(Message message) throws MalformedJsonException {
            SessionEvent event = SessionEvent.of(message);
            if (end == null) {
                fold.apply(event).forEach(Session.this::carryOut);
            }
        }

        @Override
        public boolean hasRoom() {
            return true;
        }

        @Override
        public boolean refused(ElectionException e) {
            if (!e.saysSessionEnded()) {
                LOG.log(Logger.Level.WARNING, "the events of session {0} are refused: {1}", id, e.getMessage());
                return false;
            }
            end(EndReason.SESSION_ENDED, e.getMessage());
            return true;
        }
    }

    private void carryOut(Fold.Effect effect) {
        if (effect instanceof Fold.Began began) {
            began(began.fence());
        } else if (effect instanceof Fold.Drained drained) {
            held.get(drained.fence()).drain(drained.to());
        } else if (effect instanceof Fold.Over over) {
            held.remove(over.fence()).end(EndReason.LOST);
            ended(over.fence().group());
        } else if (effect instanceof Fold.Stale stale) {
            giveBack(stale.fence());
        } else if (effect instanceof Fold.SessionOver over) {
            end(EndReason.SESSION_ENDED, "the control plane has ended it: " + over.reason());
        }
    }

    private void began(Fence fence) {
        Seats seats = campaigns.get(fence.group());
        if (seats == null || !seats.isWanting()) {
            // Granted before a withdrawal was known there, or by a request that came late.
            fold.gaveUp(fence);
            giveBack(fence);
            if (seats != null) {
                seats.tellAgain();
            }
            return;
        }
        Leadership leadership = new Leadership(this, fence, workers);
        held.put(fence, leadership);
        seats.granted(leadership);
    }

    /** The server has one of a group's seats held here no longer. */
    private void ended(String group) {
        Seats seats = campaigns.get(group);
        if (seats != null) {
            seats.seatEnded();
        }
    }

    int held(String group) {
        return (int) held.keySet().stream().filter(fence -> fence.group().equals(group)).count();
    }

    private void giveBack(Fence fence) {
        if (leaving.add(fence)) {
            sendResign(fence, "", new Outcome<>(workers));
        }
    }

    /**
     * Campaigns for seats of a group. It blocks until the control plane has taken the candidacy on,
     * or, with a health check, until the first probe has failed; seats come later.
     *
     * @param campaign which seats, and how
     * @return the seats won from now on, to be closed by the caller
     * @throws ElectionException if the control plane refuses, or the session has ended
     * @throws InterruptedException if the thread is interrupted; the candidacy is withdrawn then
     * @throws IllegalStateException if this session campaigns in the group already
     */
    public Seats campaign(Campaign campaign) throws ElectionException, InterruptedException {
        Seats seats = new Seats(this, campaign);
        CompletableFuture<Boolean> started = new CompletableFuture<>();
        submit(started, () -> {
            boolean first = campaigns.putIfAbsent(campaign.group(), seats) == null;
            if (first) {
                seats.start(started);
            } else {
                started.complete(false);
            }
        });
        try {
            if (!Outcome.await(started)) {
                throw new IllegalStateException("this session campaigns in the group \"" + campaign.group()
                        + "\" already: close those seats first, or change how many it wants");
            }
            return seats;
        } catch (ElectionException | InterruptedException e) {
            seats.startClosing();
            throw e;
        }
    }

    /** Runs a task on the loop if the session lives, and fails the future if not. For any thread. */
    void submit(CompletableFuture<?> future, Runnable task) {
        boolean runs = loop.offer(() -> {
            if (end != null) {
                future.completeExceptionally(end);
            } else {
                task.run();
            }
        });
        if (!runs) {
            future.completeExceptionally(Connection.closed());
        }
    }

    /** Hands a resigned leadership's seat back once its callbacks are done. For any thread. */
    void resign(Leadership leadership, String to) {
        submit(leadership.resigned(), () -> {
            release(leadership);
            afterwards(List.of(leadership), () -> sendResign(leadership.fence(), to, leadership.resigned()));
        });
    }

    private void release(Leadership leadership) {
        held.remove(leadership.fence());
        leaving.add(leadership.fence());
        fold.gaveUp(leadership.fence());
    }

    /** Ends what is held in a group, and says what that was. */
    List<Leadership> endAll(Predicate<Leadership> which, EndReason why) {
        List<Leadership> all = new ArrayList<>();
        for (Leadership leadership : List.copyOf(held.values())) {
            // One that is being resigned already goes its own way.
            if (which.test(leadership) && leadership.end(why)) {
                release(leadership);
                all.add(leadership);
            }
        }
        return all;
    }

    /** Runs a task when the callbacks of leaderships are done, at the latest at what is now the deadline. */
    void afterwards(List<Leadership> leaderships, Runnable task) {
        connection.afterwards(leaderships.stream().map(Leadership::finished).toList(), deadline, task);
    }

    void sendResign(Fence fence, String to, Outcome<Void> outcome) {
        if (end != null) {
            outcome.failLater(end);
            return;
        }
        Map<String, ?> token = Map.of(
                "generation", Long.toUnsignedString(fence.token().generation()),
                "revision", Long.toString(fence.token().revision()));
        Call<Boolean> call = call("Resign",
                Map.of("session", id, "group", fence.group(), "seat", fence.seat(), "token", token, "to", to), m -> true);
        call.result().whenComplete((answer, error) -> {
            if (error != null) {
                outcome.failLater((ElectionException) error);
                if (end == null && !to.isEmpty()) {
                    sendResign(fence, "", new Outcome<>(workers)); // not to that successor, then
                    return;
                }
            }
            leaving.remove(fence); // if it is granted once more, it is given back once more
            if (error == null) {
                outcome.completeLater(null);
                ended(fence.group());
            }
        });
    }

    /** A call that lasts as long as the session. */
    <T> Call<T> call(String method, Map<String, ?> request, Call.Decoder<T> decoder) {
        Call<T> call = connection.call(method, request, decoder, PATIENCE, loop.now() + Connection.NEVER);
        calls.add(call);
        call.result().whenComplete((answer, error) -> {
            calls.remove(call);
            if (error instanceof ElectionException e && e.saysSessionEnded()) {
                renew(); // its answer says whether it was about the session
            }
        });
        return call;
    }

    private void end(EndReason why, String text) {
        if (end != null) {
            return;
        }
        end = ElectionException.lasting(Code.SESSION_ENDED, "the session " + id + " has ended: " + text);
        reason = why;
        LOG.log(why == EndReason.CLOSED ? Logger.Level.DEBUG : Logger.Level.WARNING, end.getMessage());
        renewalTimer.cancel();
        deadlineTimer.cancel();
        if (why != EndReason.CLOSED) {
            events.close();
        } // Otherwise its end would have an early takeover begin before the callbacks are done.
        List<Leadership> over = endAll(leadership -> true, why);
        over.forEach(leadership -> leadership.resigned().failLater(end));
        if (renewal != null) {
            renewal.fail(end);
        }
        List.copyOf(calls).forEach(call -> call.fail(end));
        List.copyOf(campaigns.values()).forEach(seats -> seats.sessionEnded(end));
        campaigns.clear();
        ended.completeLater(why);
        connection.afterwards(over.stream().map(Leadership::finished).toList(), deadline, () -> takeLeave(why, over));
    }

    /** Tells the server that the session is over, if it does not know and nobody relies on its TTL. */
    private void takeLeave(EndReason why, List<Leadership> over) {
        boolean quiet = over.stream().allMatch(leadership -> leadership.finished().isDone());
        if (why != EndReason.CLOSED || !quiet || lease.expired(loop.now())) {
            gone.complete(null);
            return;
        }
        connection.call("CloseSession", Map.of("session", id), m -> true, Connection.PATIENCE, deadline)
                .result().whenComplete((answer, error) -> gone.complete(null));
    }

    /**
     * What this session is called at the control plane.
     *
     * @return its id
     */
    public String id() {
        return id;
    }

    /**
     * Whether the session lives, by the clock at this moment. It does not block.
     *
     * @return whether it does
     */
    public boolean isValid() {
        return isInTime();
    }

    boolean isInTime() {
        return reason == null && clock.nanos() - deadline < 0;
    }

    Duration remaining() {
        return reason == null ? Duration.ofNanos(Math.max(deadline - clock.nanos(), 0)) : Duration.ZERO;
    }

    /**
     * Completed when the session has ended, and with it all that it held.
     *
     * @return the reason; never failed
     */
    public CompletableFuture<EndReason> ended() {
        return ended.copy();
    }

    /**
     * What can be asked about groups, over this session's connection.
     *
     * @return open as long as the session is not closed
     */
    public Groups groups() {
        return groups;
    }

    Workers workers() {
        return workers;
    }

    Loop loop() {
        return loop;
    }

    /** Whether the stream of events is open; for tests. */
    boolean isListening() {
        return events.isOpen();
    }

    void forget(Seats seats) {
        campaigns.remove(seats.group(), seats);
    }

    /**
     * Ends the session: all leaderships end here at once; when their callbacks have returned, the
     * control plane is told, so that others need not wait for the TTL. It blocks until that is done,
     * at most until the session's deadline. Called from a callback it does not wait, and neither
     * when the thread is interrupted, whose flag stays set; closing goes on in the background.
     * Closing again does nothing but wait.
     */
    @Override
    public void close() {
        loop.execute(() -> {
            end(EndReason.CLOSED, "it was closed");
            gone.whenComplete((done, error) -> {
                connection.close();
                closed.complete(null);
            });
        });
        waitFor(closed, workers);
    }

    /** Waits, unless the calling thread is what would be waited for. */
    static void waitFor(CompletableFuture<Void> future, Workers workers) {
        if (workers.areRunningThis()) {
            return;
        }
        try {
            future.get();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (ExecutionException e) {
            throw new IllegalStateException("never failed", e);
        }
    }

    /** The id, and whether it lives. */
    @Override
    public String toString() {
        return "session " + id + (isValid() ? "" : " (ended)");
    }
}
