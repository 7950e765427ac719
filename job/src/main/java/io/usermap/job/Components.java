package io.usermap.job;

import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.expr;
import static org.apache.spark.sql.functions.greatest;
import static org.apache.spark.sql.functions.least;
import static org.apache.spark.sql.functions.min;

import java.util.Optional;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.expressions.Window;
import org.apache.spark.sql.expressions.WindowSpec;

/**
 * Connected components on Spark.
 *
 * <h2>How is it done, and why?</h2>
 *
 * <p>By alternating large-star and small-star, of Kiveris, Lattanzi, Mirrokni, Rastogi and Vassilvitskii, <i>Connected
 * Components in MapReduce and Beyond</i>, SoCC 2014. Spreading the smallest label from neighbour to neighbour takes as many
 * rounds as the graph is wide: 100,000 for a chain of 100,000. Here each round replaces edges instead of labels. In
 * <i>large-star</i> every vertex hands those of its neighbours that are larger than itself over to the smallest vertex that
 * it knows; in <i>small-star</i> it hands its smaller neighbours and itself over to the smallest of them. Neither breaks a
 * component, neither makes more edges, and what does not change any more is a star around the smallest vertex of each
 * component. On a chain a round halves the distances, so 100,000 take 17 and one that finds nothing to do.
 *
 * <p>The name of a component is its smallest id by UTF-8 bytes, whatever the order and partitioning of the edges.
 */
final class Components {
    private static final WindowSpec OF_VERTEX = Window.partitionBy("vertex");

    private Components() {}

    /**
     * The component of every id: {@code id, component}, every id once.
     *
     * <p>Blocks for the rounds. Each leaves its edges in the executors' storage, so that the next one does not begin from
     * the source; where they are lost with their executor the run fails, and never continues with fewer.
     *
     * @param edges two columns with the ids of each edge, none of them null; an edge to itself names a lone id
     */
    static Dataset<Row> of(Dataset<Row> edges) {
        Dataset<Row> given = edges.toDF("a", "b");
        Dataset<Row> links = given.filter(col("a").notEqual(col("b")))
                .select(
                        greatest(col("a"), col("b")).as("vertex"),
                        least(col("a"), col("b")).as("smaller"))
                .distinct();
        Optional<Row> last;
        Optional<Row> now = Optional.empty();
        do {
            // Not eagerly: the figures need every row, and so make the checkpoint on their way.
            links = smallStar(largeStar(links)).localCheckpoint(false);
            last = now;
            now = Optional.of(figures(links));
        } while (!now.equals(last));
        return links.select(col("vertex").as("id"), col("smaller").as("component"))
                .unionByName(
                        links.select(col("smaller").as("id"), col("smaller").as("component")))
                .unionByName(
                        given.filter(col("a").equalTo(col("b"))).select(col("a").as("id"), col("a").as("component")))
                .groupBy("id")
                .agg(min("component").as("component"));
    }

    /** Larger neighbours of each vertex go to the smallest vertex around it. */
    private static Dataset<Row> largeStar(Dataset<Row> links) {
        return links.unionByName(
                        links.select(col("smaller").as("vertex"), col("vertex").as("smaller")))
                .toDF("vertex", "neighbour")
                .withColumn("smallest", least(col("vertex"), min("neighbour").over(OF_VERTEX)))
                .filter(col("neighbour").gt(col("vertex")))
                .select(col("neighbour").as("vertex"), col("smallest").as("smaller"));
    }

    /** Smaller neighbours of each vertex, and itself, go to the smallest of them. */
    private static Dataset<Row> smallStar(Dataset<Row> links) {
        return links.withColumn("smallest", min("smaller").over(OF_VERTEX))
                .select(
                        expr("explode(array(vertex, smaller)) AS vertex"),
                        col("smallest").as("smaller"))
                .filter(col("vertex").notEqual(col("smaller")))
                .distinct();
    }

    /** How many links there are, and a figure that changes with any of them. */
    private static Row figures(Dataset<Row> links) {
        return links.selectExpr("xxhash64(vertex, smaller) AS hash")
                .selectExpr("count(*)", "bit_xor(hash)", "sum(hash & 4294967295)")
                .first();
    }
}
