import assert from "node:assert/strict";
import type { Socket } from "node:net";
import postgres from "postgres";
import { startCluster } from "../support/cluster.ts";
import { mirrored, Program } from "../support/program.ts";
import { hasProgram } from "../support/programs.ts";
import { tcp } from "../support/tls_client.ts";
import { waitFor } from "../support/wait.ts";

const OPTIONS = { sanitizeOps: false, sanitizeResources: false };
/** As a shell gives them. */
const DESCRIPTORS = 1_024;
/** Two of these could take them all. */
const FLOOD = DESCRIPTORS / 2;

/** Connections that say nothing, from some address of the loopback. */
async function flood(port: number, address: string): Promise<Socket[]> {
  const sockets = await Promise.all(
    Array.from({ length: FLOOD }, () => tcp(port, address)),
  );
  for (const socket of sockets) socket.resume().on("error", () => {});
  return sockets;
}

async function metrics(program: Program): Promise<string> {
  const url = `http://127.0.0.1:${program.httpPort}/metrics`;
  return await (await fetch(url)).text();
}

async function replayed(program: Program): Promise<number> {
  const text = await metrics(program);
  return Number(
    text.match(/^pgdog_mirror_requests_mirrored_total\{.*\} (\d+)$/m)?.[1] ?? 0,
  );
}

/** The SQLSTATE of a new client's refusal; "" if it is served. */
async function come(url: string): Promise<string> {
  const sql = postgres(url, { max: 1, fetch_types: false });
  const code = await sql`select 1`.then(() => "", (error) => error.code);
  await sql.end();
  return code;
}

Deno.test({
  name:
    "descriptors: clients take their share and no more: the console, the HTTP port and the mirror have theirs",
  ...OPTIONS,
  ignore: !hasProgram("prlimit"),
  async fn(t) {
    await using primary = await startCluster({ version: "15" });
    await using mirror = await startCluster({ version: "15" });
    await using program = new Program();
    const toml = program.config(
      primary,
      'workers = 1\nmirror_pacing = "asap"\nmax_clients = 171',
    );
    program.start(toml + mirrored(mirror), "run", { descriptors: DESCRIPTORS });
    await program.accepting();
    assert.match(program.stderr, /max_clients is more than .*forClients=341/);
    const url = `postgres://postgres@127.0.0.1:${program.port}/postgres`;
    const client = postgres(url, { max: 1, fetch_types: false });
    await client`select 1`;
    await program.admin("PAUSE MIRROR"); // its connections are given up

    const floods = [
      ...await flood(program.port, "127.0.0.2"),
      ...await flood(program.port, "127.0.0.3"),
      ...await flood(program.httpPort, "127.0.0.4"),
      ...await flood(program.adminPort, "127.0.0.5"),
    ];
    await t.step("a new client is told so", async () => {
      await waitFor("53300", async () => await come(url) === "53300", 10_000);
      assert.match(program.stderr, /Clients are refused: .*descriptors/);
    });
    await t.step("the console answers on both ports", async () => {
      const [row] = await program.admin("SHOW MIRRORS");
      assert.equal(row?.mirror, "next");
      const sql = postgres(
        `postgres://admin:pw@127.0.0.1:${program.port}/admin`,
        { max: 1, fetch_types: false },
      );
      assert.equal((await sql.unsafe("SHOW MIRRORS"))[0]?.mirror, "next");
      await sql.end();
    });
    await t.step(
      "the HTTP port answers, and the mirror is logged in to",
      async () => {
        const before = await replayed(program);
        await program.admin("RESUME MIRROR");
        await waitFor("a replay", async () => {
          await client`select 1`;
          return await replayed(program) > before;
        }, 10_000);
      },
    );
    await t.step("when they have gone, clients are let in", async () => {
      for (const socket of floods) socket.destroy();
      await waitFor("room", async () => await come(url) === "", 10_000);
      await client.end();
      assert.doesNotMatch(program.stderr, /can't be accepted|could not accept/);
    });
  },
});

Deno.test({
  name:
    "descriptors: a start with too few says how many it needs, and with these it serves clients",
  ...OPTIONS,
  ignore: !hasProgram("prlimit"),
  async fn() {
    await using primary = await startCluster({ version: "15" });
    let descriptors = 64;
    {
      await using program = new Program();
      program.start(program.config(primary, "workers = 1"), "run", {
        descriptors,
      });
      assert.notEqual(await program.exitCode(), 0);
      const told = /limit of open files is 64, and (\d+) are needed/;
      descriptors = Number(told.exec(program.stderr)?.[1]);
      assert.ok(descriptors > 64, program.stderr);
    }
    await using program = new Program();
    program.start(program.config(primary, "workers = 1"), "run", {
      descriptors,
    });
    await program.accepting();
    const url = `postgres://postgres@127.0.0.1:${program.port}/postgres`;
    const clients = postgres(url, { max: 8, fetch_types: false });
    await Promise.all(
      Array.from({ length: 8 }, () => clients`select pg_sleep(0.2)`),
    );
    await metrics(program);
    assert.equal((await program.admin("SHOW CLIENTS")).length, 8);
    await clients.end();
  },
});
