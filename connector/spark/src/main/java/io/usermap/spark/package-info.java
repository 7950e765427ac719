/**
 * The Spark data source {@code amplitude-usermap}.
 *
 * <p>Read {@link io.usermap.spark.UserMapOptions} for what can be set and {@link io.usermap.spark.UserMapRun} for what the
 * driver sees of a running write; {@link io.usermap.spark.UserMapLookup} reads the mappings of a table of ids.
 */
@NullMarked
package io.usermap.spark;

import org.jspecify.annotations.NullMarked;
