import type { Execute, SqlConnection } from "./store.ts";

/** Totals of version 1. */
const FIRST_TOTALS = [
  "seen",
  "excluded",
  "dropped",
  "replayed",
  "failed",
  "requestsWithErrors",
  "compared",
  "mismatches",
  "ignored",
  "mirrorStatements",
  "mirrorMicroseconds",
  "replayedMicroseconds",
  "comparedMicroseconds",
];

type Step = string | ((execute: Execute) => Promise<void>);

/** Steps from each version to the next; the first makes version 1. */
const STEPS: readonly (readonly Step[])[] = [
  [
    `create table if not exists mirror_runs (
      id text primary key, started_at bigint not null, last_write_at bigint not null,
      ended integer not null, version text not null, config text not null)`,
    `create table if not exists mirror_ledgers (
      run_id text not null, mirror text not null,
      ${
      FIRST_TOTALS.map((name) => `${column(name)} bigint not null`).join(", ")
    },
      primary key (run_id, mirror))`,
    `create table if not exists mirror_statements (
      run_id text not null, mirror text not null, fingerprint text not null,
      summary text not null, primary key (run_id, mirror, fingerprint))`,
    `create table if not exists mirror_points (
      run_id text not null, at bigint not null, seen bigint not null,
      replayed bigint not null, compared bigint not null, mismatches bigint not null,
      primary key (run_id, at))`,
    `create table if not exists mirror_boundaries (
      at bigint not null, kind text not null, note text not null)`,
  ],
  // Version 1 knew one proxy, and told time by the wall clock. Its runs are the proxy's that finds them.
  [
    "alter table mirror_runs add column proxy text not null default ''",
    "alter table mirror_runs add column number bigint not null default 0",
    "alter table mirror_runs add column observed_ms bigint not null default 0",
    `update mirror_runs set proxy = $1,
      observed_ms = case when last_write_at > started_at then last_write_at - started_at else 0 end`,
    "alter table mirror_boundaries add column proxy text not null default ''",
    "update mirror_boundaries set proxy = $1",
    `create table mirror_proxies (
      proxy text primary key, run_id text not null, beat bigint not null,
      interval_ms bigint not null)`,
  ],
  // In version 2 other rules of [[ignore]] began another window, and the windows of
  // a process shared their statements: a run without a reason is from then. It
  // did not tell why requests were excluded: none of them were tried.
  [
    forgetRules,
    "alter table mirror_runs add column because text not null default ''",
    "alter table mirror_ledgers add column untried bigint not null default 0",
    "update mirror_ledgers set untried = excluded",
    "alter table mirror_ledgers add column withheld bigint not null default 0",
    "alter table mirror_ledgers add column uncompared bigint not null default 0",
    `create table mirror_hours (
      run_id text not null, mirror text not null, hour integer not null,
      elapsed_ms bigint not null, replayed bigint not null,
      primary key (run_id, mirror, hour))`,
  ],
];

/** Takes the rules out of what runs were configured to. */
async function forgetRules(execute: Execute): Promise<void> {
  const rows = await execute("select distinct config from mirror_runs");
  for (const { config } of rows) {
    await execute("update mirror_runs set config = $1 where config = $2", [
      withoutRules(String(config)),
      String(config),
    ]);
  }
}

/** `[pairs, "[databases, mirroring, rules]", values]`. What is of another form stays. */
export function withoutRules(config: string): string {
  try {
    const [pairs, mirroring, values] = JSON.parse(config);
    const [databases, entries] = JSON.parse(mirroring);
    return JSON.stringify([
      pairs,
      JSON.stringify([databases, entries]),
      values,
    ]);
  } catch {
    return config;
  }
}

/**
 * Makes the tables, or brings those of an older version up to date.
 *
 * @throws {Error} if they are of a newer version.
 */
export function prepareSchema(
  { transaction, lock }: SqlConnection,
  proxy: string,
): Promise<void> {
  return transaction(async (execute) => {
    if (lock !== undefined) await execute(lock);
    await execute(
      "create table if not exists mirror_schema (version integer not null)",
    );
    const [row] = await execute("select version from mirror_schema");
    // Version 1 did not say so.
    const found = Number(row?.version ?? 0);
    if (found > STEPS.length) {
      throw new Error(
        `History is of version ${found}, and this program knows ${STEPS.length}; run the newer program, or name another path or url in [plugins.history]`,
      );
    }
    for (const step of STEPS.slice(found).flat()) {
      if (typeof step === "function") await step(execute);
      else await execute(step, step.includes("$1") ? [proxy] : []);
    }
    await record(execute, STEPS.length, row === undefined);
  });
}

function record(execute: Execute, version: number, first: boolean) {
  return execute(
    first
      ? "insert into mirror_schema values ($1)"
      : "update mirror_schema set version = $1",
    [version],
  );
}

/** `requestsWithErrors` is `requests_with_errors` in SQL. */
export function column(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
