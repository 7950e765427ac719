/**
 * The User Mapping API of Amplitude without Spark, and the arithmetic of its allowance.
 *
 * <p>Read {@link io.usermap.client.Mapping} and {@link io.usermap.client.IdRules} for what is sent,
 * {@link io.usermap.client.Batch} for how it is encoded and bounded, {@link io.usermap.client.UserMapClient} and
 * {@link io.usermap.client.Reply} for the exchange, {@link io.usermap.client.BatchSender} for slices, retries and
 * bisection, {@link io.usermap.client.Allowance} for when anything may leave at all. Settings, secrets and endpoints are
 * declared here because both the connector and the job parse them.
 *
 * <p>What decides takes the time as an argument and returns a decision; what waits or talks to the network sits in one
 * class each. Nothing here knows Spark.
 */
@NullMarked
package io.usermap.client;

import org.jspecify.annotations.NullMarked;
