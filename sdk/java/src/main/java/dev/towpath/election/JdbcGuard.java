package dev.towpath.election;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.sql.Statement;

/**
 * Keeps earlier holders of a seat from writing to a database: a table has the greatest token of each
 * seat, and a transaction that comes with a smaller one fails. For PostgreSQL, and other databases
 * that know {@code INSERT … ON CONFLICT}. The Go package uses the same table.
 *
 * <pre>{@code
 * connection.setAutoCommit(false);
 * JdbcGuard.check(connection, leadership.fence());
 * … // the writes
 * connection.commit();
 * }</pre>
 */
public final class JdbcGuard {
    /** Makes the table. */
    public static final String CREATE =
            "CREATE TABLE IF NOT EXISTS election_marks (seat text PRIMARY KEY, generation bigint NOT NULL, revision bigint NOT NULL)";

    private static final String MARK = """
            INSERT INTO election_marks AS m (seat, generation, revision) VALUES (?, ?, ?) \
            ON CONFLICT (seat) DO UPDATE SET generation = EXCLUDED.generation, revision = EXCLUDED.revision \
            WHERE (m.generation, m.revision) <= (EXCLUDED.generation, EXCLUDED.revision)""";

    private JdbcGuard() {}

    /**
     * Makes the table if it is not there.
     *
     * @param connection to the database
     * @throws SQLException if that fails
     */
    public static void create(Connection connection) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            statement.execute(CREATE);
        }
    }

    /**
     * Lets the transaction go on if no later holder of the seat has written, and lets none write until
     * it is over. Call it in the transaction of the writes, before them.
     *
     * @param connection with a transaction
     * @param fence of the leadership that writes
     * @throws FencedException if a later holder has written; the transaction must be rolled back
     * @throws SQLException if the database fails
     * @throws IllegalStateException if the connection is in auto-commit mode, where the writes would
     *     not be in the same transaction
     */
    public static void check(Connection connection, Fence fence) throws SQLException {
        if (connection.getAutoCommit()) {
            throw new IllegalStateException(
                    "the connection commits by itself, so a guard would protect nothing: call setAutoCommit(false) first");
        }
        if (fence.token().generation() < 0) {
            throw new IllegalArgumentException("the generation of " + fence + " is beyond what a bigint holds");
        }
        try (PreparedStatement statement = connection.prepareStatement(MARK)) {
            statement.setString(1, fence.name());
            statement.setLong(2, fence.token().generation());
            statement.setLong(3, fence.token().revision());
            if (statement.executeUpdate() == 0) {
                throw new FencedException(fence);
            }
        }
    }
}
