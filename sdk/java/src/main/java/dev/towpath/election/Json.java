package dev.towpath.election;

import java.math.BigDecimal;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * JSON, strictly by RFC 8259, and as protobuf's JSON reads it: no duplicate names, no lone
 * surrogates, UTF-8 alone. Objects are {@link Map}s in their order, arrays {@link List}s, numbers
 * {@link BigDecimal}s, and null is null.
 */
final class Json {
    /** How deep values may nest; so hostile text cannot use up the stack. */
    private static final int DEPTH = 100;

    /** A number of more digits than this is none of ours, and costs much to work with. */
    private static final int DIGITS = 400;

    private final String text;
    private int at;
    private int depth;

    private Json(String text) {
        this.text = text;
    }

    /** Reads one value. */
    static Object parse(byte[] utf8) throws MalformedJsonException {
        try {
            return parse(StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(utf8)).toString());
        } catch (CharacterCodingException e) {
            throw new MalformedJsonException("the text is not UTF-8");
        }
    }

    /** Reads one value. */
    static Object parse(String text) throws MalformedJsonException {
        Json json = new Json(text);
        json.space();
        Object value = json.value();
        json.space();
        if (json.at < text.length()) {
            throw json.expected("the end");
        }
        return value;
    }

    private Object value() throws MalformedJsonException {
        switch (peek()) {
            case '{':
                return nested(this::object);
            case '[':
                return nested(this::array);
            case '"':
                return string();
            case 't':
                return word("true", true);
            case 'f':
                return word("false", false);
            case 'n':
                return word("null", null);
            default:
                return number();
        }
    }

    private interface Reader {
        Object read() throws MalformedJsonException;
    }

    private Object nested(Reader reader) throws MalformedJsonException {
        if (++depth > DEPTH) {
            throw expected("at most " + DEPTH + " values in each other");
        }
        at++;
        space();
        Object value = reader.read();
        depth--;
        return value;
    }

    private Map<String, Object> object() throws MalformedJsonException {
        Map<String, Object> members = new LinkedHashMap<>();
        if (take('}')) {
            return members;
        }
        do {
            space();
            int start = at;
            String name = string();
            space();
            need(':');
            space();
            Object value = value();
            if (members.containsKey(name)) {
                at = start;
                throw expected("a name that is not there yet");
            }
            members.put(name, value);
            space();
        } while (take(','));
        need('}');
        return members;
    }

    private List<Object> array() throws MalformedJsonException {
        List<Object> elements = new ArrayList<>();
        if (take(']')) {
            return elements;
        }
        do {
            space();
            elements.add(value());
            space();
        } while (take(','));
        need(']');
        return elements;
    }

    private Object word(String word, Object value) throws MalformedJsonException {
        if (!text.startsWith(word, at)) {
            throw expected(word);
        }
        at += word.length();
        return value;
    }

    private BigDecimal number() throws MalformedJsonException {
        int start = at;
        take('-');
        if (!take('0')) {
            digits(at == start ? "a value" : "a digit");
        }
        if (take('.')) {
            digits("a digit");
        }
        if (take('e') || take('E')) {
            if (!take('-')) {
                take('+');
            }
            digits("a digit");
        }
        if (at - start > DIGITS) {
            at = start;
            throw expected("a number of at most " + DIGITS + " characters");
        }
        try {
            return new BigDecimal(text.substring(start, at));
        } catch (NumberFormatException e) { // an exponent beyond int
            at = start;
            throw expected("a number with a smaller exponent");
        }
    }

    private void digits(String what) throws MalformedJsonException {
        int start = at;
        while (peek() >= '0' && peek() <= '9') {
            at++;
        }
        if (at == start) {
            throw expected(what);
        }
    }

    private String string() throws MalformedJsonException {
        need('"');
        StringBuilder out = new StringBuilder();
        while (!take('"')) {
            if (at == text.length() || peek() < ' ') {
                throw expected("a character of a string, or its end");
            }
            int start = at;
            char c = character();
            out.append(c);
            if (Character.isHighSurrogate(c)) {
                char low = at < text.length() && peek() >= ' ' && peek() != '"' ? character() : 0;
                if (!Character.isLowSurrogate(low)) {
                    at = start;
                    throw expected("a whole pair of surrogates");
                }
                out.append(low);
            } else if (Character.isLowSurrogate(c)) {
                at = start;
                throw expected("a whole pair of surrogates");
            }
        }
        return out.toString();
    }

    /** One UTF-16 unit of a string, escaped or not. */
    private char character() throws MalformedJsonException {
        char c = text.charAt(at++);
        if (c != '\\') {
            return c;
        }
        char escape = peek();
        if (escape == 'u') {
            at++;
            return unit();
        }
        int i = "\"\\/bfnrt".indexOf(escape);
        if (i < 0) {
            throw expected("one of \" \\ / b f n r t u");
        }
        at++;
        return "\"\\/\b\f\n\r\t".charAt(i);
    }

    private char unit() throws MalformedJsonException {
        int unit = 0;
        for (int i = 0; i < 4; i++) {
            char c = peek();
            int digit = c < 0x80 ? Character.digit(c, 16) : -1;
            if (digit < 0) {
                throw expected("four hexadecimal digits");
            }
            unit = unit << 4 | digit;
            at++;
        }
        return (char) unit;
    }

    private void space() {
        while (at < text.length() && " \t\r\n".indexOf(text.charAt(at)) >= 0) {
            at++;
        }
    }

    /** The next character; NUL, which is valid nowhere, at the end. */
    private char peek() {
        return at < text.length() ? text.charAt(at) : 0;
    }

    private boolean take(char c) {
        if (at < text.length() && text.charAt(at) == c) {
            at++;
            return true;
        }
        return false;
    }

    private void need(char c) throws MalformedJsonException {
        if (!take(c)) {
            throw expected("'" + c + "'");
        }
    }

    private MalformedJsonException expected(String what) {
        String found = at < text.length() ? "'" + new StringBuilder().appendCodePoint(text.codePointAt(at)) + "'" : "the end";
        return new MalformedJsonException("at character %d: expected %s, found %s".formatted(at, what, found));
    }

    /** Writes a value of the types that {@link #parse} makes; integers of any class too. */
    static String write(Object value) {
        StringBuilder out = new StringBuilder();
        write(value, out);
        return out.toString();
    }

    private static void write(Object value, StringBuilder out) {
        if (value instanceof Map<?, ?> members) {
            String comma = "{";
            for (Map.Entry<?, ?> member : members.entrySet()) {
                out.append(comma);
                comma = ",";
                writeString((String) member.getKey(), out);
                out.append(':');
                write(member.getValue(), out);
            }
            out.append(members.isEmpty() ? "{}" : "}");
        } else if (value instanceof List<?> elements) {
            String comma = "[";
            for (Object element : elements) {
                out.append(comma);
                comma = ",";
                write(element, out);
            }
            out.append(elements.isEmpty() ? "[]" : "]");
        } else if (value instanceof String s) {
            writeString(s, out);
        } else if (value == null || value instanceof Boolean || value instanceof Number) {
            out.append(value);
        } else {
            throw new IllegalArgumentException("no JSON for a " + value.getClass().getName());
        }
    }

    private static void writeString(String s, StringBuilder out) {
        out.append('"');
        for (int i = 0; i < s.length(); i++) {
            char c = s.charAt(i);
            if (c == '"' || c == '\\') {
                out.append('\\').append(c);
            } else if (c < ' ' || Character.isSurrogate(c) && !paired(s, i)) {
                out.append("\\u%04x".formatted((int) c));
            } else {
                out.append(c);
            }
        }
        out.append('"');
    }

    private static boolean paired(String s, int i) {
        return Character.isHighSurrogate(s.charAt(i))
                ? i + 1 < s.length() && Character.isLowSurrogate(s.charAt(i + 1))
                : i > 0 && Character.isHighSurrogate(s.charAt(i - 1));
    }
}
