import {
  type Meanings,
  stat,
  stateTimeline,
  table,
  thresholds,
  timeSeries,
  type Unplaced,
} from "./panels.ts";

/** A heading and its panels. */
export interface Section {
  readonly title: string;
  readonly panels: readonly Unplaced[];
}

/** Series of a mirror, and series of a process. */
const MIRROR = 'instance=~"$instance",database=~"$database",mirror=~"$mirror"';
const FLEET = 'database=~"$database",mirror=~"$mirror"';
const PROCESS = 'instance=~"$instance"';

/** `more` is another label matcher. */
function rate(metric: string, by = "", more = ""): string {
  const matchers = more === "" ? MIRROR : `${MIRROR},${more}`;
  return `sum${
    by === "" ? "" : ` by (${by})`
  } (rate(${metric}{${matchers}}[$__rate_interval]))`;
}

const STATEMENT = "database, mirror, fingerprint";

function meanMs(target: "primary" | "mirror"): string {
  const sum = (part: string) =>
    `sum by (${STATEMENT}) (pgdog_mirror_top_statement_duration_seconds_${part}{${MIRROR},target="${target}"})`;
  return `1000 * ${sum("sum")} / ${sum("count")}`;
}

const VERDICTS: Meanings = {
  "1": { text: "READY", color: "green" },
  "0": { text: "NOT READY", color: "red" },
  "-1": { text: "INCONCLUSIVE", color: "yellow" },
};
const GATES: Meanings = {
  "1": { text: "pass", color: "green" },
  "0": { text: "fail", color: "red" },
  "-1": { text: "insufficient", color: "yellow" },
};

const verdict: Section = {
  title: "Verdict",
  panels: [
    stat({
      title: "May the mirror take over?",
      description:
        "The verdict on each mirror, over all proxies. READY takes every gate passed by every proxy's evidence together; what is not known makes INCONCLUSIVE.",
      unit: "none",
      queries: [{
        expr: `mirror:pgdog_verdict:fleet{${FLEET}}`,
        legend: "{{database}} on {{mirror}}",
      }],
      meanings: VERDICTS,
      width: 8,
      height: 5,
    }),
    stat({
      title: "Score towards READY",
      description:
        "The score of the proxy that is least confident, 0 to 100. From 95 on a READY is safe to act on; from 80 on it has warnings.",
      unit: "none",
      queries: [{
        expr: `min(pgdog_mirror_readiness_score{${PROCESS}})`,
        legend: "lowest score",
      }],
      thresholds: thresholds([[null, "red"], [60, "yellow"], [95, "green"]]),
      width: 4,
      height: 5,
    }),
    stat({
      title: "Evidence missing",
      description:
        "Proxies that are down, gone, without metrics, not comparing rows, or with other limits than the rest. Above 0 the fleet can't be READY.",
      unit: "none",
      queries: [{
        expr: "sum(job:pgdog_blind_instances:sum)",
        legend: "reasons",
      }],
      thresholds: thresholds([[null, "green"], [1, "yellow"]]),
      width: 4,
      height: 5,
    }),
    stateTimeline({
      title: "Verdict over time",
      description:
        "The fleet's verdict on each mirror, and each proxy's own. A change raises the alert MirrorVerdictChanged.",
      unit: "none",
      queries: [
        {
          expr: `mirror:pgdog_verdict:fleet{${FLEET}}`,
          legend: "fleet: {{mirror}}",
        },
        {
          expr:
            `max by (instance) (pgdog_mirror_readiness_state{${PROCESS},state="READY"}) - max by (instance) (pgdog_mirror_readiness_state{${PROCESS},state="INCONCLUSIVE"})`,
          legend: "{{instance}}",
        },
      ],
      meanings: VERDICTS,
      width: 8,
      height: 5,
    }),
    stat({
      title: "Gates",
      description:
        "Each question of the verdict over all proxies. Fail is evidence against the mirror; insufficient is evidence that is missing, and time may bring it.",
      unit: "none",
      queries: [{
        expr: `mirror_gate:pgdog_gate_status:fleet{${FLEET}}`,
        legend: "{{mirror}}: {{gate}}",
      }],
      meanings: GATES,
      width: 24,
      height: 6,
    }),
    table({
      title: "Gates: observed against limit",
      description:
        "What was measured over all proxies, and what is allowed or needed. Rates and shares are from 0 to 1, latency is in ms, runtime in hours, lag in seconds. NaN: nothing to judge by yet.",
      unit: "none",
      queries: [
        {
          expr: `mirror_gate:pgdog_gate_observed:fleet{${FLEET}}`,
          legend: "observed",
        },
        {
          expr:
            `0 * mirror_gate:pgdog_gate_status:fleet{${FLEET}} + on (job, gate) group_left () job_gate:pgdog_gate_limit:max`,
          legend: "limit",
        },
      ],
      columns: {
        database: "database",
        mirror: "mirror",
        gate: "gate",
        "Value #A": "observed",
        "Value #B": "limit",
        Time: null,
        job: null,
        __name__: null,
      },
      width: 24,
      height: 9,
    }),
  ],
};

const ledger: Section = {
  title: "Ledger",
  panels: [
    timeSeries({
      title: "Requests by outcome",
      description:
        "What became of each transaction. Normal is that nearly all are replayed; the others each have a reason.",
      unit: "reqps",
      queries: [
        {
          expr: rate("pgdog_mirror_requests_mirrored_total"),
          legend: "replayed",
        },
        {
          expr: rate("pgdog_mirror_requests_excluded_total", "reason"),
          legend: "excluded: {{reason}}",
        },
        {
          expr: rate("pgdog_mirror_requests_dropped_total", "reason"),
          legend: "dropped: {{reason}}",
        },
        {
          expr: rate("pgdog_mirror_requests_failed_total", "reason"),
          legend: "failed: {{reason}}",
        },
      ],
      stacked: true,
      width: 12,
      height: 9,
    }),
    timeSeries({
      title: "Coverage",
      description:
        "Share of the requests that were to be replayed and were, in ten minutes; and of the primary's time for replayed requests that was compared. Normal is 100 %.",
      unit: "percentunit",
      queries: [
        {
          expr: `instance_mirror:pgdog_coverage:ratio_rate10m{${MIRROR}}`,
          legend: "replayed: {{instance}}, {{mirror}}",
        },
        {
          expr: `mirror:pgdog_compared_time:ratio{${FLEET}}`,
          legend: "compared: {{mirror}}",
        },
      ],
      max: 1,
      width: 12,
      height: 9,
    }),
    stat({
      title: "Evidence",
      description:
        "What the verdict rests on: sums over all proxies, since each began, earlier runs in the history included.",
      unit: "short",
      queries: [{
        expr: `sum by (kind) (mirror:pgdog_evidence:sum{${FLEET}})`,
        legend: "{{kind}}",
      }],
      width: 24,
      height: 5,
    }),
  ],
};

const errors: Section = {
  title: "Errors and differences",
  panels: [
    timeSeries({
      title: "Errors by type",
      description:
        "connection and timeout: the mirror could not be asked. query: it refused what the primary did. buffer_full: it did not keep up. Normal is none.",
      unit: "cps",
      queries: [{
        expr: rate("pgdog_mirror_errors_total", "type"),
        legend: "{{type}}",
      }],
      width: 12,
      height: 8,
    }),
    timeSeries({
      title: "Mismatches by class",
      description:
        "Statements whose result differed. Normal is none: each class is to be explained, mended, or accepted with an [[ignore]] rule.",
      unit: "cps",
      queries: [{
        expr: rate(
          "pgdog_mirror_statements_total",
          "result",
          'result=~"mismatch_.*"',
        ),
        legend: "{{result}}",
      }],
      width: 12,
      height: 8,
    }),
    timeSeries({
      title: "Statements by result",
      description:
        "All pairs of replies. Noise has a harmless cause and is no evidence; skipped was not compared.",
      unit: "ops",
      queries: [{
        expr: rate("pgdog_mirror_statements_total", "result"),
        legend: "{{result}}",
      }],
      stacked: true,
      width: 12,
      height: 8,
    }),
    timeSeries({
      title: "Errors in a row",
      description:
        "Requests in a row that failed on the mirror or could not be sent. It returns to 0 with the first success.",
      unit: "short",
      queries: [{
        expr:
          `max by (instance, mirror) (pgdog_mirror_consecutive_errors{${MIRROR}})`,
        legend: "{{instance}}, {{mirror}}",
      }],
      width: 6,
      height: 8,
    }),
    stat({
      title: "Since the last success, and the last error",
      description:
        "How long ago a request was last replayed without an error of the mirror's own, and how long ago one had one. Without an error yet: no data.",
      unit: "s",
      queries: [
        {
          expr:
            `time() - max(pgdog_mirror_last_success_timestamp_seconds{${MIRROR}} > 0)`,
          legend: "success",
        },
        {
          expr:
            `time() - max(pgdog_mirror_last_error_timestamp_seconds{${MIRROR}} > 0)`,
          legend: "error",
        },
      ],
      width: 6,
      height: 8,
    }),
  ],
};

const quantiles = ([0.5, 0.95, 0.99] as const).map((q) => ({
  expr: `histogram_quantile(${q}, ${
    rate("pgdog_statement_duration_seconds_bucket", "target, le")
  })`,
  legend: `{{target}} p${q * 100}`,
}));

const latency: Section = {
  title: "Latency",
  panels: [
    timeSeries({
      title: "Primary against mirror",
      description:
        "Time of a statement up to ReadyForQuery, at the median, the 95th and the 99th percentile. The mirror's should lie at or below the primary's.",
      unit: "s",
      queries: quantiles,
      width: 12,
      height: 9,
    }),
    timeSeries({
      title: "Mean of the mirror by mean of the primary",
      description:
        "Above 1 the mirror takes more time for the same statements. The verdict judges each statement on its own, by pairs.",
      unit: "none",
      queries: [{
        expr: `(${
          rate(
            "pgdog_statement_duration_seconds_sum",
            "instance, mirror",
            'target="mirror"',
          )
        } / ${
          rate(
            "pgdog_statement_duration_seconds_count",
            "instance, mirror",
            'target="mirror"',
          )
        }) / (${
          rate(
            "pgdog_statement_duration_seconds_sum",
            "instance, mirror",
            'target="primary"',
          )
        } / ${
          rate(
            "pgdog_statement_duration_seconds_count",
            "instance, mirror",
            'target="primary"',
          )
        })`,
        legend: "{{instance}}, {{mirror}}",
      }],
      width: 6,
      height: 9,
    }),
    timeSeries({
      title: "95th percentile by proxy",
      description:
        "The 95th percentile in ten minutes on each proxy: a proxy that stands out has another network, or other statements.",
      unit: "s",
      queries: [{
        expr:
          `instance_mirror_target:pgdog_statement_duration_seconds:p95_rate10m{${MIRROR}}`,
        legend: "{{instance}}: {{target}}",
      }],
      width: 6,
      height: 9,
    }),
  ],
};

const lag: Section = {
  title: "Lag and queue",
  panels: [
    timeSeries({
      title: "Lag",
      description:
        "End of a replay minus the transaction's end on the primary: of the last one, and what 99 of 100 stay below. Normal is below a second; growing means that the mirror does not keep up.",
      unit: "s",
      queries: [
        {
          expr:
            `max by (instance, mirror) (pgdog_mirror_lag_seconds{${MIRROR}})`,
          legend: "last: {{instance}}, {{mirror}}",
        },
        {
          expr: `histogram_quantile(0.99, ${
            rate("pgdog_mirror_replay_lag_seconds_bucket", "le")
          })`,
          legend: "p99",
        },
      ],
      width: 12,
      height: 8,
    }),
    timeSeries({
      title: "Waiting requests",
      description:
        "In the queues of the mirror's lanes, and pending in all: queued or in flight. Each client may have mirror_queue of them.",
      unit: "short",
      queries: [
        {
          expr: `sum by (instance) (pgdog_mirror_queue_length{${MIRROR}})`,
          legend: "queued: {{instance}}",
        },
        {
          expr: `sum by (instance) (pgdog_mirror_pending_requests{${MIRROR}})`,
          legend: "pending: {{instance}}",
        },
      ],
      width: 6,
      height: 8,
    }),
    timeSeries({
      title: "Waiting bytes",
      description:
        "Bytes that wait for the mirrors, and the bound (mirror_queue_bytes) from which on whole transactions are dropped.",
      unit: "bytes",
      queries: [
        {
          expr: `pgdog_mirror_queue_bytes{${PROCESS}}`,
          legend: "waiting: {{instance}}",
        },
        {
          expr: `pgdog_mirror_queue_limit_bytes{${PROCESS}}`,
          legend: "bound: {{instance}}",
        },
      ],
      width: 6,
      height: 8,
    }),
  ],
};

const statements: Section = {
  title: "Statements",
  panels: [
    stat({
      title: "Statements judged by latency",
      description:
        "Statement shapes with pairs enough, those that are slower on the mirror beyond chance, and those with too few pairs. A statement counts once for each proxy that judged it.",
      unit: "short",
      queries: [{
        expr: `sum by (latency) (pgdog_mirror_readiness_statements{${MIRROR}})`,
        legend: "{{latency}}",
      }],
      width: 24,
      height: 4,
    }),
    table({
      title: "Worst statements",
      description:
        'Statements by fingerprint, those with most mismatches first; "other" is the rest. Times are means in ms since the start. SHOW MIRROR STATEMENTS has the texts. Needs top_statements in [plugins.prometheus]; without it there is no data.',
      unit: "none",
      queries: [
        {
          expr:
            `sum by (${STATEMENT}) (pgdog_mirror_top_statement_results_total{${MIRROR},result=~"mismatch_.*"})`,
          legend: "mismatches",
        },
        {
          expr:
            `sum by (${STATEMENT}) (pgdog_mirror_top_statement_calls_total{${MIRROR}})`,
          legend: "calls",
        },
        { expr: meanMs("primary"), legend: "primary" },
        { expr: meanMs("mirror"), legend: "mirror" },
      ],
      columns: {
        database: "database",
        mirror: "mirror",
        fingerprint: "fingerprint",
        "Value #A": "mismatches",
        "Value #B": "calls",
        "Value #C": "primary, ms",
        "Value #D": "mirror, ms",
        Time: null,
      },
      sortBy: "mismatches",
      width: 24,
      height: 9,
    }),
  ],
};

const program: Section = {
  title: "Clients and process",
  panels: [
    timeSeries({
      title: "Clients",
      description: "Client connections of each proxy.",
      unit: "short",
      queries: [{
        expr: `pgdog_clients{${PROCESS}}`,
        legend: "{{instance}}",
      }],
      width: 8,
      height: 8,
    }),
    timeSeries({
      title: "CPU",
      description:
        "Cores in use. A proxy worker and the mirror worker take one at most.",
      unit: "short",
      queries: [{
        expr:
          `sum by (instance) (rate(process_cpu_seconds_total{${PROCESS},job="pgdog-mirror"}[$__rate_interval]))`,
        legend: "{{instance}}",
      }],
      width: 8,
      height: 8,
    }),
    timeSeries({
      title: "Memory",
      description:
        "Resident memory. It is bounded by the configuration: what grows for days is a fault.",
      unit: "bytes",
      queries: [{
        expr: `process_resident_memory_bytes{${PROCESS},job="pgdog-mirror"}`,
        legend: "{{instance}}",
      }],
      width: 8,
      height: 8,
    }),
    stat({
      title: "Up for",
      description:
        "Since the process began. Without [plugins.history] the evidence is no older.",
      unit: "s",
      queries: [{
        expr:
          `time() - process_start_time_seconds{${PROCESS},job="pgdog-mirror"}`,
        legend: "{{instance}}",
      }],
      width: 8,
      height: 5,
    }),
    stat({
      title: "Version",
      description: "What runs. A fleet should run one version.",
      unit: "none",
      queries: [{
        expr: `count by (version) (pgdog_build_info{${PROCESS}})`,
        legend: "{{version}}",
      }],
      width: 4,
      height: 5,
    }),
    stat({
      title: "Exceptions of plugins",
      description:
        "Since the start. Normal is 0; a plugin that throws is fenced, and the rest goes on.",
      unit: "short",
      queries: [{
        expr: `sum(pgdog_plugin_errors_total{${PROCESS}})`,
        legend: "exceptions",
      }],
      thresholds: thresholds([[null, "green"], [1, "red"]]),
      width: 4,
      height: 5,
    }),
    stat({
      title: "Since the history was written",
      description:
        "Normal is below its interval_ms. Without [plugins.history]: no data.",
      unit: "s",
      queries: [{
        expr: `time() - pgdog_history_last_write_timestamp_seconds{${PROCESS}}`,
        legend: "{{instance}}",
      }],
      width: 8,
      height: 5,
    }),
  ],
};

/** From the question down to what helps to answer it. */
export const SECTIONS: readonly Section[] = [
  verdict,
  ledger,
  errors,
  latency,
  lag,
  statements,
  program,
];
