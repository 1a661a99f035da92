/**
 * May the mirror take over? Gates, a verdict, and the evidence.
 *
 * @module
 */

import {
  activeMs,
  type EndedWindow,
  type HttpRoute,
  observedMs,
  type Plugin,
  type PluginContext,
  type PluginInstance,
  type StatsSnapshot,
} from "../../src/plugin/api.ts";
import { ruleUses } from "./accepted.ts";
import { Alerts } from "./alerts.ts";
import { basisMetrics } from "./basis.ts";
import { ConsecutiveErrors } from "./consecutive_errors.ts";
import { type Evidence, gather } from "./evidence.ts";
import type { ReadinessDocument } from "./document.ts";
import { HTML_POLICY, render } from "./report.ts";
import { excludeUses, exclusionMetric } from "./excludes.ts";
import { assess, GATES, type State, type Verdict, worstOf } from "./score.ts";
import { readinessCommands } from "./show.ts";
import { Stall } from "./stall.ts";
import {
  type GeneralLimits,
  readinessSchema,
  type Thresholds,
} from "./thresholds.ts";

export { judgeFleet } from "./fleet.ts";

type ReadinessConfig = ReturnType<typeof readinessSchema.parse>;

const HOUR_MS = 3_600_000;
const STATES: readonly State[] = ["READY", "NOT READY", "INCONCLUSIVE"];
const STATUS_VALUES = { pass: 1, fail: 0, insufficient: -1 } as const;

/** The plugin; see `plugins/README.md`. */
export const readiness: Plugin<ReadinessConfig> = {
  id: "readiness",
  needs: ["mirror_requests_total", "mirror_statements_total"],

  parseConfig(raw) {
    const result = readinessSchema.safeParse(raw ?? {});
    if (result.success) return result.data;
    const [issue] = result.error.issues;
    throw new TypeError(
      `[plugins.readiness] ${issue?.path.join(".")} ${issue?.message}`.trim(),
    );
  },

  create(config, context): PluginInstance {
    const alerts = new Alerts(context);
    const { declare } = context.stats;
    const judge = new ReadinessJudge(context, config);
    declare({
      name: "mirror_readiness_state",
      help: "1 for the verdict's state, 0 for the others",
      type: "gauge",
      scope: "process",
      label: { name: "state", values: STATES },
      derive: (_get, state) => judge.lastVerdict.state === state ? 1 : 0,
    });
    declare({
      name: "mirror_readiness_gate",
      help:
        "1 for a gate that passes, 0 for one that fails, -1 without enough evidence",
      type: "gauge",
      scope: "process",
      label: { name: "gate", values: GATES },
      derive: (_get, name) => {
        const gate = judge.lastVerdict.gates.find((g) => g.gate === name);
        return STATUS_VALUES[gate?.status ?? "insufficient"];
      },
    });
    declare({
      name: "mirror_readiness_score",
      help: "Score towards READY, 0 to 100",
      type: "gauge",
      scope: "process",
      derive: () => judge.lastVerdict.score,
    });
    const bases = basisMetrics(
      context,
      () => judge.thresholds,
      () => judge.last,
    );
    const exclusions = exclusionMetric(context.stats.exclusions);
    for (const spec of [...bases, exclusions, ...alerts.metrics]) {
      declare(spec);
    }
    declare({
      name: "mirror_readiness_window_start_timestamp_seconds",
      help: "When the verdict's window began, with earlier runs in the history",
      type: "gauge",
      scope: "process",
      derive: () => context.window.start().since / 1e3,
    });
    return {
      onSample(snapshot) {
        judge.sample(snapshot);
        // Renews the verdict that the registry shows.
        const { evidence } = judge.document(snapshot);
        alerts.look(evidence, snapshot);
      },
      onWindow: (ended) => judge.begin(ended),
      reconfigure: (next: ReadinessConfig) => judge.configure(next),
      commands: readinessCommands(
        () => judge.document(),
        () => judge.thresholds,
      ),
      routes: routes(judge),
    };
  },
};

/** Judges on demand, and remembers the last verdict for the exporters. */
class ReadinessJudge {
  lastVerdict: Verdict = {
    state: "INCONCLUSIVE",
    score: 0,
    recommendation: "",
    headline: "INCONCLUSIVE",
    gates: [],
    reasons: [],
    causes: [],
  };
  /** The last document; none before the first second. */
  last: ReadinessDocument | undefined;
  readonly #context: PluginContext;
  #config: ReadinessConfig;
  readonly #stall = new Stall();
  readonly #consecutive = new ConsecutiveErrors();
  /** Rules that the row of errors was counted under. */
  #rules: string | undefined;

  constructor(context: PluginContext, config: ReadinessConfig) {
    this.#context = context;
    this.#config = config;
  }

  /** Other limits, from the next verdict on. */
  configure(config: ReadinessConfig): void {
    this.#config = config;
  }

  /** Those in force. */
  get thresholds(): Thresholds {
    return { ...this.#config, ...generalLimits(this.#context) };
  }

  /** The evidence of one mirror, or of all. */
  #evidence(
    snapshot: StatsSnapshot,
    of?: { database: string; mirror: string },
  ): Evidence {
    const {
      stats,
      general,
      mirrors,
      isPaused,
      levelOf,
      ignoreRules,
      window,
    } = this.#context;
    const pairs = of === undefined ? mirrors : [of];
    const levels = [...new Set(pairs.map(levelOf))];
    return gather(window.counted(snapshot), {
      statements: stats.statements(),
      chanceColumns: stats.chanceColumns(),
      values: String(general.mirror_values ?? ""),
      ignoreRules,
      now: Date.now(),
      consecutiveErrors: this.#consecutive.longest(
        snapshot,
        (labels) =>
          of === undefined ||
          (labels.database === of.database && labels.mirror === of.mirror),
      ),
      since: window.start().since,
      ...this.#hours(of),
      metricsEnabled: general.mirror_metrics_enabled !== false,
      compareMode: String(general.mirror_compare ?? "rows"),
      stalledSeconds: this.#stall.seconds,
      level: levels.length === 1 ? String(levels[0]) : "mixed",
      paused: pairs.some(isPaused),
    }, of);
  }

  /** Of all mirrors: what the one with the least traffic had. */
  #hours(of?: { database: string; mirror: string }) {
    const { mirrors, window } = this.#context;
    const hours = (of === undefined ? mirrors : [of])
      .map(({ database, mirror }) => window.hours(`${database}/${mirror}`));
    const least = (ms: readonly number[]) =>
      ms.length === 0 ? 0 : Math.min(...ms) / HOUR_MS;
    return {
      observedHours: least(hours.map(observedMs)),
      activeHours: least(hours.map(activeMs)),
    };
  }

  /** Another window begins: errors in a row and pending requests, too. */
  begin({ total }: EndedWindow): void {
    this.#consecutive.begin(total);
    this.document();
  }

  /** Takes the second's sample. */
  sample(snapshot: StatsSnapshot): void {
    this.#stall.look(snapshot, this.#context.uptimeMs());
  }

  /** The verdict on each mirror; the process's is the worst. */
  document(snapshot = this.#context.stats.snapshot()): ReadinessDocument {
    const { mirrors, version, startedAt, general, ignoreRules, stats } =
      this.#context;
    const start = this.#context.window.start();
    this.#noteRules(snapshot);
    const verdicts = mirrors.map((of) => {
      const evidence = this.#evidence(snapshot, of);
      return { ...of, evidence, verdict: assess(evidence, this.thresholds) };
    });
    const evidence = this.#evidence(snapshot);
    const verdict = worstOf(verdicts.map(({ verdict }) => verdict)) ??
      assess(evidence, this.thresholds);
    this.lastVerdict = verdict;
    return this.last = {
      at: new Date().toISOString(),
      since: new Date(startedAt).toISOString(),
      window: { ...start, since: new Date(start.since).toISOString() },
      version,
      compare: String(general.mirror_compare ?? ""),
      showsValues: this.#context.httpProtected,
      servers: this.#context.versions(),
      verdict,
      given: stats.chanceColumns().filter((one) =>
        mirrors.some(({ database, mirror }) =>
          one.database === database && one.mirror === mirror
        )
      ),
      values: String(general.mirror_values ?? ""),
      rules: ruleUses(evidence.statements, ignoreRules, Date.now()),
      excludes: excludeUses(this.#context.excludeRules, stats.exclusions()),
      mirrors: verdicts,
      evidence,
    };
  }

  /** Other rules accept other errors: the row begins anew. */
  #noteRules(snapshot: StatsSnapshot): void {
    const rules = JSON.stringify(this.#context.ignoreRules);
    if (this.#rules !== undefined && this.#rules !== rules) {
      this.#consecutive.begin(snapshot);
    }
    this.#rules = rules;
  }
}

function routes(judge: ReadinessJudge): HttpRoute[] {
  return [
    {
      path: "/readiness",
      handle: () => Response.json(render(judge.document(), "json")),
    },
    {
      path: "/report",
      handle(request) {
        const format = new URL(request.url).searchParams.get("format") ??
          "markdown";
        if (format === "json") {
          return Response.json(render(judge.document(), "json"));
        }
        if (format !== "markdown" && format !== "html") {
          return new Response('format is "markdown", "html" or "json"\n', {
            status: 400,
          });
        }
        return new Response(render(judge.document(), format), {
          headers: {
            "content-type": format === "html"
              ? "text/html; charset=utf-8"
              : "text/markdown; charset=utf-8",
            "content-security-policy": HTML_POLICY,
          },
        });
      },
    },
  ];
}

function generalLimits({ general }: PluginContext): GeneralLimits {
  const number = (key: string) => Number(general[key]);
  return {
    maxErrorRate: number("mirror_max_error_rate"),
    maxLatencyMs: number("mirror_max_latency_ms"),
    minRuntimeHours: number("mirror_min_runtime_hours"),
    minRequests: number("mirror_min_requests"),
    errorThreshold: number("mirror_error_threshold"),
    maxLatencyRatio: number("mirror_max_latency_ratio"),
  };
}
