import assert from "node:assert/strict";
import type { Socket } from "node:net";
import postgres from "postgres";
import { SSL_REQUEST } from "../../src/wire/mod.ts";
import { startCluster } from "../support/cluster.ts";
import { connections } from "../support/connections.ts";
import { mirrored, Program } from "../support/program.ts";
import { hasProgram } from "../support/programs.ts";
import { tcp } from "../support/tls_client.ts";
import { waitFor } from "../support/wait.ts";
import { concat, int32 } from "../support/wire_client.ts";

const OPTIONS = { sanitizeOps: false, sanitizeResources: false };
const WARNINGS = [
  /Clients can't be accepted/g,
  /Admin console could not accept/g,
  /HTTP server could not accept/g,
];
/** Descriptors that are left when the limit comes. */
const SPARE = 8;
/** More than that, and fewer than the listener's queue takes. */
const CROWD = 40;
/** Clients that are there before, and stay. */
const CLIENTS = 3;
/** Times that one of them makes room for another. */
const CHANGES = 5;

/** How often the log says it, on each of the ports. */
function warnings(program: Program): number[] {
  const count = (words: RegExp) => program.stderr.match(words)?.length ?? 0;
  return WARNINGS.map(count);
}

Deno.test({
  name:
    "a process without descriptors: clients go on, it waits without spinning, and takes clients again",
  ...OPTIONS,
  ignore: !hasProgram("prlimit"),
  async fn(t) {
    await using primary = await startCluster({ version: "15" });
    await using mirror = await startCluster({ version: "15" });
    await using program = new Program();
    const toml = program.config(
      primary,
      'workers = 1\nmirror_timeout = 2000\nmirror_pacing = "asap"',
    );
    program.start(toml + mirrored(mirror));
    await program.accepting();
    const url = `postgres://postgres@127.0.0.1:${program.port}/postgres`;
    const established = Array.from(
      { length: CLIENTS },
      () => postgres(url, { max: 1, fetch_types: false }),
    );
    const [first] = established as [postgres.Sql];
    const work = async () => {
      const rows = await Promise.all(
        established.map((sql, i) => sql`select ${i}::int as n`),
      );
      assert.deepEqual(rows.map(([row]) => row?.n), [0, 1, 2]);
    };
    await metrics(program); // what the first request opens stays
    await work();
    await waitFor(
      "each client's connection to the mirror",
      () => connections(mirror.port) === 2 * CLIENTS, // both ends are here
      10_000,
    );

    const before = program.descriptors();
    await program.spareDescriptors(SPARE);
    const crowd: Guest[] = [];
    for (let i = 0; i < CROWD; i++) crowd.push(await Guest.come(program.port));
    await t.step("it says so", async () => {
      await waitFor("the warning", () => warnings(program)[0] === 1, 10_000);
    });
    // The console's clients wait, and those of HTTP.
    const waiting = Promise.all([mirrors(program), metrics(program)]);
    await t.step("so do the console and the HTTP port", async () => {
      await waitFor(
        "their warnings",
        () => warnings(program).every((count) => count === 1),
        10_000,
      );
    });
    await t.step("clients that are there go on", work);
    await t.step("it does not spin", async () => {
      const before = program.cpuSeconds();
      const began = performance.now();
      await first`select pg_sleep(2)`;
      const seconds = (performance.now() - began) / 1e3;
      const used = program.cpuSeconds() - before;
      assert.ok(used < seconds / 4, `${used} s of ${seconds} s`);
    });
    await t.step("some leave, others get in: one episode still", async () => {
      const accepted = () => crowd.filter((guest) => guest.accepted).length;
      const wanted = accepted() + CHANGES;
      while (accepted() < wanted) {
        const before = accepted();
        crowd.find((guest) => guest.accepted && !guest.gone)?.leave();
        // What is free may go to another port, or to the mirror's side.
        await waitFor("the next", () => accepted() > before, 500)
          .catch(() => {});
        await work();
      }
      assert.deepEqual(warnings(program), [1, 1, 1], program.stderr);
    });
    await t.step("when they have gone, all is as before", async () => {
      for (const guest of crowd) guest.leave();
      await waiting;
      // Those who left while they waited are still taken in, and let go.
      await waitFor(
        "a new client to be served",
        () => comeAndGo(url).then(() => true, () => false),
        10_000,
      );
      await waitFor(
        "descriptors to be free",
        () => program.descriptors() <= before,
        10_000,
      );
      await work();
      for (const sql of established) await sql.end();
      await waitFor(
        "the HTTP port to be back",
        () => metrics(program).then(() => true, () => false),
        10_000,
      );
      await mirrors(program);
      assert.deepEqual(warnings(program), [1, 1, 1], program.stderr);
      assert.doesNotMatch(program.stderr, /failed, and goes on|has failed/);
    });
  },
});

/** Comes, asks for TLS, and says no more: a login that is half open. */
class Guest {
  /** The proxy has taken it out of the kernel's queue. */
  accepted = false;
  gone = false;

  private constructor(readonly socket: Socket) {
    socket.on("error", () => {});
    socket.on("data", () => this.accepted = true);
    socket.write(concat([int32(8), int32(SSL_REQUEST)]));
  }

  static async come(port: number): Promise<Guest> {
    return new Guest(await tcp(port));
  }

  leave(): void {
    this.gone = true;
    this.socket.destroy();
  }
}

async function comeAndGo(url: string): Promise<void> {
  const sql = postgres(url, { max: 1, fetch_types: false });
  try {
    const [row] = await sql`select 7::int as n`;
    assert.equal(row?.n, 7);
  } finally {
    await sql.end();
  }
}

async function metrics(program: Program): Promise<void> {
  const response = await fetch(`http://127.0.0.1:${program.httpPort}/metrics`, {
    headers: { connection: "close" },
  });
  assert.match(await response.text(), /pgdog_mirror_requests_total/);
}

async function mirrors(program: Program): Promise<void> {
  const admin = postgres(
    `postgres://admin:pw@127.0.0.1:${program.adminPort}/admin`,
    { max: 1, fetch_types: false },
  );
  const [row] = await admin.unsafe("SHOW MIRRORS");
  assert.equal(row?.mirror, "next");
  await admin.end();
}
