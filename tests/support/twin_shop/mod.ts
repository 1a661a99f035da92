/**
 * A web shop on two equal servers: sessions, orders with items, payments, a
 * job queue, an outbox, an audit trigger and locks, as drivers send them.
 *
 * @module
 */

export { type Protocol, PROTOCOLS, type Querier } from "./connection.ts";
export { connectNodePg } from "./node_pg.ts";
export { insert, insertReturning, type NewRow, raw, sql } from "./statement.ts";
export { assertTwin, TWIN_GOAL, type TwinLimits } from "./limits.ts";
export { type Way, WAYS } from "./maker.ts";
export { runTwinShop, shares, type TwinOptions, type TwinRun } from "./run.ts";
export { unequalRows } from "./tables.ts";
