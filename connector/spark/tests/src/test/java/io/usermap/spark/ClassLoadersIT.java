package io.usermap.spark;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.usermap.client.Secret;
import java.net.MalformedURLException;
import java.net.URL;
import java.net.URLClassLoader;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.apache.spark.SparkEnv;
import org.apache.spark.rpc.RpcEndpointRef;
import org.apache.spark.rpc.RpcEnv;
import org.apache.spark.rpc.ThreadSafeRpcEndpoint;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.junit.jupiter.api.Test;

/** The connector loaded several times in one application, as notebooks and Connect sessions do. */
class ClassLoadersIT extends SparkCase {

    /** Finds the connector in the built jar, although its parent has one too; everything else is the parent's. */
    private static final class OfTheJar extends URLClassLoader {
        OfTheJar() throws MalformedURLException {
            super(new URL[] {LocalCluster.jar().toUri().toURL()}, OfTheJar.class.getClassLoader());
        }

        @Override
        protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
            if (!name.startsWith("io.usermap.")) {
                return super.loadClass(name, resolve);
            }
            synchronized (getClassLoadingLock(name)) {
                Class<?> known = findLoadedClass(name);
                return known == null ? findClass(name) : known;
            }
        }
    }

    @Test
    void twoCopiesOfTheJarShareOneAllowance() throws Exception {
        String source = UserMapSource.class.getName();
        try (OfTheJar first = new OfTheJar();
                OfTheJar second = new OfTheJar()) {
            assertThat(first.loadClass(source)).isNotEqualTo(second.loadClass(source));
            Dataset<Row> lower = manyRows(3 * PER_SECOND).where("user_id < 'user-0000750'");
            Dataset<Row> upper = manyRows(3 * PER_SECOND).where("user_id >= 'user-0000750'");
            CompletableFuture<Void> one = CompletableFuture.runAsync(() -> writeWith(first, lower));
            CompletableFuture<Void> other = CompletableFuture.runAsync(() -> writeWith(second, upper));
            one.get(60, TimeUnit.SECONDS);
            other.get(60, TimeUnit.SECONDS);
        }

        assertThat(sandbox.mappings()).hasSize(3 * PER_SECOND);
        assertThat(sandbox.counts().throttled()).isZero();
        assertThat(sandbox.mostInWindow()).isLessThanOrEqualTo(PER_SECOND);
    }

    @Test
    void aCoordinatorThatSpeaksOtherWordsIsAnErrorInWords() {
        RpcEnv rpcEnv = SparkEnv.get().rpcEnv();
        UserMapOptions options = UserMapOptions.of(options());
        String name = AllowanceDesk.nameOf(options.endpoints(), Secret.of("key-of-tests"));
        RpcEndpointRef other = rpcEnv.setupEndpoint(name, (ThreadSafeRpcEndpoint) () -> rpcEnv);
        try {
            assertThatThrownBy(() -> write(manyRows(1), options()))
                    .hasMessageStartingWith(
                            "Cannot share the allowance of this application: its coordinator was started"
                                    + " by another version of the connector.");
        } finally {
            rpcEnv.stop(other);
        }
        assertThat(sandbox.requests()).isEmpty();
    }

    private void writeWith(ClassLoader loader, Dataset<Row> rows) {
        Thread thread = Thread.currentThread();
        ClassLoader before = thread.getContextClassLoader();
        thread.setContextClassLoader(loader);
        try {
            rows.write()
                    .format(UserMapSource.class.getName())
                    .mode("append")
                    .options(options())
                    .save();
        } finally {
            thread.setContextClassLoader(before);
        }
    }
}
