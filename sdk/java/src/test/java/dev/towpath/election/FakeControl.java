package dev.towpath.election;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/**
 * A control plane that does what a test says: it answers late, wrongly or not at all, and cuts
 * streams. What it is not told otherwise it answers well.
 */
final class FakeControl implements AutoCloseable {
    /** Longer than anything takes; only what is broken waits for it. */
    static final long PATIENCE_SECONDS = 20;

    private final HttpServer server;
    private final ExecutorService threads = Executors.newCachedThreadPool();
    private final CountDownLatch closed = new CountDownLatch(1);
    private final Map<String, Handler> handlers = new ConcurrentHashMap<>();
    private final Map<String, BlockingQueue<Request>> received = new ConcurrentHashMap<>();
    private final BlockingQueue<Stream> streams = new LinkedBlockingQueue<>();
    private volatile Handler refuseStreams;

    interface Handler {
        void handle(Request request) throws IOException;
    }

    private FakeControl(HttpServer server) {
        this.server = server;
        server.setExecutor(threads);
        server.createContext("/towpath.v1.ElectionService/", this::call);
        server.createContext("/v1/election/", this::stream);
        on("OpenSession", request -> request.answer("{\"session\":\"s1\",\"ttlSeconds\":\"10\"}"));
        on("RenewSession", request -> request.answer("{\"ttlSeconds\":\"10\"}"));
        on("Campaign", request -> request.answer("{\"candidate\":\"c1\"}"));
        on("Resign", request -> request.answer("{}"));
        on("CloseSession", request -> request.answer("{}"));
        server.start();
    }

    static FakeControl start() throws IOException {
        return new FakeControl(HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0));
    }

    static FakeControl start(HttpServer server) {
        return new FakeControl(server);
    }

    int port() {
        return server.getAddress().getPort();
    }

    String url() {
        return "http://127.0.0.1:" + port();
    }

    /** Sets what a method does. */
    void on(String method, Handler handler) {
        handlers.put(method, handler);
    }

    /** Sets what streams are answered with instead of lines; null is lines. */
    void onStream(Handler handler) {
        refuseStreams = handler;
    }

    /** The next request to a method that no test has seen yet. */
    Request next(String method) throws InterruptedException {
        Request request = queue(method).poll(PATIENCE_SECONDS, TimeUnit.SECONDS);
        if (request == null) {
            throw new AssertionError("no request to " + method);
        }
        return request;
    }

    boolean hasUnseen(String method) {
        return !queue(method).isEmpty();
    }

    /** The next stream that was opened. */
    Stream nextStream() throws InterruptedException {
        Stream stream = streams.poll(PATIENCE_SECONDS, TimeUnit.SECONDS);
        if (stream == null) {
            throw new AssertionError("no stream was opened");
        }
        return stream;
    }

    private BlockingQueue<Request> queue(String method) {
        return received.computeIfAbsent(method, m -> new LinkedBlockingQueue<>());
    }

    private void call(HttpExchange exchange) throws IOException {
        String path = exchange.getRequestURI().getPath();
        String method = path.substring(path.lastIndexOf('/') + 1);
        Request request = new Request(exchange, exchange.getRequestBody().readAllBytes());
        queue(method).add(request);
        Handler handler = handlers.get(method);
        if (handler == null) {
            request.refuse(404, "unimplemented", "the fake knows no " + method);
        } else {
            handler.handle(request);
        }
    }

    private void stream(HttpExchange exchange) throws IOException {
        Handler refuse = refuseStreams;
        Request request = new Request(exchange, new byte[0]);
        if (refuse != null) {
            queue("stream").add(request);
            refuse.handle(request);
            return;
        }
        exchange.getResponseHeaders().set("Content-Type", "application/x-ndjson");
        exchange.sendResponseHeaders(200, 0);
        exchange.getResponseBody().flush();
        streams.add(new Stream(exchange));
    }

    @Override
    public void close() {
        closed.countDown();
        server.stop(0);
        threads.shutdownNow();
    }

    /** A request, to be answered at once or later. */
    final class Request {
        private final HttpExchange exchange;
        private final byte[] body;

        private Request(HttpExchange exchange, byte[] body) {
            this.exchange = exchange;
            this.body = body;
        }

        String header(String name) {
            return exchange.getRequestHeaders().getFirst(name);
        }

        String text() {
            return new String(body, StandardCharsets.UTF_8);
        }

        Message message() {
            try {
                return Message.parse(body);
            } catch (MalformedJsonException e) {
                throw new AssertionError(text(), e);
            }
        }

        void answer(String json) throws IOException {
            answer(200, json.getBytes(StandardCharsets.UTF_8));
        }

        void refuse(int status, String code, String message) throws IOException {
            answer(status, Json.write(Map.of("code", code, "message", message)).getBytes(StandardCharsets.UTF_8));
        }

        void answer(int status, byte[] bytes) throws IOException {
            exchange.sendResponseHeaders(status, bytes.length == 0 ? -1 : bytes.length);
            exchange.getResponseBody().write(bytes);
            exchange.close();
        }

        /** Answers nothing until the fake is closed. */
        void hang() {
            try {
                closed.await();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }

        /** Closes the connection without an answer. */
        void cut() {
            exchange.close();
        }
    }

    /** An open stream. */
    static final class Stream {
        private final HttpExchange exchange;

        private Stream(HttpExchange exchange) {
            this.exchange = exchange;
        }

        String path() {
            return exchange.getRequestURI().toString();
        }

        Stream send(String... lines) throws IOException {
            for (String line : lines) {
                raw((line + "\n").getBytes(StandardCharsets.UTF_8));
            }
            return this;
        }

        void raw(byte[] bytes) throws IOException {
            exchange.getResponseBody().write(bytes);
            exchange.getResponseBody().flush();
        }

        Stream granted(String fence) throws IOException {
            return seat("granted", fence);
        }

        Stream lost(String fence) throws IOException {
            return seat("lost", fence);
        }

        Stream synced() throws IOException {
            return send("{\"synced\":{}}");
        }

        private Stream seat(String kind, String text) throws IOException {
            Fence fence = Fence.parse(text);
            return send(Json.write(Map.of(kind, Map.of("group", fence.group(), "seat", fence.seat(), "token", Map.of(
                    "generation", Long.toString(fence.token().generation()), "revision", Long.toString(fence.token().revision()))))));
        }

        /** Cuts the connection. */
        void cut() {
            exchange.close();
        }

        /** Ends the stream as a server does that shuts down. */
        void end() throws IOException {
            exchange.getResponseBody().close();
        }

        /** Writes until the client has closed the connection. */
        void awaitClosed() {
            try {
                for (;;) {
                    send("{\"beat\":{}}");
                    Thread.onSpinWait();
                }
            } catch (IOException e) {
                // It has.
            }
        }
    }
}
