package dev.towpath.election;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

/**
 * Which seats a process wants.
 *
 * @param group whose seats
 * @param want how many of them at most, at least 1; {@link Seats#want} changes it
 * @param seats how many a group without a configuration gets, at least 1; one that exists keeps its own
 * @param labels of the candidate, such as its zone, for policies
 * @param health whether this process is fit to lead
 */
public record Campaign(String group, int want, int seats, Map<String, String> labels, Optional<HealthCheck> health) {
    /**
     * Makes a campaign.
     *
     * @param group whose seats
     * @param want how many of them
     * @param seats that a new group gets
     * @param labels of the candidate
     * @param health whether this process is fit
     * @throws IllegalArgumentException if the group's name is empty or a number is less than 1
     */
    public Campaign {
        if (group.isEmpty() || want < 1 || seats < 1) {
            throw new IllegalArgumentException(
                    "a campaign in the group \"%s\" wants %d of %d seats: expected a name, and 1 or more of both"
                            .formatted(group, want, seats));
        }
        labels = Map.copyOf(labels);
    }

    /**
     * A campaign for one seat.
     *
     * @param group whose seat
     * @return the campaign
     */
    public static Campaign of(String group) {
        return new Campaign(group, 1, 1, Map.of(), Optional.empty());
    }

    /**
     * The same, for another number of seats.
     *
     * @param want how many at most
     * @return the campaign
     */
    public Campaign want(int want) {
        return new Campaign(group, want, seats, labels, health);
    }

    /**
     * The same, where a group that has no configuration yet gets another number of seats.
     *
     * @param seats how many
     * @return the campaign
     */
    public Campaign seats(int seats) {
        return new Campaign(group, want, seats, labels, health);
    }

    /**
     * The same with one more label.
     *
     * @param name of the label
     * @param value of the label
     * @return the campaign
     */
    public Campaign label(String name, String value) {
        Map<String, String> more = new LinkedHashMap<>(labels);
        more.put(name, value);
        return new Campaign(group, want, seats, more, health);
    }

    /**
     * The same, as long as this process is well.
     *
     * @param check that tells
     * @return the campaign
     */
    public Campaign health(HealthCheck check) {
        return new Campaign(group, want, seats, labels, Optional.of(check));
    }
}
