package io.usermap.client;

import java.math.BigDecimal;
import java.net.URI;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * How the text of a setting becomes a value.
 *
 * @param <T> the value
 * @param name the type as documentation shows it, for example {@code duration}
 * @param parse the conversion; throws {@link IllegalArgumentException} whose message completes the sentence "'x' ..."
 */
public record ValueType<T>(String name, Function<String, T> parse) {

    private static final Pattern NUMBER_WITH_UNIT = Pattern.compile("\\s*([0-9]+(?:\\.[0-9]+)?)\\s*([A-Za-z]*)\\s*");

    private static final Map<String, Long> NANOS_BY_UNIT = Map.ofEntries(
            Map.entry("ms", 1_000_000L),
            Map.entry("millis", 1_000_000L),
            Map.entry("milliseconds", 1_000_000L),
            Map.entry("s", 1_000_000_000L),
            Map.entry("second", 1_000_000_000L),
            Map.entry("seconds", 1_000_000_000L),
            Map.entry("m", 60_000_000_000L),
            Map.entry("min", 60_000_000_000L),
            Map.entry("minute", 60_000_000_000L),
            Map.entry("minutes", 60_000_000_000L),
            Map.entry("h", 3_600_000_000_000L),
            Map.entry("hour", 3_600_000_000_000L),
            Map.entry("hours", 3_600_000_000_000L),
            Map.entry("d", 86_400_000_000_000L),
            Map.entry("day", 86_400_000_000_000L),
            Map.entry("days", 86_400_000_000_000L));

    private static final Map<String, Integer> BYTES_BY_UNIT =
            Map.of("b", 1, "kb", 1_000, "mb", 1_000_000, "kib", 1_024, "mib", 1_048_576);

    /** Any text, as it stands. */
    public static final ValueType<String> TEXT = new ValueType<>("string", text -> text);

    /** Exactly {@code true} or {@code false}, without regard to case: a typo is an error and not false. */
    public static final ValueType<Boolean> BOOLEAN =
            new ValueType<>("boolean", text -> switch (text.strip().toLowerCase(Locale.ROOT)) {
                case "true" -> true;
                case "false" -> false;
                default -> throw new IllegalArgumentException("is not a boolean. Use true or false.");
            });

    /** An absolute http or https URL without query. */
    public static final ValueType<URI> URL = new ValueType<>("URL", ValueType::parseUrl);

    /** A whole number from {@code least} to {@code most}. */
    public static ValueType<Integer> wholeNumber(int least, int most) {
        return new ValueType<>("integer", text -> {
            String range = "Use " + least + " to " + most + ".";
            int number;
            try {
                number = Integer.parseInt(text.strip());
            } catch (NumberFormatException e) {
                throw new IllegalArgumentException("is not a whole number. " + range, e);
            }
            if (number < least || number > most) {
                throw new IllegalArgumentException("is out of range. " + range);
            }
            return number;
        });
    }

    /** A number greater than {@code above} and at most {@code most}. */
    public static ValueType<Double> numberAbove(double above, double most) {
        return number("Use a number above " + plain(above) + " and at most " + plain(most) + ".", above, most, false);
    }

    /** A number from {@code least} to {@code most}. */
    public static ValueType<Double> number(double least, double most) {
        return number("Use " + plain(least) + " to " + plain(most) + ".", least, most, true);
    }

    private static ValueType<Double> number(String range, double least, double most, boolean leastIncluded) {
        return new ValueType<>("number", text -> {
            double number;
            try {
                // Not Double.parseDouble, which takes 50d, 0x1p3 and NaN.
                number = new BigDecimal(text.strip()).doubleValue();
            } catch (NumberFormatException e) {
                throw new IllegalArgumentException("is not a number. " + range, e);
            }
            boolean inRange = (leastIncluded ? number >= least : number > least) && number <= most;
            if (!inRange) {
                throw new IllegalArgumentException("is out of range. " + range);
            }
            return number;
        });
    }

    /** A duration with a unit, from {@code least} to {@code most}, for example {@code 30s}, {@code 500 ms}, {@code 2h}. */
    public static ValueType<Duration> duration(Duration least, Duration most) {
        return new ValueType<>("duration", text -> {
            Matcher matcher = NUMBER_WITH_UNIT.matcher(text);
            Long nanos = matcher.matches() ? NANOS_BY_UNIT.get(matcher.group(2).toLowerCase(Locale.ROOT)) : null;
            if (nanos == null) {
                throw new IllegalArgumentException("is not a duration. Use ms, s, m, h or d, for example 30s.");
            }
            BigDecimal exact = new BigDecimal(matcher.group(1)).multiply(BigDecimal.valueOf(nanos));
            if (exact.compareTo(BigDecimal.valueOf(least.toNanos())) < 0
                    || exact.compareTo(BigDecimal.valueOf(most.toNanos())) > 0) {
                throw new IllegalArgumentException("is out of range. Use " + show(least) + " to " + show(most) + ".");
            }
            return Duration.ofNanos(exact.longValue());
        });
    }

    /** A size in bytes with a unit, from {@code least} to {@code most} bytes, for example {@code 500kB}. */
    public static ValueType<Integer> size(int least, int most) {
        return new ValueType<>("size", text -> {
            Matcher matcher = NUMBER_WITH_UNIT.matcher(text);
            String unit = matcher.matches() ? matcher.group(2).toLowerCase(Locale.ROOT) : "?";
            Integer bytes = unit.isEmpty() ? Integer.valueOf(1) : BYTES_BY_UNIT.get(unit);
            if (bytes == null) {
                throw new IllegalArgumentException("is not a size. Use B, kB or MB, at most " + most + "B.");
            }
            BigDecimal exact = new BigDecimal(matcher.group(1)).multiply(BigDecimal.valueOf(bytes));
            if (exact.compareTo(BigDecimal.valueOf(least)) < 0 || exact.compareTo(BigDecimal.valueOf(most)) > 0) {
                throw new IllegalArgumentException("is out of range. Use " + least + "B to " + most + "B.");
            }
            return exact.intValue();
        });
    }

    /** One of an enum's constants, written in lower case with hyphens for underscores. */
    public static <E extends Enum<E>> ValueType<E> choice(Class<E> type) {
        List<E> constants = Arrays.asList(type.getEnumConstants());
        String words = constants.stream().map(ValueType::word).collect(Collectors.joining(" | "));
        return new ValueType<>(
                words,
                text -> constants.stream()
                        .filter(constant -> word(constant).equals(text.strip().toLowerCase(Locale.ROOT)))
                        .findFirst()
                        .orElseThrow(() -> new IllegalArgumentException("is none of " + words + ".")));
    }

    /** A constant as users write it: lower case, hyphens for underscores. */
    public static String word(Enum<?> constant) {
        return constant.name().toLowerCase(Locale.ROOT).replace('_', '-');
    }

    /** A duration as users write it: the largest unit that divides it, for example {@code 30s}. */
    public static String show(Duration duration) {
        long millis = duration.toMillis();
        if (millis % 1000 != 0 || millis == 0) {
            return millis + "ms";
        }
        long seconds = millis / 1000;
        if (seconds % 86_400 == 0) {
            return seconds / 86_400 + "d";
        }
        if (seconds % 3_600 == 0) {
            return seconds / 3_600 + "h";
        }
        return seconds % 60 == 0 ? seconds / 60 + "m" : seconds + "s";
    }

    private static URI parseUrl(String text) {
        String hint = "is not a URL. Use a base URL such as https://api.amplitude.com, without a path of the API.";
        URI url;
        try {
            url = URI.create(text.strip());
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException(hint, e);
        }
        boolean http = "http".equalsIgnoreCase(url.getScheme()) || "https".equalsIgnoreCase(url.getScheme());
        if (!http || url.getHost() == null || url.getRawQuery() != null || url.getRawFragment() != null) {
            throw new IllegalArgumentException(hint);
        }
        if (url.getRawUserInfo() != null) {
            throw new IllegalArgumentException("is a URL with a user in it. Leave the user out.");
        }
        return url;
    }

    private static String plain(double number) {
        return BigDecimal.valueOf(number).stripTrailingZeros().toPlainString();
    }
}
