package io.usermap.client;

import java.time.Duration;

/** An answer of the {@link Allowance} to a question, to be given to whoever asked. */
public sealed interface AllowanceAnswer {

    /** The question that is answered. */
    String request();

    /**
     * Mappings may be sent.
     *
     * @param request the question that is answered
     * @param permit what to name when it is done
     * @param mappings how many mappings, at most what was wanted
     * @param waited how long the question waited; what passed at the sender since it asked, less this, is the grant's age
     * @param sendWithin the age at which the grant is too old to be used
     * @param mappingsPerSecond the rate for the sender's own limiter, a backstop
     * @param requestsInFlight how many requests this writer may have in flight
     * @param everAccepted whether the service has ever accepted anything, from whomever, as far as the coordinator knows
     */
    record Grant(
            String request,
            long permit,
            int mappings,
            Duration waited,
            Duration sendWithin,
            double mappingsPerSecond,
            int requestsInFlight,
            boolean everAccepted)
            implements AllowanceAnswer {

        /** The same grant, to be used within another time. */
        public Grant sentWithin(Duration other) {
            return new Grant(
                    request, permit, mappings, waited, other, mappingsPerSecond, requestsInFlight, everAccepted);
        }
    }

    /**
     * Ask again; the turn is kept.
     *
     * @param request the question that is answered
     * @param after how long to wait before
     */
    record Later(String request, Duration after) implements AllowanceAnswer {}

    /**
     * The write has been stopped; nothing more may be sent for it.
     *
     * @param request the question that is answered
     * @param reason in words, why
     */
    record Denied(String request, String reason) implements AllowanceAnswer {}
}
