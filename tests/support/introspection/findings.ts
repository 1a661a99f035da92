import { isMismatch, RESULTS } from "../../../src/stats/mod.ts";
import { type Ledger, TestProxy } from "../proxy.ts";
import type { Cluster } from "../cluster.ts";
import { waitFor } from "../wait.ts";
import type { IntrospectionTool } from "./tools.ts";

/** What was said of a tool's statements. */
export interface Findings {
  /** Statements by result. */
  readonly counts: Readonly<Record<string, number>>;
  /** Each statement that has a mismatch. */
  readonly mismatches: readonly Finding[];
}

/** A statement with a result that is not a match. */
export interface Finding {
  readonly result: string;
  readonly text: string;
  /** Where the first example differs. */
  readonly place: string | null;
  readonly primary: string | null;
  readonly mirror: string | null;
}

/** A proxy that tools use one after the other: what is new with each is its own. */
export class Introspection implements AsyncDisposable {
  readonly #proxy: TestProxy;
  #ledger: Ledger;
  /** Of each statement by result, when the last tool had ended. */
  #results = new Map<string, readonly number[]>();

  private constructor(proxy: TestProxy) {
    this.#proxy = proxy;
    this.#ledger = proxy.ledger();
  }

  static async start(
    primary: Cluster,
    mirror: Cluster,
  ): Promise<Introspection> {
    return new Introspection(
      await TestProxy.start({
        primary,
        mirror,
        general: {
          mirror_examples: "clear",
          mirror_pacing: "asap",
          mirror_queue: 100_000,
          mirror_timeout: 60_000,
          // A busy machine is none of the mirror's failures.
          connect_timeout: 60_000,
        },
      }),
    );
  }

  /** Runs a tool, and gives what was said of its statements. */
  async findingsOf(tool: IntrospectionTool): Promise<Findings> {
    const { port, supervisor } = this.#proxy;
    await tool.run(port);
    const ledger = await this.#proxy.settled(60_000);
    if (ledger.replayed !== ledger.seen) {
      throw new Error(`Not all was replayed: ${JSON.stringify(ledger)}`);
    }
    const judged = sum(Object.values(ledger.statements));
    await waitFor(
      "all statements to be reported",
      () => sum(supervisor.statements().map(({ calls }) => calls)) === judged,
      10_000,
    );
    const counts = added(ledger.statements, this.#ledger.statements);
    this.#ledger = ledger;
    return { counts, mismatches: this.#newMismatches() };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#proxy[Symbol.asyncDispose]();
  }

  #newMismatches(): readonly Finding[] {
    const before = this.#results;
    const summaries = this.#proxy.supervisor.statements();
    this.#results = new Map(
      summaries.map(({ fingerprint, results }) => [fingerprint, [...results]]),
    );
    return summaries.flatMap(({ fingerprint, text, results, examples }) =>
      RESULTS.flatMap((result, i) => {
        const known = before.get(fingerprint)?.[i] ?? 0;
        if (!isMismatch(i) || (results[i] ?? 0) === known) return [];
        const example = examples.find((one) => one.result === result);
        return [{
          result,
          text,
          place: example?.difference ?? null,
          primary: example?.primary.detail ?? null,
          mirror: example?.mirror.detail ?? null,
        }];
      })
    );
  }
}

function sum(counts: readonly number[]): number {
  return counts.reduce((all, n) => all + n, 0);
}

/** What is in `now` and was not in `before`. */
function added(
  now: Readonly<Record<string, number>>,
  before: Readonly<Record<string, number>>,
): Record<string, number> {
  return Object.fromEntries(
    Object.entries(now)
      .map(([name, n]) => [name, n - (before[name] ?? 0)] as const)
      .filter(([, n]) => n > 0),
  );
}
