/**
 * Whether handshakes leak: clients come on TLS, every second one breaks off in
 * its handshake, and the proxy's memory and descriptors are looked at in between.
 *
 * ```sh
 * deno run -A bench/load/handshakes.ts --handshakes 100000
 * ```
 *
 * @module
 */

import { parseArgs } from "node:util";
import { startCluster } from "../../src/cli/demo/cluster.ts";
import { Authority } from "../../tests/support/certificates.ts";
import { shakeHands } from "../../tests/support/handshakes.ts";
import { Program, residentKib } from "../../tests/support/program.ts";

const { values } = parseArgs({
  options: { handshakes: { type: "string", default: "100000" } },
});
const STEPS = 10;

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
const rows = [];
for (let step = 0; step <= STEPS; step++) {
  if (step > 0) {
    await shakeHands(program.port, Number(values.handshakes) / STEPS, 2);
  }
  rows.push({
    handshakes: step * Number(values.handshakes) / STEPS,
    "resident MiB": (residentKib(program.pid) / 1024).toFixed(1),
    descriptors: program.descriptors(),
    "CPU s": program.cpuSeconds(),
  });
}
console.table(rows);
