package dev.towpath.election;

import static dev.towpath.election.Eventually.until;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Asking about groups and observing them. */
class GroupsTest {
    private FakeControl a;
    private FakeControl b;
    private Groups groups;

    @BeforeEach
    void start() throws Exception {
        a = FakeControl.start();
        b = FakeControl.start();
        groups = Groups.connect(Options.of(a.url(), b.url()).name("test").token("secret"));
    }

    @AfterEach
    void stop() {
        groups.close();
        a.close();
        b.close();
    }

    private static String change(String kind, long revision, String seat) {
        return """
                {"kind":"KIND_%s","revision":"%d","seat":{"name":"%s","candidate":"c1","holderName":"n","token":{"generation":"1","revision":"%d"}}}"""
                .formatted(kind, revision, seat, revision);
    }

    private static String synced(long revision) {
        return "{\"kind\":\"KIND_SYNCED\",\"revision\":\"%d\"}".formatted(revision);
    }

    @Test
    void asksForAGroup() throws Exception {
        a.on("GetGroup", request -> request.answer("""
                {"config":{"seats":2,"partitions":[]},"seats":[
                  {"name":"0","candidate":"c1","holderName":"n1","token":{"generation":"3","revision":"44"}},{"name":"1"}],
                 "candidates":[{"id":"c1","name":"n1","want":1,"held":1,"labels":{"zone":"north"}},{"id":"c2","draining":true}],
                 "assigner":"c1","revision":"50","newer":[{}]}"""));
        Group group = groups.get("g");
        assertEquals("g", a.next("GetGroup").message().string("group"));
        assertEquals(new Group("g", new Group.Config(2, List.of()),
                List.of(new Group.Seat("0", "c1", "n1", Optional.of(new Token(3, 44)), ""), new Group.Seat("1", "", "", Optional.empty(), "")),
                List.of(new Group.Candidate("c1", "n1", 1, 1, false, Map.of("zone", "north")), new Group.Candidate("c2", "", 0, 0, true, Map.of())),
                "c1", 50), group);
    }

    @Test
    void listsGroupsFromTheNextEndpoint() throws Exception {
        a.close();
        b.on("ListGroups", request -> request.answer("{\"groups\":[\"g\",\"h\"]}"));
        assertEquals(List.of("g", "h"), groups.list());
        assertEquals("Bearer secret", b.next("ListGroups").header("Authorization"));
    }

    @Test
    void askingEndsAtTheTimeout() throws Exception {
        a.on("ListGroups", FakeControl.Request::hang);
        b.on("ListGroups", FakeControl.Request::hang);
        try (Groups hasty = Groups.connect(Options.of(a.url(), b.url()).timeout(Duration.ofMillis(50)))) {
            assertEquals(ElectionException.Code.UNAVAILABLE, assertThrows(ElectionException.class, hasty::list).code());
        }
    }

    @Test
    void askingCanBeInterruptedAndEndsWithClose() throws Exception {
        a.on("ListGroups", FakeControl.Request::hang);
        AtomicReference<Throwable> thrown = new AtomicReference<>();
        Runnable ask = () -> {
            try {
                groups.list();
            } catch (ElectionException | InterruptedException e) {
                thrown.set(e);
            }
        };
        Thread thread = new Thread(ask);
        thread.start();
        a.next("ListGroups");
        thread.interrupt();
        thread.join();
        assertTrue(thrown.get() instanceof InterruptedException);
        thread = new Thread(ask);
        thread.start();
        a.next("ListGroups");
        Observer observer = groups.observe("g");
        a.nextStream();
        groups.close();
        thread.join();
        assertTrue(thrown.get() instanceof ElectionException);
        assertThrows(ElectionException.class, observer::take);
        assertThrows(ElectionException.class, groups::list);
        assertThrows(ElectionException.class, () -> groups.observe("g").take());
        groups.close();
        observer.close();
    }

    @Test
    void observesWithoutGapsOverCuts() throws Exception {
        try (Observer observer = groups.observe("a group")) {
            FakeControl.Stream stream = a.nextStream();
            assertEquals("/v1/election/groups/a%20group/changes?from=0", stream.path());
            stream.send(change("HELD", 7, "0"));
            stream.cut(); // within the state
            stream = b.nextStream();
            assertTrue(stream.path().endsWith("?from=0"), stream.path());
            stream.send(change("HELD", 7, "0"), synced(10), "{}", change("FREE", 12, "0"), change("FREE", 12, "1"));
            assertEquals(Change.Kind.HELD, observer.take().kind());
            assertEquals(Change.Kind.SYNCED, observer.take().kind());
            assertEquals("0", observer.take().seat().orElseThrow().name());
            assertEquals("1", observer.take().seat().orElseThrow().name());
            stream.end();
            stream = a.nextStream();
            assertTrue(stream.path().endsWith("?from=12"), stream.path());
            stream.send(change("FREE", 12, "0"), change("FREE", 12, "1"), change("FREE", 12, "2"), change("HELD", 13, "0"));
            Change next = observer.take();
            assertEquals("2", next.seat().orElseThrow().name());
            assertEquals(new Token(1, 12), next.seat().orElseThrow().token().orElseThrow());
            assertEquals(13, observer.take().revision());
            assertEquals(Optional.empty(), observer.poll(Duration.ZERO));
            stream.send("{\"kind\":\"KIND_NEWER\",\"revision\":\"14\"}", change("PLANNED", 15, "0"));
            assertEquals(Change.Kind.PLANNED, observer.take().kind());
        }
        try (Observer observer = groups.observe("g", 99)) {
            assertTrue(a.nextStream().path().endsWith("/g/changes?from=99"));
            assertThrows(IllegalArgumentException.class, () -> groups.observe("g", -1));
        }
    }

    @Test
    void aGapIsTold() throws Exception {
        try (Observer observer = groups.observe("g", 5)) {
            a.nextStream().send("{\"kind\":\"KIND_GAP\",\"revision\":\"90\"}", change("HELD", 60, "0"), synced(100), change("FREE", 101, "0"));
            assertEquals(Change.Kind.GAP, observer.take().kind());
            assertEquals(Change.Kind.HELD, observer.take().kind());
            assertEquals(Change.Kind.SYNCED, observer.take().kind());
            assertEquals(101, observer.take().revision());
        }
    }

    @Test
    void aRefusalIsTold() throws Exception {
        a.onStream(request -> request.refuse(403, "permission_denied", "not this group"));
        try (Observer observer = groups.observe("g")) {
            ElectionException e = assertThrows(ElectionException.class, observer::take);
            assertEquals(ElectionException.Code.PERMISSION_DENIED, e.code());
            assertTrue(e.getMessage().contains("not this group"), e.getMessage());
        }
    }

    @Test
    void aSlowReaderSlowsTheServerDown() throws Exception {
        int many = 200_000; // more than buffers on the way hold
        try (Observer observer = groups.observe("g", 1)) {
            FakeControl.Stream stream = a.nextStream();
            AtomicReference<IOException> failure = new AtomicReference<>();
            CountDownLatch sent = new CountDownLatch(1);
            Thread writer = new Thread(() -> {
                try {
                    StringBuilder lines = new StringBuilder();
                    for (int i = 1; i <= many; i++) {
                        lines.append(change("HELD", i, "0")).append('\n');
                        if (i % 1000 == 0) {
                            stream.raw(lines.toString().getBytes(java.nio.charset.StandardCharsets.UTF_8));
                            lines.setLength(0);
                        }
                    }
                } catch (IOException e) {
                    failure.set(e);
                }
                sent.countDown();
            });
            writer.start();
            until("the writer waits", () -> observer.isFull());
            assertEquals(1, sent.getCount(), "not all of it fits in between");
            for (int i = 1; i <= many; i++) {
                assertEquals(i, observer.take().revision());
            }
            sent.await();
            assertEquals(null, failure.get());
            assertFalse(observer.isFull());
        }
    }

    @Test
    void takingFromAClosedObserverEnds() throws Exception {
        Observer observer = groups.observe("g");
        FakeControl.Stream stream = a.nextStream();
        AtomicReference<Throwable> thrown = new AtomicReference<>();
        Thread taker = new Thread(() -> {
            try {
                observer.take();
            } catch (ElectionException | InterruptedException e) {
                thrown.set(e);
            }
        });
        taker.start();
        observer.close();
        observer.close();
        taker.join();
        assertTrue(thrown.get() instanceof ElectionException);
        stream.awaitClosed();
        Thread.currentThread().interrupt();
        assertThrows(InterruptedException.class, () -> groups.observe("g").take());
    }
}
