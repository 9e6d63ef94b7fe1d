package dev.towpath.election;

import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * The way to the control plane: its endpoints, an HTTP client, and the threads. All but the
 * constructor and {@link #loop} and {@link #workers} is for the loop's thread alone.
 */
final class Connection {
    /** How long an endpoint is waited for before the next one is asked too. */
    static final long PATIENCE = Duration.ofSeconds(1).toNanos();

    /** As good as never, and not so far that sums overflow. */
    static final long NEVER = Long.MAX_VALUE / 4;

    private static final Duration CONNECT_TIMEOUT = Duration.ofSeconds(5);

    private final List<URI> endpoints;
    private final String token;
    private final Loop loop;
    private final Workers workers;
    private final Set<Call<?>> calls = new LinkedHashSet<>();
    private final Set<LineStream> streams = new LinkedHashSet<>();
    private HttpClient client; // null when closed: a client's last thread ends when nobody has it any more
    private int preferred; // the endpoint that is asked first

    /** Makes a connection and starts its thread. Nothing is asked yet. */
    Connection(Options options) {
        endpoints = options.validate();
        token = options.token();
        String thread = "election-" + options.name();
        loop = new Loop(thread, options.clock());
        workers = new Workers(thread);
        HttpClient.Builder builder = HttpClient.newBuilder()
                // In HTTP/2 a connection that has gone silent would be used again and again, as
                // giving a request up does not close it. Here it does.
                .version(HttpClient.Version.HTTP_1_1)
                .proxy(HttpClient.Builder.NO_PROXY)
                .connectTimeout(CONNECT_TIMEOUT)
                .executor(workers);
        if (options.sslContext() != null) {
            builder.sslContext(options.sslContext());
        } else if (options.ca() != null) {
            builder.sslContext(Tls.trusting(options.ca()));
        }
        client = builder.build();
        loop.start();
    }

    Loop loop() {
        return loop;
    }

    Workers workers() {
        return workers;
    }

    /**
     * Asks for something, trying endpoints until one answers. The call's result is completed on the
     * loop's thread.
     *
     * @param patience how long one endpoint is waited for before the next one is asked too
     * @param giveUpAt the loop's instant at which the call fails; it never does at {@link #NEVER}
     */
    <T> Call<T> call(String method, Map<String, ?> request, Call.Decoder<T> decoder, long patience, long giveUpAt) {
        Call<T> call = new Call<>(this, method, Json.write(request), decoder, patience, giveUpAt);
        if (client == null) {
            call.fail(closed());
            return call;
        }
        calls.add(call);
        call.result().whenComplete((answer, error) -> calls.remove(call));
        call.start();
        return call;
    }

    /** Opens a stream of lines, and again when it is lost. */
    LineStream stream(LineStream.Listener listener) {
        LineStream stream = new LineStream(this, listener);
        if (client == null) {
            listener.refused(closed());
        } else {
            streams.add(stream);
            stream.start();
        }
        return stream;
    }

    void forget(LineStream stream) {
        streams.remove(stream);
    }

    /** Ends all that is under way, and the loop. */
    void close() {
        client = null;
        List.copyOf(calls).forEach(call -> call.fail(closed()));
        List.copyOf(streams).forEach(stream -> stream.abandon(closed()));
        loop.stop();
    }

    static ElectionException closed() {
        return ElectionException.lasting(ElectionException.Code.SESSION_ENDED, "it has been closed");
    }

    int endpoints() {
        return endpoints.size();
    }

    int preferred() {
        return preferred;
    }

    URI endpoint(int index) {
        return endpoints.get(index);
    }

    /** Prefers the endpoint after one that failed, unless that has been left already. */
    void failed(int endpoint) {
        if (preferred == endpoint) {
            preferred = (endpoint + 1) % endpoints.size();
        }
    }

    long backoff(int failures) {
        return Backoff.nanos(failures, endpoints.size(), ThreadLocalRandom.current().nextDouble());
    }

    CompletableFuture<HttpResponse<byte[]>> post(int endpoint, String method, String body) {
        HttpRequest request = request(endpoint, "/towpath.v1.ElectionService/" + method)
                .header("Content-Type", "application/json")
                .header("Connect-Protocol-Version", "1")
                .POST(HttpRequest.BodyPublishers.ofString(body, StandardCharsets.UTF_8))
                .build();
        return client.sendAsync(request, info -> new BoundedBody());
    }

    CompletableFuture<HttpResponse<Lines>> get(int endpoint, String path, Lines lines) {
        HttpRequest request = request(endpoint, path).header("Accept", "application/x-ndjson").GET().build();
        return client.sendAsync(request, info -> lines);
    }

    private HttpRequest.Builder request(int endpoint, String path) {
        HttpRequest.Builder builder = HttpRequest.newBuilder(URI.create(endpoints.get(endpoint) + path));
        return token.isEmpty() ? builder : builder.header("Authorization", "Bearer " + token);
    }

    /** Runs a task on the loop once all futures are done, or at an instant if they are not by then. */
    void afterwards(List<CompletableFuture<Void>> futures, long at, Runnable task) {
        AtomicBoolean ran = new AtomicBoolean();
        Runnable run = () -> {
            if (ran.compareAndSet(false, true)) {
                task.run();
            }
        };
        Loop.Timer timer = loop.at(at, run);
        CompletableFuture.allOf(futures.toArray(CompletableFuture<?>[]::new)).whenComplete((done, error) -> loop.execute(() -> {
            timer.cancel();
            run.run();
        }));
    }
}
