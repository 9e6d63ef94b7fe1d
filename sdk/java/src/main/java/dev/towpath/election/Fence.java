package dev.towpath.election;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Which seat somebody holds, and the token of that holding: what goes along with a write, so that
 * the writes of earlier holders can be refused.
 *
 * <p>In HTTP it is the header {@value #HEADER} with {@link #headerValue()}:
 *
 * <pre>{@code
 * Fencing-Token: GROUP/SEAT=GENERATION.REVISION
 * }</pre>
 *
 * The names are escaped as in a URL's path: each byte of UTF-8 that is no letter or digit of ASCII
 * and none of {@code - . _ ~ $ & + : = @} is written as {@code %XX}.
 *
 * @param group the seat's group; not empty, without a slash
 * @param seat the seat's name; not empty, without a slash
 * @param token of the holding
 */
public record Fence(String group, String seat, Token token) {
    /** The name of the HTTP header. */
    public static final String HEADER = "Fencing-Token";

    private static final String PLAIN = "-._~$&+:=@"; // what is not escaped besides letters and digits
    private static final String NAME = "((?:[A-Za-z0-9._~$&+:=@-]|%[0-9A-Fa-f]{2})+)";
    private static final String NUMBER = "(0|[1-9][0-9]{0,19})";
    private static final Pattern FORM = Pattern.compile(NAME + "/" + NAME + "=" + NUMBER + "\\." + NUMBER);

    /**
     * Makes a fence.
     *
     * @param group the seat's group
     * @param seat the seat's name
     * @param token of the holding
     * @throws IllegalArgumentException if a name is none
     */
    public Fence {
        checkName("group", group);
        checkName("seat", seat);
    }

    private static void checkName(String what, String name) {
        if (name.isEmpty() || name.chars().anyMatch(c -> c == '/' || Character.isISOControl(c))) {
            throw new IllegalArgumentException(
                    "\"%s\" cannot name a %s: expected printable text without a slash".formatted(name, what));
        }
    }

    /**
     * Reads a header's value.
     *
     * @param value as {@link #headerValue()} writes it
     * @return the fence
     * @throws IllegalArgumentException if the value is of another form
     */
    public static Fence parse(String value) {
        Matcher m = FORM.matcher(value);
        if (m.matches()) {
            try {
                Token token = new Token(Long.parseUnsignedLong(m.group(3)), Long.parseLong(m.group(4)));
                return new Fence(unescape(m.group(1)), unescape(m.group(2)), token);
            } catch (IllegalArgumentException | CharacterCodingException e) {
                // A number is too great, or a name is none: said below.
            }
        }
        throw new IllegalArgumentException(
                "the header %s is \"%s\": expected GROUP/SEAT=GENERATION.REVISION, as in mailer/0=3.1729"
                        .formatted(HEADER, value));
    }

    /**
     * The value of the header.
     *
     * @return the value
     */
    public String headerValue() {
        return escape(group) + "/" + escape(seat) + "=" + token;
    }

    /**
     * The seat's name among the seats of all groups: {@code GROUP/SEAT}, not escaped.
     *
     * @return the name
     */
    public String name() {
        return group + "/" + seat;
    }

    /** The same as {@link #headerValue()}. */
    @Override
    public String toString() {
        return headerValue();
    }

    /** Writes a name so that it may stand in a header or be a segment of a URL's path. */
    static String escape(String name) {
        StringBuilder out = new StringBuilder(name.length());
        for (byte b : name.getBytes(StandardCharsets.UTF_8)) {
            char c = (char) (b & 0xff);
            if (c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || PLAIN.indexOf(c) >= 0) {
                out.append(c);
            } else {
                out.append("%%%02X".formatted((int) c));
            }
        }
        return out.toString();
    }

    private static String unescape(String escaped) throws CharacterCodingException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        for (int i = 0; i < escaped.length(); i++) {
            if (escaped.charAt(i) == '%') {
                bytes.write(Integer.parseInt(escaped.substring(i + 1, i + 3), 16));
                i += 2;
            } else {
                bytes.write(escaped.charAt(i));
            }
        }
        return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes.toByteArray())).toString();
    }
}
