import { type PrometheusSample, queryPrometheus } from "./prometheus_query.ts";
import {
  type ReadinessAnswer,
  readinessText,
  verdictCode,
} from "./readiness.ts";

/** What is said of a fleet, as far as the exit code and the text need it. */
export interface FleetAnswer extends ReadinessAnswer {
  readonly instances: readonly {
    readonly instance: string;
    readonly state: string;
    readonly evidence: { readonly seen: number; readonly replayed: number };
  }[];
}

/** Judges all proxies of a scrape job as one. */
export type JudgeFleet = (options: {
  readonly job: string;
  readonly namespace: string;
  readonly query: (promql: string) => Promise<readonly PrometheusSample[]>;
}) => Promise<FleetAnswer>;

/** What `readiness --prometheus` needs. */
export interface FleetReadinessOptions {
  readonly prometheus: string;
  readonly job: string;
  readonly namespace: string;
  readonly format: "text" | "json";
  readonly judgeFleet: JudgeFleet;
}

/** Asks a Prometheus server whether the mirror of a fleet is ready, and prints the answer. */
export async function fleetReadiness(
  { prometheus, job, namespace, format, judgeFleet }: FleetReadinessOptions,
): Promise<number> {
  const answer = await judgeFleet({
    job,
    namespace,
    query: (promql) => queryPrometheus(prometheus, promql),
  });
  console.log(
    format === "json" ? JSON.stringify(answer) : fleetText(answer),
  );
  return verdictCode(answer.state);
}

function fleetText(answer: FleetAnswer): string {
  return [
    readinessText(answer),
    "",
    "Proxies:",
    ...answer.instances.map(({ instance, state, evidence }) =>
      `  ${
        state.padEnd(12)
      } ${instance}: ${evidence.seen} requests seen, ${evidence.replayed} replayed`
    ),
  ].join("\n");
}
