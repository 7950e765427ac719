package io.usermap.spark;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.apache.spark.SparkConf;
import org.apache.spark.deploy.master.Master;
import org.apache.spark.deploy.worker.Worker;
import org.apache.spark.rpc.RpcEnv;
import org.apache.spark.sql.SparkSession;
import scala.Option;
import scala.Tuple3;

/**
 * What {@code local-cluster} starts, master and workers in this JVM and executors in processes of their own, but with a
 * host for each worker.
 *
 * <p>On {@code local-cluster} all executors are on one host, and Spark starts a speculative twin on another host only, so
 * that none would ever start there. The hosts are addresses of the loopback, 127.0.0.1 and on.
 */
final class StandaloneCluster implements AutoCloseable {
    private static final int ANY_PORT = 0;
    private static final int CORES = 2;
    private static final int MEGABYTES = 1024;

    private final List<RpcEnv> started = new ArrayList<>();
    private final String url;

    private StandaloneCluster(int workers, Path workFolder) {
        SparkConf conf =
                new SparkConf().set("spark.master.rest.enabled", "false").set("spark.shuffle.service.enabled", "false");
        Tuple3<RpcEnv, Object, Option<Object>> master =
                Master.startRpcEnvAndEndpoint("127.0.0.1", ANY_PORT, ANY_PORT, conf);
        started.add(master._1());
        url = "spark://" + master._1().address().hostPort();
        for (int number = 1; number <= workers; number++) {
            started.add(Worker.startRpcEnvAndEndpoint(
                    "127.0.0." + number,
                    ANY_PORT,
                    ANY_PORT,
                    CORES,
                    MEGABYTES,
                    new String[] {url},
                    workFolder.toString(),
                    Option.apply(number),
                    conf,
                    Option.empty()));
        }
    }

    /** So many workers, with room for one executor of two cores each. */
    static StandaloneCluster of(int workers, Path workFolder) {
        return new StandaloneCluster(workers, workFolder);
    }

    /** A session on this cluster; the caller stops it before the cluster. */
    SparkSession.Builder session() {
        return LocalCluster.at(url).config("spark.executor.cores", CORES);
    }

    @Override
    public void close() {
        // The workers first, so that they end their executors; the master is the first of the list.
        for (int i = started.size() - 1; i >= 0; i--) {
            started.get(i).shutdown();
            started.get(i).awaitTermination();
        }
    }
}
