package dev.towpath.election;

import static dev.towpath.election.ElectionException.Code;

import java.net.URI;
import java.util.concurrent.CompletionException;

/** What went wrong with a request, in this package's terms. */
final class Refusal {
    private Refusal() {}

    /** The answer to a request that was not 200: Connect's error, or whatever stands before the server. */
    static ElectionException of(String what, URI endpoint, int status, byte[] body) {
        String code;
        String message;
        try {
            Message error = Message.parse(body);
            code = error.requiredString("code");
            message = error.string("message");
        } catch (MalformedJsonException e) {
            code = codeOf(status);
            message = "HTTP status " + status;
        }
        String text = "%s at %s: %s: %s".formatted(what, endpoint, code, message);
        switch (code) {
            case "not_found":
                return ElectionException.lasting(Code.NOT_FOUND, text);
            case "failed_precondition":
                return ElectionException.lasting(Code.FAILED_PRECONDITION, text);
            case "invalid_argument":
                return ElectionException.lasting(Code.INVALID_ARGUMENT, text);
            case "unauthenticated":
                return ElectionException.lasting(Code.UNAUTHENTICATED, text);
            case "permission_denied":
                return ElectionException.lasting(Code.PERMISSION_DENIED, text);
            case "already_exists":
            case "out_of_range":
            case "unimplemented":
                return ElectionException.lasting(Code.OTHER, text);
            case "unavailable":
            case "deadline_exceeded":
                return ElectionException.passing(Code.UNAVAILABLE, text, null);
            default:
                return ElectionException.passing(Code.OTHER, text, null);
        }
    }

    /** By Connect's table. */
    private static String codeOf(int status) {
        switch (status) {
            case 401:
                return "unauthenticated";
            case 403:
                return "permission_denied";
            case 404:
                return "unimplemented";
            case 429:
            case 502:
            case 503:
            case 504:
                return "unavailable";
            default:
                return "unknown";
        }
    }

    /** A request without an answer. */
    static ElectionException of(String what, URI endpoint, Throwable e) {
        Throwable cause = e instanceof CompletionException && e.getCause() != null ? e.getCause() : e;
        String why = cause.getMessage() == null ? cause.getClass().getSimpleName() : cause.getMessage();
        return ElectionException.passing(Code.UNAVAILABLE, "%s at %s: %s".formatted(what, endpoint, why), cause);
    }

    /** An answer that makes no sense. */
    static ElectionException of(String what, URI endpoint, MalformedJsonException e) {
        return ElectionException.passing(Code.OTHER, "%s at %s: a malformed answer: %s".formatted(what, endpoint, e.getMessage()), e);
    }
}
