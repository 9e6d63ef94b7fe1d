package dev.towpath.election;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * A protobuf message in its JSON form. A field that is absent or null has its type's default;
 * fields that nobody asks for are left alone, as newer servers may send some.
 */
final class Message {
    private static final Pattern INTEGER = Pattern.compile("-?(0|[1-9][0-9]{0,19})");
    private static final BigInteger UINT64_MAX = BigInteger.ONE.shiftLeft(64).subtract(BigInteger.ONE);

    private final String path; // where it is in what was read, for errors
    private final Map<?, ?> fields;

    private Message(String path, Map<?, ?> fields) {
        this.path = path;
        this.fields = fields;
    }

    static Message parse(byte[] utf8) throws MalformedJsonException {
        return of("", Json.parse(utf8));
    }

    private static Message of(String path, Object value) throws MalformedJsonException {
        if (value instanceof Map<?, ?> fields) {
            return new Message(path, fields);
        }
        throw new MalformedJsonException((path.isEmpty() ? "the whole" : path) + " is " + Json.write(value) + ": expected an object");
    }

    String string(String name) throws MalformedJsonException {
        Object value = fields.get(name);
        if (value == null) {
            return "";
        }
        if (value instanceof String s) {
            return s;
        }
        throw expected(name, "a string");
    }

    boolean bool(String name) throws MalformedJsonException {
        Object value = fields.get(name);
        if (value == null) {
            return false;
        }
        if (value instanceof Boolean b) {
            return b;
        }
        throw expected(name, "true or false");
    }

    int int32(String name) throws MalformedJsonException {
        return integer(name, BigInteger.valueOf(Integer.MIN_VALUE), BigInteger.valueOf(Integer.MAX_VALUE)).intValue();
    }

    long int64(String name) throws MalformedJsonException {
        return integer(name, BigInteger.valueOf(Long.MIN_VALUE), BigInteger.valueOf(Long.MAX_VALUE)).longValue();
    }

    /** An unsigned number, in the 64 bits of a long. */
    long uint64(String name) throws MalformedJsonException {
        return integer(name, BigInteger.ZERO, UINT64_MAX).longValue();
    }

    private BigInteger integer(String name, BigInteger least, BigInteger most) throws MalformedJsonException {
        Object value = fields.get(name);
        BigInteger n = null;
        if (value == null) {
            n = BigInteger.ZERO;
        } else if (value instanceof String s && INTEGER.matcher(s).matches()) {
            n = new BigInteger(s);
        } else if (value instanceof BigDecimal d && d.precision() - (long) d.scale() <= 20) { // no more digits than 64 bits have
            BigDecimal plain = d.signum() == 0 ? BigDecimal.ZERO : d.stripTrailingZeros();
            n = plain.scale() <= 0 ? plain.toBigIntegerExact() : null;
        }
        if (n == null || n.compareTo(least) < 0 || n.compareTo(most) > 0) {
            throw expected(name, "an integer from " + least + " to " + most);
        }
        return n;
    }

    Optional<Message> message(String name) throws MalformedJsonException {
        Object value = fields.get(name);
        return value == null ? Optional.empty() : Optional.of(of(path(name), value));
    }

    /** A field without which the message says nothing. */
    Message required(String name) throws MalformedJsonException {
        return message(name).orElseThrow(() -> new MalformedJsonException(path(name) + " is missing"));
    }

    String requiredString(String name) throws MalformedJsonException {
        String value = string(name);
        if (value.isEmpty()) {
            throw new MalformedJsonException(path(name) + " is missing");
        }
        return value;
    }

    List<Message> messages(String name) throws MalformedJsonException {
        List<Message> messages = new ArrayList<>();
        for (Object element : list(name)) {
            messages.add(of(path(name) + "[" + messages.size() + "]", element));
        }
        return messages;
    }

    List<String> strings(String name) throws MalformedJsonException {
        List<String> strings = new ArrayList<>();
        for (Object element : list(name)) {
            if (!(element instanceof String s)) {
                throw expected(name, "an array of strings");
            }
            strings.add(s);
        }
        return List.copyOf(strings);
    }

    private List<?> list(String name) throws MalformedJsonException {
        Object value = fields.get(name);
        if (value == null) {
            return List.of();
        }
        if (value instanceof List<?> list) {
            return list;
        }
        throw expected(name, "an array");
    }

    Map<String, String> stringMap(String name) throws MalformedJsonException {
        Map<String, String> map = new LinkedHashMap<>();
        Optional<Message> message = message(name);
        if (message.isPresent()) {
            for (Object key : message.get().fields.keySet()) {
                map.put((String) key, message.get().string((String) key));
            }
        }
        return Map.copyOf(map);
    }

    private String path(String name) {
        return path.isEmpty() ? name : path + "." + name;
    }

    private MalformedJsonException expected(String name, String what) {
        return new MalformedJsonException("%s is %s: expected %s".formatted(path(name), Json.write(fields.get(name)), what));
    }
}
