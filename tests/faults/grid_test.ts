import assert from "node:assert/strict";
import { type Cluster, startCluster } from "../support/cluster.ts";
import { HARMLESS, outcome, runGrid, SENSIBLE } from "../support/fault_grid.ts";
import { DIRECTIONS, type Moment, MOMENTS } from "../support/fault_moments.ts";
import { FaultProxy, FAULTS } from "../support/fault_proxy.ts";
import { play, SESSION } from "../support/grid_player.ts";
import { assertClosed } from "../support/ledgers.ts";
import { type Ledger, TestProxy } from "../support/proxy.ts";
import { waitFor } from "../support/wait.ts";

const OPTIONS = { sanitizeOps: false, sanitizeResources: false };
/** Cells at a time, each with its own proxies. */
const LANES = 6;
const PATIENT = { quietMs: 10_000 };
const CELLS = FAULTS.flatMap((kind) =>
  DIRECTIONS.flatMap((direction) =>
    MOMENTS.map((moment) => ({
      name: `${kind} × ${direction} × ${moment}`,
      fault: { kind, direction, moment },
    }))
  )
);

/** A mirror's network and the proxy that uses it. */
class MirrorLane implements AsyncDisposable {
  private constructor(
    readonly faults: FaultProxy<Moment>,
    readonly proxy: TestProxy,
  ) {}

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
    assertClosed(ledger);
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
    const expected = await play(primary.port, PATIENT);
    assert.equal(expected.end, "complete");
    await runGrid(lanes, CELLS, async (lane, { fault }) => {
      const { faults, proxy } = lane;
      /** One session: nothing that a client can see may differ. */
      async function session(): Promise<Ledger> {
        assert.deepEqual(await play(proxy.port, PATIENT), expected);
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
    await runGrid(lanes, CELLS, async ({ faults, proxy }, { fault }) => {
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
