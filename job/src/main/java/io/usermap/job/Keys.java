package io.usermap.job;

import io.usermap.client.AllowanceRules.Pacing;
import io.usermap.client.Endpoints.Region;
import io.usermap.client.IdRules;
import io.usermap.client.LookupEncoding;
import io.usermap.client.Setting;
import io.usermap.client.ValueType;
import io.usermap.spark.UserMapOptions.OnConflict;
import java.time.Duration;
import java.util.List;
import java.util.Map;

/**
 * Every key of the configuration, declared once: name, type, default, meaning.
 *
 * <p>Keys that only hand a value on to the data source have no default here: the data source's own holds.
 */
final class Keys {
    private static final Duration LONGEST_CALL = Duration.ofMinutes(10);

    /** Which columns of the source mean what. */
    enum ShapeName {
        /** Each row maps one user to one global user. */
        PAIRS,
        /** Each row puts one user into one cluster. */
        CLUSTERS,
        /** Each row says that two users are one person. */
        EDGES,
        /** Each row is a change of a table of pairs. */
        CHANGES
    }

    /** What happens to users that the source no longer names. */
    enum Mode {
        /** They are left alone. */
        UPSERT,
        /** They are unmapped, if this ledger mapped them. */
        MIRROR
    }

    /** How a user gets another target. */
    enum Remap {
        /** The new mapping is sent over the old one. */
        OVERWRITE,
        /** The old mapping is removed; the new one is sent when no unmap can still arrive. */
        UNMAP_FIRST
    }

    /** Whether what is printed of a plan names some users. */
    enum ReportIds {
        /** As a hash. */
        HASHED,
        /** As they are. */
        PLAIN
    }

    static final Setting<String> SOURCE_FORMAT = Setting.optional(
            "source.format",
            ValueType.TEXT,
            "Spark's name of the source's format; told by the path's ending when unset.");
    static final Setting<String> SOURCE_PATH =
            Setting.optional("source.path", ValueType.TEXT, "File or folder on any filesystem that Spark reads.");
    static final Setting<String> SOURCE_TABLE =
            Setting.optional("source.table", ValueType.TEXT, "Table of the session's catalog, in place of a path.");
    static final Setting<String> SOURCE_QUERY =
            Setting.optional("source.query", ValueType.TEXT, "SQL query to load, in place of a path or table.");
    static final Setting<String> SOURCE_SQL = Setting.optional(
            "source.sql",
            ValueType.TEXT,
            "Query over the loaded source under the name `source`, for prefixes and filters.");
    static final Setting<ShapeName> SOURCE_SHAPE = Setting.optional(
            "source.shape",
            ValueType.choice(ShapeName.class),
            "Shape of the rows; told by the column names when unset.");
    static final Setting<String> ID_COLUMN =
            Setting.optional("source.id-column", ValueType.TEXT, "Column with the user id.");
    static final Setting<String> GLOBAL_ID_COLUMN =
            Setting.optional("source.global-id-column", ValueType.TEXT, "Column with the global user id.");
    static final Setting<String> UNMAP_COLUMN =
            Setting.optional("source.unmap-column", ValueType.TEXT, "Boolean column that asks for an unmap.");
    static final Setting<String> CLUSTER_COLUMN =
            Setting.optional("source.cluster-column", ValueType.TEXT, "Column with the cluster.");
    static final Setting<String> ID_TYPE_COLUMN = Setting.optional(
            "source.id-type-column", ValueType.TEXT, "Column that says what kind of id, or of which source, an id is.");
    static final Setting<List<String>> ID_TYPES = Setting.optional(
            "source.id-types", ConfigText.LIST, "Types that are user ids of the service; `user_id` when unset.");
    static final Setting<String> LEFT_ID_COLUMN =
            Setting.optional("source.left-id-column", ValueType.TEXT, "Column with one user of an edge.");
    static final Setting<String> RIGHT_ID_COLUMN =
            Setting.optional("source.right-id-column", ValueType.TEXT, "Column with the other user of an edge.");
    static final Setting<String> SCORE_COLUMN =
            Setting.optional("source.score-column", ValueType.TEXT, "Column that says how sure an edge is.");
    static final Setting<Double> MIN_SCORE = Setting.optional(
            "source.min-score",
            ValueType.number(-1_000_000_000, 1_000_000_000),
            "Least score with which an edge counts; needed where edges have scores.");
    static final Setting<String> CHANGE_TYPE_COLUMN = Setting.optional(
            "source.change-type-column", ValueType.TEXT, "Column with the kind of change; `_change_type` when unset.");
    static final Setting<Long> START_VERSION = Setting.optional(
            "source.start-version",
            new ValueType<>("integer", Keys::version),
            "Where to begin in a change feed: Delta's first version, or Iceberg's snapshot before the first.");

    static final Setting<String> ENDPOINT = Setting.optional(
            "target.endpoint",
            new ValueType<>(
                    "URL | sandbox",
                    text -> text.strip().equals("sandbox")
                            ? "sandbox"
                            : ValueType.URL.parse().apply(text).toString()),
            "Base URL of the service, or `sandbox` for one inside the job; the region's when unset.");
    static final Setting<String> LOOKUP_ENDPOINT = Setting.optional(
            "target.lookup-endpoint",
            new ValueType<>("URL", text -> ValueType.URL.parse().apply(text).toString()),
            "Base URL for reading; `target.endpoint` when that is set, else the region's.");
    static final Setting<Region> REGION =
            Setting.of("target.region", ValueType.choice(Region.class), "us", "Data centre of the organisation.");
    static final Setting<String> API_KEY = Setting.optional(
            "target.api-key",
            ValueType.TEXT,
            "API key: a reference `env:NAME`, `file:PATH` or `secret:scope/key`, or the key itself.");
    static final Setting<String> SECRET_KEY =
            Setting.optional("target.secret-key", ValueType.TEXT, "Secret key, for reading only; like the API key.");
    static final Setting<Integer> MIN_ID_LENGTH = Setting.of(
            "target.min-id-length",
            ValueType.wholeNumber(1, IdRules.MAX_ID_LENGTH),
            "5",
            "Fewest characters of an id that the service takes.");
    static final Setting<Boolean> ALLOW_INSECURE = Setting.of(
            "target.allow-insecure-endpoint",
            ValueType.BOOLEAN,
            "false",
            "Allow plain http to a host other than loopback.");
    static final Setting<String> SANDBOX_PATH = Setting.optional(
            "sandbox.path", ValueType.TEXT, "Folder of the embedded sandbox; `sandbox` below the ledger when unset.");

    static final Setting<Double> EVENTS_PER_SECOND = Setting.of(
            "allowance.events-per-second",
            ValueType.numberAbove(0, 1_000_000),
            "50",
            "Mappings a second that the whole organisation may send.");
    static final Setting<Duration> WINDOW = Setting.of(
            "allowance.window",
            ValueType.duration(Duration.ofMillis(100), Duration.ofHours(1)),
            "30s",
            "Time over which the rate is counted.");
    static final Setting<Duration> GUARD = Setting.optional(
            "allowance.guard",
            ValueType.duration(Duration.ZERO, Duration.ofHours(1)),
            "How much longer than the window a permit stays away; a thirtieth of the window when unset.");
    static final Setting<Double> SHARE = Setting.of(
            "allowance.share", ValueType.numberAbove(0, 1), "1", "Part of the allowance for this application.");
    static final Setting<Pacing> PACING = Setting.of(
            "allowance.pacing", ValueType.choice(Pacing.class), "burst", "Few large requests, or many small ones.");

    static final Setting<Integer> WRITERS =
            Setting.optional("write.writers", ValueType.wholeNumber(1, 10_000), "Partitions that write.");
    static final Setting<Integer> MAX_BATCH_ROWS =
            Setting.of("write.max-batch-rows", ValueType.wholeNumber(1, 2_000), "2000", "Most mappings in a batch.");
    static final Setting<Integer> MAX_BATCH_BYTES = Setting.of(
            "write.max-batch-bytes", ValueType.size(1_000, 1_000_000), "1000000B", "Most bytes of an encoded request.");
    static final Setting<Duration> CONNECT_TIMEOUT = Setting.of(
            "write.connect-timeout",
            ValueType.duration(Duration.ofMillis(1), LONGEST_CALL),
            "10s",
            "Longest wait for a connection.");
    static final Setting<Duration> REQUEST_TIMEOUT = Setting.of(
            "write.request-timeout",
            ValueType.duration(Duration.ofMillis(1), LONGEST_CALL),
            "30s",
            "Longest wait for a whole response.");
    static final Setting<Integer> MAX_ATTEMPTS = Setting.of(
            "write.max-attempts", ValueType.wholeNumber(1, 1_000), "8", "How often a mapping is sent at most.");
    static final Setting<OnConflict> ON_CONFLICT = Setting.of(
            "write.on-conflict",
            ValueType.choice(OnConflict.class),
            "reject",
            "Contradictory rows of one user: reject all of them, or fail.");

    static final Setting<Double> LOOKUPS_PER_SECOND = Setting.of(
            "lookup.per-second", ValueType.numberAbove(0, 1_000), "0.1", "Read requests a second, 100 ids each.");
    static final Setting<Integer> LOOKUP_CONCURRENCY =
            Setting.of("lookup.concurrency", ValueType.wholeNumber(1, 100), "2", "Read requests at a time.");
    static final Setting<LookupEncoding> LOOKUP_ENCODING =
            Setting.of("lookup.encoding", ValueType.choice(LookupEncoding.class), "form", "How ids travel in a read.");

    static final Setting<Mode> MODE = Setting.of(
            "plan.mode",
            ValueType.choice(Mode.class),
            "upsert",
            "Users that left the source: left alone, or unmapped.");
    static final Setting<Remap> REMAP =
            Setting.of("plan.remap", ValueType.choice(Remap.class), "overwrite", "How a user gets another target.");
    static final Setting<Integer> MAX_WRITES = Setting.optional(
            "plan.max-writes",
            ValueType.wholeNumber(1, Integer.MAX_VALUE),
            "Most mappings that a run may send; the rest is left to the next one.");
    static final Setting<Duration> MAX_DURATION = Setting.optional(
            "plan.max-duration",
            ValueType.duration(Duration.ofSeconds(1), Duration.ofDays(365)),
            "Longest that a run may send under the allowance; the rest is left to the next one.");
    static final Setting<Double> MAX_REJECTED_SHARE = Setting.of(
            "plan.max-rejected-share",
            ValueType.number(0, 1),
            "0.01",
            "Share of the source's rows above which rejected rows make the exit code 3.");

    static final Setting<List<String>> PRIORITY = Setting.optional(
            "election.priority",
            ConfigText.LIST,
            "Types or sources of ids, those first that shall stand for a cluster; others come last.");
    static final Setting<String> PRIORITY_COLUMN = Setting.optional(
            "election.priority-column",
            ValueType.TEXT,
            "Column of numbers, dates or timestamps; the user with the smallest stands for its cluster.");

    static final Setting<Integer> MIN_SOURCE_ROWS = Setting.of(
            "guards.min-source-rows",
            ValueType.wholeNumber(0, Integer.MAX_VALUE),
            "1",
            "Fewest rows that the source must have.");
    static final Setting<Double> MAX_SHRINK = Setting.of(
            "guards.max-shrink",
            ValueType.number(0, 1),
            "0.2",
            "Most of the source that may have gone since the last run.");
    static final Setting<Double> MAX_UNMAP_SHARE = Setting.of(
            "guards.max-unmap-share", ValueType.number(0, 1), "0.1", "Most of the acknowledged that may be unmapped.");
    static final Setting<Double> MAX_REMAP_SHARE = Setting.of(
            "guards.max-remap-share", ValueType.number(0, 1), "0.2", "Most of the acknowledged that may be remapped.");
    static final Setting<Integer> MAX_CLUSTER_SIZE = Setting.of(
            "guards.max-cluster-size",
            ValueType.wholeNumber(1, Integer.MAX_VALUE),
            "1000",
            "Most users that may stand for one person.");
    static final Setting<Double> MAX_PLACEHOLDER_SHARE = Setting.of(
            "guards.max-placeholder-share",
            ValueType.number(0, 1),
            "0.01",
            "Most of the source's rows that may hold placeholders.");

    static final Setting<Integer> VERIFY_SAMPLE = Setting.of(
            "verify.sample",
            ValueType.wholeNumber(1, 10_000_000),
            "1000",
            "Users that `usermap verify` looks up, drawn at random.");
    static final Setting<Double> MAX_DRIFT_SHARE = Setting.of(
            "verify.max-drift-share",
            ValueType.number(0, 1),
            "0.01",
            "Share of missing and different mappings above which `usermap verify` ends with exit code 3.");

    static final Setting<String> LEDGER_PATH =
            Setting.of("ledger.path", ValueType.TEXT, ".usermap", "Folder of the ledger on any Hadoop filesystem.");
    static final Setting<Integer> KEEP_RUNS = Setting.of(
            "ledger.keep-runs",
            ValueType.wholeNumber(1, 1_000_000),
            "100",
            "Finished runs that the ledger keeps, and as many plans and verifications.");
    static final Setting<Duration> LOCK_TERM = Setting.of(
            "ledger.lock-term",
            ValueType.duration(Duration.ofMillis(100), Duration.ofHours(1)),
            "30s",
            "How long a run may show no sign of life before another takes over.");
    static final Setting<ReportIds> REPORT_IDS = Setting.of(
            "report.ids",
            ValueType.choice(ReportIds.class),
            "hashed",
            "Whether what `usermap plan` prints names some users (`plain`); reports never do.");

    /** Every key there is, in the order of the reference. */
    static final List<Setting<?>> DECLARED = List.of(
            SOURCE_FORMAT,
            SOURCE_PATH,
            SOURCE_TABLE,
            SOURCE_QUERY,
            SOURCE_SQL,
            SOURCE_SHAPE,
            ID_COLUMN,
            GLOBAL_ID_COLUMN,
            UNMAP_COLUMN,
            CLUSTER_COLUMN,
            ID_TYPE_COLUMN,
            ID_TYPES,
            LEFT_ID_COLUMN,
            RIGHT_ID_COLUMN,
            SCORE_COLUMN,
            MIN_SCORE,
            CHANGE_TYPE_COLUMN,
            START_VERSION,
            ENDPOINT,
            LOOKUP_ENDPOINT,
            REGION,
            API_KEY,
            SECRET_KEY,
            MIN_ID_LENGTH,
            ALLOW_INSECURE,
            SANDBOX_PATH,
            EVENTS_PER_SECOND,
            WINDOW,
            GUARD,
            SHARE,
            PACING,
            WRITERS,
            MAX_BATCH_ROWS,
            MAX_BATCH_BYTES,
            CONNECT_TIMEOUT,
            REQUEST_TIMEOUT,
            MAX_ATTEMPTS,
            ON_CONFLICT,
            LOOKUPS_PER_SECOND,
            LOOKUP_CONCURRENCY,
            LOOKUP_ENCODING,
            MODE,
            REMAP,
            MAX_WRITES,
            MAX_DURATION,
            MAX_REJECTED_SHARE,
            PRIORITY,
            PRIORITY_COLUMN,
            MIN_SOURCE_ROWS,
            MAX_SHRINK,
            MAX_UNMAP_SHARE,
            MAX_REMAP_SHARE,
            MAX_CLUSTER_SIZE,
            MAX_PLACEHOLDER_SHARE,
            VERIFY_SAMPLE,
            MAX_DRIFT_SHARE,
            LEDGER_PATH,
            KEEP_RUNS,
            LOCK_TERM,
            REPORT_IDS);

    /** Keys under which anything may stand: options of the source's format, and Spark's own configuration. */
    static final List<String> FREE = List.of("source.options.", "spark.");

    /** The data source's option for each key that only hands its value on. */
    static final Map<Setting<?>, String> HANDED_ON = Map.ofEntries(
            Map.entry(REGION, "region"),
            Map.entry(LOOKUP_ENDPOINT, "lookupEndpoint"),
            Map.entry(MIN_ID_LENGTH, "minIdLength"),
            Map.entry(ALLOW_INSECURE, "allowInsecureEndpoint"),
            Map.entry(EVENTS_PER_SECOND, "eventsPerSecond"),
            Map.entry(GUARD, "guard"),
            Map.entry(SHARE, "allowanceShare"),
            Map.entry(PACING, "pacing"),
            Map.entry(WRITERS, "writers"),
            Map.entry(MAX_BATCH_ROWS, "maxBatchRows"),
            Map.entry(MAX_BATCH_BYTES, "maxBatchBytes"),
            Map.entry(CONNECT_TIMEOUT, "connectTimeout"),
            Map.entry(REQUEST_TIMEOUT, "requestTimeout"),
            Map.entry(MAX_ATTEMPTS, "maxAttempts"),
            Map.entry(ON_CONFLICT, "onConflict"),
            Map.entry(LOOKUP_ENCODING, "lookupEncoding"),
            Map.entry(LOOKUPS_PER_SECOND, "lookupsPerSecond"),
            Map.entry(LOOKUP_CONCURRENCY, "lookupConcurrency"));

    private static long version(String text) {
        try {
            return Long.parseLong(text.strip());
        } catch (NumberFormatException e) {
            throw new IllegalArgumentException("is not a whole number. Use a version or the id of a snapshot.", e);
        }
    }

    private Keys() {}
}
