import { ask, type AskOptions } from "./ask.ts";

/** What `/readiness` says, and what is said of a fleet, as far as the exit code and the text need it. */
export interface ReadinessAnswer {
  readonly state: string;
  readonly headline: string;
  readonly score: number;
  readonly recommendation: string;
  readonly reasons: readonly string[];
  /** Older versions do not tell them. */
  readonly causes?: readonly string[];
  /** Since when evidence counts. */
  readonly window: { readonly since: string; readonly because: string };
  /** Rules of `[[ignore]]`; a fleet's are not known. */
  readonly rules?: readonly {
    readonly rule: string;
    readonly reason: string;
    readonly until: string | null;
    readonly state: string;
    readonly accepted: number;
  }[];
  /** What rules of `[[exclude]]`, and being unsafe, leave out; older versions do not tell it. */
  readonly excludes?: readonly {
    readonly kind: string;
    readonly name: string;
    readonly reason: string;
    readonly excluded: number;
  }[];
  readonly mirrors: readonly {
    readonly database: string;
    readonly mirror: string;
    readonly verdict: {
      readonly headline: string;
      readonly gates: readonly {
        readonly gate: string;
        readonly status: string;
        readonly sentence: string;
      }[];
    };
  }[];
}

/** Exit codes, so that a pipeline can gate on the verdict. */
const EXIT_CODES: Readonly<Record<string, number>> = {
  READY: 0,
  "NOT READY": 1,
  INCONCLUSIVE: 3,
};

/** Asks a running proxy whether its mirror is ready, and prints the answer. */
export async function readiness(
  options: AskOptions & { readonly format: "text" | "json" },
): Promise<number> {
  const text = await ask(options, "/readiness");
  const answer: ReadinessAnswer = JSON.parse(text);
  console.log(options.format === "json" ? text : readinessText(answer));
  return verdictCode(answer.state);
}

/** The exit code of a verdict. @throws {Error} if there is no such verdict. */
export function verdictCode(state: string): number {
  const code = EXIT_CODES[state];
  if (code === undefined) throw new Error(`Unknown verdict "${state}"`);
  return code;
}

/** The verdict, and a line for each gate of each mirror. */
export function readinessText(answer: ReadinessAnswer): string {
  const head = [
    `${answer.headline}. ${answer.recommendation} (score ${answer.score} of 100 towards READY)`,
    `window since ${answer.window.since}, because ${answer.window.because}`,
    ...answer.reasons.map((reason) => `note: ${reason}`),
    ...(answer.causes ?? []).map((cause) => `likely cause: ${cause}`),
    ...(answer.rules ?? []).map(({ rule, reason, until, state, accepted }) =>
      `rule: ${rule} (${reason}${
        until === null ? "" : `, until ${until}`
      }): ${state}, accepts ${accepted}`
    ),
    ...(answer.excludes ?? []).map(({ kind, name, reason, excluded }) =>
      `left out as ${kind}: ${name} (${reason}): ${excluded} requests`
    ),
  ];
  const mirrors = answer.mirrors.flatMap(({ database, mirror, verdict }) => [
    "",
    `${database} on ${mirror}: ${verdict.headline}`,
    ...verdict.gates.map(({ gate, status, sentence }) =>
      `  ${status.padEnd(12)} ${gate.padEnd(19)} ${sentence}`
    ),
  ]);
  return [...head, ...mirrors].join("\n");
}

/** Prints the change-ticket document of a running proxy. */
export async function report(
  options: AskOptions & { readonly format: "markdown" | "html" | "json" },
): Promise<number> {
  console.log(await ask(options, `/report?format=${options.format}`));
  return 0;
}
