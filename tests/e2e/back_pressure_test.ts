import assert from "node:assert/strict";
import postgres from "postgres";
import { encodeStartupMessage } from "../../src/wire/mod.ts";
import { Authority, type Certificate } from "../support/certificates.ts";
import { type Cluster, startCluster } from "../support/cluster.ts";
import { Program, residentKib } from "../support/program.ts";
import { dialPeer, type Peer } from "../support/socket_peers.ts";
import { waitFor } from "../support/wait.ts";
import { message, query } from "../support/wire_client.ts";

const OPTIONS = { sanitizeOps: false, sanitizeResources: false };
const STARTUP = encodeStartupMessage([
  ["user", "postgres"],
  ["database", "postgres"],
  ["application_name", "sleeper"],
]);
const ROW_BYTES = 1_000;
const ROWS = 300_000;
/** What a peer that sleeps may add, in KiB: the bound that README and bench/README.md state. */
const MAX_GROWTH_KIB = 32 * 1024;
const PATIENCE_MS = 30_000;
/** Tries in a row in which no byte goes in. */
const STILL = 50;
/** Far beyond what sockets and buffers on the way hold. */
const MAX_SENT_BYTES = 200 * 1024 * 1024;
const nameOf = (tls: boolean) => tls ? "TLS" : "clear";

/** A server that takes clients in clear, or on TLS: not both. */
interface Primary {
  readonly cluster: Cluster;
  readonly tls: boolean;
}

function connectTo({ cluster, tls }: Primary) {
  const ssl = tls ? { rejectUnauthorized: false } : false;
  return postgres(cluster.url(), { max: 2, ssl, onnotice() {} });
}

/** Runs `each` with every combination of legs, on primaries that have been given `sql`. */
async function onEachLegs(
  sql: string,
  each: (bench: Bench, legs: string) => Promise<void>,
): Promise<void> {
  await using authority = await Authority.create();
  const certificate = await authority.issue();
  for (const tls of [false, true]) {
    const ssl = tls ? { ssl: certificate } : {};
    await using cluster = await startCluster({ version: "15", ...ssl });
    const primary = { cluster, tls };
    const setup = connectTo(primary);
    await setup.unsafe(sql);
    await setup.end();
    for (const clientTls of [false, true]) {
      await using bench = await Bench.start(certificate, clientTls, primary);
      await each(bench, `${nameOf(clientTls)} and ${nameOf(tls)}`);
    }
  }
}

/** A proxy process between real servers, with TLS on its legs. */
class Bench implements AsyncDisposable {
  readonly program = new Program();
  readonly direct;

  private constructor(readonly clientTls: boolean, primary: Primary) {
    this.direct = connectTo(primary);
  }

  static async start(
    certificate: Certificate,
    clientTls: boolean,
    primary: Primary,
  ): Promise<Bench> {
    const bench = new Bench(clientTls, primary);
    const { program } = bench;
    const keys = [
      "workers = 1",
      `tls_verify = "${primary.tls ? "require" : "disabled"}"`,
      `unix_socket_dir = "${program.folder}"`,
      ...(clientTls
        ? [
          `tls_certificate = "${certificate.certificatePath}"`,
          `tls_private_key = "${certificate.keyPath}"`,
        ]
        : []),
    ];
    program.start(program.config(primary.cluster, keys.join("\n")));
    await program.accepting();
    await bench.work();
    return bench;
  }

  /** Another client is served as if nothing were. */
  async work(): Promise<void> {
    const sql = postgres(
      `postgres://postgres@127.0.0.1:${this.program.port}/postgres`,
      {
        max: 1,
        ssl: this.clientTls ? { rejectUnauthorized: false } : false,
        fetch_types: false,
      },
    );
    assert.equal((await sql`select 1 as n`)[0]?.n, 1);
    await sql.end();
  }

  /** A client that is logged in, and does what it is told. */
  async sleeper(host?: string): Promise<Peer> {
    const peer = dialPeer({
      ...(host === undefined ? {} : { host }),
      port: this.program.port,
      tls: this.clientTls && host === undefined,
    });
    peer.send(STARTUP);
    await waitFor("the login", () => peer.receive() > 0, PATIENCE_MS);
    await this.waits("Client", "ClientRead");
    return peer;
  }

  /** Waits until the sleeper's backend does. */
  async waits(type: string, event: string): Promise<void> {
    const row = await waitForRow(async () =>
      (await this.direct`
        select 1 from pg_stat_activity where application_name = 'sleeper'
        and wait_event_type = ${type} and wait_event = ${event}`)[0]
    );
    assert.ok(row, `the backend does not wait for ${event}`);
  }

  /** No backend of a sleeper is left, and no client in the console. */
  async isGone(): Promise<void> {
    const left = async () => [
      ...await this.direct`
        select state from pg_stat_activity where application_name = 'sleeper'`,
      ...(await this.program.admin("SHOW CLIENTS")).filter((row) =>
        row.database !== "admin"
      ),
    ];
    let rows: unknown[] = [];
    for (let i = 0; i < 100; i++) {
      rows = await left();
      if (rows.length === 0) return;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    assert.deepEqual(rows, [], "the session is still there");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.direct.end();
    await this.program[Symbol.asyncDispose]();
  }
}

/** Sends `bytes` again and again, until nothing more goes in. */
async function fill(
  peer: Peer,
  bytes: Uint8Array<ArrayBuffer>,
): Promise<void> {
  let sent = 0;
  for (let still = 0, from = 0; still < STILL;) {
    // A message that went in half goes on where it stopped.
    const count = peer.send(bytes.subarray(from));
    from = (from + count) % bytes.length;
    sent += count;
    assert.ok(sent < MAX_SENT_BYTES, "nothing stops the client");
    still = count === 0 ? still + 1 : 0;
    if (count < bytes.length) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}

async function waitForRow<T>(ask: () => Promise<T | undefined>) {
  for (let i = 0; i < 300; i++) {
    const row = await ask();
    if (row !== undefined) return row;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return undefined;
}

Deno.test({
  name: "back-pressure: a peer that sleeps stops the other one, clear or TLS",
  ...OPTIONS,
  ignore: !Authority.available,
  async fn(t) {
    const sql = `
      create table slow (line text);
      create function wait() returns trigger language plpgsql as
        $$begin perform pg_sleep(600); return new; end$$;
      create trigger wait before insert on slow
        for each row execute function wait();`;
    await onEachLegs(sql, async (bench, legs) => {
      const { pid } = bench.program;

      await t.step(`a result, ${legs}`, async () => {
        const peer = await bench.sleeper();
        const before = residentKib(pid);
        peer.send(
          query(
            `select repeat('x', ${ROW_BYTES}) from generate_series(1, ${ROWS})`,
          ),
        );
        await bench.waits("Client", "ClientWrite");
        await bench.work();
        const growth = residentKib(pid) - before;
        assert.ok(growth <= MAX_GROWTH_KIB, `asleep: ${growth} KiB more`);
        // It wakes up, and has all of it.
        let received = 0;
        const all = ROWS * ROW_BYTES;
        await waitFor("the whole result", () => {
          received += Math.max(0, peer.receive());
          return received > all;
        }, PATIENCE_MS);
        peer.close();
        await bench.isGone();
        const after = residentKib(pid) - before;
        assert.ok(after <= MAX_GROWTH_KIB, `awake: ${after} KiB more`);
      });

      await t.step(`COPY data, ${legs}`, async () => {
        const peer = await bench.sleeper();
        peer.send(query("copy slow from stdin"));
        await waitFor("CopyInResponse", () => peer.receive() > 0, PATIENCE_MS);
        const before = residentKib(pid);
        const lines = message("d", `${"x".repeat(ROW_BYTES)}\n`.repeat(60));
        await fill(peer, lines);
        await bench.waits("Timeout", "PgSleep");
        await bench.work();
        const growth = residentKib(pid) - before;
        assert.ok(growth <= MAX_GROWTH_KIB, `${growth} KiB more`);
        peer.reset();
        await bench.direct`
          select pg_terminate_backend(pid) from pg_stat_activity
          where application_name = 'sleeper'`;
        await bench.isGone();
      });
    });
  },
});

Deno.test({
  name:
    "back-pressure: a client that dies while both directions are full leaves no session and no lock",
  ...OPTIONS,
  ignore: !Authority.available,
  async fn(t) {
    await onEachLegs("create table held (n int)", async (bench, legs) => {
      const { folder } = bench.program;
      for (const host of [undefined, ...(bench.clientTls ? [] : [folder])]) {
        const socket = host === undefined ? legs : `unix socket, ${legs}`;
        for (const way of ["reset", "close"] as const) {
          await t.step(`${way}: ${socket}`, async () => {
            const peer = await bench.sleeper(host);
            peer.send(query("begin; lock table held"));
            const big = query(
              `select repeat('x', 5000000) --${"x".repeat(100_000)}`,
            );
            await fill(peer, big);
            await bench.waits("Client", "ClientWrite");
            peer[way]();
            await bench.isGone();
            await bench.direct`lock table held nowait`.catch((error) => {
              if (error.code !== "25P01") throw error; // needs a block
            });
            await bench.work();
          });
        }
      }
      await t.step(`SIGTERM at once: ${legs}`, async () => {
        bench.program.kill("SIGTERM");
        assert.equal(await bench.program.exitCode(), 0);
      });
    });
  },
});
