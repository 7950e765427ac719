package io.usermap.spark;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.spark.scheduler.SparkListener;
import org.apache.spark.scheduler.SparkListenerTaskEnd;
import org.apache.spark.scheduler.SparkListenerTaskStart;

/** What Spark says of its tasks; a moment later than it happens. Thread-safe. */
final class TaskLog extends SparkListener {
    /**
     * An attempt of a task.
     *
     * @param stage the stage
     * @param partition the partition that it works on
     * @param executor where it runs
     * @param id the attempt's id
     * @param speculative whether it is a twin of one that is slow
     */
    private record Started(int stage, int partition, String executor, long id, boolean speculative) {}

    private final List<Started> tasks = new ArrayList<>();
    private final Set<Long> ended = new HashSet<>();

    @Override
    public synchronized void onTaskStart(SparkListenerTaskStart event) {
        tasks.add(new Started(
                event.stageId(),
                event.taskInfo().index(),
                event.taskInfo().executorId(),
                event.taskInfo().taskId(),
                event.taskInfo().speculative()));
    }

    @Override
    public synchronized void onTaskEnd(SparkListenerTaskEnd event) {
        ended.add(event.taskInfo().taskId());
    }

    /** Forgets the tasks. */
    synchronized void clear() {
        tasks.clear();
        ended.clear();
    }

    /** The partitions of the latest stage that {@code executor} works on now. */
    synchronized Set<Integer> partitionsOn(String executor) {
        return ofLatestStage()
                .filter(task -> task.executor().equals(executor) && !ended.contains(task.id()))
                .map(Started::partition)
                .collect(Collectors.toSet());
    }

    /** The attempts of the latest stage that run now, by their ids. */
    synchronized Set<Long> running() {
        return ofLatestStage()
                .map(Started::id)
                .filter(id -> !ended.contains(id))
                .collect(Collectors.toSet());
    }

    /** Whether the latest stage has a speculative attempt at {@code partition}. */
    synchronized boolean hasTwin(int partition) {
        return ofLatestStage().anyMatch(task -> task.partition() == partition && task.speculative());
    }

    /** The executors that have run tasks since the last {@link #clear}. */
    synchronized Set<String> executorsUsed() {
        return tasks.stream().map(Started::executor).collect(Collectors.toSet());
    }

    private Stream<Started> ofLatestStage() {
        int latest = tasks.stream().mapToInt(Started::stage).max().orElse(-1);
        return tasks.stream().filter(task -> task.stage() == latest);
    }
}
