package io.usermap.job;

import io.usermap.client.AllowanceRules;
import io.usermap.client.Endpoints;
import io.usermap.client.IdRules;
import io.usermap.client.InvalidSettingsException;
import io.usermap.client.LookupRules;
import io.usermap.client.Secret;
import io.usermap.client.SecretReference;
import io.usermap.client.SecretStore;
import io.usermap.client.Setting;
import io.usermap.client.Settings;
import io.usermap.spark.UserMapOptions;
import java.net.URI;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;

/**
 * The configuration of one command, checked as a whole before anything starts.
 *
 * <p>Immutable. Keys of the service are resolved here, on the driver, and appear in no text that this class gives out.
 */
final class Configuration {

    /** What a command cannot do without. */
    enum Need {
        /** Somewhere to read rows from. */
        SOURCE,
        /** The key that writes. */
        API_KEY,
        /** The key that reads. */
        SECRET_KEY
    }

    private static final String NOUN = "configuration key";

    private final Settings settings;
    private final Map<String, String> texts;
    private final Optional<Secret> apiKey;
    private final Optional<Secret> secretKey;

    private Configuration(
            Settings settings, Map<String, String> texts, Optional<Secret> apiKey, Optional<Secret> secretKey) {
        this.settings = settings;
        this.texts = Map.copyOf(texts);
        this.apiKey = apiKey;
        this.secretKey = secretKey;
    }

    /** Reads files and {@code --set}, as {@link #of} does. */
    static Configuration read(List<Path> files, List<String> set, Set<Need> needs) {
        return of(ConfigText.read(files, set), needs, System.getenv());
    }

    /**
     * Checks the texts against their declarations and one another.
     *
     * @throws InvalidSettingsException with every problem: unknown keys with the nearest known one, keys of later
     *     versions, unreadable values, contradictions, and what {@code needs} miss
     */
    static Configuration of(Map<String, String> texts, Set<Need> needs, Map<String, String> environment) {
        List<String> problems = Settings.problems();
        Map<String, String> declared = new HashMap<>();
        texts.forEach((key, text) -> {
            if (Keys.FREE.stream().noneMatch(key::startsWith)) {
                declared.put(key, text);
            }
        });
        Settings settings = Settings.read(NOUN, Keys.DECLARED, declared, problems);
        Set<Need> keys = isSandbox(settings) ? Set.of() : needs;
        Configuration configuration = new Configuration(
                settings,
                texts,
                secret(settings, Keys.API_KEY, keys.contains(Need.API_KEY), environment, problems),
                secret(settings, Keys.SECRET_KEY, keys.contains(Need.SECRET_KEY), environment, problems));
        configuration.check(needs, problems);
        Settings.throwIfAny(problems);
        return configuration;
    }

    private void check(Set<Need> needs, List<String> problems) {
        long sources = Stream.of(Keys.SOURCE_PATH, Keys.SOURCE_TABLE, Keys.SOURCE_QUERY)
                .filter(key -> optional(key).isPresent())
                .count();
        if (needs.contains(Need.SOURCE) && sources == 0 && !isNamedByOptions()) {
            problems.add("Cannot read a source: none is set. Set 'source.path', 'source.table' or 'source.query'.");
        }
        if (sources > 1) {
            problems.add("Cannot read a source: " + sources + " of 'source.path', 'source.table' and 'source.query' are"
                    + " set. Keep one.");
        }
        checkSource(problems);
        if (!usesSandbox()) {
            missing(needs.contains(Need.API_KEY) && text(settings, Keys.API_KEY).isEmpty(), "API", "api", problems);
            missing(
                    needs.contains(Need.SECRET_KEY)
                            && text(settings, Keys.SECRET_KEY).isEmpty(),
                    "secret",
                    "secret",
                    problems);
        }
        checkTarget(problems);
    }

    /** Whether there is a source, which commands that work on the ledger need not have. */
    boolean hasSource() {
        return Stream.of(Keys.SOURCE_FORMAT, Keys.SOURCE_PATH, Keys.SOURCE_TABLE, Keys.SOURCE_QUERY)
                .anyMatch(key -> optional(key).isPresent());
    }

    /** Whether the source is what the options of its format say, as with a database. */
    private boolean isNamedByOptions() {
        return optional(Keys.SOURCE_FORMAT).isPresent() && !sourceOptions().isEmpty();
    }

    private void checkSource(List<String> problems) {
        if (SourceFormat.isJdbc(optional(Keys.SOURCE_FORMAT))) {
            if (optional(Keys.SOURCE_PATH).isPresent()) {
                problems.add("Cannot read a database at 'source.path'. Set 'source.options.url', and 'source.table' or"
                        + " 'source.query' to what is read from it.");
            }
            if (sourceOptions().keySet().stream().noneMatch("url"::equalsIgnoreCase)) {
                problems.add("Cannot read a database: it has no address. Set 'source.options.url', for example"
                        + " jdbc:postgresql://host/database.");
            }
        }
        if (optional(Keys.PRIORITY).isPresent()
                && optional(Keys.PRIORITY_COLUMN).isPresent()) {
            problems.add("Cannot elect by two priorities: 'election.priority' and 'election.priority-column' are set."
                    + " Keep one.");
        }
        if (optional(Keys.SOURCE_SHAPE).equals(Optional.of(Keys.ShapeName.CHANGES))
                && settings.optional(Keys.MODE).equals(Optional.of(Keys.Mode.MIRROR))) {
            problems.add("Cannot plan changes with 'plan.mode' = mirror: users that did not change are not in the"
                    + " source, and mirror would unmap them. Set it to upsert, or read the table itself.");
        }
    }

    private void checkTarget(List<String> problems) {
        if (optional(Keys.ALLOW_INSECURE).equals(Optional.of(false))
                && optional(Keys.REGION).isPresent()) {
            problems.addAll(endpoints()
                    .insecure(NOUN, Keys.ENDPOINT.key(), Keys.LOOKUP_ENDPOINT.key(), Keys.ALLOW_INSECURE.key()));
        }
        optional(Keys.EVENTS_PER_SECOND)
                .flatMap(rate -> optional(Keys.SHARE)
                        .flatMap(share ->
                                optional(Keys.WINDOW).map(window -> rate * share * (window.toMillis() / 1000.0))))
                .filter(mappings -> mappings < 1)
                .ifPresent(mappings -> problems.add("Cannot send within an allowance of " + mappings
                        + " mappings a window. Raise 'allowance.events-per-second', 'allowance.window' or"
                        + " 'allowance.share'."));
        if (optional(Keys.REMAP).equals(Optional.of(Keys.Remap.UNMAP_FIRST))
                && optional(Keys.MAX_WRITES).equals(Optional.of(1))) {
            problems.add(
                    "Cannot use configuration key 'plan.max-writes': 1 is too few where 'plan.remap' is unmap-first,"
                            + " because a remap is two mappings. Use 2 or more.");
        }
    }

    private static void missing(boolean missing, String name, String word, List<String> problems) {
        if (missing) {
            problems.add("Cannot talk to the service: there is no " + name + " key. Set 'target." + word
                    + "-key' to a reference such as \"env:AMPLITUDE_" + word.toUpperCase(Locale.ROOT) + "_KEY\".");
        }
    }

    /** The key, as text or by its reference, which is followed only where the key is needed. */
    private static Optional<Secret> secret(
            Settings settings,
            Setting<String> key,
            boolean needed,
            Map<String, String> environment,
            List<String> problems) {
        try {
            Optional<SecretReference> reference = text(settings, key).flatMap(SecretReference::parse);
            return reference.isEmpty()
                    ? text(settings, key).map(Configuration::plain)
                    : reference
                            .filter(named -> needed)
                            .map(named -> named.resolve(environment, SecretStore.ofPlatform()));
        } catch (InvalidSettingsException e) {
            problems.add(e.getMessage() + " It is named by '" + key.key() + "'.");
            return Optional.empty();
        }
    }

    /** What is set for a key of the service; a blank text is nothing. */
    private static Optional<String> text(Settings settings, Setting<String> key) {
        return settings.optional(key).map(String::strip).filter(text -> !text.isEmpty());
    }

    /** The key itself; a reference that is not whole is none, and must not be sent as if it were. */
    private static Secret plain(String text) {
        if (text.matches("(env|file|secret):.*")) {
            throw new InvalidSettingsException(
                    "Cannot read a key: the reference is not whole. Write env:NAME, file:PATH or"
                            + " secret:scope/key.");
        }
        return Secret.of(text);
    }

    /** The value of a key that has a default. */
    <T> T value(Setting<T> key) {
        return settings.value(key);
    }

    /** The value of a key that may be unset. */
    <T> Optional<T> optional(Setting<T> key) {
        return settings.optional(key);
    }

    /** Options of the source's format. */
    Map<String, String> sourceOptions() {
        return below("source.options.", "");
    }

    /** Spark's own configuration, keys in full. */
    Map<String, String> sparkOptions() {
        return below("spark.", "spark.");
    }

    private Map<String, String> below(String prefix, String newPrefix) {
        Map<String, String> found = new HashMap<>();
        texts.forEach((key, text) -> {
            if (key.startsWith(prefix)) {
                found.put(newPrefix + key.substring(prefix.length()), text);
            }
        });
        return found;
    }

    /** Whether the job brings its own service along. */
    boolean usesSandbox() {
        return isSandbox(settings);
    }

    private static boolean isSandbox(Settings settings) {
        return settings.optional(Keys.ENDPOINT).equals(Optional.of("sandbox"));
    }

    /** Where the service is; of an embedded sandbox nothing is known before it has started. */
    Endpoints endpoints() {
        return Endpoints.of(
                value(Keys.REGION),
                optional(Keys.ENDPOINT).filter(url -> !url.equals("sandbox")).map(URI::create),
                optional(Keys.LOOKUP_ENDPOINT).map(URI::create));
    }

    /** The key that writes, if it is set, and needed if by a reference. */
    Optional<Secret> apiKey() {
        return apiKey;
    }

    /** The key that reads, as {@link #apiKey}. */
    Optional<Secret> secretKey() {
        return secretKey;
    }

    /** What an id must look like. */
    IdRules idRules() {
        return new IdRules(value(Keys.MIN_ID_LENGTH));
    }

    /** The allowance in figures. */
    AllowanceRules allowance() {
        return UserMapOptions.of(writeOptions(endpoints())).allowance();
    }

    /** How mappings are read. */
    LookupRules lookupRules() {
        return UserMapOptions.of(writeOptions(endpoints())).lookupRules();
    }

    /** The data source's options for {@code endpoints}, without keys and receipts. */
    Map<String, String> writeOptions(Endpoints endpoints) {
        Map<String, String> options = new HashMap<>();
        Keys.HANDED_ON.forEach((key, option) -> text(key).ifPresent(text -> options.put(option, text)));
        options.put("windowSeconds", seconds(value(Keys.WINDOW)));
        optional(Keys.ENDPOINT)
                .ifPresent(set -> options.put("endpoint", endpoints.write().toString()));
        return options;
    }

    private Optional<String> text(Setting<?> key) {
        return texts.entrySet().stream()
                .filter(entry -> entry.getKey().equalsIgnoreCase(key.key()))
                .map(Map.Entry::getValue)
                .findAny()
                .or(key::defaultText);
    }

    private static String seconds(Duration window) {
        return Double.toString(window.toMillis() / 1000.0);
    }
}
