/**
 * The command line: from what an identity resolver left in the warehouse to mappings that the service acknowledged.
 *
 * <p>Read {@code Main} and {@code Commands} for the way in, {@code Keys} and {@code Configuration} for what can be set. A plan is
 * made by {@code Source}, {@code Producer} and {@code Shape} (which columns mean what), {@code CheckedRows} (which rows can be
 * right), {@code Components} (edges) and {@code Changes} (feeds),
 * {@code Pairs} (chains and cycles), {@code Election} (who stands for a cluster) and {@code Planner} (what differs from
 * the acknowledged state); {@code Guards} judges it. {@code Ledger} keeps plans, receipts, reports and {@code State};
 * {@code Sending} sends a plan and {@code Publication} takes what was acknowledged into the state, in an order of steps that
 * a crash at any instant does not harm. {@code Progress},
 * {@code Summary} and {@code Report} tell people and programs about it.
 *
 * <p>Everything here runs on the driver, apart from the row checks of {@code CheckedRows}. Nothing that grows with the
 * source is collected: plans are frames, and only counts reach this process's heap. No signature holds a Scala
 * collection, so that the same classes run on every supported Spark.
 */
@NullMarked
package io.usermap.job;

import org.jspecify.annotations.NullMarked;
