package dev.towpath.election;

import java.net.http.HttpResponse;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.CompletableFuture;

/**
 * One request, put to endpoints until one of them answers. An endpoint that keeps silent is not
 * given up: after some patience the next one is asked too, and the first answer counts. All that
 * is asked in this package may be asked twice.
 *
 * <p>For the loop's thread alone.
 */
final class Call<T> {
    /** So many are asked at a time. */
    private static final int MOST = 4;

    /** Makes something of the answer. */
    @FunctionalInterface
    interface Decoder<T> {
        T decode(Message message) throws MalformedJsonException;
    }

    /** What came back, and when the request was sent that it answers. */
    record Answer<T>(T value, long sent) {}

    private record Attempt(int endpoint, long sent, CompletableFuture<HttpResponse<byte[]>> response) {}

    private final Connection connection;
    private final String method;
    private final String request;
    private final Decoder<T> decoder;
    private final long patience;
    private final long giveUpAt;
    private final CompletableFuture<Answer<T>> result = new CompletableFuture<>();
    private final Deque<Attempt> attempts = new ArrayDeque<>();
    private Loop.Timer next;
    private int failures;
    private ElectionException last;

    Call(Connection connection, String method, String request, Decoder<T> decoder, long patience, long giveUpAt) {
        this.connection = connection;
        this.method = method;
        this.request = request;
        this.decoder = decoder;
        this.patience = patience;
        this.giveUpAt = giveUpAt;
    }

    /** Completed on the loop's thread, and failed with nothing but an {@link ElectionException}. */
    CompletableFuture<Answer<T>> result() {
        return result;
    }

    void start() {
        Loop loop = connection.loop();
        long now = loop.now();
        if (now - giveUpAt >= 0) {
            fail(last != null ? last : ElectionException.passing(
                    ElectionException.Code.UNAVAILABLE, method + ": no endpoint has answered in time", null));
            return;
        }
        if (attempts.size() == MOST) {
            attempts.removeFirst().response().cancel(true);
        }
        int endpoint = connection.preferred();
        again(now, patience, () -> {
            connection.failed(endpoint);
            start();
        });
        Attempt attempt = new Attempt(endpoint, now, connection.post(endpoint, method, request));
        attempts.addLast(attempt);
        attempt.response().whenComplete((response, error) -> loop.execute(() -> finished(attempt, response, error)));
    }

    /** Sets when the next endpoint is asked, at the latest when there is no more time. */
    private void again(long now, long nanos, Runnable task) {
        if (next != null) {
            next.cancel();
        }
        next = connection.loop().at(now + Math.min(nanos, giveUpAt - now), task);
    }

    private void finished(Attempt attempt, HttpResponse<byte[]> response, Throwable error) {
        if (result.isDone() || !attempts.remove(attempt)) {
            return;
        }
        ElectionException e;
        if (error != null) {
            e = Refusal.of(method, connection.endpoint(attempt.endpoint()), error);
        } else if (response.statusCode() != 200) {
            e = Refusal.of(method, connection.endpoint(attempt.endpoint()), response.statusCode(), response.body());
        } else {
            try {
                T value = decoder.decode(Message.parse(response.body()));
                stop();
                result.complete(new Answer<>(value, attempt.sent()));
                return;
            } catch (MalformedJsonException malformed) {
                e = Refusal.of(method, connection.endpoint(attempt.endpoint()), malformed);
            }
        }
        if (!e.isPassing()) {
            fail(e);
            return;
        }
        last = e;
        failures++;
        connection.failed(attempt.endpoint());
        again(connection.loop().now(), connection.backoff(failures), this::start);
    }

    /** Gives up with an error, unless there is an answer. */
    void fail(ElectionException e) {
        if (!result.isDone()) {
            stop();
            result.completeExceptionally(e);
        }
    }

    private void stop() {
        if (next != null) {
            next.cancel();
        }
        attempts.forEach(attempt -> attempt.response().cancel(true));
        attempts.clear();
    }
}
