# Databricks notebook source
# MAGIC %md
# MAGIC # Quickstart: tell Amplitude which user ids are one person
# MAGIC
# MAGIC Writes five mappings with the data source `amplitude-usermap`, reads back what became of them, removes one of
# MAGIC them, and shows how the job does the same for a whole table.
# MAGIC
# MAGIC You need
# MAGIC * a cluster with Databricks Runtime 16.4 LTS or newer and dedicated access mode; any Spark 3.5 to 4.2 on Java 17
# MAGIC   will do elsewhere,
# MAGIC * the job's jar on it as a library, `usermap-job-<version>.jar`, which holds the data source too,
# MAGIC * the API key in the environment of the driver. On Databricks, put it into a secret scope and name it in the
# MAGIC   cluster's environment variables: `AMPLITUDE_API_KEY={{secrets/usermap/api-key}}`. Elsewhere, export it.
# MAGIC
# MAGIC The key itself stands in no cell: the option below says where it is.

# COMMAND ----------

API_KEY = "env:AMPLITUDE_API_KEY"
REGION = "us"  # where the organisation's data is: us or eu
RECEIPTS = "/tmp/usermap/quickstart/receipts"  # a folder for one line per row; any filesystem that Spark writes to

# COMMAND ----------

# MAGIC %md
# MAGIC ## Write
# MAGIC
# MAGIC Columns go by name: `user_id` is mapped to `global_user_id`. Ids are strings. One of the rows below cannot be
# MAGIC right; with `onRejected` = `record` it gets a receipt with the reason and the others are sent.

# COMMAND ----------

people = spark.createDataFrame(
    [
        ("ada+shop@example.com", "ada@example.com"),
        ("ada-2041", "ada@example.com"),
        ("山田-太郎", "taro@example.com"),
        ("support-7719", "taro@example.com"),
        ("unknown", "ada@example.com"),
    ],
    "user_id string, global_user_id string",
)

(
    people.write.format("amplitude-usermap")
    .mode("append")
    .option("apiKey", API_KEY)
    .option("region", REGION)
    .option("receiptsPath", RECEIPTS)
    .option("onRejected", "record")
    .save()
)

# COMMAND ----------

# MAGIC %md
# MAGIC ## Read the counts back
# MAGIC
# MAGIC Four rows `accepted`, one `rejected` as a `placeholder`. Run the cell above once more: the four are then
# MAGIC `skipped`, because their receipts say that they were acknowledged, and nothing is sent.

# COMMAND ----------

receipts = spark.read.json(RECEIPTS)
receipts.groupBy("outcome", "reason").count().orderBy("outcome", "reason").show()

# COMMAND ----------

# MAGIC %md
# MAGIC ## Remove a mapping
# MAGIC
# MAGIC A row with `unmap` = true and no `global_user_id` takes the user's mapping away. Further writes have receipts in
# MAGIC folders of their own.

# COMMAND ----------

gone = spark.createDataFrame([("support-7719", None, True)], "user_id string, global_user_id string, unmap boolean")

(
    gone.write.format("amplitude-usermap")
    .mode("append")
    .option("apiKey", API_KEY)
    .option("region", REGION)
    .option("receiptsPath", RECEIPTS + "-unmap")
    .save()
)

# COMMAND ----------

# MAGIC %md
# MAGIC ## A whole table: the job
# MAGIC
# MAGIC The data source sends what it is given. The job works out first what has to be sent at all: it elects a global
# MAGIC id in each cluster, leaves out what was acknowledged before, and stops if the change looks wrong. It joins the
# MAGIC session of this notebook. `plan` sends nothing; set `COMMAND` to `apply` when its counts are what you expect.
# MAGIC
# MAGIC A failure is an exception that names the exit code; the run's `report.json` in the ledger has the detail.

# COMMAND ----------

COMMAND = "plan"
SOURCE = "main.identity.clusters"  # a table with a cluster column and an id column
LEDGER = "/tmp/usermap/quickstart/ledger"  # for real use a folder that outlives the cluster, such as s3://bucket/usermap


def usermap(*arguments):
    """Runs one command of the job in the driver of this notebook."""
    strings = spark.sparkContext._gateway.new_array(spark._jvm.java.lang.String, len(arguments))
    for position, argument in enumerate(arguments):
        strings[position] = argument
    spark._jvm.io.usermap.job.Main.main(strings)


usermap(
    COMMAND,
    "--set", "source.table=" + SOURCE,
    "--set", "target.api-key=" + API_KEY,
    "--set", "target.region=" + REGION,
    "--set", "ledger.path=" + LEDGER,
)
