/**
 * Amplitude's User Mapping API on loopback, with the documented limits enforced and the mappings kept on disk.
 *
 * <p>It is written from the documentation alone and shares no code with the client, so that the two check each other. Read
 * {@link io.usermap.sandbox.Sandbox} first: starting, stopping, and what a test can ask. A request then goes
 * from {@code SandboxHandler} (HTTP) through {@code Received}, {@code FormFields}, {@code MappingCall} and {@code IdRules}
 * (what is well-formed) or {@code LookupCall} to {@code Faults} (what befalls it) and to {@code Organisation}, whose lock
 * orders the arrivals. There a {@code Window} decides whether it may be served, {@code MappingStore} carries it out, {@code
 * Journal} writes it down, and {@code RequestLog} remembers it. {@code FaultScript} reads what {@code Faults} and {@code
 * Switches} hold; {@code AdminCalls} and {@code LivePage} show and change it. {@code SandboxCommand} and {@code SandboxFlags}
 * make a command of it.
 *
 * <p>With the command on port 8080, curl maps one id, maps two, unmaps both, and asks. The JSON has to be percent-encoded,
 * which {@code --data-urlencode} does, and {@code -G} puts it into the query string where that is wanted; the server refuses
 * raw JSON in a URL, as any server may:
 *
 * <pre>{@code
 * curl --data-urlencode 'api_key=123456789' \
 *   --data-urlencode 'mapping={"user_id":"ann@one.example","global_user_id":"ann@example.com"}' \
 *   http://127.0.0.1:8080/usermap
 * curl -G -X POST --data-urlencode 'api_key=123456789' \
 *   --data-urlencode 'mapping=[{"user_id":"ann@one.example","global_user_id":"ann@example.com"},
 *                              {"user_id":"ann@two.example","global_user_id":"ann@example.com"}]' \
 *   http://127.0.0.1:8080/usermap
 * curl --data-urlencode 'api_key=123456789' \
 *   --data-urlencode 'mapping=[{"user_id":"ann@one.example","unmap":true},{"user_id":"ann@two.example","unmap":true}]' \
 *   http://127.0.0.1:8080/usermap
 * curl -X GET -u 123456789:secret \
 *   --data-urlencode 'user_ids=ann@one.example' --data-urlencode 'user_ids=ann@example.com' \
 *   http://127.0.0.1:8080/api/2/usermap
 * }</pre>
 */
@NullMarked
package io.usermap.sandbox;

import org.jspecify.annotations.NullMarked;
