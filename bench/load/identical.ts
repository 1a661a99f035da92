/**
 * Two equal servers must give no mismatch: a million statements of pgbench's
 * TPC-B, and a million of the shop's mix. With `--defect` one row of a thousand
 * is wrong on the mirror, and must be found in both. The verdict is printed with
 * the gates that did not pass; no hours of traffic are asked for.
 *
 * ```sh
 * deno task bench:equal
 * deno task bench:equal --defect --statements 200000
 * ```
 *
 * needs Debian's `postgresql-15` (pgbench).
 *
 * @module
 */

import { parseArgs } from "node:util";
import {
  runOnIdenticalServers,
  WORKLOADS,
} from "../../tests/support/identical.ts";

const { values: { statements, clients, defect } } = parseArgs({
  options: {
    /** Of each workload. */
    statements: { type: "string", default: "1000000" },
    clients: { type: "string", default: "8" },
    defect: { type: "boolean", default: false },
  },
});
const began = performance.now();
const run = await runOnIdenticalServers({
  statements: Number(statements),
  clients: Number(clients),
  defect,
  onProgress: ({ tpcb, shop }) => console.error(`${tpcb} TPC-B, ${shop} shop`),
});
const seconds = Math.round((performance.now() - began) / 1e3);
console.log(JSON.stringify({ seconds, ...run }, null, 2));
const { replayed, seen } = run.ledger;
if (replayed !== seen) throw new Error(`${seen - replayed} were not replayed`);
const missed = WORKLOADS.filter((one) => !run.results[one].mismatch_rows);
const others = run.mismatches.filter(({ result, place }) =>
  result !== "mismatch_rows" || !/column (abalance|country) /.test(place ?? "")
);
if (!defect && run.mismatches.length > 0) {
  throw new Error("Mismatches on equal servers");
}
if (defect && missed.length > 0) {
  throw new Error(`The wrong rows were not found in ${missed.join(", ")}`);
}
if (defect && others.length > 0) {
  throw new Error("More than the wrong rows was found");
}
