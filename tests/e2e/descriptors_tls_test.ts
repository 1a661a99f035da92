import assert from "node:assert/strict";
import type { Socket } from "node:net";
import postgres from "postgres";
import { encodeStartupMessage } from "../../src/wire/mod.ts";
import { Authority } from "../support/certificates.ts";
import { startCluster } from "../support/cluster.ts";
import { Program } from "../support/program.ts";
import { hasProgram } from "../support/programs.ts";
import { askForTls, startTls, tcp, untilReady } from "../support/tls_client.ts";
import { waitFor } from "../support/wait.ts";

const STARTUP = encodeStartupMessage([
  ["user", "postgres"],
  ["database", "postgres"],
]);
/**
 * What becomes of a client for whom so many descriptors are left. It takes {@linkcode EACH}:
 * its socket, and one for the primary.
 */
const OUTCOMES: readonly (readonly [number, Outcome])[] = [
  [0, "waits"],
  [1, "told"],
  [2, "served"],
];
const EACH = 2;
const TWO: readonly Outcome[] = ["served", "served"];
/** Enough for two, and the beginning of a third. */
const SPARE = 2 * EACH + 1;
const CROWD = 40;
/** Clients that are there before, and stay. */
const CLIENTS = 3;
/** Times that one of them makes room for another. */
const CHANGES = 5;
/** More than all of it takes. */
const PLENTY = 500;

Deno.test({
  name:
    "a process without descriptors, TLS on both sides: clients go on, others are refused or told, none leaves anything",
  sanitizeOps: false,
  sanitizeResources: false,
  ignore: !hasProgram("prlimit") || !Authority.available,
  async fn(t) {
    await using authority = await Authority.create();
    const certificate = await authority.issue();
    await using primary = await startCluster({
      version: "15",
      ssl: certificate,
    });
    await using program = new Program();
    program.start(program.config(
      primary,
      `workers = 1
tls_certificate = "${certificate.certificatePath}"
tls_private_key = "${certificate.keyPath}"
tls_verify = "require"`,
    ));
    await program.accepting();
    const established = Array.from(
      { length: CLIENTS },
      () =>
        postgres(`postgres://postgres@127.0.0.1:${program.port}/postgres`, {
          max: 1,
          fetch_types: false,
          ssl: { rejectUnauthorized: false },
        }),
    );
    const work = async () => {
      const rows = await Promise.all(
        established.map((sql, i) => sql`select ${i}::int as n`),
      );
      assert.deepEqual(rows.map(([row]) => row?.n), [0, 1, 2]);
    };
    await work();
    const before = program.descriptors();
    const left = (guests: number) =>
      waitFor(
        `no more than ${guests} guests' descriptors to be open`,
        () => program.descriptors() <= before + guests * EACH,
        30_000,
      );
    const come = async () => {
      const guest = new Guest(program.port);
      await guest.settled();
      return guest;
    };

    for (const [spare, outcome] of OUTCOMES) {
      await t.step(`${spare} are left: it ${outcome}`, async () => {
        await program.spareDescriptors(spare);
        const guest = new Guest(program.port);
        if (outcome === "waits") {
          await waitFor("the warning", () => warnings(program) === 1, 30_000);
        } else await guest.settled();
        assert.equal(guest.outcome, outcome);
        await work();
        await program.spareDescriptors(PLENTY);
        if (outcome === "waits") {
          await guest.settled();
          assert.equal(guest.outcome, "served");
        }
        guest.leave();
        await left(0);
      });
    }
    await t.step("a crowd that comes at once", async () => {
      await program.spareDescriptors(SPARE);
      const crowd = Array.from(
        { length: CROWD },
        () => new Guest(program.port),
      );
      await work();
      // Those who still wait, and so keep nothing, leave with the others.
      await waitFor("each to be let in or sent away", () => {
        const waiting = crowd.filter(({ outcome }) => outcome === "waits");
        return waiting.length === 0 || program.descriptors() >= before + SPARE;
      }, 30_000);
      await work();
      for (const guest of crowd) guest.leave();
      // Behind it, those who left while they waited are taken in and let go.
      await program.spareDescriptors(PLENTY);
      const last = await come();
      assert.equal(last.outcome, "served");
      last.leave();
      await left(0);
    });
    await t.step("one leaves, another is served", async () => {
      await program.spareDescriptors(SPARE);
      const served = [await come(), await come()];
      for (let i = 0; i < CHANGES; i++) {
        assert.deepEqual(served.map(({ outcome }) => outcome), TWO);
        const third = await come();
        assert.equal(third.outcome, "told");
        third.leave();
        served.shift()?.leave();
        await left(1);
        served.push(await come());
        await work();
      }
      for (const guest of served) guest.leave();
      await left(0);
    });
    await work();
    for (const sql of established) await sql.end();
    assert.doesNotMatch(
      program.stderr,
      /failed, and goes on|has failed|session failed/,
    );
  },
});

/** How often the log says that clients wait. */
function warnings(program: Program): number {
  return program.stderr.match(/Clients can't be accepted/g)?.length ?? 0;
}

/**
 * ```
 * waits   for a word of the proxy's
 * closed  without one
 * told    FATAL 53300 or, once its primary is asked for, 08006; on TLS
 * served  logged in
 * ```
 */
type Outcome = "waits" | "closed" | "told" | "served";

/** Asks for TLS, and logs in. */
class Guest {
  outcome: Outcome = "waits";
  #socket: Socket | undefined;
  #left = false;

  constructor(port: number) {
    this.#login(port).then((outcome) => this.outcome = outcome);
  }

  async settled(): Promise<void> {
    await waitFor(
      "an answer to the client",
      () => this.outcome !== "waits",
      30_000,
    );
  }

  leave(): void {
    this.#left = true;
    this.#socket?.destroy();
  }

  async #login(port: number): Promise<Outcome> {
    let text = "";
    try {
      const raw = await this.#keep(tcp(port));
      if (await askForTls(raw) !== "S") return "closed";
      const socket = await this.#keep(startTls(raw));
      socket.on("data", (data) => text += data.toString("latin1"));
      socket.write(STARTUP);
      await untilReady(socket);
      return "served";
    } catch {
      return /\0C(?:53300|08006)\0/.test(text) ? "told" : "closed";
    }
  }

  async #keep(socket: Promise<Socket>): Promise<Socket> {
    this.#socket = await socket;
    this.#socket.on("error", () => {});
    if (this.#left) this.#socket.destroy();
    return this.#socket;
  }
}
