package io.usermap.spark;

import io.usermap.client.AllowanceLog;
import io.usermap.client.Secret;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import org.apache.spark.sql.SparkSession;

/** A second Spark application with a driver of its own, which writes when it is told to and says when it is done. */
final class OtherApplication {
    private OtherApplication() {}

    /** Arguments: the endpoint, the share of the allowance, the number of users, what their ids begin with. */
    public static void main(String[] arguments) throws Exception {
        try (SparkSession spark = SparkSession.builder()
                        .master("local[2]")
                        .appName("another application")
                        .config("spark.ui.enabled", "false")
                        .getOrCreate();
                UserMapRun run = UserMapRun.open(
                        spark,
                        ProcessCase.options(URI.create(arguments[0]), "allowanceShare", arguments[1]),
                        Secret.of("key-of-tests"),
                        AllowanceLog.empty());
                BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8))) {
            System.out.println("ready");
            in.readLine();
            ProcessCase.write(ProcessCase.users(spark, arguments[3], Integer.parseInt(arguments[2])), run);
            System.out.println("done");
        }
    }
}
