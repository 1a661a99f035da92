import {
  type FleetEvidence,
  gatherFrom,
  type Pair,
  Proxy,
} from "./fleet_proxy.ts";
import type { Sample } from "./samples.ts";
import type { LatencyFindings } from "./latency_regressions.ts";
import { assess, type Verdict, worstOf } from "./score.ts";
import type { Thresholds } from "./thresholds.ts";

/** Where a fleet's evidence is asked for. */
export interface FleetOptions {
  /** The name of the scrape job. */
  readonly job: string;
  /** What the exporter puts before each name: `openmetrics_namespace`. */
  readonly namespace: string;
  /** An instant query. */
  readonly query: (promql: string) => Promise<readonly Sample[]>;
}

/** One proxy of the fleet. */
export interface FleetInstance {
  readonly instance: string;
  /** `unscraped`: it is no target any more. `no metrics`: it answers, and not with ours. */
  readonly state: "up" | "down" | "no metrics" | "unscraped";
  readonly version: string | null;
  readonly evidence: FleetEvidence;
}

/** The verdict on a fleet: the same gates, on the sum of what its proxies saw. */
export interface FleetDocument extends Verdict {
  /** ISO 8601. */
  readonly at: string;
  /** The latest of the proxies'. */
  readonly window: { readonly since: string; readonly because: string };
  readonly evidence: FleetEvidence;
  readonly mirrors: readonly {
    readonly database: string;
    readonly mirror: string;
    readonly verdict: Verdict;
    readonly evidence: FleetEvidence;
  }[];
  readonly instances: readonly FleetInstance[];
}

/** An instance that went away within it has evidence that is not in the sums. */
const GONE_WITHIN = "1d";

/** What is asked for, without the namespace. */
const NAMES = [
  "build_info",
  "clients_in_transaction",
  "mirror_readiness_(evidence|evidence_seconds|lag_requests|consecutive_errors)",
  "mirror_readiness_(limit|observed_seconds|statements|shapes|level|stalled_seconds)",
  "mirror_readiness_drifted_columns",
  "mirror_readiness_(window_start_timestamp_seconds|active_seconds)",
  "mirror_(compare_mode|metrics_enabled|paused)",
];

/**
 * Judges several proxies as one, by what Prometheus knows of them: the sum of
 * what each proxy's own verdict rests on, which it exports as gauges. A restart
 * without history takes a proxy's counts away, and its observed time with them:
 * the shortest observed time of the proxies with traffic counts, so that nothing
 * is forgotten into READY, and one that stands by holds nobody up.
 *
 * @throws {Error} if the job has no target, or the query fails.
 */
export async function judgeFleet(
  options: FleetOptions,
): Promise<FleetDocument> {
  const { namespace } = options;
  const [samples, gone] = await Promise.all([
    options.query(evidenceQuery(options)),
    options.query(goneQuery(options)),
  ]);
  const byInstance = Map.groupBy(
    samples,
    ({ labels }) => labels.instance ?? "",
  );
  const targets = samples.filter(({ labels }) => labels.__name__ === "up");
  if (targets.length === 0) {
    throw new Error(
      `Prometheus scrapes no job "${options.job}"; --job names another one`,
    );
  }
  const proxies = [...byInstance].sort(([a], [b]) => a < b ? -1 : 1)
    .map(([instance, own]) => new Proxy(instance, own, namespace));
  const judged = proxies.filter(({ state }) => state === "up");
  const limits = judged.map(({ limits }) => limits);
  const reasons = [
    ...proxies.flatMap(({ complaint }) => complaint ?? []),
    ...gone.map(({ labels }) =>
      `${labels.instance} was scraped within ${GONE_WITHIN} and is no target now: what it saw is not counted`
    ),
    ...disagreement(limits),
  ];
  const thresholds = limits.find((one) => one !== undefined);
  if (thresholds === undefined) {
    throw new Error(
      `No instance of job "${options.job}" gives its limits: ${
        reasons.join("; ")
      }`,
    );
  }
  const pairs = uniquePairs(judged);
  const judge = (of?: Pair) => {
    const evidence = gatherFrom(
      of === undefined ? judged : judged.filter((proxy) => proxy.mirrors(of)),
      of,
    );
    const whole = { ...evidence, statements: [], lagCounts: [], drift: [] };
    const verdict = assess(whole, thresholds, {
      latency: findings(judged, of),
      reasons,
      causes: whereDrift(judged, of),
    });
    return { evidence, verdict };
  };
  const all = judge();
  const mirrors = pairs.map((of) => ({ ...of, ...judge(of) }));
  return {
    at: new Date().toISOString(),
    ...(worstOf(mirrors.map(({ verdict }) => verdict)) ?? all.verdict),
    window: latestWindow(judged),
    evidence: all.evidence,
    mirrors,
    instances: [
      ...proxies.map((proxy) => ({
        instance: proxy.instance,
        state: proxy.state,
        version: proxy.version,
        evidence: gatherFrom([proxy]),
      })),
      ...gone.map(({ labels }) => ({
        instance: labels.instance ?? "",
        state: "unscraped" as const,
        version: null,
        evidence: gatherFrom([]),
      })),
    ],
  };
}

/** One query, so that all samples are of one moment. */
function evidenceQuery({ job, namespace }: FleetOptions): string {
  const names = `up|${namespace}(${NAMES.join("|")})`;
  return `{job=${JSON.stringify(job)},__name__=~${JSON.stringify(names)}}`;
}

function goneQuery({ job, namespace }: FleetOptions): string {
  const of = `{job=${JSON.stringify(job)}}`;
  const sign = `${namespace}mirror_readiness_observed_seconds${of}`;
  return `group by (instance) (last_over_time(${sign}[${GONE_WITHIN}])) unless on (instance) up${of}`;
}

/** A statement counts once for each proxy that judged it; SQL text is in no metric. */
function findings(proxies: readonly Proxy[], of?: Pair): LatencyFindings {
  const sum = (which: "tested" | "slower" | "unjudged") =>
    proxies.reduce((total, proxy) => total + proxy.latency(which, of), 0);
  const most = (which: "slower" | "unjudged") => {
    const [first] = proxies.toSorted((a, b) =>
      b.latency(which, of) - a.latency(which, of)
    );
    return first === undefined
      ? null
      : `see SHOW MIRROR STATEMENTS on ${first.instance}`;
  };
  return {
    tested: sum("tested"),
    slower: sum("slower"),
    worst: most("slower"),
    unjudged: sum("unjudged"),
    unjudgedNames: most("unjudged"),
  };
}

/** Names of tables are in no metric. */
function whereDrift(proxies: readonly Proxy[], of?: Pair): string[] {
  return proxies.filter((proxy) => proxy.driftedColumns(of) > 0)
    .map(({ instance }) =>
      `values that the mirror has made by itself may stand behind differences: see SHOW MIRROR GIVEN on ${instance}`
    );
}

function latestWindow(proxies: readonly Proxy[]): FleetDocument["window"] {
  const [latest] = proxies.toSorted((a, b) => b.windowStart - a.windowStart);
  return {
    since: new Date((latest?.windowStart ?? 0) * 1e3).toISOString(),
    because: `${latest?.instance ?? "nobody"} began its window last`,
  };
}

function uniquePairs(proxies: readonly Proxy[]): Pair[] {
  const pairs = proxies.flatMap((proxy) => proxy.pairs);
  return [
    ...new Map(pairs.map((pair) => [JSON.stringify(pair), pair])).values(),
  ];
}

function disagreement(limits: readonly (Thresholds | undefined)[]): string[] {
  if (limits.includes(undefined)) {
    return ["a proxy does not give all of its limits"];
  }
  const texts = new Set(limits.map((one) => JSON.stringify(one)));
  return texts.size > 1 ? ["the proxies do not have the same limits"] : [];
}
