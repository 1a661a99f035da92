import type {
  Gate,
  Live,
  LiveMirror,
  LiveStatement,
  Outcome,
  Readiness,
  Verdict,
} from "./answers.ts";
import {
  clip,
  count,
  duration,
  milliseconds,
  printable,
  sparkline,
} from "./text.ts";

/** What a frame is drawn of. */
export interface FrameInput {
  readonly live: Live;
  readonly readiness: Readiness;
  /** Position of the mirror that is shown; undefined: the worst. */
  readonly mirror?: number | undefined;
  /** Since when the proxy does not answer, and why; what is shown is from then. */
  readonly lost?: { readonly since: number; readonly reason: string };
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** The keys that do something, in words. */
  readonly keys?: string;
}

export interface FrameOptions {
  /** Characters in a line. */
  readonly columns: number;
  /** Lines; what does not fit is left out from below. */
  readonly rows: number;
  readonly colour: boolean;
}

/** Colours of a terminal (ECMA-48, SGR). */
type Style = "bold" | "dim" | "good" | "bad" | "open";
const SGR: Readonly<Record<Style, string>> = {
  bold: "1",
  dim: "2",
  good: "32",
  bad: "31",
  open: "33",
};
const STATES: Readonly<Record<string, Style>> = {
  "READY": "good",
  "NOT READY": "bad",
  "INCONCLUSIVE": "open",
};
const RANK = ["READY", "INCONCLUSIVE", "NOT READY"];
/** What stands in the way comes first. */
const STATUSES = ["fail", "insufficient", "pass"];
const MARKS: Readonly<Record<string, readonly [string, Style]>> = {
  fail: ["✕", "bad"],
  insufficient: ["…", "open"],
  pass: ["✓", "good"],
};
const TERMS = ["seen", "excluded", "dropped", "replayed", "failed", "pending"];
const SIGNS = ["", "= ", "+ ", "+ ", "+ ", "+ "];
/** In a lower window the gates that pass share one line. */
const ALL_GATES_ROWS = 34;

/** The position of the mirror with the worst verdict; 0 without a mirror. */
export function worstMirror({ live, readiness }: FrameInput): number {
  const ranks = live.mirrors.map((mirror) =>
    RANK.indexOf(verdictOf(readiness, mirror).state)
  );
  return Math.max(0, ranks.indexOf(Math.max(...ranks)));
}

/** One picture as lines, none longer than the terminal is wide. */
export function frame(input: FrameInput, options: FrameOptions): string[] {
  const { live, readiness } = input;
  const position = input.mirror ?? worstMirror(input);
  const mirror = live.mirrors[position];
  const paper = new Paper(options);
  header(paper, input);
  if (mirror === undefined) {
    paper.line(
      "No [[mirroring]] is configured: everything is relayed, nothing is mirrored.",
    );
    verdict(paper, readiness, false);
    return paper.lines;
  }
  const name = (database: string) =>
    `${printable(database)} PostgreSQL ${
      printable(live.servers[database] ?? "(not heard yet)")
    }`;
  const of = live.mirrors.length < 2
    ? ""
    : `  (mirror ${position + 1} of ${live.mirrors.length})`;
  paper.line(`${name(mirror.database)} → ${name(mirror.mirror)}${of}`);
  verdict(paper, verdictOf(readiness, mirror), options.rows < ALL_GATES_ROWS);
  ledger(paper, mirror);
  times(paper, mirror, options.columns);
  statements(paper, mirror.statements, options.columns);
  return paper.lines;
}

/** Lines of a bounded size. What is put on them must be printable. */
class Paper {
  readonly lines: string[] = [];
  readonly #options: FrameOptions;

  constructor(options: FrameOptions) {
    this.#options = options;
  }

  /** Parts with a style each; clipped as a whole. */
  line(...parts: readonly (string | readonly [string, Style])[]): void {
    const { columns, rows, colour } = this.#options;
    if (this.lines.length >= rows) return;
    let left = columns;
    let line = "";
    for (const part of parts) {
      const [text, style] = typeof part === "string" ? [part] : part;
      const clipped = clip(text, left);
      left -= [...clipped].length;
      line += style === undefined || !colour
        ? clipped
        : `\x1b[${SGR[style]}m${clipped}\x1b[0m`;
    }
    this.lines.push(line);
  }

  /** Parts with a space between, on as many lines as they need. */
  wrapped(...parts: readonly (string | readonly [string, Style])[]): void {
    let line: (string | readonly [string, Style])[] = [];
    let length = 0;
    for (const part of parts) {
      const own = [...(typeof part === "string" ? part : part[0])].length;
      if (length > 0 && length + 1 + own > this.#options.columns) {
        this.line(...line);
        line = [];
        length = 0;
      }
      if (length > 0) line.push(" ");
      length += (length > 0 ? 1 : 0) + own;
      line.push(part);
    }
    if (line.length > 0) this.line(...line);
  }
}

function header(
  paper: Paper,
  { live, lost, now, keys = "" }: FrameInput,
): void {
  const at = (ms: number) => new Date(ms).toLocaleTimeString("en-GB");
  const facts = `  up ${duration(live.at - live.startedAt)}  ${
    count(live.clients)
  } clients`;
  const title = `PgDog Mirror ${printable(live.version)}`;
  if (lost === undefined) {
    paper.line([title, "bold"], `  live ${at(live.at)}${facts}`, [
      `  ${keys}`,
      "dim",
    ]);
    return;
  }
  paper.line([title, "bold"], [
    `  LOST since ${at(lost.since)}, ${duration(now - lost.since)} ago: ${
      printable(lost.reason)
    }`,
    "bad",
  ]);
}

function verdict(paper: Paper, given: Verdict, isShort: boolean): void {
  paper.line("");
  paper.line(
    [printable(given.headline), STATES[given.state] ?? "open"],
    `  ${
      printable(given.recommendation)
    } (score ${given.score} of 100 towards READY)`,
  );
  for (const reason of given.reasons) {
    paper.line([`  note: ${printable(reason)}`, "open"]);
  }
  for (const cause of given.causes ?? []) {
    paper.line([`  likely cause: ${printable(cause)}`, "open"]);
  }
  const order = ({ status }: Gate) => STATUSES.indexOf(status);
  const gates = given.gates.toSorted((a, b) => order(a) - order(b));
  for (const gate of gates) {
    if (isShort && gate.status === "pass") continue;
    const [mark, style] = MARKS[gate.status] ?? ["?", "open"];
    paper.line(
      "  ",
      [mark, style],
      ` ${gateName(gate).padEnd(20)}`,
      [printable(gate.sentence), gate.status === "fail" ? "bold" : "dim"],
    );
  }
  const passing = gates.filter(({ status }) => status === "pass");
  if (!isShort || passing.length === 0) return;
  paper.line("  ", ["✓", "good"], ` ${passing.map(gateName).join(", ")}`);
}

function gateName({ gate }: Gate): string {
  return words(gate);
}

function ledger(paper: Paper, { ledger, results }: LiveMirror): void {
  const total = (outcome: number | Outcome | undefined) =>
    typeof outcome === "object" ? outcome.total : outcome ?? 0;
  paper.line("");
  paper.wrapped(
    ...TERMS.map((name, i) =>
      `${SIGNS[i]}${name} ${count(total(ledger[name]))}`
    ),
  );
  const reasons = TERMS.flatMap((name) => {
    const outcome = ledger[name];
    return typeof outcome !== "object" ? [] : Object.entries(outcome.reasons)
      .map(([reason, n]) => `${name} ${words(reason)} ${count(n)}`);
  });
  if (reasons.length > 0) paper.line([reasons.join(", "), "dim"]);
  const counted = Object.entries(results).filter(([, n]) => n > 0)
    .toSorted(([, a], [, b]) => b - a);
  if (counted.length === 0) return;
  paper.wrapped(
    "statements:",
    ...counted.map(([name, n], i) => {
      const comma = i < counted.length - 1 ? "," : "";
      const text = `${words(name)} ${count(n)}${comma}`;
      return name.startsWith("mismatch") ? [text, "bad"] as const : text;
    }),
  );
}

/** Characters before a sparkline, and of one. */
const LABEL = 36;
const MAX_SPARK = 120;

function times(paper: Paper, { recent }: LiveMirror, columns: number): void {
  const width = Math.max(0, Math.min(MAX_SPARK, columns - LABEL));
  const column = (name: string) => recent[name] ?? [];
  const last = (name: string) => column(name).at(-1) ?? null;
  // Lines that are compared share their scale.
  const spark = (name: string, ...others: string[]) => {
    const shown = [name, ...others].flatMap((n) => column(n).slice(-width));
    const top = Math.max(...shown.map((value) => value ?? 0), 0);
    return sparkline(column(name), width, top > 0 ? top * 1.01 : 1);
  };
  const row = (name: string, values: string, line: string) =>
    paper.line(`${name.padEnd(9)}${values}`.padEnd(LABEL), [line, "dim"]);
  const quantiles = (side: string) =>
    `p50 ${milliseconds(last(`${side}P50Ms`)).padEnd(9)} p99 ${
      milliseconds(last(`${side}P99Ms`))
    }`;
  const lag = last("lagSeconds");
  const rate = (name: string) => {
    const value = last(name);
    return value === null ? "–" : count(value);
  };
  paper.line("");
  row("primary", quantiles("primary"), spark("primaryP99Ms", "mirrorP99Ms"));
  row("mirror", quantiles("mirror"), spark("mirrorP99Ms", "primaryP99Ms"));
  row(
    "lag",
    lag === null ? "–" : milliseconds(lag * 1e3),
    spark("lagSeconds"),
  );
  row("pending", rate("pending"), spark("pending"));
  row(
    "rate",
    `${rate("seenPerSecond")} seen/s, ${rate("replayedPerSecond")} replayed/s`,
    spark("seenPerSecond"),
  );
}

function statements(
  paper: Paper,
  given: readonly LiveStatement[],
  columns: number,
): void {
  if (given.length === 0) return;
  paper.line("");
  paper.line([
    `${"differ".padStart(8)}${"calls".padStart(9)}${
      "time".padStart(8)
    }  worst statements`,
    "bold",
  ]);
  for (const { text, calls, mismatches, results, latency } of given) {
    const kinds = Object.keys(results)
      .filter((name) => name.startsWith("mismatch_"))
      .map((name) => words(name.slice("mismatch_".length))).join(", ");
    const before = `${count(calls).padStart(9)}${
      (latency.ratio === null ? "–" : `${latency.ratio.toFixed(2)}×`)
        .padStart(8)
    }  `;
    paper.line(
      [count(mismatches).padStart(8), mismatches > 0 ? "bad" : "dim"],
      before,
      [kinds === "" ? "" : `[${kinds}] `, "bad"],
      // What is clipped need not be looked through.
      printable(text.slice(0, columns * 4)),
    );
  }
}

function verdictOf(
  readiness: Readiness,
  of: { readonly database: string; readonly mirror: string },
): Verdict {
  return readiness.mirrors.find(({ database, mirror }) =>
    database === of.database && mirror === of.mirror
  )?.verdict ?? readiness;
}

function words(name: string): string {
  return printable(name).replaceAll("_", " ");
}
