/**
 * The evidence outlives the process: ledger and statements are written every
 * few seconds, and a later run with the same configuration adds to the window.
 *
 * @module
 */

import { resolve } from "node:path";
import { z } from "zod";
import type {
  AdminCommand,
  HttpRoute,
  MetricSpec,
  Plugin,
  PluginContext,
  PluginInstance,
  StatsSnapshot,
} from "../../src/plugin/api.ts";
import { ChangedStatements } from "./changed_statements.ts";
import { openPostgres, openSqlite } from "./connections.ts";
import { LedgerWindow } from "./ledger_window.ts";
import { MAX_BOUNDARIES, Recorder } from "./recorder.ts";
import { SqlStore } from "./sql_store.ts";
import { type LedgerTotals, type Run, TOTALS } from "./store.ts";

const schema = z.strictObject({
  /** The SQLite file, relative to the configuration. */
  path: z.string().min(1).default("pgdog-mirror-history.sqlite"),
  /** A PostgreSQL database instead. */
  url: z.string().min(1).optional(),
  /** The proxy's name there; default: host name and port. */
  proxy: z.string().min(1).max(200).optional(),
  interval_ms: z.int().min(100).default(10_000),
  retention_days: z.number().positive().default(90),
});

/** Undefined: the plugin is off. */
type HistoryConfig = z.output<typeof schema> | undefined;

const DAY_MS = 86_400_000;
const MAX_POINTS = 1_000;

/**
 * The plugin; see `plugins/README.md`. It is off without a table
 * `[plugins.history]`: a proxy writes to nobody's disk unasked.
 */
export const history: Plugin<HistoryConfig> = {
  id: "history",

  parseConfig(raw) {
    if (raw === undefined) return undefined;
    const result = schema.safeParse(raw);
    if (result.success) return result.data;
    const [issue] = result.error.issues;
    throw new TypeError(
      `[plugins.history] ${issue?.path.join(".")} ${issue?.message}`.trim(),
    );
  },

  create(config, context): PluginInstance {
    if (config === undefined) return {};
    const { path, url } = config;
    const { port } = context.general;
    const proxy = config.proxy ?? `${Deno.hostname()}:${port}`;
    const id = crypto.randomUUID();
    let runs = 0;
    /** One for each window of the process. */
    const run = (startedAt: number, because: Run["because"]): Run => ({
      id: `${id}/${runs++}`,
      proxy,
      startedAt,
      version: context.version,
      config: context.mirroringConfig(),
      because,
    });
    const store = new SqlStore(() =>
      url === undefined
        ? openSqlite(resolve(context.configFolder, path))
        : openPostgres(url)
    );
    const changed = new ChangedStatements();
    const window = new LedgerWindow(context, changed);
    const recorder = new Recorder({
      store,
      run: run(context.startedAt, "start"),
      intervalMs: config.interval_ms,
      retentionMs: config.retention_days * DAY_MS,
      now: Date.now,
      uptimeMs: context.uptimeMs,
      log: context.log,
      onEarlier({ statements, began, hours }) {
        context.stats.restoreStatements(statements);
        const start = {
          since: began.startedAt,
          because: BECAUSE[began.because],
        };
        context.window.continue(start, hours);
      },
      onLost: () => changed.forget(),
    });
    for (const spec of metrics(context, recorder)) context.stats.declare(spec);
    let configured = context.mirroringConfig();
    let paused = pausedMirrors(context);
    let resets = context.stats.resetEpoch();
    let samples = 0;
    return {
      start: () => recorder.start(),
      onSample(snapshot) {
        samples++;
        const epoch = context.stats.resetEpoch();
        if (epoch !== resets) recorder.mark("reset");
        resets = epoch;
        const nowPaused = pausedMirrors(context);
        if (nowPaused !== paused) {
          recorder.mark(nowPaused === "" ? "resume" : "pause", nowPaused);
          paused = nowPaused;
        }
        // At the first sample nothing has been judged yet.
        const verdict = samples === 1 ? undefined : verdictOf(snapshot);
        recorder.sample(() => ({
          ...window.sample(snapshot),
          ...(verdict === undefined ? {} : { verdict }),
        }));
      },
      onWindow(ended) {
        const isReset = configured === context.mirroringConfig();
        configured = context.mirroringConfig();
        const { since } = context.window.start();
        recorder.change(
          run(since, isReset ? "reset" : "config"),
          window.ended(ended),
        );
      },
      close: () => recorder.close(window.sample(context.stats.snapshot())),
      commands: [historyCommand(recorder)],
      routes: [historyRoute(store, proxy)],
    };
  },
};

/** Why a window began, in words. */
const BECAUSE: Readonly<Record<Run["because"], string>> = {
  start: "the proxy was started",
  config: "mirroring is configured otherwise",
  reset: "of RESET MIRROR WINDOW",
};

/** What earlier runs with the same configuration came to. */
const HELP: Readonly<Record<keyof LedgerTotals, string>> = {
  seen: "Earlier runs of the window: transactions that finished on the primary",
  excluded:
    "Earlier runs of the window: transactions that were never meant to be replayed",
  untried:
    "Earlier runs of the window: transactions that the configuration leaves out: by level, by exposure",
  dropped: "Earlier runs of the window: transactions that were shed",
  withheld:
    "Earlier runs of the window: transactions that were withheld: mirror paused, shut down, removed",
  replayed:
    "Earlier runs of the window: transactions that were replayed to their end",
  failed: "Earlier runs of the window: transactions whose outcome is unknown",
  requestsWithErrors:
    "Earlier runs of the window: transactions that failed, or had a statement fail on the mirror only",
  compared: "Earlier runs of the window: statements that were compared",
  uncompared:
    "Earlier runs of the window: statements that could not be compared, or differed by chance",
  mismatches: "Earlier runs of the window: statements whose result differed",
  ignored:
    "Earlier runs of the window: differences that a rule accepted, and an older version did not count",
  mirrorStatements:
    "Earlier runs of the window: statements that the mirror answered",
  mirrorMicroseconds: "Earlier runs of the window: time of the mirror for them",
  replayedMicroseconds:
    "Earlier runs of the window: time of the primary for statements of replayed transactions",
  comparedMicroseconds:
    "Earlier runs of the window: time of the primary for statements that were compared",
};

function metrics(
  context: PluginContext,
  recorder: Recorder,
): MetricSpec[] {
  const { mirrors } = context;
  return [
    {
      name: "history_write_errors_total",
      help: "Writes of history that failed",
      type: "counter",
      scope: "process",
      derive: () => recorder.writeErrors,
    },
    {
      name: "history_last_write_timestamp_seconds",
      help: "When history was last written",
      type: "gauge",
      scope: "process",
      derive: () => recorder.lastWriteAt / 1e3,
    },
    {
      name: "history_observed_seconds",
      help:
        "Time observed by this run and by earlier ones with the same configuration",
      type: "gauge",
      scope: "process",
      derive: () => recorder.observedMs / 1e3,
    },
    ...TOTALS.map((total): MetricSpec => ({
      // What the readiness plugin adds to the window's counts of this process.
      name: metricName(total),
      help: HELP[total],
      type: "gauge",
      scope: "process",
      sets: mirrors,
      derive(_get, _label, pair) {
        const name = `${pair?.database}/${pair?.mirror}`;
        const earlier = recorder.earlierTotals(name)?.[total] ?? 0;
        return earlier / (isTime(total) ? 1e6 : 1);
      },
    })),
  ];
}

/** Counted in microseconds, so that sums are exact; shown in seconds. */
function isTime(total: keyof LedgerTotals): boolean {
  return total.endsWith("Microseconds");
}

function metricName(total: keyof LedgerTotals): string {
  return `history_${snakeCase(total.replace(/Microseconds$/, "Seconds"))}`;
}

/** Mirrors that are paused, in words. */
function pausedMirrors({ mirrors, isPaused }: PluginContext): string {
  return mirrors.filter(isPaused)
    .map(({ database, mirror }) => `${database}/${mirror}`).join(", ");
}

/** As the readiness plugin exports it; undefined without that plugin. */
function verdictOf(snapshot: StatsSnapshot): string | undefined {
  return snapshot.get("mirror_readiness_state")?.series
    .find(({ value }) => value === 1)?.labels.state;
}

function historyCommand(recorder: Recorder): AdminCommand {
  return {
    words: "SHOW MIRROR HISTORY",
    help:
      "Starts, stops, crashes, windows, resets, pauses, verdicts and changes of the configuration",
    columns: [
      { name: "at", type: "timestamptz", help: "When" },
      {
        name: "kind",
        type: "text",
        help:
          "start, stop, crash, window, config, reset, pause, resume or verdict",
      },
      { name: "note", type: "text", help: "In words" },
    ],
    rows: () =>
      recorder.boundaries.map(({ at, kind, note }) => [
        new Date(at),
        kind,
        note,
      ]),
  };
}

function historyRoute(store: SqlStore, proxy: string): HttpRoute {
  return {
    path: "/history",
    async handle() {
      const points = await store.points(proxy, Date.now() - DAY_MS, MAX_POINTS);
      const boundaries = await store.boundaries(proxy, MAX_BOUNDARIES);
      return Response.json({ points, boundaries });
    },
  };
}

function snakeCase(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
