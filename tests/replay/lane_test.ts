import { Giving, RowLockings } from "../../src/given/mod.ts";
import assert from "node:assert/strict";
import { loadModule } from "libpg-query";
import { closeDescriptor, monotonicUs } from "../../src/io/mod.ts";
import { LogMatcher } from "../../src/decoding/mod.ts";
import { Breaker } from "../../src/replay/breaker.ts";
import { Catalog } from "../../src/catalog/mod.ts";
import { CommitOrder } from "../../src/replay/commit_order.ts";
import { Footprints } from "../../src/replay/footprint.ts";
import { SchemaState } from "../../src/replay/schema_state.ts";
import { Lane } from "../../src/replay/lane.ts";
import { MirrorConnections } from "../../src/replay/mirror_connections.ts";
import { KnownColumns } from "../../src/judge/mod.ts";
import { QueueBudget } from "../../src/record/mod.ts";
import { ExcludeRules } from "../../src/replay/exclude_rules.ts";
import { UnsafeStatements } from "../../src/replay/unsafe_statements.ts";
import type { Target } from "../../src/replay/target.ts";
import { BOUNDS } from "../../src/record/mod.ts";
import { ShapeCache } from "../../src/sql/shape_cache.ts";
import { Dropped, Failed } from "../../src/stats/ledger.ts";
import { collected } from "../support/collected.ts";
import { TappedSession } from "../support/tapped_session.ts";
import { concat, message, query } from "../support/wire_client.ts";

const UNBOUNDED = { maxConnections: 0, idleTimeoutMs: Infinity };

Deno.test("Lane: what is submitted after it has closed is dropped, not kept for ever", async () => {
  await loadModule();
  const shapes = new ShapeCache(10);
  const session = new TappedSession(shapes);
  session.client(query("update t set a = 1"));
  session.server(concat([message("C", "UPDATE 1\0"), message("Z", "I")]));
  const dropped: number[] = [];
  /** As much of a target as a lane asks for that never connects. */
  const target = {
    settings: { level: "all", exposure: 1, paused: false, queueLength: 10 },
    removed: false,
    breaker: new Breaker(),
    budget: new QueueBudget(1_000_000),
    queued: new Map(),
    order: new CommitOrder(),
    catalog: new Catalog(),
    footprints: new Footprints(),
    exclude: new ExcludeRules([]),
    unsafe: new UnsafeStatements(),
    schema: new SchemaState(),
    giving: new Giving(() => {}),
    rowLockings: new RowLockings({
      giving: new Giving(() => {}),
      columns: new KnownColumns(),
    }),
    primaryLog: { matcher: new LogMatcher(() => new Catalog()) },
    refusals: new Set(),
    columns: new KnownColumns(),
    connections: new MirrorConnections(() => UNBOUNDED),
    waiting: new Set(),
    timed: new Set(),
    reactor: { cancel() {} },
    probes: {
      queue() {},
      requestDropped: (_: number, reason: number) => dropped.push(reason),
    },
    shapes,
  } as unknown as Target;
  let closed = 0;
  const lane = new Lane(target, 0, 1, "", () => closed++);
  lane.leave();
  assert.equal(closed, 1);
  for (const transaction of session.transactions) lane.submit(transaction);
  assert.deepEqual(dropped, [Dropped.shutdown]);
  assert.equal(target.budget.bytes, 0);
  assert.equal(closed, 1);
});

Deno.test("Lane: at rest nothing of the transaction before is held, whichever way it ended", async () => {
  await loadModule();
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  const bytes = new Uint8Array(16);
  bytes.set([2, 0, port >> 8, port & 255, 127, 0, 0, 1]); // struct sockaddr_in
  const due: (() => void)[] = [];
  const counts: string[] = [];
  /** As much of a target as a lane asks for whose connection is told to it. */
  const target = {
    settings: {
      level: "all",
      exposure: 1,
      paused: false,
      queueLength: 10,
      order: "commit",
      pacing: "original",
      timeoutMs: 1_000,
      connectTimeoutMs: 1_000,
      examples: "redacted",
      address: { family: 2, bytes },
      login: { user: "postgres", database: "postgres" },
    },
    server: { address: { family: 2, bytes }, tls: undefined },
    removed: false,
    breaker: new Breaker(),
    budget: new QueueBudget(10_000_000),
    queued: new Map(),
    order: new CommitOrder(),
    catalog: new Catalog(),
    footprints: new Footprints(),
    exclude: new ExcludeRules([]),
    unsafe: new UnsafeStatements(),
    schema: new SchemaState(),
    giving: new Giving(() => {}),
    rowLockings: new RowLockings({
      giving: new Giving(() => {}),
      columns: new KnownColumns(),
    }),
    primaryLog: { matcher: new LogMatcher(() => new Catalog()) },
    refusals: new Set(),
    columns: new KnownColumns(),
    connections: new MirrorConnections(() => UNBOUNDED),
    waiting: new Set(),
    timed: new Set(),
    laneTable: { open: () => -1, close() {}, state() {} },
    scratch: new Uint8Array(1_024),
    schemaChanged() {},
    ignored: () => false,
    table: { add() {} },
    log() {},
    reactor: {
      nowUs: 0,
      add() {},
      modify() {},
      close: closeDescriptor,
      cancel() {},
      after(_: number, callback: () => void) {
        due.push(callback);
        // As the real one: whoever keeps its timer keeps what the timer would do.
        return { atUs: 0, callback };
      },
    },
    probes: {
      queue() {},
      mirrorStatement() {},
      orderBroken() {},
      errorOnMirror() {},
      statementCompared: (_: number, result: number) =>
        counts.push(`${result}`),
      requestReplayed: () => counts.push("replayed"),
      requestFailed: (_: number, reason: number) =>
        counts.push(`failed ${reason}`),
      requestDropped: (_: number, reason: number) =>
        counts.push(`dropped ${reason}`),
    },
    shapes: new ShapeCache(10),
  } as unknown as Target;
  const count = 700;
  const done = message("C", "UPDATE 1\0");
  const reply = concat([...Array(count).fill(done), message("Z", "I")]);
  const lane = new Lane(target, 0, 1, "", () => {});
  const held: WeakRef<object>[] = [];
  /** Nothing that it makes outlives it, but for what the lane holds. */
  const run = (answer: Uint8Array | undefined) => {
    const session = new TappedSession(target.shapes);
    session.client(query("update t set a = 1;".repeat(count)));
    session.server(reply);
    const [captured] = session.transactions;
    assert.ok(captured !== undefined);
    // Just ended: it has to settle.
    const transaction = { ...captured, endUs: monotonicUs() + 1e6 };
    held.push(new WeakRef(transaction), new WeakRef(transaction.bytes.buffer));
    lane.submit(transaction);
    if (counts.length === 0) lane.onLoggedIn();
    // The pause that settles its place, and whatever comes of it.
    for (let callback = due.shift(); callback; callback = due.shift()) {
      callback();
    }
    if (answer === undefined) {
      return lane.onLost({
        kind: "connection",
        message: "gone",
        sqlstate: undefined,
      });
    }
    lane.onReply(answer.subarray(0, 5_000), 5_000);
    assert.ok(lane.heldBytes > 4_000, "the digests of the reply");
    const rest = answer.subarray(5_000);
    lane.onReply(rest, rest.length);
  };
  run(reply);
  assert.equal(counts.pop(), "replayed");
  assert.equal(counts.length, count);
  run(reply);
  assert.equal(counts.pop(), "replayed");
  run(undefined);
  assert.equal(counts.pop(), `failed ${Failed.connection}`);
  assert.equal(target.budget.bytes, 0);
  lane.leave();
  assert.ok(lane.heldBytes <= 2 * BOUNDS.restBytes, `${lane.heldBytes}`);
  await collected();
  assert.deepEqual(
    held.map((reference) => reference.deref()).filter(Boolean),
    [],
  );
});
