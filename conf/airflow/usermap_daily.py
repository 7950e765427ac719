"""Every day: a plan, and if it passes its guards, the apply.

Needs the Spark provider (apache-airflow-providers-apache-spark), a Spark connection in client mode, and

    airflow pools set usermap 1 "one sender at a time, because the allowance is the organisation's"
    airflow variables set usermap_home /opt/usermap

with `usermap-job-0.1.0.jar` and your `daily.conf` in that folder of the worker, and AMPLITUDE_API_KEY in the worker's
environment. The key does not belong into `env_vars` of the operator: on YARN and Kubernetes these become part of
Spark's configuration, which the event log keeps.

A retry finishes what was begun: the run is in the ledger, and what was acknowledged is not sent again. Against a guard
or a wrong configuration retries do not help, and do no harm.
"""

from datetime import datetime, timedelta

from airflow import DAG
from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator

HOME = "{{ var.value.usermap_home }}"

submit = {
    "application": HOME + "/usermap-job-0.1.0.jar",
    "java_class": "io.usermap.job.Main",
    "conn_id": "spark_default",
    "pool": "usermap",
}

with DAG(
    dag_id="usermap_daily",
    schedule="0 3 * * *",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    doc_md=__doc__,
) as dag:
    plan = SparkSubmitOperator(
        task_id="plan",
        application_args=["plan", "--config", HOME + "/daily.conf"],
        **submit,
    )
    apply = SparkSubmitOperator(
        task_id="apply",
        application_args=["apply", "--config", HOME + "/daily.conf"],
        retries=3,
        retry_delay=timedelta(minutes=2),
        **submit,
    )
    plan >> apply
