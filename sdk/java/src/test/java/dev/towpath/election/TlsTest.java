package dev.towpath.election;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.net.httpserver.HttpsConfigurator;
import com.sun.net.httpserver.HttpsServer;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** TLS under an authority of one's own. Certificates are made by the JDK's keytool. */
class TlsTest {
    /** For what never goes well. */
    private static final Duration SHORT = Duration.ofSeconds(1);

    @TempDir
    Path dir;

    private FakeControl control;

    @BeforeEach
    void start() throws Exception {
        HttpsServer server = HttpsServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.setHttpsConfigurator(new HttpsConfigurator(server("server", "127.0.0.1")));
        control = FakeControl.start(server);
    }

    @AfterEach
    void stop() {
        control.close();
    }

    /** Makes a key with a certificate of its own, and writes NAME.pem. */
    private SSLContext server(String name, String address) throws Exception {
        Path store = dir.resolve(name + ".p12");
        keytool("-genkeypair", "-alias", name, "-keyalg", "EC", "-dname", "CN=" + name, "-ext", "san=ip:" + address,
                "-ext", "bc:c", "-validity", "2", "-storetype", "PKCS12", "-keystore", store.toString());
        keytool("-exportcert", "-rfc", "-alias", name, "-keystore", store.toString(), "-file", dir.resolve(name + ".pem").toString());
        KeyStore keys = KeyStore.getInstance("PKCS12");
        try (InputStream in = Files.newInputStream(store)) {
            keys.load(in, "password".toCharArray());
        }
        KeyManagerFactory managers = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
        managers.init(keys, "password".toCharArray());
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(managers.getKeyManagers(), null, null);
        return context;
    }

    private static void keytool(String... args) throws Exception {
        List<String> command = new ArrayList<>(List.of(Path.of(System.getProperty("java.home"), "bin", "keytool").toString()));
        command.addAll(List.of(args));
        command.addAll(List.of("-storepass", "password"));
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertEquals(0, process.waitFor(), said);
    }

    private Options options(String host) {
        return Options.of("https://" + host + ":" + control.port());
    }

    @Test
    void trustsTheAuthorityAndListens() throws Exception {
        try (Session session = Session.open(options("127.0.0.1").ca(dir.resolve("server.pem")));
                Seats seats = session.campaign(Campaign.of("g"))) {
            control.nextStream().granted("g/0=1.5").synced();
            assertTrue(seats.take().isValid());
        }
    }

    @Test
    void trustsNobodyElse() throws Exception {
        server("other", "127.0.0.1");
        ElectionException e = assertThrows(ElectionException.class,
                () -> Session.open(options("127.0.0.1").timeout(SHORT).ca(dir.resolve("other.pem"))));
        assertEquals(ElectionException.Code.UNAVAILABLE, e.code());
        assertTrue(e.getMessage().contains("certif") || e.getMessage().contains("PKIX"), e.getMessage());
    }

    @Test
    void theNameMustBeRight() {
        assertThrows(ElectionException.class, () -> Session.open(options("localhost").timeout(SHORT).ca(dir.resolve("server.pem"))));
    }

    @Test
    void aFileWithoutCertificatesIsTold() throws Exception {
        Path empty = Files.writeString(dir.resolve("empty.pem"), "");
        String message = assertThrows(IllegalArgumentException.class, () -> Session.open(options("127.0.0.1").ca(empty))).getMessage();
        assertTrue(message.contains("empty.pem") && message.contains("expected PEM"), message);
    }
}
