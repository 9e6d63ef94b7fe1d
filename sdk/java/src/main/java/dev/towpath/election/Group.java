package dev.towpath.election;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A group as it was at one revision.
 *
 * @param name of the group
 * @param config its seats or partitions
 * @param seats each with its holder
 * @param candidates who campaigns, those that hold seats among them
 * @param assigner the candidate that plans who holds which partition; may be empty
 * @param revision of the store at which it was so
 */
public record Group(
        String name, Config config, List<Seat> seats, List<Candidate> candidates, String assigner, long revision) {
    /**
     * What a group consists of: a number of seats, or partitions.
     *
     * @param seats how many, named "0", "1" and so on; 0 for a group of partitions
     * @param partitions their names; empty for a group of seats
     */
    public record Config(int seats, List<String> partitions) {
        static Config of(Message m) throws MalformedJsonException {
            return new Config(m.int32("seats"), m.strings("partitions"));
        }
    }

    /**
     * A seat or partition.
     *
     * @param name in the group
     * @param candidate the id of who holds it; empty if nobody does
     * @param holderName how people know the holder; may be empty
     * @param token of the holding; empty if nobody holds it
     * @param planned of a partition: the candidate that shall hold it; may be empty
     */
    public record Seat(String name, String candidate, String holderName, Optional<Token> token, String planned) {
        static Seat of(Message m) throws MalformedJsonException {
            Optional<Message> token = m.message("token");
            return new Seat(m.requiredString("name"), m.string("candidate"), m.string("holderName"),
                    token.isPresent() ? Optional.of(SessionEvent.token(token.get())) : Optional.empty(), m.string("planned"));
        }
    }

    /**
     * Who campaigns.
     *
     * @param id of the candidate
     * @param name how people know it
     * @param want how many seats it wants at most
     * @param held how many it holds
     * @param draining whether it is asked to give up all it holds
     * @param labels such as its zone
     */
    public record Candidate(String id, String name, int want, int held, boolean draining, Map<String, String> labels) {
        static Candidate of(Message m) throws MalformedJsonException {
            return new Candidate(m.requiredString("id"), m.string("name"), m.int32("want"), m.int32("held"),
                    m.bool("draining"), m.stringMap("labels"));
        }
    }

    static Group of(String name, Message m) throws MalformedJsonException {
        List<Seat> seats = new ArrayList<>();
        for (Message seat : m.messages("seats")) {
            seats.add(Seat.of(seat));
        }
        List<Candidate> candidates = new ArrayList<>();
        for (Message candidate : m.messages("candidates")) {
            candidates.add(Candidate.of(candidate));
        }
        Optional<Message> config = m.message("config");
        return new Group(name, config.isPresent() ? Config.of(config.get()) : new Config(0, List.of()),
                List.copyOf(seats), List.copyOf(candidates), m.string("assigner"), m.int64("revision"));
    }
}
