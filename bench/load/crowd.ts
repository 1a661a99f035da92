/**
 * 5,000 idle and 500 active clients at once: what they take, whether every
 * account closes, and whether anything stays open behind them.
 *
 * ```sh
 * deno task bench:crowd
 * deno task bench:crowd --idle-primary scripted
 * ```
 *
 * needs Debian's `postgresql-15` (pgbench). With "real" each client has its own
 * process of PostgreSQL: 5,500 on the primary, and on the mirror one for each lane. It fails
 * on an account that does not close, never on a figure.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { assertCrowd, runCrowd } from "../../tests/support/crowd.ts";

const { values } = parseArgs({
  options: {
    idle: { type: "string", default: "5000" },
    active: { type: "string", default: "500" },
    transactions: { type: "string", default: "100" },
    "idle-primary": { type: "string", default: "real" },
  },
});
const idlePrimary = values["idle-primary"];
if (idlePrimary !== "real" && idlePrimary !== "scripted") {
  throw new Error(`Unknown --idle-primary "${idlePrimary}"`);
}

const options = {
  idle: Number(values.idle),
  active: Number(values.active),
  transactionsPerClient: Number(values.transactions),
  idlePrimary,
  onProgress: (what: string) => console.error(what),
} as const;
const run = await runCrowd(options);
console.log(JSON.stringify(run, null, 2));
const [before, during, after] = run.residentKib;
console.table([{
  "idle clients' primary": idlePrimary,
  "clients at once": run.clients,
  "MiB before": Math.round(before / 1024),
  "KiB per idle client": ((during - before) / options.idle).toFixed(1),
  "MiB at the end": Math.round(after / 1024),
}]);
assertCrowd(run, options);
