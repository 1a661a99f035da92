import assert from "node:assert/strict";
import postgres from "postgres";
import { Authority } from "../support/certificates.ts";
import { startCluster } from "../support/cluster.ts";
import { shakeHands } from "../support/handshakes.ts";
import { Program, residentKib } from "../support/program.ts";
import { waitFor } from "../support/wait.ts";

/** The first ones grow pools and caches. */
const WARM_UP = 2_000;
const COUNT = 2_000;
/** An SSL that is not freed holds 30 KiB in its handshake. */
const MAX_GROWTH_KIB = COUNT * 6;
const WHOLE = 500;

Deno.test({
  name:
    "TLS to clients: handshakes that break off leak neither memory nor descriptors",
  sanitizeOps: false,
  sanitizeResources: false,
  ignore: !Authority.available,
  async fn() {
    await using authority = await Authority.create();
    const certificate = await authority.issue();
    await using primary = await startCluster({ version: "15" });
    await using program = new Program();
    program.start(program.config(
      primary,
      `workers = 1
tls_certificate = "${certificate.certificatePath}"
tls_private_key = "${certificate.keyPath}"`,
    ));
    await program.accepting();
    await shakeHands(program.port, WARM_UP);
    const descriptors = program.descriptors();
    const before = residentKib(program.pid);
    await shakeHands(program.port, COUNT);
    const growth = residentKib(program.pid) - before;
    assert.ok(growth < MAX_GROWTH_KIB, `${growth} KiB more`);
    await shakeHands(program.port, WHOLE, 2);
    await waitFor(
      "descriptors to be given back",
      () => program.descriptors() <= descriptors,
      10_000,
    );
    const sql = postgres(
      `postgres://postgres@127.0.0.1:${program.port}/postgres`,
      { max: 1, ssl: { rejectUnauthorized: false } },
    );
    assert.equal((await sql`select 1 as n`)[0]?.n, 1);
    await sql.end();
    // Anybody can cause these lines: one a second.
    const lines = program.stderr.match(/refused before their login/g) ?? [];
    assert.ok(lines.length < COUNT / 20, `${lines.length} lines in the log`);
  },
});
