package dev.towpath.election;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** The guard, in PostgreSQL. */
class JdbcGuardTest {
    private static PostgresServer server;

    @BeforeAll
    static void start() throws Exception {
        server = PostgresServer.start();
        try (Connection connection = server.connect()) {
            JdbcGuard.create(connection);
            JdbcGuard.create(connection);
            try (Statement statement = connection.createStatement()) {
                statement.execute("CREATE TABLE writes (n serial, who text)");
            }
        }
    }

    @AfterAll
    static void stop() throws Exception {
        if (server != null) {
            server.close();
        }
    }

    private static Connection transaction() throws SQLException {
        Connection connection = server.connect();
        connection.setAutoCommit(false);
        return connection;
    }

    private static void check(String fence) throws SQLException {
        try (Connection connection = transaction()) {
            JdbcGuard.check(connection, Fence.parse(fence));
            connection.commit();
        }
    }

    @Test
    void earlierHoldersAreRefused() throws Exception {
        check("order/0=1.5");
        check("order/0=1.5");
        check("order/0=1.9");
        FencedException e = assertThrows(FencedException.class, () -> check("order/0=1.8"));
        assertTrue(e.getMessage().contains("order/0=1.8"), e.getMessage());
        check("order/0=2.1"); // a generation counts more than a revision
        assertThrows(FencedException.class, () -> check("order/0=1.9223372036854775807"));
        check("order/1=1.5"); // another seat
        try (Connection connection = server.connect();
                Statement statement = connection.createStatement();
                ResultSet row = statement.executeQuery("SELECT generation, revision FROM election_marks WHERE seat = 'order/0'")) {
            assertTrue(row.next());
            assertEquals(2, row.getLong(1));
            assertEquals(1, row.getLong(2));
        }
    }

    @Test
    void whatIsRolledBackLeavesNoMark() throws Exception {
        try (Connection connection = transaction()) {
            JdbcGuard.check(connection, Fence.parse("rollback/0=1.9"));
            connection.rollback();
        }
        check("rollback/0=1.5");
    }

    /** Somebody who has checked and not committed yet holds a later holder up, and nothing of his is lost. */
    @Test
    void anEarlierHolderCommitsBeforeALaterOneOrNotAtAll() throws Exception {
        try (Connection early = transaction()) {
            JdbcGuard.check(early, Fence.parse("wait/0=1.5"));
            CompletableFuture<Void> later = new CompletableFuture<>();
            Thread thread = new Thread(() -> {
                try {
                    check("wait/0=1.9");
                    later.complete(null);
                } catch (SQLException e) {
                    later.completeExceptionally(e);
                }
            });
            thread.start();
            // The later one waits for the row.
            Eventually.until("it waits", JdbcGuardTest::somebodyWaits);
            try (Statement statement = early.createStatement()) {
                statement.execute("INSERT INTO writes (who) VALUES ('early')");
            }
            early.commit();
            Eventually.get(later);
        }
        assertThrows(FencedException.class, () -> check("wait/0=1.5"));
    }

    private static boolean somebodyWaits() {
        try (Connection connection = server.connect();
                Statement statement = connection.createStatement();
                ResultSet row = statement.executeQuery("SELECT count(*) FROM pg_locks WHERE NOT granted")) {
            return row.next() && row.getInt(1) > 0;
        } catch (SQLException e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void withoutATransactionNothingIsGuarded() throws Exception {
        try (Connection connection = server.connect()) {
            assertThrows(IllegalStateException.class, () -> JdbcGuard.check(connection, Fence.parse("auto/0=1.5")));
        }
        assertThrows(IllegalArgumentException.class, () -> check("auto/0=18446744073709551615.1"));
    }
}
