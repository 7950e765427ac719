package io.usermap.spark;

import io.usermap.client.AllowanceRules;
import io.usermap.client.AllowanceRules.Pacing;
import io.usermap.client.Endpoints;
import io.usermap.client.Endpoints.Region;
import io.usermap.client.IdRules;
import io.usermap.client.InvalidSettingsException;
import io.usermap.client.LookupEncoding;
import io.usermap.client.LookupRules;
import io.usermap.client.RetrySchedule;
import io.usermap.client.Setting;
import io.usermap.client.Settings;
import io.usermap.client.ValueType;
import java.io.Serial;
import java.io.Serializable;
import java.net.URI;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * The options of the data source {@code amplitude-usermap}, declared once, read once on the driver, without I/O.
 *
 * <p>Keys are matched without regard to case. Everything that is wrong with a set of options is reported in one
 * {@link InvalidSettingsException}. Keys of the service stay what the user wrote, a reference or a plain
 * key, and are never part of {@link #toString()}. Immutable and serialisable.
 */
public final class UserMapOptions implements Serializable {
    @Serial
    private static final long serialVersionUID = 1L;

    private static final Duration SHORTEST = Duration.ofMillis(1);
    private static final Duration LONGEST_CALL = Duration.ofMinutes(10);
    private static final int LARGEST_BODY = 1_000_000;

    /** What a write does with a row that is not sent or that the service refuses. */
    public enum OnRejected {
        /** The write stops and fails, once, on the driver. */
        FAIL,
        /** The row gets a receipt with the reason and the write goes on. */
        RECORD
    }

    /** What a write does with rows of one user that contradict each other. */
    public enum OnConflict {
        /** The write stops and fails. */
        FAIL,
        /** All rows of that user are rejected, with {@code conflict} as the reason. */
        REJECT
    }

    /** What a write without a saved log assumes of the window. */
    public enum StartWith {
        /** Nobody sent anything in the last window. */
        EMPTY,
        /** The whole allowance was used just now: the first request waits one window. */
        FULL
    }

    static final Setting<String> API_KEY = Setting.optional(
            "apiKey",
            ValueType.TEXT,
            "API key of any project: a reference `env:NAME`, `file:PATH` or `secret:scope/key`, read on the driver. A plain key works, with a warning, because plans show it.");
    static final Setting<String> SECRET_KEY = Setting.optional(
            "secretKey", ValueType.TEXT, "Secret key, needed only to read mappings back; a reference like `apiKey`.");
    static final Setting<Region> REGION =
            Setting.of("region", ValueType.choice(Region.class), "us", "Data centre of the organisation.");
    static final Setting<URI> ENDPOINT = Setting.optional(
            "endpoint", ValueType.URL, "Base URL of the service, for a sandbox or a proxy; the region's when unset.");
    static final Setting<URI> LOOKUP_ENDPOINT = Setting.optional(
            "lookupEndpoint", ValueType.URL, "Base URL for reading; `endpoint` when that is set, else the region's.");
    static final Setting<Boolean> ALLOW_INSECURE_ENDPOINT = Setting.of(
            "allowInsecureEndpoint", ValueType.BOOLEAN, "false", "Allow plain http to a host other than loopback.");
    static final Setting<Integer> MIN_ID_LENGTH = Setting.of(
            "minIdLength",
            ValueType.wholeNumber(1, IdRules.MAX_ID_LENGTH),
            "5",
            "Fewest characters of an id; another value than 5 is sent along as `min_id_length`.");
    static final Setting<Double> EVENTS_PER_SECOND = Setting.of(
            "eventsPerSecond",
            ValueType.numberAbove(0, 1_000_000),
            "50",
            "Mappings a second that the whole organisation may send; Amplitude's support can raise it.");
    static final Setting<Double> WINDOW_SECONDS = Setting.of(
            "windowSeconds",
            ValueType.number(0.1, 3600),
            "30",
            "Seconds over which the rate is counted: 50 over 30 s are 1,500 mappings in any 30 s.");
    static final Setting<Duration> GUARD = Setting.optional(
            "guard",
            ValueType.duration(Duration.ZERO, Duration.ofHours(1)),
            "How much longer than the window a permit stays away; a thirtieth of the window when unset, so 1s.");
    static final Setting<Double> ALLOWANCE_SHARE = Setting.of(
            "allowanceShare",
            ValueType.numberAbove(0, 1),
            "1",
            "Part of the allowance for this application, when several send at the same time.");
    static final Setting<Pacing> PACING = Setting.of(
            "pacing",
            ValueType.choice(Pacing.class),
            "burst",
            "`burst`: few large requests, the window as documented. `smooth`: many small ones, evenly spaced.");
    static final Setting<StartWith> START_WITH = Setting.of(
            "startWith",
            ValueType.choice(StartWith.class),
            "empty",
            "What to assume of the last window: `empty`, or `full` if something else may just have sent.");
    static final Setting<Integer> WRITERS = Setting.optional(
            "writers",
            ValueType.wholeNumber(1, 10_000),
            "Partitions that write; 4 when unset, but not above the session's default parallelism.");
    static final Setting<Integer> MAX_BATCH_ROWS = Setting.of(
            "maxBatchRows", ValueType.wholeNumber(1, 2_000), "2000", "Most mappings in a batch; the API takes 2,000.");
    static final Setting<Integer> MAX_BATCH_BYTES = Setting.of(
            "maxBatchBytes",
            ValueType.size(1_000, LARGEST_BODY),
            "1000000B",
            "Most bytes of an encoded request; the API takes 1 MB.");
    static final Setting<Duration> CONNECT_TIMEOUT = Setting.of(
            "connectTimeout", ValueType.duration(SHORTEST, LONGEST_CALL), "10s", "Longest wait for a connection.");
    static final Setting<Duration> REQUEST_TIMEOUT = Setting.of(
            "requestTimeout",
            ValueType.duration(SHORTEST, LONGEST_CALL),
            "30s",
            "Longest wait for the whole response, connecting included.");
    static final Setting<Integer> MAX_ATTEMPTS = Setting.of(
            "maxAttempts",
            ValueType.wholeNumber(1, 1_000),
            "8",
            "How often a mapping is sent before an unanswering service ends the write.");
    static final Setting<OnRejected> ON_REJECTED = Setting.of(
            "onRejected",
            ValueType.choice(OnRejected.class),
            "fail",
            "A row that cannot be sent or is refused: `fail` the write, or `record` it in the receipts.");
    static final Setting<OnConflict> ON_CONFLICT = Setting.of(
            "onConflict",
            ValueType.choice(OnConflict.class),
            "fail",
            "Contradictory rows of one user: `fail` the write, or `reject` all of that user's rows.");
    static final Setting<Boolean> IGNORE_EXTRA_COLUMNS = Setting.of(
            "ignoreExtraColumns", ValueType.BOOLEAN, "false", "Leave out columns that are not of a mapping.");
    static final Setting<String> RECEIPTS_PATH = Setting.optional(
            "receiptsPath",
            ValueType.TEXT,
            "Folder on any Hadoop filesystem for one JSON line per row with its outcome; what it acknowledges is not sent again.");
    static final Setting<String> USER_IDS =
            Setting.optional("userIds", ValueType.TEXT, "Ids to read, as a JSON array of strings.");
    static final Setting<LookupEncoding> LOOKUP_ENCODING = Setting.of(
            "lookupEncoding",
            ValueType.choice(LookupEncoding.class),
            "form",
            "How ids travel in a read: `form` body as documented, `json` body, or `query` string.");
    static final Setting<Double> LOOKUPS_PER_SECOND = Setting.of(
            "lookupsPerSecond",
            ValueType.numberAbove(0, 1_000),
            "0.1",
            "Read requests a second, 100 ids each; the limit is unknown, its sibling allows some 360 an hour.");
    static final Setting<Integer> LOOKUP_CONCURRENCY =
            Setting.of("lookupConcurrency", ValueType.wholeNumber(1, 100), "2", "Read requests at a time.");

    /** Every option there is, in the order of the reference table. */
    static final List<Setting<?>> DECLARED = List.of(
            API_KEY,
            SECRET_KEY,
            REGION,
            ENDPOINT,
            LOOKUP_ENDPOINT,
            ALLOW_INSECURE_ENDPOINT,
            MIN_ID_LENGTH,
            EVENTS_PER_SECOND,
            WINDOW_SECONDS,
            GUARD,
            ALLOWANCE_SHARE,
            PACING,
            START_WITH,
            WRITERS,
            MAX_BATCH_ROWS,
            MAX_BATCH_BYTES,
            CONNECT_TIMEOUT,
            REQUEST_TIMEOUT,
            MAX_ATTEMPTS,
            ON_REJECTED,
            ON_CONFLICT,
            IGNORE_EXTRA_COLUMNS,
            RECEIPTS_PATH,
            USER_IDS,
            LOOKUP_ENCODING,
            LOOKUPS_PER_SECOND,
            LOOKUP_CONCURRENCY);

    /** What Spark itself puts among a source's options, in lower case. */
    private static final Set<String> SPARKS_OWN = Set.of("path", "paths", "checkpointlocation", "queryname");

    private final Region region;
    private final Endpoints endpoints;
    private final int minIdLength;
    private final AllowanceRules allowance;
    private final StartWith startWith;
    private final int writers;
    private final int maxBatchRows;
    private final int maxBatchBytes;
    private final Duration connectTimeout;
    private final Duration requestTimeout;
    private final int maxAttempts;
    private final OnRejected onRejected;
    private final OnConflict onConflict;
    private final boolean ignoreExtraColumns;
    private final LookupEncoding lookupEncoding;
    private final double lookupsPerSecond;
    private final int lookupConcurrency;
    private final String receiptsPath;
    private final boolean idsAreGiven;
    private final ArrayList<String> userIds;
    // The texts as written: a reference, or a plain key. Transient, because executors get the key itself or nothing.
    private final transient String apiKeyText;
    private final transient String secretKeyText;

    private UserMapOptions(
            Settings settings, AllowanceRules allowance, Endpoints endpoints, Optional<List<String>> userIds) {
        this.region = settings.value(REGION);
        this.endpoints = endpoints;
        this.allowance = allowance;
        this.minIdLength = settings.value(MIN_ID_LENGTH);
        this.startWith = settings.value(START_WITH);
        this.writers = settings.optional(WRITERS).orElse(0);
        this.maxBatchRows = settings.value(MAX_BATCH_ROWS);
        this.maxBatchBytes = settings.value(MAX_BATCH_BYTES);
        this.connectTimeout = settings.value(CONNECT_TIMEOUT);
        this.requestTimeout = settings.value(REQUEST_TIMEOUT);
        this.maxAttempts = settings.value(MAX_ATTEMPTS);
        this.onRejected = settings.value(ON_REJECTED);
        this.onConflict = settings.value(ON_CONFLICT);
        this.ignoreExtraColumns = settings.value(IGNORE_EXTRA_COLUMNS);
        this.lookupEncoding = settings.value(LOOKUP_ENCODING);
        this.lookupsPerSecond = settings.value(LOOKUPS_PER_SECOND);
        this.lookupConcurrency = settings.value(LOOKUP_CONCURRENCY);
        this.receiptsPath = settings.optional(RECEIPTS_PATH).orElse("");
        this.idsAreGiven = userIds.isPresent();
        this.userIds = new ArrayList<>(userIds.orElse(List.of()));
        this.apiKeyText = settings.optional(API_KEY).orElse("");
        this.secretKeyText = settings.optional(SECRET_KEY).orElse("");
    }

    /**
     * Reads a source's options; {@code path}, {@code checkpointLocation} and {@code queryName} are Spark's own and pass.
     *
     * @throws InvalidSettingsException with every unknown key, unreadable value and contradiction
     */
    public static UserMapOptions of(Map<String, String> options) {
        Map<String, String> ours = options.entrySet().stream()
                .filter(option -> !SPARKS_OWN.contains(option.getKey().toLowerCase(Locale.ROOT)))
                .collect(Collectors.toMap(Map.Entry::getKey, Map.Entry::getValue));
        List<String> problems = Settings.problems();
        Settings settings = Settings.read("option", DECLARED, ours, problems);
        if (settings.optional(ON_REJECTED).equals(Optional.of(OnRejected.RECORD))
                && settings.optional(RECEIPTS_PATH)
                        .filter(path -> !path.isBlank())
                        .isEmpty()) {
            problems.add("Cannot use option 'onRejected': 'record' needs a place for the rejected rows. Set"
                    + " 'receiptsPath'.");
        }
        Optional<List<String>> userIds = Optional.empty();
        try {
            userIds = settings.optional(USER_IDS).map(LookupIds::parse);
        } catch (InvalidSettingsException e) {
            problems.addAll(e.problems());
        }
        Settings.throwIfAny(problems);
        Endpoints endpoints =
                Endpoints.of(settings.value(REGION), settings.optional(ENDPOINT), settings.optional(LOOKUP_ENDPOINT));
        if (!settings.value(ALLOW_INSECURE_ENDPOINT)) {
            problems.addAll(
                    endpoints.insecure("option", ENDPOINT.key(), LOOKUP_ENDPOINT.key(), ALLOW_INSECURE_ENDPOINT.key()));
        }
        Duration window = Duration.ofNanos(Math.round(settings.value(WINDOW_SECONDS) * 1e9));
        double mappings =
                settings.value(EVENTS_PER_SECOND) * settings.value(WINDOW_SECONDS) * settings.value(ALLOWANCE_SHARE);
        if (mappings < 1) {
            problems.add("Cannot send within an allowance of " + mappings
                    + " mappings a window. Raise 'eventsPerSecond', 'windowSeconds' or 'allowanceShare'.");
        }
        Settings.throwIfAny(problems);
        return new UserMapOptions(
                settings,
                AllowanceRules.of(
                        settings.value(EVENTS_PER_SECOND),
                        settings.value(ALLOWANCE_SHARE),
                        window,
                        settings.optional(GUARD).orElse(window.dividedBy(30)),
                        settings.value(REQUEST_TIMEOUT),
                        settings.value(PACING)),
                endpoints,
                userIds);
    }

    /** The options as a Markdown table: name, type, default, meaning. */
    static String referenceTable() {
        StringBuilder table = new StringBuilder("| option | type | default | meaning |\n| --- | --- | --- | --- |\n");
        for (Setting<?> setting : DECLARED) {
            table.append("| `%s` | %s | %s | %s |\n"
                    .formatted(
                            setting.key(),
                            setting.type().name().replace("|", "\\|"),
                            setting.defaultText().map(text -> "`" + text + "`").orElse(""),
                            setting.doc()));
        }
        return table.toString();
    }

    /** Where mappings are written and read. */
    public Endpoints endpoints() {
        return endpoints;
    }

    /** The data centre, also when {@code endpoint} overrides its URL. */
    public Region region() {
        return region;
    }

    /** What an id must look like. */
    public IdRules idRules() {
        return new IdRules(minIdLength);
    }

    /** The allowance in figures, the share of this application applied. */
    public AllowanceRules allowance() {
        return allowance;
    }

    /** What to assume of the window before the first request. */
    public StartWith startWith() {
        return startWith;
    }

    /** Partitions that write: as set, or 4 but not above {@code defaultParallelism}. */
    public int writers(int defaultParallelism) {
        return writers > 0 ? writers : Math.max(1, Math.min(4, defaultParallelism));
    }

    /** The most mappings in a batch, 1 to 2,000. */
    public int maxBatchRows() {
        return maxBatchRows;
    }

    /** The most bytes of an encoded request. */
    public int maxBatchBytes() {
        return maxBatchBytes;
    }

    /** The longest wait for a connection. */
    public Duration connectTimeout() {
        return connectTimeout;
    }

    /** The longest wait for a whole response. */
    public Duration requestTimeout() {
        return requestTimeout;
    }

    /** How often a mapping is sent at most. */
    public int maxAttempts() {
        return maxAttempts;
    }

    /** What happens to a row that is not sent or is refused. */
    public OnRejected onRejected() {
        return onRejected;
    }

    /** What happens to contradictory rows of one user. */
    public OnConflict onConflict() {
        return onConflict;
    }

    /** Whether columns that are not of a mapping are left out rather than refused. */
    public boolean ignoreExtraColumns() {
        return ignoreExtraColumns;
    }

    /** The folder of receipts, if they are wanted. */
    public Optional<String> receiptsPath() {
        return textOf(receiptsPath);
    }

    /** The ids to read, if the option names any. */
    Optional<List<String>> userIds() {
        return idsAreGiven ? Optional.of(userIds) : Optional.empty();
    }

    /** How mappings are read. */
    public LookupRules lookupRules() {
        return new LookupRules(
                lookupEncoding,
                lookupsPerSecond,
                Duration.ZERO,
                lookupConcurrency,
                connectTimeout,
                requestTimeout,
                RetrySchedule.of(maxAttempts));
    }

    /** The API key as written: a reference, or the key itself. Driver only. */
    Optional<String> apiKeyText() {
        return textOf(apiKeyText);
    }

    /** The secret key as written: a reference, or the key itself. Driver only. */
    Optional<String> secretKeyText() {
        return textOf(secretKeyText);
    }

    private static Optional<String> textOf(@org.jspecify.annotations.Nullable String text) {
        return text == null || text.isEmpty() ? Optional.empty() : Optional.of(text);
    }

    @Override
    public String toString() {
        return "UserMapOptions[" + endpoints.write() + ", " + allowance.mappingsPerWindow() + " mappings in "
                + ValueType.show(allowance.window()) + "]";
    }
}
