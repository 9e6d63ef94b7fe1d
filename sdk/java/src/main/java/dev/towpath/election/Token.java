package dev.towpath.election;

/**
 * A fencing token. The tokens of one seat grow with each acquisition, so whoever remembers the
 * greatest one that it has seen can refuse what an earlier holder still sends.
 *
 * @param generation of the control plane's store, unsigned; it grows when the store is restored
 * @param revision of the store at the acquisition; not negative
 */
public record Token(long generation, long revision) implements Comparable<Token> {
    /**
     * Makes a token.
     *
     * @param generation of the store, unsigned
     * @param revision of the acquisition
     * @throws IllegalArgumentException if the revision is negative
     */
    public Token {
        if (revision < 0) {
            throw new IllegalArgumentException("a token's revision is " + revision + ": expected 0 or more");
        }
    }

    /** Orders by generation, unsigned, and then by revision. */
    @Override
    public int compareTo(Token other) {
        int generations = Long.compareUnsigned(generation, other.generation);
        return generations != 0 ? generations : Long.compare(revision, other.revision);
    }

    /** The token as text: {@code GENERATION.REVISION}. */
    @Override
    public String toString() {
        return Long.toUnsignedString(generation) + "." + revision;
    }
}
