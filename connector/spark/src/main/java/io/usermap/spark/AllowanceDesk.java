package io.usermap.spark;

import io.usermap.client.AllowanceLog;
import io.usermap.client.AllowanceRules;
import io.usermap.client.Endpoints;
import io.usermap.client.InvalidSettingsException;
import io.usermap.client.Secret;
import java.net.URI;
import java.time.Instant;
import java.util.Collection;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Supplier;
import org.apache.spark.SparkEnv;
import org.apache.spark.SparkException;
import org.apache.spark.rpc.RpcAddress;
import org.apache.spark.rpc.RpcEndpointRef;
import org.apache.spark.rpc.RpcEnv;
import org.apache.spark.rpc.RpcTimeout;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import scala.concurrent.duration.FiniteDuration;
import scala.reflect.ClassTag;
import scala.reflect.ClassTag$;

/**
 * The driver's handle on the coordinator of one allowance: finds it, or sets it up.
 *
 * <p>One coordinator per Spark application, endpoint and key. Spark's RPC environment is the registry: the second to set
 * up an endpoint of a name is told so and takes the first one's. A static field would be one per class loader, and
 * notebooks and Connect sessions have several. The coordinator outlives writes and ends with the application.
 */
final class AllowanceDesk {
    private static final Logger LOG = LoggerFactory.getLogger(AllowanceDesk.class);

    static final ClassTag<Object> ANYTHING = ClassTag$.MODULE$.apply(Object.class);

    static final String OTHER_VERSION = "Cannot share the allowance of this application: its coordinator was started by"
            + " another version of the connector. Load one version of the jar, and start the application anew.";

    private static final RpcTimeout SOON =
            new RpcTimeout(new FiniteDuration(30, TimeUnit.SECONDS), "the time that the driver has for an answer");

    private final RpcEndpointRef coordinator;
    private final RpcAddress address;
    private final String name;

    private AllowanceDesk(RpcEndpointRef coordinator, RpcAddress address, String name) {
        this.coordinator = coordinator;
        this.address = address;
        this.name = name;
    }

    /** The name of the allowance of that endpoint and key: the same in every process, and without the key. */
    static String nameOf(Endpoints endpoints, Secret apiKey) {
        URI service = endpoints.write();
        String usualPort = "https".equalsIgnoreCase(service.getScheme()) ? ":443$" : ":80$";
        String host = service.getAuthority()
                .toLowerCase(Locale.ROOT)
                .replaceFirst(usualPort, "")
                .replaceAll("[^a-z0-9.-]", "-");
        return "usermap-allowance-" + host + "-" + apiKey.fingerprint();
    }

    /**
     * The coordinator of that name in this application, set up if there is none yet.
     *
     * @param start what a new coordinator assumes of the window; one that is there knows better
     * @param seed what earlier processes used of the window, as they wrote it down
     * @throws InvalidSettingsException if a running write uses other figures
     */
    static AllowanceDesk open(String name, AllowanceRules rules, AllowanceLog start, AllowanceLog seed) {
        return open(driversRpc(), name, rules, start, seed);
    }

    /** The RPC environment of this JVM's Spark, which is the driver's. */
    static RpcEnv driversRpc() {
        return SparkEnv.get().rpcEnv();
    }

    private static AllowanceDesk open(
            RpcEnv rpcEnv, String name, AllowanceRules rules, AllowanceLog start, AllowanceLog seed) {
        RpcEndpointRef coordinator;
        try {
            coordinator = rpcEnv.setupEndpoint(name, new AllowanceEndpoint(rpcEnv, name, rules, start));
        } catch (IllegalArgumentException e) {
            coordinator = rpcEnv.setupEndpointRef(rpcEnv.address(), name);
        }
        AllowanceDesk desk = new AllowanceDesk(coordinator, rpcEnv.address(), name);
        desk.open(AllowanceMessages.open(rules, seed));
        return desk;
    }

    /** The tasks of {@code write} are about to start; throws {@link InvalidSettingsException} if the figures differ. */
    void begin(String write, AllowanceRules rules) {
        require(AllowanceMessages.begin(write, rules));
    }

    private void open(Object[] message) {
        try {
            require(message);
        } catch (InvalidSettingsException e) {
            throw e;
        } catch (Exception e) { // askSync throws checked exceptions that it does not declare
            if (e instanceof TimeoutException || !(e instanceof SparkException)) {
                throw e;
            }
            LOG.debug("Whoever has the coordinator's name does not know our words.", e);
            throw new InvalidSettingsException(OTHER_VERSION);
        }
    }

    private void require(Object[] message) {
        Object[] answer = (Object[]) ask(message);
        if (!answer[0].equals(AllowanceMessages.OK)) {
            throw new InvalidSettingsException((String) answer[0]);
        }
    }

    /**
     * As {@link #open}; empty, with a warning, where the platform keeps the driver's RPC from us. Then one task writes and
     * coordinates itself.
     */
    static Optional<AllowanceDesk> tryOpen(
            Supplier<RpcEnv> rpc, String name, UserMapOptions options, AllowanceLog seed) {
        try {
            return Optional.of(open(rpc.get(), name, options.allowance(), startOf(options), seed));
        } catch (InvalidSettingsException e) {
            throw e;
        } catch (RuntimeException | LinkageError e) {
            LOG.warn(
                    "This platform keeps the driver's RPC from the connector ({}); one task will write, at the full"
                            + " allowance.",
                    e.toString());
            return Optional.empty();
        }
    }

    /** What a coordinator without any knowledge assumes of the window. */
    static AllowanceLog startOf(UserMapOptions options) {
        return switch (options.startWith()) {
            case EMPTY -> AllowanceLog.empty();
            case FULL -> AllowanceLog.full(options.allowance(), Instant.now());
        };
    }

    /** How executors reach the coordinator. */
    AllowanceLines lines() {
        return new AllowanceLines.OverRpc(address.host(), address.port(), name);
    }

    /** Nobody may send for {@code write} any more. */
    void stop(String write, String reason) {
        ask(new Object[] {AllowanceMessages.STOP, write, reason});
    }

    /** {@code write} may send until {@code untilNanos} of this JVM's monotonic clock; returns at once. */
    void lease(String write, long untilNanos) {
        coordinator.send(new Object[] {AllowanceMessages.LEASE, write, untilNanos});
    }

    /** The result of {@code partition} is here, so no attempt of it need send any more; returns at once. */
    void committed(String write, int partition) {
        coordinator.send(new Object[] {AllowanceMessages.COMMITTED, write, partition});
    }

    /** {@code write} is over. */
    void end(String write) {
        ask(new Object[] {AllowanceMessages.END, write});
    }

    /** What is used up now. */
    AllowanceLog log() {
        return AllowanceMessages.log((long[]) ask(new Object[] {AllowanceMessages.LOG}));
    }

    /** The tally of {@code writes}, then the most in a window, the nanoseconds since the first grant, and the wait. */
    long[] progress(Collection<String> writes) {
        return (long[]) ask(new Object[] {AllowanceMessages.PROGRESS, writes.toArray(new String[0])});
    }

    /** How many writers of {@code writes} have asked and have not left, those included whose write is over. */
    int writers(Collection<String> writes) {
        return (Integer) ask(new Object[] {AllowanceMessages.WRITERS, writes.toArray(new String[0])});
    }

    private Object ask(Object[] message) {
        return coordinator.askSync(message, SOON, ANYTHING);
    }
}
