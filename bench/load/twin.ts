/**
 * A web shop on two equal servers: mismatches, noise, errors and breaks of the
 * order, the verdict, and the tables of both servers row by row.
 *
 * ```sh
 * deno task bench:twin
 * deno task bench:twin --way server --protocol extended --minutes 1 --details
 * deno task bench:twin --mirror 18
 * ```
 *
 * @module
 */

import { parseArgs } from "node:util";
import {
  PROTOCOLS,
  runTwinShop,
  shares,
  type TwinRun,
  unequalRows,
  WAYS,
} from "../../tests/support/twin_shop/mod.ts";

const { values } = parseArgs({
  options: {
    /** Default: all. */
    way: { type: "string" },
    /** Default: all but "psycopg", which needs Debian's `python3-psycopg`. */
    protocol: { type: "string" },
    clients: { type: "string", default: "8" },
    /** A client's pause between two steps, in ms. */
    think: { type: "string", default: "20" },
    /** Of all runs together. */
    minutes: { type: "string", default: "10" },
    /** Of each client, instead of minutes. */
    steps: { type: "string" },
    seed: { type: "string", default: "1" },
    /** PostgreSQL's major version on the mirror; the primary has 15. */
    mirror: { type: "string", default: "15" },
    /** A key of `[general]`, as `key=value`. */
    general: { type: "string", multiple: true, default: [] },
    /** Each run as JSON. */
    details: { type: "boolean", default: false },
  },
});
const ways = chosen(WAYS, values.way);
const protocols = values.protocol === undefined
  ? PROTOCOLS
  : chosen([...PROTOCOLS, "psycopg"] as const, values.protocol);
const [mirrorVersion] = chosen(["15", "18"] as const, values.mirror);
const cells = protocols.flatMap((protocol) =>
  ways.map((way) => ({ way, protocol }))
);
const amount = values.steps === undefined
  ? {
    stepsPerClient: Infinity,
    durationMs: Number(values.minutes) * 60_000 / cells.length,
  }
  : { stepsPerClient: Number(values.steps) };

const rows = [];
for (const cell of cells) {
  const run = await runTwinShop({
    ...cell,
    ...amount,
    ...(mirrorVersion === undefined ? {} : { mirrorVersion }),
    clients: Number(values.clients),
    thinkMs: Number(values.think),
    seed: Number(values.seed),
    general: Object.fromEntries(values.general.map(setting)),
  });
  if (values.details) console.log(JSON.stringify({ ...cell, ...run }, null, 2));
  rows.push({ ...cell, ...figures(run) });
  console.error(JSON.stringify(rows.at(-1)));
}
console.table(rows);

function figures(run: TwinRun) {
  const { statements, mismatches, noise } = shares(run);
  return {
    statements,
    "per s": Math.round(statements / run.seconds),
    "lag, s": run.lagSeconds.toFixed(1),
    coverage: percent(run.ledger.replayed / run.ledger.seen),
    errors: run.ledger.queryErrors,
    mismatches: percent(mismatches),
    noise: percent(noise),
    "order breaks": run.orderBreaks,
    "unequal rows": unequalRows(run.tables),
    verdict: run.headline,
    "client errors": run.unexpected.length,
  };
}

function percent(share: number): string {
  return `${(100 * share).toFixed(2)} %`;
}

function chosen<T extends string>(
  all: readonly T[],
  name: string | undefined,
): readonly T[] {
  const found = all.filter((one) => name === undefined || one === name);
  if (found.length === 0) throw new Error(`"${name}" is none of ${all}`);
  return found;
}

/** @throws {Error} without "=". */
function setting(text: string): [string, string | number | boolean] {
  const [name, value] = text.split("=");
  if (!name || value === undefined) throw new Error(`"${text}" has no "="`);
  const number = Number(value);
  return [
    name,
    value === "true" || value === "false"
      ? value === "true"
      : Number.isNaN(number)
      ? value
      : number,
  ];
}
