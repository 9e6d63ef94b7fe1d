package dev.towpath.election;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;

/** What can be asked about groups without being a candidate. */
public final class Groups implements AutoCloseable {
    private final Connection connection;
    private final Duration timeout;

    private final boolean owning; // the connection is this one's to close

    Groups(Connection connection, Duration timeout, boolean owning) {
        this.connection = connection;
        this.timeout = timeout;
        this.owning = owning;
    }

    /**
     * Connects without a session. Nothing is asked yet, so this neither blocks nor fails.
     *
     * @param options where the control plane is; what is about sessions does not matter
     * @return the groups, to be closed by the caller
     * @throws IllegalArgumentException if the options have faults; all of them are told
     */
    public static Groups connect(Options options) {
        return new Groups(new Connection(options), options.timeout(), true);
    }

    /**
     * Who holds what in a group at this moment. The answer is linearizable: it has all that happened
     * before it was asked for. It blocks.
     *
     * @param group its name
     * @return the group
     * @throws ElectionException if there is no such group, or no endpoint answers within the options' timeout
     * @throws InterruptedException if the thread is interrupted
     */
    public Group get(String group) throws ElectionException, InterruptedException {
        return ask("GetGroup", Map.of("group", group), m -> Group.of(group, m));
    }

    /**
     * The names of all groups. It blocks.
     *
     * @return the names
     * @throws ElectionException if the control plane refuses, or no endpoint answers within the options' timeout
     * @throws InterruptedException if the thread is interrupted
     */
    public List<String> list() throws ElectionException, InterruptedException {
        return ask("ListGroups", Map.of(), m -> m.strings("groups"));
    }

    private <T> T ask(String method, Map<String, ?> request, Call.Decoder<T> decoder)
            throws ElectionException, InterruptedException {
        CompletableFuture<T> result = new CompletableFuture<>();
        Loop loop = connection.loop();
        boolean runs = loop.offer(() -> {
            Call<T> call = connection.call(method, request, decoder, Connection.PATIENCE, loop.now() + timeout.toNanos());
            call.result().whenComplete((answer, error) -> {
                if (error == null) {
                    result.complete(answer.value());
                } else {
                    result.completeExceptionally(error);
                }
            });
            // Who waited has gone.
            result.whenComplete((value, error) -> loop.execute(() -> call.fail(Connection.closed())));
        });
        if (!runs) {
            throw Connection.closed();
        }
        try {
            return Outcome.await(result);
        } catch (InterruptedException e) {
            result.cancel(false);
            throw e;
        }
    }

    /**
     * Observes a group from how it is now on. It does not block.
     *
     * @param group its name
     * @return its changes: first those that make its state, then {@link Change.Kind#SYNCED}, then what
     *     happens; to be closed by the caller
     */
    public Observer observe(String group) {
        return observe(group, 0);
    }

    /**
     * Observes a group from a revision on: to go on where an earlier observer was, after the last
     * change whose revision was dealt with. It does not block.
     *
     * @param group its name
     * @param from the first revision to tell; 0 is the state now, and then what follows
     * @return its changes, to be closed by the caller
     */
    public Observer observe(String group, long from) {
        if (from < 0) {
            throw new IllegalArgumentException("observing from revision " + from + ": expected 0 or more");
        }
        return new Observer(connection, group, from);
    }

    /**
     * Ends what is being asked and observed, with errors for who waits for it. It does not block;
     * closing again does nothing. {@link Session#groups()} are closed with their session alone: on
     * them this does nothing.
     */
    @Override
    public void close() {
        if (owning) {
            connection.loop().execute(connection::close);
        }
    }
}
