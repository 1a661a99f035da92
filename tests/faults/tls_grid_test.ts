import assert from "node:assert/strict";
import postgres from "postgres";
import { Authority } from "../support/certificates.ts";
import { type Cluster, startCluster } from "../support/cluster.ts";
import { HARMLESS, outcome, runGrid, SENSIBLE } from "../support/fault_grid.ts";
import { DIRECTIONS, type TlsMoment } from "../support/fault_moments.ts";
import { FaultProxy, FAULTS } from "../support/fault_proxy.ts";
import { play, type Seen, SESSION } from "../support/grid_player.ts";
import { assertClosed } from "../support/ledgers.ts";
import { type Ledger, TestProxy } from "../support/proxy.ts";
import { waitFor } from "../support/wait.ts";
import { query } from "../support/wire_client.ts";

/** Cells at a time, each with its own proxies. */
const LANES = 6;
const PATIENCE_MS = 10_000;
/** Long enough for a handshake in slices on a busy machine. */
const TIMEOUT_MS = 2_000;

/** The first request makes the connection to the mirror. */
const PLAYED = [[query("select 1"), 1] as const, ...SESSION];

/** When a fault begins, told by what can be seen of TLS or by the player's steps. */
interface When {
  readonly name: string;
  readonly moment: TlsMoment;
  /** The signal is given before this step, once so many requests have reached the mirror. */
  readonly step?: number;
  readonly requests?: number;
}

const MOMENTS: readonly When[] = [
  { name: "SSLRequest", moment: "SSLRequest" },
  { name: "handshake", moment: "handshake" },
  { name: "login", moment: "login" },
  { name: "in a transaction", moment: "signal", step: 2, requests: 1 },
  { name: "middle of a row", moment: "signal", step: 5, requests: 2 },
  { name: "middle of COPY", moment: "signal", step: 7, requests: 4 },
];

const LEGS = ["client", "primary", "mirror"] as const;

const CELLS = LEGS.flatMap((leg) =>
  FAULTS.flatMap((kind) =>
    DIRECTIONS.flatMap((direction) =>
      MOMENTS.map((when) => ({
        name: `${leg} × ${kind} × ${direction} × ${when.name}`,
        leg,
        when,
        fault: { kind, direction, moment: when.moment },
      }))
    )
  )
);
type Cell = typeof CELLS[number];

type Faults = Readonly<Record<typeof LEGS[number], FaultProxy<TlsMoment>>>;

/** What a TLS lane needs. */
interface Servers {
  readonly primary: Cluster;
  readonly mirror: Cluster;
  readonly authority: Authority;
}

/** A proxy with TLS on all of its legs, a network of faults on each, and a client that stays. */
class TlsLane implements AsyncDisposable {
  private constructor(
    readonly faults: Faults,
    readonly proxy: TestProxy,
    readonly ca: string,
    readonly bystander: postgres.Sql,
    readonly pid: number,
  ) {}

  static async start({ primary, mirror, authority }: Servers) {
    const certificate = await authority.issue();
    const [toPrimary, toMirror] = await Promise.all([
      FaultProxy.startTls(primary),
      FaultProxy.startTls(mirror),
    ]);
    const proxy = await TestProxy.start({
      primary: toPrimary,
      mirror: toMirror,
      general: {
        workers: 1,
        connect_timeout: TIMEOUT_MS,
        client_login_timeout: TIMEOUT_MS,
        mirror_timeout: TIMEOUT_MS,
        mirror_pacing: "asap",
        mirror_order: "client",
        tls_certificate: certificate.certificatePath,
        tls_private_key: certificate.keyPath,
        tls_client_required: true,
        tls_verify: "require",
      },
      more: `
[[databases]]
name = "bystander"
host = "127.0.0.1"
port = ${primary.port}
database_name = "postgres"
`,
    });
    const { port } = proxy;
    const client = await FaultProxy.startTls({ host: "127.0.0.1", port });
    const faults = { client, primary: toPrimary, mirror: toMirror };
    const ca = authority.certificate;
    const bystander = postgres(proxy.url("postgres", undefined, "bystander"), {
      max: 1,
      ssl: { ca, servername: "localhost" },
    });
    const [row] = await bystander`select pg_backend_pid() as pid`;
    return new TlsLane(faults, proxy, ca, bystander, row?.pid);
  }

  /** Plays the session; a fault that is armed is signalled on the way. */
  async play({ leg, when, fault }: Cell): Promise<Seen> {
    const { replayed } = this.proxy.ledger();
    return await play(this.faults.client.port, {
      session: PLAYED,
      ca: this.ca,
      // Only silence that the fault makes is waited for.
      ...(leg === "mirror" || HARMLESS.has(fault.kind)
        ? { quietMs: PATIENCE_MS }
        : {}),
      before: {
        step: when.step ?? Infinity,
        call: async () => {
          const requests = when.requests ?? 0;
          await this.proxy.replayed(replayed + requests, PATIENCE_MS);
          // The mirror gets a transaction from its "begin" on, and only now.
          const inside = leg === "mirror" && when.name === "in a transaction";
          this.faults[leg].signal(inside ? 2 : 1);
        },
      },
    });
  }

  /** A session without any fault, from a client that has just come. */
  async healthy(expected: Seen): Promise<void> {
    const seen = await play(this.faults.client.port, {
      session: PLAYED,
      ca: this.ca,
      quietMs: PATIENCE_MS,
    });
    assert.deepEqual(seen, expected);
  }

  async settled(): Promise<Ledger> {
    const ledger = await this.proxy.settled(PATIENCE_MS, 1);
    assertClosed(ledger);
    return ledger;
  }

  /** Nothing in clear, nothing broken, and the client that stays has its connection. */
  async assertUnharmed(): Promise<void> {
    for (const leg of LEGS) {
      assert.equal(this.faults[leg].inClear, 0, `bytes in clear: ${leg}`);
    }
    const [row] = await this.bystander`select pg_backend_pid() as pid`;
    assert.equal(row?.pid, this.pid);
    const errors = this.proxy.logs.filter((line) => line.startsWith("error"));
    assert.deepEqual(errors, []);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.bystander.end();
    await this.proxy[Symbol.asyncDispose]();
    for (const leg of LEGS) await this.faults[leg][Symbol.asyncDispose]();
  }
}

/** Our own last words to a client. */
const FATAL = /E[^]{4}SFATAL\0VFATAL\0[^]*$/;

Deno.test({
  name:
    "TLS on all legs: a fault of the mirror's network reaches no client, one of the others its own client only",
  sanitizeOps: false,
  sanitizeResources: false,
  ignore: !Authority.available,
  async fn() {
    await using authority = await Authority.create();
    const ssl = await authority.issue();
    await using primary = await startCluster({ version: "15", ssl });
    await using mirror = await startCluster({ version: "15", ssl });
    await using stack = new AsyncDisposableStack();
    const lanes = await Promise.all(
      Array.from(
        { length: LANES },
        () => TlsLane.start({ primary, mirror, authority }),
      ),
    );
    for (const lane of lanes) stack.use(lane);
    const expected = await play(primary.port, {
      session: PLAYED,
      quietMs: PATIENCE_MS,
      ca: authority.certificate,
    });
    assert.equal(expected.end, "complete");

    await runGrid(lanes, CELLS, async (lane, cell) => {
      const { proxy, faults } = lane;
      const { leg, fault } = cell;
      await waitFor("a healthy mirror", async () => {
        const before = proxy.ledger().replayed;
        await lane.healthy(expected);
        const ledger = await lane.settled();
        return ledger.replayed > before + PLAYED.length / 2;
      }, PATIENCE_MS);
      const before = await lane.settled();
      try {
        faults[leg].arm(fault);
        const seen = await lane.play(cell);
        if (leg === "mirror" || HARMLESS.has(fault.kind)) {
          assert.deepEqual(seen, expected);
        } else {
          const words = seen.bytes.replace(FATAL, "");
          assert.ok(expected.bytes.startsWith(words), seen.bytes);
        }
        // The mirror comes behind the client.
        if (leg === "mirror") await lane.settled();
        await lane.assertUnharmed();
        assert.ok(faults[leg].begun > 0, "the fault has begun");
        // A black hole holds a connection for as long as it is there.
        faults[leg].arm(undefined);
        const found = outcome(await lane.settled(), before);
        if (leg === "mirror") {
          for (const part of found.split(", ")) assert.match(part, SENSIBLE);
        }
        if (HARMLESS.has(fault.kind)) assert.match(found, /^replayed \d+$/);
        return `${seen.end}, ${seen.bytes.length} bytes: ${found}`;
      } finally {
        faults[leg].arm(undefined);
      }
    });
  },
});
