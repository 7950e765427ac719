package io.usermap.job;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.OutputStream;
import java.io.PrintStream;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.spark.SparkException;
import org.junit.jupiter.api.Test;

/** A command that is asked to end. */
class InterruptionTest {

    @Test
    void goesOnStoppingWhereAStopHasFailed() throws Exception {
        AtomicInteger tried = new AtomicInteger();
        CountDownLatch stopped = new CountDownLatch(1);
        PrintStream nowhere = new PrintStream(OutputStream.nullOutputStream());
        try (Interruption interruption =
                Interruption.listen(new Console(nowhere, nowhere, true, false, false), "coming to an end")) {
            interruption.during(() -> {
                switch (tried.incrementAndGet()) {
                    case 1 -> throw new IllegalStateException("the driver does not answer");
                    case 2 -> throw InterruptionTest.<RuntimeException>undeclared(new SparkException("nor now"));
                    default -> stopped.countDown();
                }
            });
            interruption.request("asked by the test");

            assertThat(stopped.await(30, TimeUnit.SECONDS)).as("the third stop").isTrue();
        }
    }

    /** As Spark throws what its methods do not declare. */
    @SuppressWarnings({"unchecked", "TypeParameterUnusedInFormals"})
    private static <E extends Exception> E undeclared(Exception failure) throws E {
        throw (E) failure;
    }
}
