/**
 * The User Mapping API of Amplitude without Spark, and the arithmetic of its allowance.
 *
 * <p>Read {@link io.usermap.client.Mapping} and {@link io.usermap.client.IdRules} for what is sent,
 * {@code Batch} for how it is encoded and bounded, {@code UserMapClient} and
 * {@code Reply} for the exchange, {@code BatchSender} for slices, retries and
 * bisection, {@code Allowance} for when anything may leave at all. Settings, secrets and endpoints are
 * declared here because both the connector and the job parse them.
 *
 * <p>What decides takes the time as an argument and returns a decision; what waits or talks to the network sits in one
 * class each. Nothing here knows Spark.
 */
@NullMarked
package io.usermap.client;

import org.jspecify.annotations.NullMarked;
