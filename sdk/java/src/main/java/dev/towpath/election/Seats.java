package dev.towpath.election;

import java.lang.System.Logger;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;

/** A candidacy for seats of one group, and the leaderships won by it. */
public final class Seats implements AutoCloseable {
    private static final Logger LOG = System.getLogger("dev.towpath.election");

    /** What the server has heard, when an answer was an error: anything. */
    private static final int UNKNOWN = -1;

    private static final long RETRY = Duration.ofSeconds(2).toNanos();

    private final Session session;
    private final Campaign campaign;
    private final Inbox<Leadership> inbox = new Inbox<>(Leadership::isValid);
    private final List<Leadership> won = new CopyOnWriteArrayList<>();
    private final CompletableFuture<Void> closed = new CompletableFuture<>();
    private volatile String candidate = "";

    // For the loop's thread alone.
    private int want;
    private int told; // how many seats the server has heard that are wanted
    private int counted; // what it has that number at: each seat that ends is one wanted less there
    private boolean healthy = true;
    private boolean closing;
    private boolean miscounted; // a seat ended while the server was being told: before or after it heard
    private int withdrawals; // under way: the server must not hear before the callbacks are done
    private Call<String> call;
    private List<CompletableFuture<Boolean>> waiting = new ArrayList<>(); // for the server to have heard
    private Health health;

    Seats(Session session, Campaign campaign) {
        this.session = session;
        this.campaign = campaign;
        this.want = campaign.want();
    }

    /** Begins; completes the future with true when the server has heard or need not hear. */
    void start(CompletableFuture<Boolean> started) {
        if (closing) {
            started.complete(true);
        } else if (campaign.health().isEmpty()) {
            waiting.add(started);
            tell();
        } else {
            healthy = false;
            health = new Health(campaign.health().get(), session.loop(), session.workers(), failure -> {
                probed(failure);
                if (!started.isDone() && !waiting.contains(started)) {
                    waiting.add(started);
                    tell();
                }
            });
            health.probe();
        }
    }

    private void probed(Exception failure) {
        if (closing || healthy == (failure == null)) {
            return;
        }
        healthy = failure == null;
        if (healthy) {
            tell();
        } else {
            LOG.log(Logger.Level.WARNING, "candidacy in " + group() + " is withdrawn, as a health check failed", failure);
            withdraw(EndReason.UNHEALTHY, () -> { });
        }
    }

    /** Ends what is held; when that is done, tells the server, gives the seats back, and runs a task. */
    private void withdraw(EndReason why, Runnable then) {
        List<Leadership> over = session.endAll(leadership -> leadership.group().equals(group()), why);
        withdrawals++;
        session.afterwards(over, () -> {
            withdrawals--;
            CompletableFuture<Boolean> heard = new CompletableFuture<>();
            waiting.add(heard);
            heard.whenComplete((done, error) -> {
                // Also after an error: a seat that nobody works on is worse than one that comes back.
                over.forEach(leadership -> session.sendResign(leadership.fence(), "", leadership.resigned()));
                CompletableFuture.allOf(over.stream().map(Leadership::resigned).toArray(CompletableFuture<?>[]::new))
                        .whenComplete((resigned, refused) -> session.loop().execute(then));
            });
            tell();
        });
    }

    /** Whether seats are wanted at this moment. */
    boolean isWanting() {
        return desired() > 0;
    }

    private int desired() {
        return closing || !healthy ? 0 : want;
    }

    /** Tells the server how many seats are wanted, unless it knows. */
    private void tell() {
        if (call != null || closed.isDone() || withdrawals > 0 && desired() == 0) {
            return;
        }
        int desired = desired();
        if (told == desired && counted >= desired) {
            List<CompletableFuture<Boolean>> done = waiting;
            waiting = new ArrayList<>();
            done.forEach(future -> future.complete(true));
            return;
        }
        miscounted = false;
        call = session.call("Campaign", Map.of("session", session.id(), "group", group(), "want", desired,
                "seats", campaign.seats(), "labels", campaign.labels()), m -> m.requiredString("candidate"));
        call.result().whenComplete((answer, error) -> heard(desired, answer, (ElectionException) error));
    }

    private void heard(int desired, Call.Answer<String> answer, ElectionException error) {
        call = null;
        if (error == null) {
            told = desired;
            // Seats that are held beyond that are counted as wanted until they end.
            counted = miscounted ? 0 : Math.max(desired, session.held(group()));
            candidate = answer.value();
            tell();
            return;
        }
        told = UNKNOWN;
        List<CompletableFuture<Boolean>> failed = waiting;
        waiting = new ArrayList<>();
        failed.forEach(future -> future.completeExceptionally(error));
        if (failed.isEmpty() && error.code() != ElectionException.Code.SESSION_ENDED) {
            LOG.log(Logger.Level.WARNING, "candidacy in {0}: {1}", group(), error.getMessage());
            session.loop().after(RETRY, this::tell);
        }
    }

    /** A seat has ended at the server, which does not want another one for it by itself. */
    void seatEnded() {
        miscounted = true;
        counted = Math.max(counted - 1, 0);
        tell();
    }

    /** Tells the server even what it was told, as it acted otherwise. */
    void tellAgain() {
        told = UNKNOWN;
        tell();
    }

    void granted(Leadership leadership) {
        won.add(leadership);
        leadership.ended().thenRunAsync(() -> won.remove(leadership));
        inbox.put(leadership);
    }

    void sessionEnded(ElectionException end) {
        closing = true;
        if (health != null) {
            health.stop();
        }
        inbox.end(end);
        waiting.forEach(future -> future.completeExceptionally(end));
        closed.complete(null);
    }

    /**
     * The group.
     *
     * @return its name
     */
    public String group() {
        return campaign.group();
    }

    /**
     * Who this session is in the group: what other holders name to hand over to it.
     *
     * @return the candidate's id; empty as long as a health check has not let the candidacy begin
     */
    public String candidate() {
        return candidate;
    }

    /**
     * Waits for a leadership. Each is handed out once, and only if it is valid at that moment.
     *
     * @return the leadership
     * @throws ElectionException if the session has ended or these seats were closed
     * @throws InterruptedException if the thread is interrupted
     */
    public Leadership take() throws ElectionException, InterruptedException {
        return inbox.take();
    }

    /**
     * Waits for a leadership for some time.
     *
     * @param patience how long
     * @return the leadership, if there was one in time
     * @throws ElectionException if the session has ended or these seats were closed
     * @throws InterruptedException if the thread is interrupted
     */
    public Optional<Leadership> poll(Duration patience) throws ElectionException, InterruptedException {
        return inbox.poll(patience);
    }

    /**
     * All that is held at this moment, handed out or not.
     *
     * @return valid leaderships
     */
    public List<Leadership> held() {
        return won.stream().filter(Leadership::isValid).toList();
    }

    /**
     * Changes how many seats are wanted, and blocks until the control plane has heard. If fewer are
     * wanted than held, it asks for the others back: see {@link Leadership#draining()}.
     *
     * @param seats how many at most, at least 1; closing is how to want none
     * @throws ElectionException if the control plane refuses, the session has ended, or these seats were closed
     * @throws InterruptedException if the thread is interrupted; the wish stays
     */
    public void want(int seats) throws ElectionException, InterruptedException {
        if (seats < 1) {
            throw new IllegalArgumentException("%d seats are wanted: expected 1 or more; close() wants none".formatted(seats));
        }
        CompletableFuture<Boolean> heard = new CompletableFuture<>();
        session.submit(heard, () -> {
            if (closing) {
                heard.completeExceptionally(Connection.closed());
                return;
            }
            want = seats;
            waiting.add(heard);
            tell();
        });
        Outcome.await(heard);
    }

    /**
     * Withdraws the candidacy: leaderships end here at once; when their callbacks have returned,
     * their seats are resigned. It blocks until that is done, at most until the session ends. Called
     * from a callback it does not wait, and neither when the thread is interrupted, whose flag stays
     * set; closing goes on in the background. Closing again does nothing but wait.
     */
    @Override
    public void close() {
        startClosing();
        Session.waitFor(closed, session.workers());
    }

    /** Closes without waiting. */
    void startClosing() {
        CompletableFuture<Void> submitted = new CompletableFuture<>();
        submitted.whenComplete((done, error) -> closed.complete(null)); // the session has ended
        session.submit(submitted, () -> {
            if (closing) {
                return;
            }
            closing = true;
            if (health != null) {
                health.stop();
            }
            inbox.end(Connection.closed());
            withdraw(EndReason.CLOSED, () -> {
                session.forget(this);
                closed.complete(null);
            });
        });
    }
}
