package dev.towpath.election;

import java.net.URI;
import java.net.URISyntaxException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import javax.net.ssl.SSLContext;

/**
 * Where the control plane is, who this process is to it, and how a session shall be. Only the
 * endpoints have no default. What is changed after a session was opened changes nothing for it.
 * Not for use by several threads at a time.
 */
public final class Options {
    private final List<String> endpoints;
    private String token = "";
    private Path ca;
    private SSLContext sslContext;
    private String name = defaultName();
    private Duration ttl = Duration.ofSeconds(10);
    private Duration margin;
    private boolean earlyTakeover;
    private Duration timeout = Duration.ofSeconds(10);
    private Clock clock = Clock.boot();

    private Options(List<String> endpoints) {
        this.endpoints = endpoints;
    }

    /**
     * Options for a control plane.
     *
     * @param endpoints URLs of its servers, such as {@code https://control-1:7443}; any of them will
     *     do, and where one fails the next is asked. Without TLS only on the loopback interface.
     * @return the options, to be changed
     */
    public static Options of(String... endpoints) {
        return new Options(List.of(endpoints));
    }

    /**
     * Sets the bearer token by which this process is known.
     *
     * @param token as it was issued; none by default
     * @return these options
     */
    public Options token(String token) {
        this.token = token;
        return this;
    }

    /**
     * Sets whose certificates the servers shall have.
     *
     * @param pem a file with certificates of authorities; by default those that the JDK trusts
     * @return these options
     */
    public Options ca(Path pem) {
        this.ca = pem;
        return this;
    }

    /**
     * Sets all of TLS, a client's certificate among it; instead of {@link #ca}.
     *
     * @param context of connections
     * @return these options
     */
    public Options sslContext(SSLContext context) {
        this.sslContext = context;
        return this;
    }

    /**
     * Sets how people know this process.
     *
     * @param name shown beside what it holds; by default the host's name and the process id
     * @return these options
     */
    public Options name(String name) {
        this.name = name;
        return this;
    }

    /**
     * Sets for how long the session lives without a renewal, and so how long seats stay without a
     * holder when this process dies. It is renewed every third of it.
     *
     * @param ttl whole seconds from 1 to 300; by default 10
     * @return these options
     */
    public Options ttl(Duration ttl) {
        this.ttl = ttl;
        return this;
    }

    /**
     * Sets by how much leaderships end before the control plane may give their seats away: for
     * differences between clocks, and for what is under way when one ends.
     *
     * @param margin less than two thirds of the TTL; by default a tenth of it, at least 200 ms
     * @return these options
     */
    public Options margin(Duration margin) {
        this.margin = margin;
        return this;
    }

    /**
     * Lets the control plane end the session as soon as the stream of its events has been closed for
     * 200 ms, without waiting for the TTL: others take over at once when this process dies. In return
     * a cut connection can cost its seats before this process knows it. So this is for groups whose
     * writes are guarded by {@link Fence}s, and for those alone.
     *
     * @param earlyTakeover whether it may; by default not
     * @return these options
     */
    public Options earlyTakeover(boolean earlyTakeover) {
        this.earlyTakeover = earlyTakeover;
        return this;
    }

    /**
     * Sets how long opening a session and asking about groups may take, over all tries.
     *
     * @param timeout by default 10 seconds
     * @return these options
     */
    public Options timeout(Duration timeout) {
        this.timeout = timeout;
        return this;
    }

    /**
     * Sets what deadlines are measured with; for tests.
     *
     * @param clock by default {@link Clock#boot()}
     * @return these options
     */
    public Options clock(Clock clock) {
        this.clock = clock;
        return this;
    }

    private static String defaultName() {
        String host = System.getenv("HOSTNAME");
        return (host == null ? "localhost" : host) + "-" + ProcessHandle.current().pid();
    }

    /** The endpoints as URIs without a slash at their end, after a look at all that is set. */
    List<URI> validate() {
        List<String> faults = new ArrayList<>();
        List<URI> uris = new ArrayList<>();
        for (String endpoint : endpoints) {
            try {
                URI uri = new URI(endpoint.endsWith("/") ? endpoint.substring(0, endpoint.length() - 1) : endpoint);
                String fault = faultOf(uri);
                if (fault != null) {
                    faults.add("the endpoint \"" + endpoint + "\" " + fault);
                }
                uris.add(uri);
            } catch (URISyntaxException e) {
                faults.add("the endpoint \"" + endpoint + "\" is no URL: " + e.getReason());
            }
        }
        if (endpoints.isEmpty()) {
            faults.add("there is no endpoint: expected at least one URL of the control plane");
        }
        if (token.chars().anyMatch(c -> c <= ' ' || c > '~')) {
            faults.add("the token has characters other than visible ones of ASCII: expected it as issued, without a line's end");
        }
        if (ca != null && sslContext != null) {
            faults.add("both ca and sslContext are set: expected one of them");
        }
        if (ttl.getNano() != 0 || ttl.getSeconds() < 1 || ttl.getSeconds() > 300) {
            faults.add("the TTL is " + ttl + ": expected whole seconds from 1 to 300");
        } else if (margin != null && (margin.isNegative() || margin.multipliedBy(3).compareTo(ttl.multipliedBy(2)) >= 0)) {
            faults.add("the margin is " + margin + ": expected less than two thirds of the TTL, which is " + ttl
                    + ", as renewals are sent after a third");
        }
        if (timeout.isNegative() || timeout.isZero() || timeout.toDays() > 365) {
            faults.add("the timeout is " + timeout + ": expected more than nothing and at most a year");
        }
        if (!faults.isEmpty()) {
            throw new IllegalArgumentException(String.join("; ", faults));
        }
        return uris;
    }

    private static String faultOf(URI uri) {
        boolean plain = "http".equals(uri.getScheme());
        if (!plain && !"https".equals(uri.getScheme()) || uri.getHost() == null) {
            return "is no address of a server: expected https://HOST:PORT";
        }
        if (uri.getRawUserInfo() != null || !uri.getRawPath().isEmpty() || uri.getRawQuery() != null || uri.getRawFragment() != null) {
            return "has more than a server's address: expected " + uri.getScheme() + "://HOST:PORT";
        }
        if (plain && !uri.getHost().matches("localhost|127(\\.[0-9]{1,3}){3}|\\[::1\\]")) {
            return "has no TLS and is not on the loopback interface, so others could read the token: expected https://";
        }
        return null;
    }

    String token() {
        return token;
    }

    Path ca() {
        return ca;
    }

    SSLContext sslContext() {
        return sslContext;
    }

    String name() {
        return name;
    }

    Duration ttl() {
        return ttl;
    }

    Duration margin() {
        return margin;
    }

    boolean earlyTakeover() {
        return earlyTakeover;
    }

    Duration timeout() {
        return timeout;
    }

    Clock clock() {
        return clock;
    }
}
