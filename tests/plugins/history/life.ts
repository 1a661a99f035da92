import { latencyOf } from "../../support/sketches.ts";
import { Recorder } from "../../../plugins/history/recorder.ts";
import type { SqlStore } from "../../../plugins/history/sql_store.ts";
import {
  type LedgerTotals,
  type Run,
  type Sample,
  TOTALS,
} from "../../../plugins/history/store.ts";
import type { Logger } from "../../../src/plugin/api.ts";
import type { StatementSummary } from "../../../src/stats/mod.ts";

export const HOUR = 3_600_000;
/** After so long without a write a run is over. */
export const SILENCE = 5_000;
export const PAIR = "shop/next";

export function totals(n: number): LedgerTotals {
  return Object.fromEntries(
    TOTALS.map((name, i) => [name, n * (i + 1)]),
  ) as unknown as LedgerTotals;
}

export function sample(at: number, n: number): Sample {
  return {
    at,
    ledgers: new Map([[PAIR, totals(n)]]),
    hours: new Map([[PAIR, [{ elapsedMs: n * 1_000, replayed: n }]]]),
    statements: [statement(n)],
    gone: [],
  };
}

/** A statement called `n` times, of which one example is kept. */
export function statement(n: number): StatementSummary {
  const histogram = { counts: [n], sum: n, count: n };
  const outcome = {
    kind: "complete",
    sqlstate: null,
    tag: "SELECT",
    rows: 1,
    detail: "'a secret'",
  };
  return {
    database: "shop",
    mirror: "next",
    fingerprint: "f",
    text: "select $1",
    calls: n,
    results: [n, 1],
    outcomes: [],
    rows: n,
    primary: histogram,
    mirrorLatency: histogram,
    ...latencyOf([n, 1, 3]),
    firstSeen: n,
    lastSeen: n,
    masked: { "id (sequence)": 1 },
    drifted: [],
    examples: [{
      at: n,
      result: "mismatch_rows",
      primary: outcome,
      mirror: outcome,
      session: 1,
      difference: "row 1, column a (text)",
      values: "select 'a secret'",
    }],
  };
}

/** A process's life on one store: its clock, its warnings. */
export class Life {
  now: number;
  /** By how much the wall clock is wrong. */
  offset = 0;
  readonly infos: string[] = [];
  readonly warnings: string[] = [];
  readonly recorder: Recorder;

  constructor(
    store: SqlStore,
    startedAt: number,
    config = "c",
    proxy = "one",
    because: Run["because"] = "start",
  ) {
    this.now = startedAt;
    const silent = () => {};
    const told = (lines: string[]) =>
    (
      message: string,
      properties?: Record<string, unknown>,
    ) => lines.push(`${message} ${JSON.stringify(properties ?? {})}`);
    const log: Logger = {
      debug: silent,
      info: told(this.infos),
      warn: told(this.warnings),
      error: silent,
    };
    const id = `${proxy} ${startedAt}/0`;
    this.recorder = new Recorder({
      store,
      run: { id, proxy, startedAt, version: "v", config, because },
      intervalMs: 1_000,
      retentionMs: 90 * 24 * HOUR,
      now: () => this.now + this.offset,
      uptimeMs: () => this.now - startedAt,
      log,
    });
  }

  /** Writes at a moment, and waits until it is done. */
  async write(at: number, n: number): Promise<void> {
    this.now = at;
    this.recorder.sample(() => sample(at + this.offset, n));
    await this.recorder.settled();
  }
}
