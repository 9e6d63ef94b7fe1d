package dev.towpath.election;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;

/**
 * A PostgreSQL server of a test's own, by the binaries of Debian's package. Without them the test is
 * skipped, or fails where TOWPATH_REQUIRE is set.
 */
final class PostgresServer implements AutoCloseable {
    private final Path bin;
    private final Path dir;
    private final int port;

    private PostgresServer(Path bin, Path dir, int port) {
        this.bin = bin;
        this.dir = dir;
        this.port = port;
    }

    static PostgresServer start() throws Exception {
        Path bin = binaries();
        if (bin == null) {
            String missing = "there are no PostgreSQL binaries below /usr/lib/postgresql; install them with tools/install";
            assertNull(System.getenv("TOWPATH_REQUIRE"), missing);
            assumeTrue(false, missing);
        }
        Path dir = Files.createTempDirectory("towpath-postgres-");
        int port;
        try (ServerSocket free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            port = free.getLocalPort();
        }
        PostgresServer server = new PostgresServer(bin, dir, port);
        try {
            if (isRoot()) { // as whom PostgreSQL refuses to run
                server.run("chown", "postgres", dir.toString());
            }
            server.tool("initdb", "--pgdata", server.data(), "--username", "tow", "--auth", "trust", "--encoding", "UTF8",
                    "--locale", "C", "--no-sync");
            server.tool("pg_ctl", "--pgdata", server.data(), "--wait", "--log", dir.resolve("log").toString(), "--options",
                    "-c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off -c port=" + port, "start");
            return server;
        } catch (Exception | AssertionError e) {
            server.delete();
            throw e;
        }
    }

    private static Path binaries() throws IOException {
        Path all = Path.of("/usr/lib/postgresql");
        if (!Files.isDirectory(all)) {
            return null;
        }
        try (Stream<Path> versions = Files.list(all)) {
            return versions.map(version -> version.resolve("bin")).filter(bin -> Files.isExecutable(bin.resolve("postgres")))
                    .max(Comparator.comparingInt(bin -> Integer.parseInt(bin.getParent().getFileName().toString()))).orElse(null);
        }
    }

    private static boolean isRoot() {
        return System.getProperty("user.name").equals("root");
    }

    private String data() {
        return dir.resolve("data").toString();
    }

    private void tool(String name, String... args) throws Exception {
        List<String> command = new ArrayList<>();
        if (isRoot()) {
            command.addAll(List.of("runuser", "-u", "postgres", "--"));
        }
        command.add(bin.resolve(name).toString());
        command.addAll(List.of(args));
        run(command.toArray(String[]::new));
    }

    private void run(String... command) throws Exception {
        // To a file: the server that pg_ctl starts would keep a pipe open.
        Path out = Files.createTempFile("towpath-postgres-", ".out");
        try {
            Process process = new ProcessBuilder(command).directory(Path.of("/").toFile()).redirectErrorStream(true)
                    .redirectOutput(out.toFile()).start();
            int code = process.waitFor();
            assertEquals(0, code, () -> String.join(" ", command) + ": " + text(out));
        } finally {
            Files.delete(out);
        }
    }

    private static String text(Path file) {
        try {
            return Files.readString(file, StandardCharsets.UTF_8);
        } catch (IOException e) {
            return e.toString();
        }
    }

    Connection connect() throws SQLException {
        return DriverManager.getConnection("jdbc:postgresql://127.0.0.1:" + port + "/postgres?user=tow");
    }

    @Override
    public void close() throws Exception {
        try {
            tool("pg_ctl", "--pgdata", data(), "--wait", "--mode", "immediate", "stop");
        } finally {
            delete();
        }
    }

    private void delete() throws IOException {
        try (Stream<Path> files = Files.walk(dir)) {
            for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(file);
            }
        }
    }
}
