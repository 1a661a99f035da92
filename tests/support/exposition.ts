import assert from "node:assert/strict";
import { pipe } from "./pipe.ts";
import { PYTHON } from "./programs.ts";

/** A family as the Python client's OpenMetrics parser reads it. */
export interface ParsedFamily {
  readonly name: string;
  readonly type: string;
  readonly unit: string;
  readonly samples: readonly (readonly [
    name: string,
    labels: Readonly<Record<string, string>>,
    value: number,
  ])[];
}

/** `promtool check metrics` must have nothing to say. */
export async function assertPromtoolIsSilent(text: string): Promise<void> {
  const { code, stdout, stderr } = await pipe(
    "promtool",
    ["check", "metrics"],
    text,
  );
  assert.equal(stdout + stderr, "");
  assert.equal(code, 0);
}

const PARSER = `
import json, sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families
text = sys.stdin.buffer.read().decode("utf-8")
json.dump([{
    "name": family.name, "type": family.type, "unit": family.unit,
    "samples": [[s.name, s.labels, s.value] for s in family.samples],
} for family in text_string_to_metric_families(text)], sys.stdout)
`;

/** OpenMetrics through the reference parser. @throws with its words. */
export async function parseOpenMetrics(
  text: string,
): Promise<ReadonlyMap<string, ParsedFamily>> {
  const { code, stdout, stderr } = await pipe(PYTHON, ["-c", PARSER], text);
  assert.equal(code, 0, stderr);
  const families = JSON.parse(stdout) as ParsedFamily[];
  return new Map(families.map((family) => [family.name, family]));
}

/** A real Prometheus that scrapes one target twice a second. */
export class Prometheus implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #folder: string;
  readonly #url: string;

  private constructor(child: Deno.ChildProcess, folder: string, url: string) {
    this.#child = child;
    this.#folder = folder;
    this.#url = url;
  }

  static async start(port: number, target: string): Promise<Prometheus> {
    const folder = await Deno.makeTempDir({ prefix: "pgdog-mirror-prom-" });
    await Deno.writeTextFile(
      `${folder}/prometheus.yml`,
      `
scrape_configs:
  - job_name: pgdog_mirror
    scrape_interval: 500ms
    scrape_timeout: 500ms
    static_configs:
      - targets: ["${target}"]
`,
    );
    const child = new Deno.Command("prometheus", {
      args: [
        `--config.file=${folder}/prometheus.yml`,
        `--storage.tsdb.path=${folder}/data`,
        `--web.listen-address=127.0.0.1:${port}`,
        "--log.level=error",
      ],
      stdout: "null",
      stderr: "null",
    }).spawn();
    return new Prometheus(child, folder, `http://127.0.0.1:${port}`);
  }

  /** An instant query. @returns nothing as long as it does not answer. */
  async query(
    expression: string,
  ): Promise<{ labels: Record<string, string>; value: number }[]> {
    const { result = [] } = await this.#data<{
      result?: { metric: Record<string, string>; value: [number, string] }[];
    }>(`query?query=${encodeURIComponent(expression)}`) ?? {};
    return result.map(({ metric, value }) => ({
      labels: metric,
      value: Number(value[1]),
    }));
  }

  /** What the last scrape said of a metric: only OpenMetrics has units and state sets. */
  async metadata(metric: string) {
    const all = await this.#data<{ type: string; unit: string }[]>(
      `targets/metadata?metric=${metric}`,
    );
    return all?.[0];
  }

  async #data<T>(path: string): Promise<T | undefined> {
    try {
      const response = await fetch(`${this.#url}/api/v1/${path}`);
      const { data } = await response.json() as { data?: T };
      return data;
    } catch {
      return undefined; // It is not there yet.
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGTERM");
    await this.#child.status;
    await Deno.remove(this.#folder, { recursive: true });
  }
}
