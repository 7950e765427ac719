package io.usermap.sandbox;

/**
 * A request that cannot be served, with the answer that says why.
 *
 * <p>Thrown while a request is being read, caught in one place, {@link SandboxHandler}. Its reason names a field and a
 * position, never an id or a key. It has no stack trace: a sender of broken requests costs no more than one of good ones.
 */
final class RefusedException extends Exception {
    private static final long serialVersionUID = 1;

    private final transient Reply reply;

    RefusedException(Reply reply) {
        super(reply.body(), null, false, false);
        this.reply = reply;
    }

    /** The request is wrong in itself: 400. */
    static RefusedException badRequest(String reason) {
        return new RefusedException(Reply.text(400, reason));
    }

    /** The key is not one of those that the sandbox was told to accept: 401. */
    static RefusedException unauthorized(String reason) {
        return new RefusedException(Reply.text(401, reason));
    }

    Reply reply() {
        return reply;
    }
}
