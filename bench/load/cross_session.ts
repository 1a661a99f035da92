/**
 * Sessions that use each other's keys right after they were made, as in
 * pg-retest's own load, on two equal servers: which share of the statements has
 * equal results, for each kind of key.
 *
 * ```sh
 * deno run -A bench/load/cross_session.ts
 * deno run -A bench/load/cross_session.ts --told currval --values log --seconds 10
 * ```
 *
 * @module
 */

import { parseArgs } from "node:util";
import { isEqual, Result, RESULTS } from "../../src/stats/mod.ts";
import { startCluster } from "../../tests/support/cluster.ts";
import { TestProxy } from "../../tests/support/proxy.ts";
import { waitFor } from "../../tests/support/wait.ts";
import { runClients, TOLD, type Told } from "./cross_session/clients.ts";
import { kindOf, KINDS, SCHEMA } from "./cross_session/schema.ts";

const { values } = parseArgs({
  options: {
    /** How clients come by keys: see TOLD. Default: all in CELLS. */
    told: { type: "string" },
    /** `mirror_values`. Default: all in CELLS. */
    values: { type: "string" },
    clients: { type: "string", default: "20" },
    /** Of each run. */
    seconds: { type: "string", default: "60" },
    /** A client's pause between two transactions, in ms: pg-retest's has 5 to 50. */
    think: { type: "string", default: "28" },
    /** What differed, as JSON. */
    details: { type: "boolean", default: false },
  },
});
const CELLS: readonly { readonly told: Told; readonly values: string }[] = [
  { told: "client", values: "answers" },
  { told: "returning", values: "own" },
  { told: "returning", values: "answers" },
  { told: "returning", values: "log" },
  { told: "currval", values: "answers" },
  { told: "currval", values: "log" },
];
const SETTLED_MS = 300_000;
/** They are equal as long as the connection is. */
const CONTROL = /^(?:begin|commit|rollback)\b/i;

const cells = CELLS.filter((cell) =>
  (values.told === undefined || cell.told === values.told) &&
  (values.values === undefined || cell.values === values.values)
);
if (cells.length === 0) {
  throw new Error(`No such run: --told ${TOLD}, --values own, answers, log`);
}
const rows = [];
for (const cell of cells) {
  rows.push(await run(cell));
  console.error(JSON.stringify(rows.at(-1)));
}
console.table(rows);

async function run(cell: typeof CELLS[number]) {
  const hasLog = cell.values === "log";
  const settings = hasLog ? { wal_level: "logical" } : {};
  await using primary = await startCluster({
    version: "15",
    initSql: SCHEMA,
    settings,
  });
  await using mirror = await startCluster({ version: "15", initSql: SCHEMA });
  await using proxy = await TestProxy.start({
    primary,
    mirror,
    ...(hasLog ? { primaryKeys: 'user = "postgres"' } : {}),
    general: {
      mirror_values: cell.values,
      mirror_pacing: "asap",
      mirror_queue: 1_000_000,
      mirror_queue_bytes: 1 << 30,
      connect_timeout: 60_000,
    },
  });
  await said(proxy, "Mirror's schema is known");
  if (hasLog) await said(proxy, "The primary's log is read");
  const unexpected = await runClients(proxy.url(), {
    told: cell.told,
    clients: Number(values.clients),
    durationMs: Number(values.seconds) * 1_000,
    thinkMs: Number(values.think),
  });
  const began = performance.now();
  const ledger = await proxy.settled(SETTLED_MS);
  const compared = Object.values(ledger.statements)
    .reduce((all, count) => all + count, 0);
  const summaries = () => proxy.supervisor.statements();
  await waitFor(
    "all statements to be reported",
    () => summaries().reduce((all, { calls }) => all + calls, 0) >= compared,
    SETTLED_MS,
  );
  if (values.details) {
    for (const { text, results } of summaries()) {
      const found = results.flatMap((count, i) =>
        count > 0 ? [[RESULTS[i], count]] : []
      );
      console.error(JSON.stringify([text, Object.fromEntries(found)]));
    }
  }
  const share = (
    isOf: (text: string) => boolean,
    isSuch: (result: number) => boolean = isEqual,
  ) => percent(shareOf(summaries().filter(({ text }) => isOf(text)), isSuch));
  const isAny = (text: string) => !CONTROL.test(text);
  return {
    "told by": cell.told,
    values: cell.values,
    statements: compared,
    replayed: percent(ledger.replayed / ledger.seen),
    equal: share(isAny),
    "of that masked": share(isAny, (result) => result === Result.matchMasked),
    ...Object.fromEntries(
      KINDS.map((kind) => [kind, share((text) => kindOf(text) === kind)]),
    ),
    "without error": share(
      isAny,
      (result) => result !== Result.mismatchErrorOnMirror,
    ),
    "lag, s": ((performance.now() - began) / 1e3).toFixed(1),
    "client errors": unexpected.length,
  };
}

/** The share of the statements with such a result. */
function shareOf(
  statements: readonly { readonly results: ArrayLike<number> }[],
  isSuch: (result: number) => boolean,
): number {
  let such = 0;
  let all = 0;
  for (const { results } of statements) {
    RESULTS.forEach((_, i) => {
      const count = results[i] ?? 0;
      all += count;
      if (isSuch(i)) such += count;
    });
  }
  return such / all;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(2)} %`;
}

async function said(proxy: TestProxy, what: string): Promise<void> {
  await waitFor(
    what,
    () => proxy.logs.some((line) => line.includes(what)),
    SETTLED_MS,
  );
}
