package dev.towpath.election;

import static dev.towpath.election.Eventually.get;
import static dev.towpath.election.Eventually.until;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** A session and its leaderships, against servers that fail in all ways, in a time that stands still. */
class SessionTest {
    private final ManualClock clock = new ManualClock();
    private FakeControl a;
    private FakeControl b;

    @BeforeEach
    void start() throws Exception {
        a = FakeControl.start();
        b = FakeControl.start();
    }

    @AfterEach
    void stop() {
        a.close();
        b.close();
    }

    private Options options() {
        return Options.of(a.url(), b.url()).name("test").token("secret").clock(clock);
    }

    /** Opens a session, and waits until it listens: time that passes before would count as a silent server's. */
    private Session open() throws Exception {
        Session session = Session.open(options());
        until("listening", session::isListening);
        return session;
    }

    private static ElectionException.Code codeOf(org.junit.jupiter.api.function.Executable call) {
        return assertThrows(ElectionException.class, call).code();
    }

    @Test
    void opens() throws Exception {
        try (Session session = Session.open(options().earlyTakeover(true).ttl(Duration.ofSeconds(20)))) {
            FakeControl.Request request = a.next("OpenSession");
            assertEquals("Bearer secret", request.header("Authorization"));
            assertEquals("application/json", request.header("Content-Type"));
            assertEquals("test", request.message().string("name"));
            assertEquals(20, request.message().int64("ttlSeconds"));
            assertTrue(request.message().bool("earlyTakeover"));
            assertEquals("s1", session.id());
            assertTrue(session.isValid());
            FakeControl.Stream events = a.nextStream();
            assertEquals("/v1/election/sessions/s1/events", events.path());
            // The server grants 10 s, whatever was wished for; a second of it is the margin.
            assertEquals(Duration.ofSeconds(9), session.remaining());
        }
    }

    @Test
    void opensAtTheNextEndpoint() throws Exception {
        a.close();
        try (Session session = open()) {
            b.next("OpenSession");
            b.nextStream();
            assertTrue(session.isValid());
        }
    }

    @Test
    void aSessionThatIsOldWhenItIsAnsweredIsNotTaken() throws Exception {
        a.on("OpenSession", request -> {
            clock.advanceSilently(Duration.ofMillis(900));
            request.answer("{\"session\":\"old\",\"ttlSeconds\":\"1\"}");
            a.on("OpenSession", again -> again.answer("{\"session\":\"new\",\"ttlSeconds\":\"10\"}"));
        });
        try (Session session = Session.open(options())) {
            assertEquals("new", session.id());
            assertEquals(Duration.ofSeconds(9), session.remaining());
        }
    }

    @Test
    void aRefusalToOpenIsTold() throws Exception {
        a.on("OpenSession", request -> request.refuse(401, "unauthenticated", "the token is not known"));
        ElectionException e = assertThrows(ElectionException.class, () -> Session.open(options()));
        assertEquals(ElectionException.Code.UNAUTHENTICATED, e.code());
        assertTrue(e.getMessage().contains("the token is not known"), e.getMessage());
        assertTrue(e.getMessage().contains(a.url()), e.getMessage());
    }

    @Test
    void openingEndsAtTheTimeout() throws Exception {
        a.close();
        b.close();
        ElectionException e = assertThrows(ElectionException.class,
                () -> Session.open(options().clock(Clock.boot()).timeout(Duration.ofMillis(50))));
        assertEquals(ElectionException.Code.UNAVAILABLE, e.code());
    }

    @Test
    void openingCanBeInterrupted() throws Exception {
        a.on("OpenSession", FakeControl.Request::hang);
        AtomicReference<Throwable> thrown = new AtomicReference<>();
        Thread thread = new Thread(() -> {
            try {
                Session.open(options());
            } catch (ElectionException | InterruptedException e) {
                thrown.set(e);
            }
        });
        thread.start();
        a.next("OpenSession");
        thread.interrupt();
        thread.join();
        assertTrue(thrown.get() instanceof InterruptedException);
    }

    @Test
    void theDeadlineCountsFromWhenARenewalWasSent() throws Exception {
        a.on("OpenSession", request -> {
            clock.advanceSilently(Duration.ofMillis(900)); // more would have the next endpoint asked
            request.answer("{\"session\":\"s1\",\"ttlSeconds\":\"10\"}");
        });
        a.on("RenewSession", request -> { });
        try (Session session = open()) {
            assertEquals(Duration.ofMillis(8100), session.remaining());
            clock.advance(Duration.ofMillis(2500), session); // 3.4 since it was opened: it is time
            FakeControl.Request renewal = a.next("RenewSession");
            assertEquals("s1", renewal.message().string("session"));
            clock.advanceSilently(Duration.ofMillis(500));
            renewal.answer("{\"ttlSeconds\":\"10\"}");
            until("renewed", () -> session.remaining().equals(Duration.ofMillis(8500)));
        }
    }

    @Test
    void aRenewalWithoutAnAnswerIsTriedAtTheNextEndpoint() throws Exception {
        a.on("RenewSession", request -> { });
        try (Session session = open()) {
            clock.advance(Duration.ofSeconds(4), session);
            FakeControl.Request silent = a.next("RenewSession");
            clock.advance(Duration.ofSeconds(1), session); // a fifth of what is left
            b.next("RenewSession");
            until("renewed", () -> session.remaining().equals(Duration.ofSeconds(9)));
            // Its late answer counts for nothing, as it was given up; were it heard, it is the older one.
            clock.advanceSilently(Duration.ofSeconds(1));
            silent.cut();
            assertEquals(Duration.ofSeconds(8), session.remaining());
        }
    }

    @Test
    void aLateAnswerCountsFromItsOwnSending() throws Exception {
        a.on("RenewSession", request -> { });
        b.on("RenewSession", request -> { });
        try (Session session = open()) {
            clock.advance(Duration.ofSeconds(4), session);
            FakeControl.Request first = a.next("RenewSession");
            clock.advance(Duration.ofSeconds(1), session);
            b.next("RenewSession");
            first.answer("{\"ttlSeconds\":\"10\"}");
            until("renewed as of the first", () -> session.remaining().equals(Duration.ofSeconds(8)));
        }
    }

    @Test
    void endpointsThatFailAreLeft() throws Exception {
        a.on("RenewSession", FakeControl.Request::cut);
        try (Session session = open()) {
            clock.advance(Duration.ofSeconds(4), session);
            b.next("RenewSession"); // at once: time stands still
            until("renewed", () -> session.remaining().equals(Duration.ofSeconds(9)));
        }
    }

    @Test
    void nonsenseIsNoRenewal() throws Exception {
        String[] nonsense = {"", "[]", "{", "{}", "{\"ttlSeconds\":\"0\"}", "{\"ttlSeconds\":\"-5\"}", "{\"ttlSeconds\":\"9223372036854775807\"}",
            "{\"ttlSeconds\":\"10\",\"ttlSeconds\":\"10\"}", "<html>"};
        for (String answer : nonsense) {
            a.on("RenewSession", request -> request.answer(200, answer.getBytes(StandardCharsets.UTF_8)));
            try (Session session = open()) {
                clock.advance(Duration.ofSeconds(4), session);
                a.next("RenewSession");
                b.next("RenewSession");
                until("renewed by the other", () -> session.remaining().equals(Duration.ofSeconds(9)));
            }
        }
    }

    @Test
    void refusalsOfOtherKindsAreTriedAgain() throws Exception {
        a.on("RenewSession", request -> request.refuse(403, "permission_denied", "not yet known here"));
        try (Session session = open()) {
            clock.advance(Duration.ofSeconds(4), session);
            a.next("RenewSession");
            b.next("RenewSession");
            until("renewed by the other", () -> session.remaining().equals(Duration.ofSeconds(9)));
        }
    }

    @Test
    void withoutRenewalsAllEndsAtTheDeadline() throws Exception {
        a.on("RenewSession", request -> { });
        b.on("RenewSession", request -> { });
        try (Session session = open();
                Seats seats = session.campaign(Campaign.of("g"))) {
            FakeControl.Stream events = a.nextStream();
            events.granted("g/0=1.5").synced();
            Leadership leadership = seats.take();
            CompletableFuture<EndReason> ended = new CompletableFuture<>();
            leadership.onEnd(ended::complete);

            clock.advance(Duration.ofMillis(8999), session);
            FakeControl.Request renewal = a.next("RenewSession");
            assertTrue(leadership.isValid());
            clock.advanceSilently(Duration.ofMillis(1));
            assertFalse(leadership.isValid(), "by the clock alone");
            assertFalse(session.isValid());
            assertEquals(Duration.ZERO, leadership.remaining());
            renewal.answer("{\"ttlSeconds\":\"10\"}"); // too late
            session.loop().wake();
            assertEquals(EndReason.EXPIRED, get(ended));
            assertEquals(EndReason.EXPIRED, get(session.ended()));
            assertFalse(leadership.isValid());
            assertEquals(ElectionException.Code.SESSION_ENDED, codeOf(seats::take));
            assertEquals(ElectionException.Code.SESSION_ENDED, codeOf(() -> session.campaign(Campaign.of("h"))));
            events.awaitClosed();
        }
        assertFalse(a.hasUnseen("CloseSession"), "what has expired ends by itself");
    }

    @Test
    void theServerEndsASession() throws Exception {
        for (String code : new String[] {"not_found", "failed_precondition"}) {
            a.on("RenewSession", request -> request.refuse(404, code, "no such session"));
            try (Session session = open()) {
                clock.advance(Duration.ofSeconds(4), session);
                assertEquals(EndReason.SESSION_ENDED, get(session.ended()));
                assertFalse(session.isValid());
            }
        }
        assertFalse(a.hasUnseen("CloseSession"));
    }

    @Test
    void aPageThatIsNotFoundSaysNothingAboutTheSession() throws Exception {
        a.on("RenewSession", request -> request.answer(404, "no such page".getBytes(StandardCharsets.UTF_8)));
        try (Session session = open()) {
            clock.advance(Duration.ofSeconds(4), session);
            b.next("RenewSession");
            until("renewed by the other", () -> session.remaining().equals(Duration.ofSeconds(9)));
        }
    }

    @Test
    void theStreamSaysThatTheSessionHasEnded() throws Exception {
        try (Session session = open()) {
            a.nextStream().send("{\"ended\":{\"reason\":\"an operator\"}}");
            assertEquals(EndReason.SESSION_ENDED, get(session.ended()));
            ElectionException e = assertThrows(ElectionException.class, () -> session.campaign(Campaign.of("g")));
            assertTrue(e.getMessage().contains("an operator"), e.getMessage());
        }
        a.onStream(request -> request.refuse(404, "not_found", "no such session"));
        try (Session session = Session.open(options())) {
            assertEquals(EndReason.SESSION_ENDED, get(session.ended()));
        }
    }

    @Test
    void aStreamThatIsCutIsOpenedAgainElsewhere() throws Exception {
        try (Session session = open();
                Seats seats = session.campaign(Campaign.of("g").want(2))) {
            FakeControl.Stream first = a.nextStream();
            first.granted("g/0=1.5").granted("g/1=1.6").synced();
            Leadership zero = seats.take();
            Leadership one = seats.take();
            first.cut();
            FakeControl.Stream second = b.nextStream(); // at once: time stands still
            assertTrue(zero.isValid() && one.isValid(), "a cut stream ends nothing");
            second.granted("g/1=1.6").synced();
            assertEquals(EndReason.LOST, get(zero.ended()));
            assertFalse(zero.isValid());
            assertTrue(one.isValid());
            assertSame(one, seats.held().get(0));
            assertEquals(Duration.ZERO, zero.remaining());
            // The seat that was lost is wanted again, which the server does not know by itself.
            a.next("Campaign");
            assertEquals(2, b.next("Campaign").message().int32("want"));
        }
    }

    @Test
    void aStreamOfNonsenseIsOpenedAgain() throws Exception {
        String[] nonsense = {"{", "nonsense", "[]", "{\"granted\":{}}", "{\"granted\":{\"group\":\"g\",\"seat\":\"0\"}}",
            "{\"granted\":{\"group\":\"g/h\",\"seat\":\"0\",\"token\":{\"revision\":\"1\"}}}",
            "{\"granted\":{\"group\":\"g\",\"seat\":\"0\",\"token\":{\"revision\":\"-1\"}}}", "{\"granted\":7}"};
        for (String line : nonsense) {
            try (Session session = open()) {
                a.nextStream().send(line);
                b.nextStream().synced();
                assertTrue(session.isValid());
            }
        }
    }

    @Test
    void aLineInPiecesIsOneLine() throws Exception {
        try (Session session = open();
                Seats seats = session.campaign(Campaign.of("café"))) {
            FakeControl.Stream events = a.nextStream();
            byte[] line = "\n{\"granted\":{\"group\":\"café\",\"seat\":\"0\",\"token\":{\"generation\":\"1\",\"revision\":\"5\"}}}\n{\"synced\":{}}\n"
                    .getBytes(StandardCharsets.UTF_8);
            for (byte b : line) {
                events.raw(new byte[] {b});
            }
            assertEquals("café/0", seats.take().fence().name());
        }
    }

    @Test
    void aLineWithoutAnEndIsCutOff() throws Exception {
        try (Session session = open()) {
            FakeControl.Stream events = a.nextStream();
            byte[] part = new byte[1 << 16];
            java.util.Arrays.fill(part, (byte) 'x');
            assertThrows(java.io.IOException.class, () -> {
                for (;;) {
                    events.raw(part);
                }
            });
            b.nextStream();
        }
    }

    @Test
    void aSilentStreamIsOpenedAgain() throws Exception {
        try (Session session = open();
                Seats seats = session.campaign(Campaign.of("g"))) {
            a.nextStream().synced().granted("g/0=1.5");
            seats.take(); // from now on, or from just after the first step, it hears nothing
            // In steps, so that renewals keep the session alive meanwhile.
            for (int i = 0; i < 4; i++) {
                clock.advance(Duration.ofMillis(4200), session);
                until("renewed", () -> session.remaining().equals(Duration.ofSeconds(9)));
            }
            b.nextStream();
        }
    }

    @Test
    void aServerThatDoesNotAnswerAStreamIsLeft() throws Exception {
        a.onStream(FakeControl.Request::hang);
        try (Session session = Session.open(options())) {
            a.next("stream");
            clock.advance(Duration.ofMillis(500), session);
            b.nextStream();
        }
    }

    @Test
    void callbacksAndFuturesUseThePackagesThreads() throws Exception {
        try (Session session = open();
                Seats seats = session.campaign(Campaign.of("g"))) {
            a.nextStream().granted("g/0=1.5").synced().lost("g/0=1.5");
            Leadership leadership = seats.poll(Duration.ofSeconds(1)).orElse(null);
            if (leadership != null) { // else it was lost before it was taken
                CompletableFuture<String> plain = leadership.ended().thenApply(reason -> Thread.currentThread().getName());
                CompletableFuture<String> async = leadership.ended().thenApplyAsync(reason -> Thread.currentThread().getName());
                get(plain);
                assertTrue(get(async).startsWith("election-test-io-"), get(async));
            }
            CompletableFuture<String> later = session.ended().thenApplyAsync(reason -> Thread.currentThread().getName())
                    .thenCombineAsync(CompletableFuture.completedFuture(1), (name, one) -> name + " " + Thread.currentThread().getName());
            session.close();
            assertTrue(get(later).matches("election-test-io-\\d+ election-test-io-\\d+"), get(later));
        }
    }

    @Test
    void closingWaitsForCallbacksAndThenTellsTheServer() throws Exception {
        CountDownLatch inCallback = new CountDownLatch(1);
        CountDownLatch goOn = new CountDownLatch(1);
        Session session = open();
        Seats seats = session.campaign(Campaign.of("g"));
        FakeControl.Stream events = a.nextStream();
        events.granted("g/0=1.5").synced();
        Leadership leadership = seats.take();
        leadership.onEnd(reason -> {
            inCallback.countDown();
            await(goOn);
        });
        Thread closer = new Thread(session::close);
        closer.start();
        inCallback.await();
        assertFalse(leadership.isValid());
        events.send("{\"beat\":{}}"); // an early takeover would begin if the stream closed now
        assertFalse(a.hasUnseen("CloseSession"));
        goOn.countDown();
        assertEquals("s1", a.next("CloseSession").message().string("session"));
        closer.join();
        assertEquals(EndReason.CLOSED, get(leadership.ended()));
        assertEquals(EndReason.CLOSED, get(session.ended()));
        assertThrows(ElectionException.class, seats::take);
        session.close();
        seats.close();
        assertFalse(a.hasUnseen("CloseSession"), "once is enough");
        events.awaitClosed();
        until("the thread has ended", () -> !session.loop().thread().isAlive());
        assertEquals(ElectionException.Code.SESSION_ENDED, codeOf(() -> session.campaign(Campaign.of("h"))));
        assertEquals(ElectionException.Code.SESSION_ENDED, codeOf(() -> session.groups().list()));
        assertTrue(leadership.resign().isDone() || get(leadership.resign().handle((done, error) -> true)));
    }

    @Test
    void closingDoesNotWaitForCallbacksBeyondTheDeadline() throws Exception {
        CountDownLatch inCallback = new CountDownLatch(1);
        CountDownLatch goOn = new CountDownLatch(1);
        Session session = open();
        Seats seats = session.campaign(Campaign.of("g"));
        a.nextStream().granted("g/0=1.5").synced();
        seats.take().onEnd(reason -> {
            inCallback.countDown();
            await(goOn);
        });
        Thread closer = new Thread(session::close);
        closer.start();
        inCallback.await();
        clock.advance(Duration.ofSeconds(9), session);
        closer.join();
        assertFalse(a.hasUnseen("CloseSession"), "the callback may still rely on the TTL");
        goOn.countDown();
    }

    @Test
    void closingWhileNoServerAnswersEndsAtTheDeadline() throws Exception {
        Session session = open();
        a.close();
        b.close();
        Thread closer = new Thread(session::close);
        closer.start();
        get(session.ended());
        clock.advance(Duration.ofSeconds(9), session);
        closer.join();
    }

    @Test
    void closingFromACallbackDoesNotWaitForItself() throws Exception {
        Session session = open();
        Seats seats = session.campaign(Campaign.of("g"));
        a.nextStream().granted("g/0=1.5").synced();
        CompletableFuture<Boolean> returned = new CompletableFuture<>();
        Leadership leadership = seats.take();
        leadership.onEnd(reason -> {
            seats.close();
            session.close();
            returned.complete(true);
        });
        leadership.resign();
        assertTrue(get(returned));
        a.next("CloseSession");
    }

    @Test
    void anInterruptedCloseGoesOnInTheBackground() throws Exception {
        a.on("CloseSession", request -> { });
        Session session = Session.open(options());
        AtomicReference<Boolean> flag = new AtomicReference<>();
        Thread closer = new Thread(() -> {
            session.close();
            flag.set(Thread.currentThread().isInterrupted());
        });
        closer.start();
        FakeControl.Request request = a.next("CloseSession");
        closer.interrupt();
        closer.join();
        assertTrue(flag.get());
        assertTrue(session.loop().thread().isAlive());
        request.answer("{}");
        until("the thread has ended", () -> !session.loop().thread().isAlive());
    }

    @Test
    void nothingIsLeftBehind() throws Exception {
        for (int i = 0; i < 20; i++) {
            try (Session session = Session.open(options().name("leak"));
                    Seats seats = session.campaign(Campaign.of("g"));
                    Observer observer = session.groups().observe("g")) {
                a.nextStream();
                a.nextStream();
                assertNull(observer.poll(Duration.ZERO).orElse(null));
            }
        }
        until("no thread is left", () -> {
            // An HTTP client's own thread ends when the client is collected.
            System.gc();
            return Thread.getAllStackTraces().keySet().stream().map(Thread::getName)
                    .noneMatch(name -> name.startsWith("election-leak") || name.contains("SelectorManager"));
        });
    }

    static void await(CountDownLatch latch) {
        try {
            latch.await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
