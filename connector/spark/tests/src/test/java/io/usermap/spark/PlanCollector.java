package io.usermap.spark;

import java.util.List;
import org.apache.spark.sql.execution.QueryExecution;
import org.apache.spark.sql.util.QueryExecutionListener;

/** Keeps the text of every plan that Spark ran, from the parsed to the physical one. */
final class PlanCollector implements QueryExecutionListener {
    private final List<String> plans;

    PlanCollector(List<String> plans) {
        this.plans = plans;
    }

    @Override
    public void onSuccess(String function, QueryExecution execution, long durationNanos) {
        add(execution);
    }

    @Override
    public void onFailure(String function, QueryExecution execution, Exception exception) {
        add(execution);
    }

    private void add(QueryExecution execution) {
        synchronized (plans) {
            plans.add(execution.toString());
            plans.add(execution.logical().toString());
            plans.add(execution.analyzed().toString());
            plans.add(execution.executedPlan().treeString());
        }
    }
}
