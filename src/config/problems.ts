/** One thing that is wrong, or strange, in a configuration. */
export interface Problem {
  /** The file, or `environment`. */
  readonly file: string;
  /** From 1; 0 where there is no line. */
  readonly line: number;
  /** Dotted: `general.port`, `databases[1].host`. */
  readonly key: string;
  readonly message: string;
}

/** Everything that is wrong, at once. */
export class ConfigError extends Error {
  override name = "ConfigError";
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    super(problems.map(formatProblem).join("\n"));
    this.problems = problems;
  }
}

/** `file:line: key: message`, as compilers say it. */
export function formatProblem(problem: Problem): string {
  const place = problem.line > 0
    ? `${problem.file}:${problem.line}`
    : problem.file;
  return problem.key === ""
    ? `${place}: ${problem.message}`
    : `${place}: ${problem.key}: ${problem.message}`;
}

/** The candidate that `name` was probably meant to be, if one is near. */
export function nearestName(
  name: string,
  candidates: readonly string[],
): string | undefined {
  const limit = Math.max(2, Math.floor(name.length / 3));
  let best: string | undefined;
  let bestDistance = limit + 1;
  for (const candidate of candidates) {
    const distance = editDistance(name, candidate);
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** Levenshtein's distance. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next.push(Math.min(
        (row[j] ?? 0) + 1,
        (next[j - 1] ?? 0) + 1,
        (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1),
      ));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}
