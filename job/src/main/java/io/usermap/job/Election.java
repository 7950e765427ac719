package io.usermap.job;

import static org.apache.spark.sql.functions.coalesce;
import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.count;
import static org.apache.spark.sql.functions.lit;
import static org.apache.spark.sql.functions.min;
import static org.apache.spark.sql.functions.struct;
import static org.apache.spark.sql.functions.when;

import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;

/**
 * Who stands for a cluster: the candidate that costs the fewest writes, then one in force, then the smallest id.
 *
 * <p>With centre c, every other member needs a write unless it is mapped to c already, and c needs one if it is mapped
 * itself. So the cost is members - 1 - votes(c) + mapped(c), where the votes are the members that are mapped to c now: what
 * differs between the candidates of a cluster is only mapped(c) - votes(c). Example: m and n are mapped to g; now {m, n, u}
 * is one cluster and {g} another. In the first, m costs 3 writes (unmap m, map n, map u), u costs 2 (remap m and n).
 *
 * <p>Ids are compared by their UTF-8 bytes; the result does not depend on how rows are partitioned.
 */
final class Election {
    private Election() {}

    /**
     * The centre of every cluster: {@code cluster, centre}.
     *
     * @param members {@code cluster, id, candidate, present}, with {@code present} the target in force or null
     */
    static Dataset<Row> centres(Dataset<Row> members) {
        Dataset<Row> votes = members.filter(col("present").isNotNull())
                .groupBy(col("cluster"), col("present").as("id"))
                .agg(count(lit(1)).as("votes"));
        Column mapped = when(col("present").isNull(), lit(0L)).otherwise(lit(1L));
        Column heard = coalesce(col("votes"), lit(0L));
        return members.filter(col("candidate"))
                .join(votes, new String[] {"cluster", "id"}, "left")
                .groupBy("cluster")
                .agg(min(struct(mapped.minus(heard), heard.equalTo(0), col("id").as("id")))
                        .as("best"))
                .select(col("cluster"), col("best.id").as("centre"));
    }
}
