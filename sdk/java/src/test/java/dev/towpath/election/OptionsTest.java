package dev.towpath.election;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Test;

class OptionsTest {
    @Test
    void allFaultsAreTold() {
        Options options = Options.of("ftp://a", "https://a/b", "http://example.com:1")
                .token("a\n").ttl(Duration.ofMillis(1500)).timeout(Duration.ZERO);
        String message = assertThrows(IllegalArgumentException.class, options::validate).getMessage();
        for (String part : new String[] {"ftp://a", "https://a/b", "http://example.com:1", "the token", "the TTL", "the timeout"}) {
            assertTrue(message.contains(part), message);
        }
        assertThrows(IllegalArgumentException.class, () -> Options.of().validate());
        assertThrows(IllegalArgumentException.class, () -> Options.of("https://a").margin(Duration.ofSeconds(7)).validate());
    }

    @Test
    void plainHttpIsForLoopback() {
        for (String endpoint : new String[] {"http://localhost:1", "http://127.0.0.1:1/", "http://[::1]:1", "https://example.com"}) {
            assertEquals(1, Options.of(endpoint).validate().size());
        }
        for (String endpoint : new String[] {"http://127.0.0.1.example.com", "http://10.0.0.1:1", "http://localhost.example.com"}) {
            assertThrows(IllegalArgumentException.class, () -> Options.of(endpoint).validate(), endpoint);
        }
    }

    @Test
    void aCaFileThatIsNoneIsTold() {
        String message = assertThrows(IllegalArgumentException.class,
                () -> Session.open(Options.of("https://localhost:1").ca(Path.of("no-such.pem")))).getMessage();
        assertTrue(message.contains("no-such.pem"), message);
    }

    @Test
    void theDefaultMarginIsATenthAndAtLeast200Millis() {
        assertEquals(Duration.ofSeconds(1), Lease.defaultMargin(Duration.ofSeconds(10)));
        assertEquals(Duration.ofMillis(200), Lease.defaultMargin(Duration.ofSeconds(1)));
    }
}
