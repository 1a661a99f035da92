/**
 * Two equal servers must give no mismatch: a million mixed statements from 16
 * clients, with the figures that the issue of noise is judged by.
 *
 * ```sh
 * deno run -A bench/load/identical.ts --statements 1000000
 * ```
 *
 * @module
 */

import { parseArgs } from "node:util";
import { runOnIdenticalServers } from "../../tests/support/identical.ts";

const { values } = parseArgs({
  options: { statements: { type: "string", default: "1000000" } },
});
const { ledger, statements, mismatches } = await runOnIdenticalServers(
  Number(values.statements),
  (done) => console.error(`${done} statements`),
);
console.log(JSON.stringify({ statements, ledger, mismatches }, null, 2));
if (mismatches.length > 0) throw new Error("Mismatches on equal servers");
