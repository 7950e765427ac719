package io.usermap.sandbox;

import io.usermap.sandbox.Fault.Answer;
import io.usermap.sandbox.Fault.Delay;
import io.usermap.sandbox.Fault.Drop;
import io.usermap.sandbox.Fault.Numbers;
import io.usermap.sandbox.Fault.Target;
import io.usermap.sandbox.Fault.When;
import io.usermap.sandbox.Switches.Charge;
import io.usermap.sandbox.Switches.Treatment;
import io.usermap.sandbox.Switches.WindowModel;
import java.net.URI;
import java.net.URISyntaxException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;
import java.util.function.UnaryOperator;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;

/**
 * A script of faults and switches, as {@code --faults}, the admin call and the tests give it; {@code
 * connector/docs/sandbox.md} describes the format.
 *
 * @param faults in the order in which they are tried
 * @param switches changes those in force to what the script says, leaving out what it does not mention
 */
record FaultScript(List<Fault> faults, UnaryOperator<Switches> switches) {
    static final String UNNAMED = "the fault script";

    /** The most characters of a script. */
    static final int MAX_LENGTH = 1_000_000;

    /** The most faults in force. */
    static final int MAX_FAULTS = 1000;

    private static final List<String> SCRIPT_KEYS = List.of("seed", "switches", "faults");
    private static final List<String> SWITCH_KEYS = List.of(
            "window_model",
            "token_capacity",
            "throttled_calls",
            "refused_calls",
            "retry_after",
            "remaps",
            "chains",
            "self_maps");
    private static final List<String> FAULT_KEYS = List.of(
            "name",
            "path",
            "requests",
            "from",
            "until",
            "probability",
            "times",
            "key",
            "ids",
            "id_pattern",
            "delay_request",
            "delay_answer",
            "status",
            "body",
            "retry_after",
            "redirect",
            "stored",
            "drop",
            "byte_delay",
            "endless_body");

    private static final Pattern NUMBERS =
            Pattern.compile("(\\d{1,9})(-(\\d{1,9})?)?|every (\\d{1,9})( from (\\d{1,9}))?");
    private static final Pattern HEADER_VALUE = Pattern.compile("[\\x21-\\x7e]([\\x20-\\x7e]{0,198}[\\x21-\\x7e])?");
    private static final Pattern NAME = Pattern.compile("[\\w .:+-]{1,60}");

    /**
     * Reads a script.
     *
     * @param source what messages call it, for example the name of its file
     * @throws IllegalArgumentException if it is wrong, naming source, line and column, and the nearest known key
     */
    static FaultScript parse(String source, String text) {
        if (text.length() > MAX_LENGTH) {
            throw new IllegalArgumentException("Cannot read " + source + ": it has " + text.length()
                    + " characters. Use at most " + MAX_LENGTH + ".");
        }
        ScriptObject script = ScriptObject.parse(source, text);
        script.allowOnly("a script", SCRIPT_KEYS);
        long seed = script.whole("seed", Long.MIN_VALUE, Long.MAX_VALUE).orElse(0L);
        UnaryOperator<Switches> switches =
                script.object("switches").map(FaultScript::switches).orElse(UnaryOperator.identity());
        List<Fault> faults = new ArrayList<>();
        Set<String> names = new HashSet<>();
        for (ScriptObject written : script.objects("faults")) {
            Fault fault = fault(written, seed);
            if (!fault.name().isEmpty() && !names.add(fault.name())) {
                throw written.wrong("name", "there are two faults '" + fault.name() + "'. Rename one of them.");
            }
            if (faults.size() == MAX_FAULTS) {
                throw written.wrong("", "there are more than " + MAX_FAULTS + " faults. Leave some out.");
            }
            faults.add(fault);
        }
        return new FaultScript(List.copyOf(faults), switches);
    }

    private static UnaryOperator<Switches> switches(ScriptObject written) {
        written.allowOnly("'switches'", SWITCH_KEYS);
        Optional<WindowModel> model = written.choice("window_model", WindowModel.class);
        Optional<Long> capacity = written.whole("token_capacity", 1, Integer.MAX_VALUE);
        Optional<Charge> throttled = written.choice("throttled_calls", Charge.class);
        Optional<Charge> refused = written.choice("refused_calls", Charge.class);
        Optional<String> retryAfter = headerValue(written, "retry_after");
        Optional<Treatment> remaps = written.choice("remaps", Treatment.class);
        Optional<Treatment> chains = written.choice("chains", Treatment.class);
        Optional<Treatment> selfMaps = written.choice("self_maps", Treatment.class);
        if (capacity.isPresent() && model.orElse(WindowModel.EXACT) != WindowModel.TOKEN_BUCKET) {
            throw written.wrong("token_capacity", "'token_capacity' needs \"window_model\": \"token_bucket\". Add it.");
        }
        return before -> new Switches(
                model.orElse(before.windowModel()),
                capacity.isPresent()
                        ? OptionalInt.of(capacity.get().intValue())
                        : model.isPresent() ? OptionalInt.empty() : before.tokenCapacity(),
                throttled.orElse(before.throttledCalls()),
                refused.orElse(before.refusedCalls()),
                retryAfter.or(before::retryAfter),
                remaps.orElse(before.remaps()),
                chains.orElse(before.chains()),
                selfMaps.orElse(before.selfMaps()));
    }

    private static Fault fault(ScriptObject written, long seed) {
        written.allowOnly("a fault", FAULT_KEYS);
        Optional<String> name = written.text("name");
        if (name.isPresent() && !NAME.matcher(name.get()).matches()) {
            throw written.wrong(
                    "name", "'name' holds other characters. Use 1 to 60 letters, digits, blanks and any of _.:+-");
        }
        Optional<Drop> drop = written.choice("drop", Drop.class);
        Optional<Answer> answer = answer(written);
        if (answer.isPresent() && drop.isPresent() && drop.get() != Drop.BODY) {
            throw written.wrong("drop", "a dropped connection has no status. Leave one of them out.");
        }
        Fault.Body body = new Fault.Body(
                written.duration("byte_delay").orElse(Duration.ZERO),
                written.flag("endless_body").orElse(false));
        Fault fault = new Fault(
                name.orElse(""),
                seed,
                when(written),
                written.delay("delay_request").orElse(Delay.NONE),
                written.delay("delay_answer").orElse(Delay.NONE),
                answer,
                drop,
                body);
        if (!fault.decides()
                && fault.requestDelay().isNone()
                && fault.answerDelay().isNone()) {
            throw written.wrong(
                    "",
                    "the fault does nothing. Use delay_request, delay_answer, status, redirect, drop,"
                            + " byte_delay or endless_body.");
        }
        return fault;
    }

    private static When when(ScriptObject written) {
        Optional<Duration> until = written.duration("until");
        Duration from = written.duration("from").orElse(Duration.ZERO);
        if (until.isPresent() && until.get().compareTo(from) <= 0) {
            throw written.wrong("until", "'until' is not after 'from'. Use a later time.");
        }
        Optional<Long> times = written.whole("times", 1, Integer.MAX_VALUE);
        return new When(
                written.choice("path", Target.class),
                numbers(written),
                from,
                until,
                written.share("probability").orElse(1.0),
                times.isPresent() ? OptionalLong.of(times.get()) : OptionalLong.empty(),
                written.text("key").map(Received::fingerprint),
                Set.copyOf(new HashSet<>(written.texts("ids"))),
                pattern(written));
    }

    private static Numbers numbers(ScriptObject written) {
        Optional<String> text = written.numberOrText("requests");
        if (text.isEmpty()) {
            return Numbers.ALL;
        }
        Matcher parts = NUMBERS.matcher(text.get());
        if (parts.matches()) {
            String every = parts.group(4);
            long first = Long.parseLong(
                    every == null
                            ? parts.group(1)
                            : Optional.ofNullable(parts.group(6)).orElse(every));
            long step = every == null ? 1 : Long.parseLong(every);
            long last = every != null || (parts.group(2) != null && parts.group(3) == null)
                    ? Long.MAX_VALUE
                    : parts.group(3) == null ? first : Long.parseLong(parts.group(3));
            if (first >= 1 && step >= 1 && last >= first) {
                return new Numbers(first, step, last);
            }
        }
        throw written.wrong(
                "requests",
                "'" + Printable.of(text.get(), 40)
                        + "' numbers no requests. Use 3, \"3-5\", \"3-\", \"every 4\" or \"every 4 from 2\".");
    }

    private static Optional<Pattern> pattern(ScriptObject written) {
        try {
            return written.text("id_pattern").map(Pattern::compile);
        } catch (PatternSyntaxException e) {
            throw written.wrong(
                    "id_pattern", "'id_pattern' is no regular expression: " + e.getDescription() + ". Mend it.");
        }
    }

    private static Optional<Answer> answer(ScriptObject written) {
        Optional<String> redirect = written.text("redirect");
        Optional<Integer> status = written.whole("status", 200, 599).map(Long::intValue);
        if (redirect.isPresent()) {
            requireAddress(written, redirect.get());
            if (status.isPresent() && status.get() / 100 != 3) {
                throw written.wrong("status", "a redirect has a status from 300 to 399. Use 307 or leave it out.");
            }
            status = Optional.of(status.orElse(307));
        }
        if (status.isEmpty()) {
            for (String key : List.of("body", "retry_after", "stored")) {
                if (written.has(key)) {
                    throw written.wrong(key, "'" + key + "' needs a status. Add one.");
                }
            }
            return Optional.empty();
        }
        Reply reply = Reply.text(status.get(), written.text("body").orElse("by the fault script"));
        reply = redirect.isPresent() ? reply.with("Location", redirect.get()) : reply;
        Optional<String> retryAfter = headerValue(written, "retry_after");
        reply = retryAfter.isPresent() ? reply.with("Retry-After", retryAfter.get()) : reply;
        return Optional.of(new Answer(reply, written.flag("stored").orElse(false)));
    }

    private static Optional<String> headerValue(ScriptObject written, String key) {
        Optional<String> value = written.numberOrText(key);
        if (value.isPresent() && !HEADER_VALUE.matcher(value.get()).matches()) {
            throw written.wrong(key, "'" + key + "' is no value of a header. Use up to 200 characters of ASCII.");
        }
        return value;
    }

    private static void requireAddress(ScriptObject written, String redirect) {
        try {
            URI address = new URI(redirect);
            boolean isAscii = StandardCharsets.US_ASCII.newEncoder().canEncode(redirect);
            String scheme =
                    Optional.ofNullable(address.getScheme()).orElse("http").toLowerCase(Locale.ROOT);
            if (isAscii && !redirect.isEmpty() && Set.of("http", "https").contains(scheme)) {
                return;
            }
        } catch (URISyntaxException e) {
            // Told below.
        }
        throw written.wrong("redirect", "'redirect' is no address. Use http://, https:// or a path.");
    }
}
