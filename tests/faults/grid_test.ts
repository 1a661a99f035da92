import assert from "node:assert/strict";
import {
  BACKEND_KEY_DATA,
  Framer,
  READY_FOR_QUERY,
} from "../../src/wire/mod.ts";
import { encodeStartupMessage } from "../../src/wire/mod.ts";
import { type Cluster, startCluster } from "../support/cluster.ts";
import {
  DIRECTIONS,
  type Fault,
  FaultProxy,
  FAULTS,
  MOMENTS,
} from "../support/fault_proxy.ts";
import { type Ledger, TestProxy } from "../support/proxy.ts";
import { waitFor } from "../support/wait.ts";
import {
  concat,
  extended,
  message,
  query,
  sync,
} from "../support/wire_client.ts";

const OPTIONS = { sanitizeOps: false, sanitizeResources: false };
/** Cells at a time, each with its own proxies. */
const LANES = 4;
/** A client that hears nothing for so long hears nothing more. */
const QUIET_MS = 1_000;

/** Every moment of the grid comes by in it. */
const SESSION: readonly (readonly [Uint8Array, number])[] = [
  [query("begin"), 1],
  [query("create temp table t (a int, b text)"), 1],
  [query("insert into t values (1, 'a'), (2, 'b')"), 1],
  [query("commit"), 1],
  [query("select a + 0, b || '', repeat('x', 100) from t order by 1"), 1],
  [concat([extended("select 1"), sync()]), 1],
  [
    concat([
      query("copy t from stdin"),
      message("d", "3\tc\n"),
      message("d", "4\td\n"),
      message("c"),
    ]),
    1,
  ],
  [query("select no_such_column"), 1],
  [
    concat([extended("select 10 / 0"), sync(), extended("select 2"), sync()]),
    2,
  ],
  [query("select count(*) from t"), 1],
];

/** What a client saw. */
interface Seen {
  /** All bytes but the cancel key, which is random. */
  readonly bytes: string;
  readonly end: "complete" | "closed" | "quiet";
}

/** Plays {@linkcode SESSION} until its end, the connection's, or silence. */
async function play(port: number, quietMs = QUIET_MS): Promise<Seen> {
  using conn = await Deno.connect({ hostname: "127.0.0.1", port });
  const framer = new Framer();
  const chunk = new Uint8Array(65_536);
  let bytes = "";
  let ready = 0;

  async function until(count: number): Promise<Seen["end"]> {
    while (ready < count) {
      let timer: ReturnType<typeof setTimeout> | undefined;
      const quiet = new Promise<"quiet">((resolve) => {
        timer = setTimeout(() => resolve("quiet"), quietMs);
      });
      const read = conn.read(chunk).catch(() => null);
      const length = await Promise.race([read, quiet]);
      clearTimeout(timer);
      if (length === "quiet") return "quiet";
      if (length === null) return "closed";
      for (let at = 0; at < length;) {
        const from = at;
        at = framer.step(chunk, at, length);
        if (
          framer.type !== BACKEND_KEY_DATA ||
          framer.atBoundary && !framer.finished
        ) {
          bytes += new TextDecoder("latin1").decode(chunk.subarray(from, at));
        }
        if (framer.finished && framer.type === READY_FOR_QUERY) ready++;
      }
    }
    return "complete";
  }

  const login = encodeStartupMessage([["user", "postgres"], [
    "database",
    "postgres",
  ]]);
  let wanted = 0;
  for (const [part, count] of [[login, 1] as const, ...SESSION]) {
    try {
      await conn.write(part);
    } catch {
      return { bytes, end: "closed" };
    }
    const end = await until(wanted += count);
    if (end !== "complete") return { bytes, end };
  }
  await conn.write(message("X")).catch(() => {});
  return { bytes, end: "complete" };
}

const sum = (counts: Readonly<Record<string, number>>) =>
  Object.values(counts).reduce((total, n) => total + n, 0);

/** What came of the requests since `before`. */
function outcome(now: Ledger, before: Ledger): string {
  const parts = now.replayed > before.replayed
    ? [`replayed ${now.replayed - before.replayed}`]
    : [];
  for (const kind of ["excluded", "dropped", "failed"] as const) {
    for (const [reason, count] of Object.entries(now[kind])) {
      const more = count - (before[kind][reason] ?? 0);
      if (more > 0) parts.push(`${kind}{${reason}} ${more}`);
    }
  }
  return parts.join(", ");
}

const CELLS: readonly Fault[] = FAULTS.flatMap((kind) =>
  DIRECTIONS.flatMap((direction) =>
    MOMENTS.map((moment) => ({ kind, direction, moment }))
  )
);

/** What may become of requests that meet a fault. */
const SENSIBLE =
  /^(?:replayed|failed\{(?:connection|timeout)\}|dropped\{(?:mirror_down|session_tainted)\})/;
/** Faults that only slow a mirror down cost no request. */
const HARMLESS: ReadonlySet<string> = new Set([
  "latency",
  "bandwidth",
  "slow_close",
  "slicer",
]);

/** Runs all cells on {@linkcode LANES} lanes, and prints the table in order. */
async function grid<L>(
  lanes: readonly L[],
  cell: (lane: L, fault: Fault) => Promise<string>,
): Promise<void> {
  const table: string[] = [];
  const failures: string[] = [];
  let next = 0;
  await Promise.all(lanes.map(async (lane) => {
    for (let i = next++; i < CELLS.length; i = next++) {
      const fault = CELLS[i] as Fault; // i < length
      const name = `${fault.kind} × ${fault.direction} × ${fault.moment}`;
      try {
        table[i] = `${name} -> ${await cell(lane, fault)}`;
      } catch (error) {
        table[i] = `${name} -> FAILED`;
        failures.push(`${name}: ${(error as Error).message}`);
      }
    }
  }));
  console.log(table.join("\n"));
  assert.deepEqual(failures, []);
}

/** A mirror's network and the proxy that uses it. */
class MirrorLane implements AsyncDisposable {
  private constructor(readonly faults: FaultProxy, readonly proxy: TestProxy) {}

  static async start(primary: Cluster, mirror: Cluster): Promise<MirrorLane> {
    const faults = await FaultProxy.start(mirror);
    const proxy = await TestProxy.start({
      primary,
      mirror: faults,
      general: {
        workers: 1,
        connect_timeout: 1_000,
        mirror_timeout: 1_000,
        mirror_pacing: "asap",
        mirror_order: "client",
      },
    });
    return new MirrorLane(faults, proxy);
  }

  async settled(): Promise<Ledger> {
    const ledger = await this.proxy.settled(10_000);
    const { seen, excluded, dropped, replayed, failed } = ledger;
    assert.equal(seen, sum(excluded) + sum(dropped) + replayed + sum(failed));
    return ledger;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.proxy[Symbol.asyncDispose]();
    await this.faults[Symbol.asyncDispose]();
  }
}

Deno.test({
  name:
    "isolation: no fault of the mirror's network reaches the client, and the ledger closes",
  ...OPTIONS,
  async fn() {
    await using primary = await startCluster({ version: "15" });
    await using mirror = await startCluster({ version: "15" });
    await using stack = new AsyncDisposableStack();
    const lanes = await Promise.all(
      Array.from({ length: LANES }, () => MirrorLane.start(primary, mirror)),
    );
    for (const lane of lanes) stack.use(lane);
    const expected = await play(primary.port, 10_000);
    assert.equal(expected.end, "complete");
    await grid(lanes, async ({ faults, proxy }, fault) => {
      const lane = lanes.find((lane) => lane.proxy === proxy) as MirrorLane;
      /** One session: nothing that a client can see may differ. */
      async function session(): Promise<Ledger> {
        assert.deepEqual(await play(proxy.port, 10_000), expected);
        return await lane.settled();
      }
      faults.arm(undefined);
      await waitFor("a healthy mirror", async () => {
        const before = proxy.ledger().replayed;
        return (await session()).replayed > before + SESSION.length / 2;
      }, 10_000);
      faults.arm(fault);
      const before = proxy.ledger();
      const ledger = await session();
      assert.ok(faults.begun > 0, "the fault has begun");
      const found = outcome(ledger, before);
      for (const part of found.split(", ")) assert.match(part, SENSIBLE);
      if (HARMLESS.has(fault.kind)) assert.match(found, /^replayed \d+$/);
      return found;
    });
  },
});

Deno.test({
  name:
    "relay: what a fault of the primary's network does to a client is what it does without the proxy",
  ...OPTIONS,
  async fn() {
    await using primary = await startCluster({ version: "15" });
    await using stack = new AsyncDisposableStack();
    const lanes = await Promise.all(
      Array.from({ length: LANES }, async () => {
        const faults = stack.use(await FaultProxy.start(primary));
        const proxy = stack.use(
          await TestProxy.start({ primary: faults, general: { workers: 1 } }),
        );
        return { faults, proxy };
      }),
    );
    await grid(lanes, async ({ faults, proxy }, fault) => {
      faults.arm(fault);
      const direct = await play(faults.port);
      faults.arm(fault);
      const through = await play(proxy.port);
      assert.ok(faults.begun > 0, "the fault has begun");
      assert.equal(through.end, direct.end);
      // A reset may overtake bytes that were on their way.
      if (fault.kind === "reset_peer" || fault.kind === "down") {
        const [shorter, longer] = [through.bytes, direct.bytes]
          .sort((a, b) => a.length - b.length) as [string, string];
        assert.ok(longer.startsWith(shorter));
      } else assert.equal(through.bytes, direct.bytes);
      return `${through.end}, ${through.bytes.length} bytes`;
    });
  },
});
