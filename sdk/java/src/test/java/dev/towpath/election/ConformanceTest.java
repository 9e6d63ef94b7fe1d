package dev.towpath.election;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.function.Executable;

/** The vectors in sdk/conformance, whose README says what they mean. */
class ConformanceTest {
    private record Case(Map<?, ?> fields) {
        Object get(String name) {
            return fields.get(name);
        }

        String string(String name) {
            return (String) get(name);
        }

        boolean bool(String name) {
            return Boolean.TRUE.equals(get(name));
        }

        long number(String name) {
            return ((BigDecimal) get(name)).longValueExact();
        }

        List<?> list(String name) {
            return get(name) == null ? List.of() : (List<?>) get(name);
        }

        List<Case> cases(String name) {
            return list(name).stream().map(c -> new Case((Map<?, ?>) c)).toList();
        }
    }

    private interface Check {
        void run(Case c) throws Exception;
    }

    private static Stream<DynamicTest> each(String file, Check check) throws IOException, MalformedJsonException {
        byte[] text = Files.readAllBytes(Path.of("..", "conformance", file));
        List<Case> cases = new Case((Map<?, ?>) Json.parse(text)).cases("cases");
        assertTrue(cases.size() > 0, file + " has cases");
        return cases.stream().map(c -> DynamicTest.dynamicTest(c.string("name"), (Executable) () -> check.run(c)));
    }

    @TestFactory
    Stream<DynamicTest> json() throws Exception {
        return each("json.json", c -> {
            byte[] text = c.get("text") == null
                    ? Base64.getDecoder().decode(c.string("base64")) : c.string("text").getBytes(StandardCharsets.UTF_8);
            if (!c.bool("valid")) {
                assertThrows(MalformedJsonException.class, () -> Json.parse(text));
                return;
            }
            Object value = Json.parse(text);
            assertEquals(value, Json.parse(Json.write(value)), "what is written is read as the same");
            if (c.get("same") != null) {
                assertEquals(comparable(Json.parse(c.string("same"))), comparable(value));
            }
        });
    }

    /** Numbers are equal as values, whatever their scale. */
    private static Object comparable(Object value) {
        return value instanceof BigDecimal d ? d.stripTrailingZeros() : value;
    }

    @TestFactory
    Stream<DynamicTest> integers() throws Exception {
        return each("integers.json", c -> {
            Message m = Message.parse(("{\"n\":" + c.string("json") + "}").getBytes(StandardCharsets.UTF_8));
            Reading reading = switch (c.string("type")) {
                case "int32" -> () -> Integer.toString(m.int32("n"));
                case "int64" -> () -> Long.toString(m.int64("n"));
                default -> () -> Long.toUnsignedString(m.uint64("n"));
            };
            if (c.get("value") == null) {
                assertThrows(MalformedJsonException.class, reading::read);
            } else {
                assertEquals(c.string("value"), reading.read());
            }
        });
    }

    private interface Reading {
        String read() throws MalformedJsonException;
    }

    @TestFactory
    Stream<DynamicTest> tokens() throws Exception {
        return each("tokens.json", c -> {
            Token a = token(new Case((Map<?, ?>) c.get("a")));
            Token b = token(new Case((Map<?, ?>) c.get("b")));
            assertEquals(c.number("order"), Integer.signum(a.compareTo(b)));
            assertEquals(-c.number("order"), Integer.signum(b.compareTo(a)));
            assertEquals(c.number("order") == 0, a.equals(b));
        });
    }

    private static Token token(Case c) {
        return new Token(Long.parseUnsignedLong(c.string("generation")), Long.parseLong(c.string("revision")));
    }

    @TestFactory
    Stream<DynamicTest> fences() throws Exception {
        return each("fences.json", c -> {
            String header = c.string("header");
            if (c.get("group") == null) {
                IllegalArgumentException e = assertThrows(IllegalArgumentException.class, () -> Fence.parse(header));
                assertTrue(e.getMessage().contains("expected GROUP/SEAT=GENERATION.REVISION"), e.getMessage());
                return;
            }
            Fence fence = new Fence(c.string("group"), c.string("seat"), token(c));
            assertEquals(fence, Fence.parse(header));
            assertEquals(c.get("written") == null ? header : c.string("written"), fence.headerValue());
            assertEquals(fence, Fence.parse(fence.headerValue()));
        });
    }

    @TestFactory
    Stream<DynamicTest> deadlines() throws Exception {
        return each("deadlines.json", c -> {
            Lease lease = new Lease(Duration.ofMillis(c.number("margin_ms")));
            boolean lives = true;
            for (Case renewal : c.cases("renewals")) {
                if (renewal.get("answered_ms") != null) {
                    lives = lease.answered(nanos(renewal.number("sent_ms")), nanos(renewal.number("answered_ms")),
                            Duration.ofMillis(renewal.number("ttl_ms")));
                }
            }
            assertEquals(nanos(c.number("deadline_ms")), lease.deadline());
            assertEquals(!c.bool("expired"), lives);
        });
    }

    private static long nanos(long millis) {
        return Duration.ofMillis(millis).toNanos();
    }

    @TestFactory
    Stream<DynamicTest> backoff() throws Exception {
        return each("backoff.json", c -> assertEquals(c.number("nanos"), Backoff.nanos(
                (int) c.number("failures"), (int) c.number("endpoints"), ((BigDecimal) c.get("random")).doubleValue())));
    }

    @TestFactory
    Stream<DynamicTest> events() throws Exception {
        return each("events.json", c -> {
            Fold fold = new Fold();
            int n = 0;
            for (Case step : c.cases("steps")) {
                String at = "step " + n++;
                List<Fence> before = List.copyOf(fold.held());
                List<Fold.Effect> effects = List.of();
                if (step.bool("open")) {
                    fold.opened();
                } else if (step.get("gave_up") != null) {
                    fold.gaveUp(Fence.parse(step.string("gave_up")));
                } else {
                    effects = fold.apply(SessionEvent.of(Message.parse(Json.write(step.get("event")).getBytes(StandardCharsets.UTF_8))));
                }
                List<Object> began = new ArrayList<>();
                List<Object> ended = new ArrayList<>();
                List<Object> draining = new ArrayList<>();
                List<Object> stale = new ArrayList<>();
                String over = null;
                for (Fold.Effect effect : effects) {
                    if (effect instanceof Fold.Began b) {
                        began.add(b.fence().headerValue());
                    } else if (effect instanceof Fold.Over o) {
                        ended.add(o.fence().headerValue());
                    } else if (effect instanceof Fold.Drained d) {
                        draining.add(Map.of("fence", d.fence().headerValue(), "to", d.to()));
                    } else if (effect instanceof Fold.Stale s) {
                        stale.add(s.fence().headerValue());
                    } else if (effect instanceof Fold.SessionOver s) {
                        over = s.reason();
                        before.forEach(fence -> ended.add(fence.headerValue())); // with their session
                    }
                }
                assertEquals(step.list("began"), began, at + ": began");
                assertEquals(step.list("ended"), ended, at + ": ended");
                assertEquals(step.list("draining"), draining, at + ": draining");
                assertEquals(step.list("stale"), stale, at + ": stale");
                assertEquals(step.get("session_ended"), over, at + ": session_ended");
                assertEquals(step.list("held"), fold.held().stream().map(Fence::headerValue).toList(), at + ": held");
            }
        });
    }
}
