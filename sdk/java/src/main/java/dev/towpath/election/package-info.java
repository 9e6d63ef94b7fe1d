/**
 * Leader election for JVM programs, over the HTTP API of Towpath's control plane.
 *
 * <p>A process opens one {@link Session}, which is a lease in the control plane: it is renewed
 * while the process lives and can reach the control plane. With it the process campaigns for
 * {@link Seats} of groups. A seat that it holds is a {@link Leadership}; a group has at most one
 * holder a seat. The Go package {@code towpath.dev/election} has the same model and competes for
 * the same seats.
 *
 * <pre>{@code
 * Options options = Options.of("https://control-1:7443", "https://control-2:7443")
 *     .ca(Path.of("/etc/towpath/ca.pem"))
 *     .token(Files.readString(Path.of("/etc/towpath/token")).strip())
 *     .name("mailer-3");
 * try (Session session = Session.open(options);
 *     Seats seats = session.campaign(Campaign.of("mailer"))) {
 *   Leadership leadership = seats.take();
 *   while (leadership.isValid()) {
 *     sendOneMail(leadership.fence());
 *   }
 * }
 * }</pre>
 *
 * <h2>What holding a seat means</h2>
 *
 * <p>A leadership is valid until the deadline of its session: the instant at which the renewal that
 * was answered last was <em>sent</em>, plus the TTL, less a margin. The control plane gives the
 * seat to nobody else before the whole TTL is over, counted from when it <em>received</em> that
 * renewal. So two processes that look at {@link Leadership#isValid()} before each step do not
 * overlap by more than what a step takes after the look, as long as the margin covers how much
 * their clocks' speeds differ. A step that stops for long, say in a collector's pause, can end
 * after the seat has gone to somebody else; where that matters, the thing that is written to
 * checks the {@link Fence} that was sent along. {@link JdbcGuard} does so in a database.
 *
 * <h2>Threads</h2>
 *
 * <p>A session has one thread of its own, {@code election-NAME}, which owns its state and runs no
 * code of yours, and a pool of threads, {@code election-NAME-io-N}, for HTTP and for your
 * callbacks: those of {@link Leadership#onEnd}, what is attached to the futures of this package,
 * and health probes. Callbacks may block; each has a thread of the pool, and renewals do not wait
 * for them. All of these threads are daemons and end soon after {@link Session#close()}. The
 * common pool is not used, not even by {@code …Async} methods of the futures. Every method of this
 * package may be called from any thread, also from callbacks. Those that block say so; they throw
 * {@link java.lang.InterruptedException} when interrupted.
 */
package dev.towpath.election;
