package io.usermap.spark;

import io.usermap.client.Tally;
import java.time.Duration;
import java.util.Arrays;
import org.apache.spark.sql.connector.metric.CustomMetric;
import org.apache.spark.sql.connector.metric.CustomSumMetric;
import org.apache.spark.sql.connector.metric.CustomTaskMetric;

/**
 * The figures of writes and reads in Spark's SQL tab.
 *
 * <p>Public, with public constructors, because Spark's UI makes them by reflection; otherwise it shows N/A.
 */
public final class UserMapMetrics {
    private UserMapMetrics() {}

    /** Maps that the service acknowledged. */
    public static final class Mapped extends CustomSumMetric {
        @Override
        public String name() {
            return "mapped";
        }

        @Override
        public String description() {
            return "users mapped";
        }
    }

    /** Unmaps that the service acknowledged. */
    public static final class Unmapped extends CustomSumMetric {
        @Override
        public String name() {
            return "unmapped";
        }

        @Override
        public String description() {
            return "users unmapped";
        }
    }

    /** Rows that were not sent, or were refused. */
    public static final class Rejected extends CustomSumMetric {
        @Override
        public String name() {
            return "rejected";
        }

        @Override
        public String description() {
            return "rows rejected";
        }
    }

    /** Rows that needed no sending. */
    public static final class Skipped extends CustomSumMetric {
        @Override
        public String name() {
            return "skipped";
        }

        @Override
        public String description() {
            return "rows skipped";
        }
    }

    /** Requests sent. */
    public static final class Requests extends CustomSumMetric {
        @Override
        public String name() {
            return "requests";
        }

        @Override
        public String description() {
            return "requests";
        }
    }

    /** Encoded bytes of the requests. */
    public static final class Bytes extends CustomSumMetric {
        @Override
        public String name() {
            return "bytes";
        }

        @Override
        public String description() {
            return "encoded bytes sent";
        }
    }

    /** Mappings that were sent again. */
    public static final class Resent extends CustomSumMetric {
        @Override
        public String name() {
            return "resent";
        }

        @Override
        public String description() {
            return "mappings sent again";
        }
    }

    /** Answers 429. */
    public static final class Throttled extends CustomSumMetric {
        @Override
        public String name() {
            return "throttled";
        }

        @Override
        public String description() {
            return "requests throttled (429)";
        }
    }

    /** Time that writers waited for the allowance, summed over writers. */
    public static final class Waited implements CustomMetric {
        @Override
        public String aggregateTaskMetrics(long[] taskMillis) {
            return "%.1f s".formatted(Arrays.stream(taskMillis).sum() / 1000.0);
        }

        @Override
        public String name() {
            return "waited";
        }

        @Override
        public String description() {
            return "waited for the allowance, total over writers";
        }
    }

    /** Ids that were looked up. */
    public static final class LookedUp extends CustomSumMetric {
        @Override
        public String name() {
            return "lookedUp";
        }

        @Override
        public String description() {
            return "ids looked up";
        }
    }

    static CustomMetric[] ofReads() {
        return new CustomMetric[] {new LookedUp(), new Requests(), new Throttled()};
    }

    static CustomTaskMetric[] ofRead(long lookedUp, long requests, long throttled) {
        return new CustomTaskMetric[] {
            new Value("lookedUp", lookedUp), new Value("requests", requests), new Value("throttled", throttled)
        };
    }

    static CustomMetric[] all() {
        return new CustomMetric[] {
            new Mapped(),
            new Unmapped(),
            new Rejected(),
            new Skipped(),
            new Requests(),
            new Bytes(),
            new Resent(),
            new Throttled(),
            new Waited()
        };
    }

    static CustomTaskMetric[] values(Tally tally) {
        return new CustomTaskMetric[] {
            new Value("mapped", tally.mapped()),
            new Value("unmapped", tally.unmapped()),
            new Value("rejected", tally.rejected()),
            new Value("skipped", tally.skipped()),
            new Value("requests", tally.requests()),
            new Value("bytes", tally.bytes()),
            new Value("resent", tally.resent()),
            new Value("throttled", tally.throttled()),
            new Value("waited", Duration.ofNanos(tally.waitedNanos()).toMillis())
        };
    }

    private record Value(String name, long value) implements CustomTaskMetric {}
}
