import { parse, stringify } from "yaml";
import {
  type PrometheusSample,
  queryPrometheus,
} from "../../src/cli/prometheus_query.ts";
import { freePort } from "./proxy.ts";
import { waitFor } from "./wait.ts";

const SHIPPED = new URL("../../monitoring/", import.meta.url);

/** The part of Prometheus' configuration that a test changes. */
interface ScrapeConfig {
  global: { scrape_interval: string; evaluation_interval: string };
  rule_files: string[];
  scrape_configs: { static_configs: { targets: string[] }[] }[];
}

/** An alert that is pending or firing. */
export interface ActiveAlert {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly state: string;
}

/** A real Prometheus on the shipped scrape configuration and rules. */
export class Prometheus implements AsyncDisposable {
  readonly url: string;
  stderr = "";
  readonly #child: Deno.ChildProcess;
  readonly #folder: string;

  private constructor(folder: string, port: number) {
    this.url = `http://127.0.0.1:${port}`;
    this.#folder = folder;
    const child = new Deno.Command("prometheus", {
      args: [
        `--config.file=${folder}/prometheus-scrape.yaml`,
        `--storage.tsdb.path=${folder}/data`,
        `--web.listen-address=127.0.0.1:${port}`,
        "--log.level=warn",
      ],
      stdout: "null",
      stderr: "piped",
    }).spawn();
    this.#child = child;
    (async () => {
      const lines = child.stderr.pipeThrough(new TextDecoderStream());
      for await (const text of lines) this.stderr += text;
    })();
  }

  /**
   * Scrapes and evaluates each second; what rules look back on is `window`, and
   * alerts fire at once.
   *
   * @param targets `host:port` of the proxies.
   */
  static async start(
    targets: readonly string[],
    window: string,
  ): Promise<Prometheus> {
    const folder = Deno.makeTempDirSync({ prefix: "pgdog-mirror-prometheus-" });
    const config = parse(read("prometheus-scrape.yaml")) as ScrapeConfig;
    config.global = { scrape_interval: "1s", evaluation_interval: "1s" };
    for (const { static_configs: [first] } of config.scrape_configs) {
      if (first !== undefined) first.targets = [...targets];
    }
    write(folder, "prometheus-scrape.yaml", stringify(config));
    for (const name of config.rule_files) {
      write(folder, name, shortened(read(name), window));
    }
    const server = new Prometheus(folder, freePort());
    await waitFor(
      "Prometheus to be ready",
      () => fetch(`${server.url}/-/ready`).then(drained, () => false),
      20_000,
    );
    return server;
  }

  query(expr: string): Promise<readonly PrometheusSample[]> {
    return queryPrometheus(this.url, expr);
  }

  /** The first element of the answer. */
  async value(expr: string): Promise<number | undefined> {
    return (await this.query(expr))[0]?.value;
  }

  async alerts(): Promise<readonly ActiveAlert[]> {
    const response = await fetch(`${this.url}/api/v1/alerts`);
    return (await response.json()).data.alerts;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGTERM");
    await this.#child.status;
    await Deno.remove(this.#folder, { recursive: true });
  }
}

/** Ranges and offsets of minutes become `window`, and nothing waits. */
export function shortened(rules: string, window: string): string {
  return rules
    .replaceAll(/\[\d+m\]/g, `[${window}]`)
    .replaceAll(/\boffset \d+m\b/g, `offset ${window}`)
    .replaceAll(/^( +for:) \d+[sm]$/gm, "$1 0s");
}

async function drained(response: Response): Promise<boolean> {
  await response.body?.cancel();
  return response.ok;
}

function read(name: string): string {
  return Deno.readTextFileSync(new URL(name, SHIPPED));
}

function write(folder: string, name: string, text: string): void {
  Deno.writeTextFileSync(`${folder}/${name}`, text);
}
