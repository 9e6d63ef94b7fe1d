package dev.towpath.election.it;

import dev.towpath.election.Campaign;
import dev.towpath.election.ElectionException;
import dev.towpath.election.EndReason;
import dev.towpath.election.Group;
import dev.towpath.election.Leadership;
import dev.towpath.election.Options;
import dev.towpath.election.Seats;
import dev.towpath.election.Session;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * A process that contends for seats, for tests that start and kill real ones. It says what happens as
 * lines of JSON on its output, and takes commands, one a line, from its input; when that ends, it
 * leaves as told by quit.
 *
 * <pre>
 * --endpoint URL     of the control API; may be repeated
 * --group NAME       whose seats
 * --want N           how many; default 1
 * --seats N          of a group without a configuration; default 1
 * --ttl SECONDS      of the session; default 10
 * --margin MILLIS    before the TTL's end; default by the TTL
 * --name NAME        of the process; default by host and process id
 * --token-file FILE  with the bearer token
 * --ca FILE          with the authority of the servers' certificates
 * --early-takeover   others may take over as soon as this process is seen to die
 * --hand-over        resigns by itself when it is asked to
 * --valid MILLIS     says every so often which leaderships are valid
 *
 * resign SEAT [CANDIDATE]   resigns a seat, to a candidate
 * want N                    wants another number of seats
 * group                     asks who holds what
 * quit                      closes the session, and ends
 * </pre>
 *
 * Every line has {@code event}, {@code monotonic} (nanoseconds of this machine's CLOCK_MONOTONIC) and {@code
 * wall} (nanoseconds since 1970), as strings. The events are {@code ready} (session, candidate), {@code granted},
 * {@code draining} (to), {@code lost} (reason), {@code resigned} (error, if it failed), {@code valid}, each of them
 * with group, seat, generation and revision; {@code wanted}, {@code group} (revision, and holders by seat), {@code
 * error} (error), and as the last one {@code ended} (reason). It exits with 0 after quit, and with 1 when the session
 * ended by itself or could not be opened.
 */
public final class Contender {
    private final Session session;
    private final Seats seats;
    private final boolean handsOver;
    private final Map<String, Leadership> leaderships = new ConcurrentHashMap<>();

    private Contender(Session session, Seats seats, boolean handsOver) {
        this.session = session;
        this.seats = seats;
        this.handsOver = handsOver;
    }

    /**
     * Runs it.
     *
     * @param args as above
     */
    public static void main(String[] args) {
        System.exit(run(args));
    }

    private static int run(String[] args) {
        List<String> endpoints = new ArrayList<>();
        Map<String, String> flags = new HashMap<>();
        for (int i = 0; i < args.length; i++) {
            if (args[i].equals("--early-takeover") || args[i].equals("--hand-over")) {
                flags.put(args[i], "");
            } else if (i + 1 == args.length || !args[i].startsWith("--")) {
                System.err.println("\"" + args[i] + "\" is no flag with a value");
                return 2;
            } else if (args[i].equals("--endpoint")) {
                endpoints.add(args[++i]);
            } else {
                flags.put(args[i], args[++i]);
            }
        }
        try {
            Options options = Options.of(endpoints.toArray(String[]::new))
                    .ttl(Duration.ofSeconds(Long.parseLong(flags.getOrDefault("--ttl", "10"))))
                    .earlyTakeover(flags.containsKey("--early-takeover"));
            if (flags.containsKey("--margin")) {
                options.margin(Duration.ofMillis(Long.parseLong(flags.get("--margin"))));
            }
            if (flags.containsKey("--name")) {
                options.name(flags.get("--name"));
            }
            if (flags.containsKey("--token-file")) {
                options.token(Files.readString(Path.of(flags.get("--token-file"))).strip());
            }
            if (flags.containsKey("--ca")) {
                options.ca(Path.of(flags.get("--ca")));
            }
            Campaign campaign = Campaign.of(flags.getOrDefault("--group", "group"))
                    .want(Integer.parseInt(flags.getOrDefault("--want", "1")))
                    .seats(Integer.parseInt(flags.getOrDefault("--seats", "1")));
            return contend(options, campaign, flags.containsKey("--hand-over"), Long.parseLong(flags.getOrDefault("--valid", "0")));
        } catch (ElectionException | IOException | InterruptedException | IllegalArgumentException e) {
            say("error", "error", e.toString());
            return 1;
        }
    }

    private static int contend(Options options, Campaign campaign, boolean handsOver, long validMillis)
            throws ElectionException, IOException, InterruptedException {
        try (Session session = Session.open(options)) {
            session.ended().thenAccept(reason -> {
                say("ended", "reason", reason.toString());
                if (reason != EndReason.CLOSED) {
                    // The main thread reads the input, which cannot be interrupted. Callbacks have their time.
                    new Thread(() -> {
                        session.close();
                        System.exit(1);
                    }).start();
                }
            });
            Seats seats = session.campaign(campaign);
            Contender contender = new Contender(session, seats, handsOver);
            say("ready", "session", session.id(), "candidate", seats.candidate());
            daemon(contender::take);
            if (validMillis > 0) {
                daemon(() -> contender.sayValid(validMillis));
            }
            contender.obey();
        }
        return 0;
    }

    private static void daemon(Runnable task) {
        Thread thread = new Thread(task);
        thread.setDaemon(true);
        thread.start();
    }

    private void take() {
        try {
            for (;;) {
                Leadership leadership = seats.take();
                leaderships.put(leadership.seat(), leadership);
                say("granted", leadership);
                leadership.onEnd(reason -> {
                    leaderships.remove(leadership.seat(), leadership);
                    say("lost", leadership, "reason", reason.toString());
                });
                leadership.draining().thenAccept(to -> {
                    say("draining", leadership, "to", to.orElse(""));
                    if (handsOver) {
                        resign(leadership, "");
                    }
                });
            }
        } catch (ElectionException | InterruptedException e) {
            // The session's end is told elsewhere.
        }
    }

    /** Looks again and again, as one does who works: what it says of a stopped process is what counts. */
    private void sayValid(long millis) {
        try {
            for (;;) {
                for (Leadership leadership : leaderships.values()) {
                    if (leadership.isValid()) {
                        say("valid", leadership);
                    }
                }
                Thread.sleep(millis);
            }
        } catch (InterruptedException e) {
            // Nobody does.
        }
    }

    private void obey() throws IOException, InterruptedException {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String[] words = line.strip().split(" ");
            try {
                switch (words[0]) {
                    case "quit":
                        return;
                    case "resign":
                        Leadership leadership = leaderships.get(words[1]);
                        if (leadership == null) {
                            say("error", "error", "the seat " + words[1] + " is not held");
                        } else {
                            resign(leadership, words.length > 2 ? words[2] : "");
                        }
                        break;
                    case "want":
                        seats.want(Integer.parseInt(words[1]));
                        say("wanted", "want", words[1]);
                        break;
                    case "group":
                        sayGroup();
                        break;
                    default:
                        say("error", "error", "no such command: " + line);
                }
            } catch (ElectionException | RuntimeException e) {
                say("error", "error", e.toString());
            }
        }
    }

    private static void resign(Leadership leadership, String to) {
        (to.isEmpty() ? leadership.resign() : leadership.resignTo(to)).whenComplete((done, error) -> {
            if (error == null) {
                say("resigned", leadership);
            } else {
                say("resigned", leadership, "error", error.toString());
            }
        });
    }

    private void sayGroup() throws ElectionException, InterruptedException {
        Group group = session.groups().get(seats.group());
        List<String> fields = new ArrayList<>(List.of("revision", Long.toString(group.revision())));
        for (Group.Seat seat : group.seats()) {
            fields.addAll(List.of(seat.name(), seat.candidate()));
        }
        say("group", fields.toArray(String[]::new));
    }

    private static void say(String event, Leadership leadership, String... more) {
        List<String> fields = new ArrayList<>(List.of("group", leadership.group(), "seat", leadership.seat(),
                "generation", Long.toUnsignedString(leadership.token().generation()),
                "revision", Long.toString(leadership.token().revision())));
        fields.addAll(List.of(more));
        say(event, fields.toArray(String[]::new));
    }

    private static void say(String event, String... fields) {
        long monotonic = System.nanoTime();
        Instant now = Instant.now();
        StringBuilder line = new StringBuilder("{\"event\":").append(quote(event));
        for (int i = 0; i < fields.length; i += 2) {
            line.append(',').append(quote(fields[i])).append(':').append(quote(fields[i + 1]));
        }
        line.append(",\"monotonic\":\"").append(monotonic).append("\",\"wall\":\"")
                .append(now.getEpochSecond() * 1_000_000_000 + now.getNano()).append("\"}\n");
        synchronized (System.out) {
            System.out.print(line);
            System.out.flush();
        }
    }

    private static String quote(String text) {
        StringBuilder out = new StringBuilder("\"");
        for (char c : text.toCharArray()) {
            if (c == '"' || c == '\\') {
                out.append('\\').append(c);
            } else if (c < ' ' || c > '~') {
                out.append("\\u%04x".formatted((int) c));
            } else {
                out.append(c);
            }
        }
        return out.append('"').toString();
    }
}
