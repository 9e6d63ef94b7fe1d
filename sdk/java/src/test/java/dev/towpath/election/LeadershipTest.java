package dev.towpath.election;

import static dev.towpath.election.Eventually.get;
import static dev.towpath.election.Eventually.until;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Campaigning, resigning, draining and health, against servers that fail in all ways. */
class LeadershipTest {
    /** The interval between probes; it begins at moments that a test cannot see, so it passes in small steps. */
    private static final Duration MOMENT = Duration.ofNanos(10_000);

    private final ManualClock clock = new ManualClock();
    private FakeControl a;
    private FakeControl b;
    private Session session;
    private FakeControl.Stream events;

    @BeforeEach
    void start() throws Exception {
        a = FakeControl.start();
        b = FakeControl.start();
        session = Session.open(Options.of(a.url(), b.url()).name("test").clock(clock));
        events = a.nextStream().synced();
        until("listening", session::isListening);
    }

    @AfterEach
    void stop() {
        session.close();
        a.close();
        b.close();
    }

    private Leadership lead(Seats seats, String fence) throws Exception {
        events.granted(fence);
        return seats.take();
    }

    private static String resigned(FakeControl.Request request) throws MalformedJsonException {
        Message m = request.message();
        return new Fence(m.string("group"), m.string("seat"), SessionEvent.token(m.required("token"))).headerValue();
    }

    @Test
    void campaigns() throws Exception {
        Campaign campaign = Campaign.of("g").want(2).seats(3).label("zone", "north").label("rack", "7");
        try (Seats seats = session.campaign(campaign)) {
            Message request = a.next("Campaign").message();
            assertEquals("s1", request.string("session"));
            assertEquals("g", request.string("group"));
            assertEquals(2, request.int32("want"));
            assertEquals(3, request.int32("seats"));
            assertEquals(Map.of("zone", "north", "rack", "7"), request.stringMap("labels"));
            assertEquals("c1", seats.candidate());
            assertEquals(Optional.empty(), seats.poll(Duration.ZERO));
            Leadership leadership = lead(seats, "g/1=3.44");
            assertTrue(leadership.isValid());
            assertEquals("g", leadership.group());
            assertEquals("1", leadership.seat());
            assertEquals(new Token(3, 44), leadership.token());
            assertEquals("g/1=3.44", leadership.fence().headerValue());
            assertEquals(Duration.ofSeconds(9), leadership.remaining());
            assertEquals(List.of(leadership), seats.held());
            assertThrows(IllegalStateException.class, () -> session.campaign(Campaign.of("g")));
        }
        assertEquals(0, a.next("Campaign").message().int32("want"));
        assertEquals("g/1=3.44", resigned(a.next("Resign")));
        // The group can be campaigned in again.
        try (Seats seats = session.campaign(Campaign.of("g"))) {
            assertEquals(1, a.next("Campaign").message().int32("want"));
            lead(seats, "g/1=3.60");
        }
    }

    @Test
    void aRefusedCampaignLeavesNothing() throws Exception {
        a.on("Campaign", request -> request.refuse(403, "permission_denied", "not in this environment"));
        ElectionException e = assertThrows(ElectionException.class, () -> session.campaign(Campaign.of("g")));
        assertEquals(ElectionException.Code.PERMISSION_DENIED, e.code());
        a.next("Campaign");
        assertEquals(0, a.next("Campaign").message().int32("want"), "it is taken back, whatever the server did");
        a.on("Campaign", request -> request.answer("{\"candidate\":\"c2\"}"));
        until("forgotten", () -> {
            try (Seats seats = session.campaign(Campaign.of("g"))) {
                return seats.candidate().equals("c2");
            } catch (IllegalStateException again) {
                return false;
            } catch (ElectionException | InterruptedException wrong) {
                throw new AssertionError(wrong);
            }
        });
    }

    @Test
    void anInterruptedCampaignIsWithdrawn() throws Exception {
        a.on("Campaign", request -> { });
        AtomicReference<Throwable> thrown = new AtomicReference<>();
        Thread thread = new Thread(() -> {
            try {
                session.campaign(Campaign.of("g"));
            } catch (ElectionException | InterruptedException e) {
                thrown.set(e);
            }
        });
        thread.start();
        FakeControl.Request first = a.next("Campaign");
        thread.interrupt();
        thread.join();
        assertTrue(thrown.get() instanceof InterruptedException);
        first.answer("{\"candidate\":\"c1\"}");
        assertEquals(0, a.next("Campaign").message().int32("want"));
    }

    @Test
    void takingCanBeInterrupted() throws Exception {
        try (Seats seats = session.campaign(Campaign.of("g"))) {
            Thread.currentThread().interrupt();
            assertThrows(InterruptedException.class, seats::take);
            Thread.currentThread().interrupt();
            assertThrows(InterruptedException.class, () -> seats.want(2));
            assertFalse(Thread.interrupted());
        }
    }

    @Test
    void whatEndedBeforeItWasTakenIsNotHandedOut() throws Exception {
        try (Seats seats = session.campaign(Campaign.of("g"))) {
            events.granted("g/0=1.5").lost("g/0=1.5").granted("g/0=1.8");
            // Whether the first was taken in time is a matter of luck; the last one is there.
            Leadership taken = seats.take();
            if (taken.token().revision() == 5) {
                get(taken.ended());
                taken = seats.take();
            }
            assertEquals(8, taken.token().revision());
        }
    }

    @Test
    void aSeatIsWantedAgainWhenOneHasEnded() throws Exception {
        try (Seats seats = session.campaign(Campaign.of("g"))) {
            assertEquals(1, a.next("Campaign").message().int32("want"));
            Leadership first = lead(seats, "g/0=1.5");
            events.lost("g/0=1.5");
            assertEquals(EndReason.LOST, get(first.ended()));
            assertEquals(1, a.next("Campaign").message().int32("want"));
            get(first.resign()); // it is done already
            assertFalse(a.hasUnseen("Resign"));
            Leadership second = lead(seats, "g/0=1.9");
            assertNotSame(first, second);
            get(second.resign());
            assertEquals("g/0=1.9", resigned(a.next("Resign")));
            assertEquals(1, a.next("Campaign").message().int32("want"));
        }
    }

    @Test
    void fewerOrMoreSeatsCanBeWanted() throws Exception {
        try (Seats seats = session.campaign(Campaign.of("g"))) {
            a.next("Campaign");
            seats.want(3);
            assertEquals(3, a.next("Campaign").message().int32("want"));
            seats.want(3);
            assertFalse(a.hasUnseen("Campaign"), "the server knows");
            Leadership zero = lead(seats, "g/0=1.5");
            Leadership one = lead(seats, "g/1=1.6");
            seats.want(1);
            assertEquals(1, a.next("Campaign").message().int32("want"));
            events.send("{\"draining\":{\"group\":\"g\",\"seat\":\"0\",\"token\":{\"generation\":\"1\",\"revision\":\"5\"}}}");
            get(zero.draining());
            get(zero.resign());
            a.next("Resign");
            seats.want(1);
            assertFalse(a.hasUnseen("Campaign"), "one is held, and one is wanted");
            events.lost("g/1=1.6");
            get(one.ended());
            assertEquals(1, a.next("Campaign").message().int32("want"));
            assertThrows(IllegalArgumentException.class, () -> seats.want(0));
        }
    }

    @Test
    void seatsThatNobodyWantsAreGivenBack() throws Exception {
        events.granted("g/0=1.5");
        assertEquals("g/0=1.5", resigned(a.next("Resign")));
    }

    @Test
    void aSeatOfAnEarlierCandidacyIsGivenBackAfterAReconnect() throws Exception {
        Seats seats = session.campaign(Campaign.of("g"));
        Leadership leadership = lead(seats, "g/0=1.5");
        a.on("Resign", request -> request.refuse(400, "invalid_argument", "broken"));
        assertThrows(ExecutionException.class, () -> get(leadership.resign()));
        a.next("Resign");
        a.on("Resign", request -> request.answer("{}"));
        events.cut();
        b.nextStream().granted("g/0=1.5").synced();
        assertEquals("g/0=1.5", resigned(b.next("Resign")));
        assertEquals(Optional.empty(), seats.poll(Duration.ZERO));
    }

    @Test
    void resigningWaitsForCallbacks() throws Exception {
        CountDownLatch goOn = new CountDownLatch(1);
        CountDownLatch inCallbacks = new CountDownLatch(2);
        BlockingQueue<EndReason> reasons = new LinkedBlockingQueue<>();
        try (Seats seats = session.campaign(Campaign.of("g"))) {
            Leadership leadership = lead(seats, "g/0=1.5");
            leadership.onEnd(reason -> {
                reasons.add(reason);
                inCallbacks.countDown();
                SessionTest.await(goOn);
            });
            leadership.onEnd(reason -> {
                throw new IllegalStateException("a callback that fails holds nothing up");
            });
            leadership.ended().thenAccept(reason -> {
                reasons.add(reason);
                inCallbacks.countDown();
                SessionTest.await(goOn);
            });
            CompletableFuture<Void> resigned = leadership.resign();
            assertFalse(leadership.isValid(), "at once");
            assertTrue(resigned.cancel(true), "who waits can leave; the resignation goes on");
            inCallbacks.await();
            assertEquals(List.of(EndReason.RESIGNED, EndReason.RESIGNED), List.copyOf(reasons));
            assertFalse(a.hasUnseen("Resign"));
            // A server that has not heard yet repeats the seat. It is not given back before its time.
            events.granted("g/0=1.5").granted("h/0=1.6");
            assertEquals("h/0=1.6", resigned(a.next("Resign")));
            assertFalse(a.hasUnseen("Resign"));
            goOn.countDown();
            assertEquals("g/0=1.5", resigned(a.next("Resign")));
            get(leadership.resign()); // the same resignation
            assertFalse(a.hasUnseen("Resign"));
            CompletableFuture<EndReason> late = new CompletableFuture<>();
            leadership.onEnd(late::complete);
            assertEquals(EndReason.RESIGNED, get(late));
        }
    }

    @Test
    void aCallbackThatHangsHoldsASeatUntilTheDeadlineAlone() throws Exception {
        CountDownLatch never = new CountDownLatch(1);
        try (Seats seats = session.campaign(Campaign.of("g"))) {
            Leadership leadership = lead(seats, "g/0=1.5");
            CountDownLatch inCallback = new CountDownLatch(1);
            leadership.onEnd(reason -> {
                inCallback.countDown();
                SessionTest.await(never);
            });
            leadership.resign();
            inCallback.await();
            for (int i = 0; i < 2; i++) {
                clock.advance(Duration.ofSeconds(5), session);
                until("renewed", () -> session.remaining().equals(Duration.ofSeconds(9)));
            }
            assertEquals("g/0=1.5", resigned(a.next("Resign")));
        } finally {
            never.countDown();
        }
    }

    @Test
    void aResignationIsRepeatedUntilItIsAnswered() throws Exception {
        a.on("Resign", FakeControl.Request::cut);
        b.on("Resign", request -> request.refuse(503, "unavailable", "no leader"));
        try (Seats seats = session.campaign(Campaign.of("g"))) {
            Leadership leadership = lead(seats, "g/0=1.5");
            CompletableFuture<Void> resigned = leadership.resign();
            a.next("Resign");
            b.next("Resign");
            a.on("Resign", request -> request.answer("{}"));
            passUntil("tried again", () -> a.hasUnseen("Resign"));
            assertEquals("g/0=1.5", resigned(a.next("Resign")));
            get(resigned);
        }
    }

    @Test
    void aResignationFailsWhenTheSessionEndsFirst() throws Exception {
        a.on("Resign", request -> { });
        Seats seats = session.campaign(Campaign.of("g"));
        Leadership leadership = lead(seats, "g/0=1.5");
        CompletableFuture<Void> resigned = leadership.resign();
        a.next("Resign");
        events.send("{\"ended\":{\"reason\":\"an operator\"}}");
        ExecutionException e = assertThrows(ExecutionException.class, () -> get(resigned));
        assertEquals(ElectionException.Code.SESSION_ENDED, ((ElectionException) e.getCause()).code());
    }

    @Test
    void resignsToACandidate() throws Exception {
        try (Seats seats = session.campaign(Campaign.of("g"))) {
            Leadership leadership = lead(seats, "g/0=1.5");
            get(leadership.resignTo("c7"));
            assertEquals("c7", a.next("Resign").message().string("to"));
            assertThrows(IllegalArgumentException.class, () -> leadership.resignTo(""));
        }
    }

    @Test
    void aSuccessorThatIsNoneCostsTheSeatAllTheSame() throws Exception {
        a.on("Resign", request -> {
            if (request.text().contains("\"to\":\"\"")) {
                request.answer("{}");
            } else {
                request.refuse(400, "failed_precondition", "c7 does not wait for a seat");
            }
        });
        try (Seats seats = session.campaign(Campaign.of("g"))) {
            Leadership leadership = lead(seats, "g/0=1.5");
            ExecutionException e = assertThrows(ExecutionException.class, () -> get(leadership.resignTo("c7")));
            assertEquals(ElectionException.Code.FAILED_PRECONDITION, ((ElectionException) e.getCause()).code());
            assertEquals("c7", a.next("Resign").message().string("to"));
            assertEquals("", a.next("Resign").message().string("to"));
            a.next("RenewSession"); // to see whether the session was meant
            assertTrue(session.isValid());
        }
    }

    @Test
    void drains() throws Exception {
        try (Seats seats = session.campaign(Campaign.of("g"))) {
            Leadership leadership = lead(seats, "g/0=1.5");
            assertFalse(leadership.isDraining());
            events.send("{\"draining\":{\"group\":\"g\",\"seat\":\"0\",\"token\":{\"generation\":\"1\",\"revision\":\"5\"},\"to\":\"c7\"}}");
            assertEquals(Optional.of("c7"), get(leadership.draining()));
            assertTrue(leadership.isDraining());
            assertTrue(leadership.isValid(), "until it is resigned");
            get(leadership.resign());
            a.next("Resign");
        }
    }

    @Test
    void anUnhealthyProcessLeadsNothing() throws Exception {
        BlockingQueue<Optional<Exception>> health = new LinkedBlockingQueue<>();
        HealthCheck check = new HealthCheck(() -> {
            Optional<Exception> told = health.take();
            if (told.isPresent()) {
                throw told.get();
            }
        }, MOMENT, Duration.ofSeconds(1));
        health.add(Optional.of(new Exception("not yet")));
        try (Seats seats = session.campaign(Campaign.of("g").health(check))) {
            assertEquals("", seats.candidate());
            assertFalse(a.hasUnseen("Campaign"), "it does not campaign while it is ill");

            health.add(Optional.empty());
            passUntil("probed", health::isEmpty);
            assertEquals(1, a.next("Campaign").message().int32("want"));
            Leadership leadership = lead(seats, "g/0=1.5");
            health.add(Optional.of(new Exception("ill")));
            passUntil("probed", health::isEmpty);
            assertEquals(EndReason.UNHEALTHY, get(leadership.ended()));
            assertEquals(0, a.next("Campaign").message().int32("want"));
            assertEquals("g/0=1.5", resigned(a.next("Resign")));
            get(leadership.resign());
            events.granted("g/0=1.7"); // the server had not heard
            assertEquals("g/0=1.7", resigned(a.next("Resign")));
            assertEquals(0, a.next("Campaign").message().int32("want"), "it is told again");

            health.add(Optional.empty());
            passUntil("probed", health::isEmpty);
            assertEquals(1, a.next("Campaign").message().int32("want"));
            assertTrue(lead(seats, "g/0=1.9").isValid());
        }
    }

    @Test
    void aProbeThatHangsHasFailed() throws Exception {
        CountDownLatch interrupted = new CountDownLatch(1);
        CountDownLatch hanging = new CountDownLatch(1);
        AtomicReference<CountDownLatch> hangs = new AtomicReference<>();
        HealthCheck check = new HealthCheck(() -> {
            CountDownLatch latch = hangs.get();
            if (latch != null) {
                hanging.countDown();
                try {
                    latch.await();
                } catch (InterruptedException e) {
                    interrupted.countDown();
                }
            }
        }, MOMENT, Duration.ofSeconds(1));
        try (Seats seats = session.campaign(Campaign.of("g").health(check))) {
            Leadership leadership = lead(seats, "g/0=1.5");
            a.next("Campaign");
            hangs.set(new CountDownLatch(1));
            passUntil("hanging", () -> hanging.getCount() == 0);
            hangs.set(null);
            clock.advance(Duration.ofSeconds(1), session);
            interrupted.await();
            assertEquals(EndReason.UNHEALTHY, get(leadership.ended()));
            assertEquals(0, a.next("Campaign").message().int32("want"));
            passUntil("well again", () -> a.hasUnseen("Campaign"));
            assertEquals(1, a.next("Campaign").message().int32("want"));
        }
    }

    /** Lets moments pass until something has come about. */
    private void passUntil(String what, BooleanSupplier condition) {
        until(what, () -> {
            clock.advance(MOMENT, session);
            return condition.getAsBoolean();
        });
    }
}
