import {
  type FleetOptions,
  judgeFleet,
} from "../../plugins/readiness/fleet.ts";
import type { Sample } from "../../plugins/readiness/samples.ts";

/** One answer of `/metrics`, as Prometheus stores it. */
export function samplesOf(text: string, instance: string): Sample[] {
  return text.split("\n").filter((line) => /^\w/.test(line)).map((line) => {
    const space = line.lastIndexOf(" ");
    return sample(
      line.slice(0, space),
      instance,
      Number(line.slice(space + 1).replace("Inf", "Infinity")),
    );
  });
}

export function sample(
  series: string,
  instance: string,
  value: number,
): Sample {
  const [name = "", rest = ""] = series.split(/[{}]/);
  const labels = Object.fromEntries(
    [...rest.matchAll(/(\w+)="([^"]*)"/g)].map(([, key, text]) => [key, text]),
  );
  return { labels: { __name__: name, instance, job: "x", ...labels }, value };
}

/** Asks as the command does; what the query leaves out is left out here too. */
export function judge(
  samples: readonly Sample[],
  gone: readonly Sample[] = [],
  asked: string[] = [],
) {
  const query: FleetOptions["query"] = (promql) => {
    asked.push(promql);
    const names = /__name__=~"(.*)"/.exec(promql)?.[1];
    return Promise.resolve(
      names === undefined
        ? gone
        : samples.filter(({ labels }) =>
          new RegExp(`^(?:${names})$`).test(labels.__name__ ?? "")
        ),
    );
  };
  return judgeFleet({ job: "x", namespace: "pgdog_", query });
}
